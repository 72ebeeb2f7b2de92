/* EXP(x) = e^x for a VEC, right to 2 units in the last place; for sums and gates built on it.

   e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2, where a polynomial serves e^r. NaN
   passes. Results below 2^-126.5 become 0 (denormal numbers would be slow, and no sum notices
   them), results above 2^127.5 inf; in double 2^-1022.5 and 2^1023.5. EXP_BELOW(x) is for x <= 0.
*/

#ifndef EXP
#define EXP NAME(exp)
#define EXP_BELOW NAME(exp_below)
#endif

#ifdef MINIDL_X86
#include <immintrin.h>
#endif

#ifdef MINIDL_VECTORS
typedef UNSIGNED NAME(bits) __attribute__((vector_size(BYTES)));
#else
typedef UNSIGNED NAME(bits);
#endif

/* e^r - 1 for |r| <= 0.35: a minimax polynomial in float, Taylor's series in double. */
INLINE VEC NAME(expm1_near_zero)(VEC r)
{
    VEC p;
    if (sizeof(REAL) == 4) {
        static const REAL c[] = {
            1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
            1.6666665459e-1f, 5.0000001201e-1f};
        p = SPLAT(c[0]);
        for (int i = 1; i < 6; i++)
            p = p * r + c[i];
        return p * (r * r) + r;
    }
    static const REAL c[] = {
        (REAL)(1 / 6227020800.0), (REAL)(1 / 479001600.0), (REAL)(1 / 39916800.0),
        (REAL)(1 / 3628800.0), (REAL)(1 / 362880.0), (REAL)(1 / 40320.0), (REAL)(1 / 5040.0),
        (REAL)(1 / 720.0), (REAL)(1 / 120.0), (REAL)(1 / 24.0), (REAL)(1 / 6.0), (REAL)0.5};
    p = SPLAT(c[0]);
    for (int i = 1; i < 12; i++)
        p = p * r + c[i];
    return p * (r * r) + r;
}

/* a where a > b, else b: b where there is a NaN. One instruction, which GCC does not find. */
INLINE VEC NAME(larger)(VEC a, VEC b)
{
#if defined(HAVE_AVX512) && !defined(MINIDL_CHECKED)
    if (sizeof(REAL) == 4)
        return (VEC)_mm512_max_ps((__m512)a, (__m512)b);
    return (VEC)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif defined(HAVE_AVX2) && !defined(HAVE_AVX512)
    if (sizeof(REAL) == 4)
        return (VEC)_mm256_max_ps((__m256)a, (__m256)b);
    return (VEC)_mm256_max_pd((__m256d)a, (__m256d)b);
#else
    return SELECT(a > b, a, b);
#endif
}

/* e^r - 1 and 2^n for x <= 0 or NaN. */
INLINE VEC NAME(exp_parts)(VEC x, VEC *power)
{
    const int single = sizeof(REAL) == 4, shift = single ? 23 : 52;
    const REAL high_ln2 = (REAL)(single ? 0.693359375 : 6.93145751953125e-1);
    const REAL low_ln2 = (REAL)(single ? -2.12194440e-4 : 1.42860682030941723212e-6);
    /* Added to a number, this leaves its nearest integer in the last bits. */
    const REAL rounding = (REAL)(single ? 0x1.8p23 : 0x1.8p52);
    /* There n is -127 or -1023, and 2^n becomes 0. */
    x = NAME(larger)(SPLAT((REAL)(single ? -88.0 : -709.0)), x);
    VEC shifted = x * (REAL)1.4426950408889634 + rounding, n = shifted - rounding;
    NAME(bits) bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << shift) + ((UNSIGNED)(single ? 127 : 1023) << shift);
    memcpy(power, &bits, sizeof *power);
    return NAME(expm1_near_zero)((x - n * high_ln2) - n * low_ln2);
}

/* e^x for x <= 0 or NaN. */
INLINE VEC NAME(exp_below)(VEC x)
{
    VEC power, y = NAME(exp_parts)(x, &power);
    return y * power + power;
}

INLINE VEC NAME(exp)(VEC x)
{
    /* There n is 128 or 1024, and 2^n becomes inf. */
    const REAL high = (REAL)(sizeof(REAL) == 4 ? 88.7 : 709.7);
    VEC power, y = NAME(exp_parts)(SELECT(x > high, SPLAT(high), x), &power);
    return (y + 1) * power; /* of inf nothing is left if it is added */
}

/* The first `count` of LANES numbers at p, the others `rest`; and back. */
INLINE VEC NAME(load_part)(const REAL *p, long count, REAL rest)
{
    REAL part[LANES];
    for (long i = 0; i < LANES; i++)
        part[i] = i < count ? p[i] : rest;
    return LOAD(part);
}

INLINE void NAME(store_part)(REAL *p, VEC v, long count)
{
    REAL part[LANES];
    STORE(part, v);
    for (long i = 0; i < count; i++)
        p[i] = part[i];
}
