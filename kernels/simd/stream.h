/* Stores that go around the cache: for results so large that they would only drive out of it what
   is still needed. Memory is then written without being read first, which saves a third of the
   traffic of a pass from one array to another. What is read again soon is better left in the cache.

   STREAM(p, v) needs p at a multiple of a vector's size; UNEVEN(p) is the number of elements up to
   the next one. A thread that streamed calls stream_end() before others read its results. */

#ifndef STREAM_SHORT_NAMES
#define STREAM_SHORT_NAMES
#define STREAM NAME(stream)
#define UNEVEN NAME(uneven)

static inline void stream_end(void)
{
#ifdef MINIDL_X86
    __builtin_ia32_sfence();
#endif
}
#endif

#if defined(MINIDL_VECTORS) && defined(__clang__)
INLINE void NAME(stream)(REAL *p, VEC v) { __builtin_nontemporal_store(v, (VEC *)p); }
#elif defined(MINIDL_VECTORS) && defined(MINIDL_X86)
#ifdef HAVE_AVX2
typedef float NAME(piece) __attribute__((vector_size(32), may_alias));
#define STORE_PIECE __builtin_ia32_movntps256
#else
typedef float NAME(piece) __attribute__((vector_size(16), may_alias));
#define STORE_PIECE __builtin_ia32_movntps
#endif
INLINE void NAME(stream)(REAL *p, VEC v)
{
    const NAME(piece) *pieces = (const NAME(piece) *)&v;
    for (size_t i = 0; i < sizeof v / sizeof *pieces; i++)
        STORE_PIECE((float *)((NAME(piece) *)p + i), pieces[i]);
}
#undef STORE_PIECE
#else
INLINE void NAME(stream)(REAL *p, VEC v) { STORE(p, v); }
#endif

INLINE long NAME(uneven)(const REAL *p)
{
    size_t over = (size_t)p % sizeof(VEC);
    return over ? (long)((sizeof(VEC) - over) / sizeof(REAL)) : 0;
}
