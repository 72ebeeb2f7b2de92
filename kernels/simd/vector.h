/* Vectors of LANES numbers of type REAL, as GCC and Clang offer them on every processor.

   VEC is such a vector and MASK one of integers of the same width: comparisons give a MASK, all bits
   set where true. + - * / < <= > >= == & | ~ work element by element; a * b + c becomes one fused
   instruction where there is one. Without vector types VEC is one number and LANES is 1: bodies written
   with what stands here compile either way. */

#ifndef VECTOR_SHORT_NAMES
#define VECTOR_SHORT_NAMES
#define VEC NAME(vec)
#define MASK NAME(mask)
#define LOAD NAME(load)
#define STORE NAME(store)
#define SPLAT NAME(splat)
#define SELECT NAME(select) /* SELECT(m, a, b): a where m, else b */
#define SUM NAME(sum)
#define POSITIVE NAME(positive) /* x > 0, of denormal numbers also where they count as 0 */
/* Asks for what lies at p, if anything does. */
#ifdef MINIDL_VECTORS
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) (void)(p)
#endif
/* Keeps what was loaded in its register: GCC may load it again for each of a few uses. */
#if defined(MINIDL_VECTORS) && defined(__x86_64__) && !defined(MINIDL_CHECKED)
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#else
#define IN_REGISTER(v) (void)(v)
#endif
#endif

#ifdef MINIDL_VECTORS
#undef INLINE
#undef CALLED
#define INLINE static inline __attribute__((always_inline, unused))
#define CALLED static __attribute__((noinline)) /* never INLINE */
typedef REAL VEC __attribute__((vector_size(BYTES)));
typedef INTEGER MASK __attribute__((vector_size(BYTES)));
typedef REAL NAME(loose) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

INLINE VEC NAME(load)(const REAL *p) { return *(const NAME(loose) *)p; }
INLINE void NAME(store)(REAL *p, VEC v) { *(NAME(loose) *)p = v; }
INLINE VEC NAME(splat)(REAL a) { return a - (VEC){0}; } /* 0 + a would add: it maps -0 to 0 */
INLINE VEC NAME(select)(MASK m, VEC a, VEC b) { return (VEC)(((MASK)a & m) | ((MASK)b & ~m)); }
INLINE REAL NAME(sum)(VEC v)
{
    REAL total = 0;
    for (int i = 0; i < LANES; i++)
        total += v[i];
    return total;
}
#else
#undef LANES
#define LANES 1
#undef INLINE
#undef CALLED
#define INLINE static inline
#define CALLED static
typedef REAL VEC;
typedef INTEGER MASK;
INLINE VEC NAME(load)(const REAL *p) { return *p; }
INLINE void NAME(store)(REAL *p, VEC v) { *p = v; }
INLINE VEC NAME(splat)(REAL a) { return a; }
INLINE VEC NAME(select)(MASK m, VEC a, VEC b) { return m ? a : b; }
INLINE REAL NAME(sum)(VEC v) { return v; }
#endif

INLINE MASK NAME(positive)(VEC x)
{
    const INTEGER infinity = (INTEGER)(sizeof(REAL) == 4 ? 0x7f800000 : 0x7ff0000000000000);
    MASK bits;
    memcpy(&bits, &x, sizeof(bits));
    return (bits > 0) & (bits <= infinity);
}
