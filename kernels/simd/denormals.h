/* Numbers too small for all their digits, below 2^-126 in float, taken for 0.

   A product of them takes Intel's processors a hundred times as long as one of others. Between
   flush_denormals and keep_denormals they count as 0, in what is read and in what is computed.
   Comparisons see them as 0 as well: what asks whether such a number is positive asks its bits
   (POSITIVE of vector.h), or must not be between the two. Nor must what divides by a number, or by the
   root of one, that may be so small: unless something is added to it that COVERS it.

   The choice is in a control register of the thread, which is given back as it was. */

#ifndef DENORMALS_H
#define DENORMALS_H

/* Beside such a number the root of a denormal one, below 1e-19 in float, or below 1e-17 of the
   thousandth part of a square, is nothing. */
#define COVERS(eps) ((eps) >= 1e-10)

#if (defined(__GNUC__) || defined(__clang__)) && defined(__SSE__)
#define FLUSHING 0x8040u
/* Returns what keep_denormals is to be given. */
static inline unsigned flush_denormals(int when)
{
    unsigned before = __builtin_ia32_stmxcsr();
    if (when)
        __builtin_ia32_ldmxcsr(before | FLUSHING);
    __asm__ volatile("" ::: "memory");
    return before;
}
static inline void keep_denormals(unsigned before)
{
    __asm__ volatile("" ::: "memory");
    if ((before ^ __builtin_ia32_stmxcsr()) & FLUSHING)
        __builtin_ia32_ldmxcsr(before);
}
#else /* other processors are as fast with them */
static inline unsigned flush_denormals(int when) { (void)when; return 0; }
static inline void keep_denormals(unsigned before) { (void)before; }
#endif
#endif
