/* The values start .. stop of one parameter, in one pass over memory. */

#ifndef ROOT
#define ROOT(a) (sizeof(a) == 4 ? (REAL)sqrtf((float)(a)) : (REAL)sqrt(a))
#ifdef MINIDL_X86
#include <immintrin.h>
#endif
#endif

/* Compilers turn sqrt into vectors only where it need not set errno. */
INLINE VEC NAME(roots)(VEC v)
{
#if defined(HAVE_AVX512) && !defined(MINIDL_CHECKED)
    return sizeof(REAL) == 4 ? (VEC)_mm512_sqrt_ps((__m512)v) : (VEC)_mm512_sqrt_pd((__m512d)v);
#elif defined(HAVE_AVX2) && !defined(HAVE_AVX512)
    return sizeof(REAL) == 4 ? (VEC)_mm256_sqrt_ps((__m256)v) : (VEC)_mm256_sqrt_pd((__m256d)v);
#elif LANES > 1
    for (int i = 0; i < LANES; i++)
        v[i] = ROOT(v[i]);
    return v;
#else
    return ROOT(v);
#endif
}

/* o: lr / (1 - beta1^t), beta1, beta2, sqrt(1 - beta2^t), eps, weight_decay. */
static void NAME(optimizer_adam)(REAL *restrict p, const REAL *restrict g, REAL *restrict m,
                                 REAL *restrict v, const double *o, long start, long stop)
{
    REAL rate = (REAL)o[0], beta1 = (REAL)o[1], beta2 = (REAL)o[2], correction = (REAL)(1 / o[3]);
    REAL eps = (REAL)o[4], decay = (REAL)o[5], rest1 = (REAL)(1 - o[1]), rest2 = (REAL)(1 - o[2]);
    long i = start;
    for (; i + LANES <= stop; i += LANES) {
        VEC gradient = LOAD(g + i), here = LOAD(p + i);
        if (decay != 0)
            gradient += decay * here;
        VEC mean = beta1 * LOAD(m + i) + rest1 * gradient;
        VEC square = beta2 * LOAD(v + i) + rest2 * gradient * gradient;
        STORE(m + i, mean);
        STORE(v + i, square);
        STORE(p + i, here - rate * mean / (NAME(roots)(square) * correction + eps));
    }
    for (; i < stop; i++) {
        REAL gradient = decay != 0 ? g[i] + decay * p[i] : g[i];
        m[i] = beta1 * m[i] + rest1 * gradient;
        v[i] = beta2 * v[i] + rest2 * gradient * gradient;
        p[i] -= rate * m[i] / (ROOT(v[i]) * correction + eps);
    }
}

/* o: lr, momentum, 1 - dampening, weight_decay; without momentum v is not touched. */
static void NAME(optimizer_sgd)(REAL *restrict p, const REAL *restrict g, REAL *restrict v,
                                const double *o, int nesterov, long start, long stop)
{
    REAL lr = (REAL)o[0], momentum = (REAL)o[1], share = (REAL)o[2], decay = (REAL)o[3];
    if (momentum == 0) {
        for (long i = start; i < stop; i++)
            p[i] -= lr * (decay != 0 ? g[i] + decay * p[i] : g[i]);
        return;
    }
    for (long i = start; i < stop; i++) {
        REAL gradient = decay != 0 ? g[i] + decay * p[i] : g[i];
        v[i] = momentum * v[i] + share * gradient;
        p[i] -= lr * (nesterov ? gradient + momentum * v[i] : v[i]);
    }
}
