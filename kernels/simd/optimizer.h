/* The values start .. stop of one parameter, in one pass over memory.

   Each step is written once, for LANES values from place i on: a[0] is the parameter, a[1] its
   gradient, which alone is not written to, then comes the state; a state that the options make
   unnecessary is NULL. c are the options. */

#ifndef MOST
#define MOST 6     /* arrays of a parameter */
#define OPTIONS 10 /* of a step */
#define ROOT(a) (sizeof(a) == 4 ? (REAL)sqrtf((float)(a)) : (REAL)sqrt(a))
#ifdef MINIDL_X86
#include <immintrin.h>
#endif

/* The last few values go through room of their own. */
#define WALK(step, count)                                                                       \
    static void NAME(optimizer_##step)(void *const *arrays, const double *o, long start, long stop) \
    {                                                                                           \
        REAL *a[MOST], *last[MOST], room[MOST][LANES], c[OPTIONS];                              \
        for (int k = 0; k < OPTIONS; k++)                                                       \
            c[k] = (REAL)o[k];                                                                  \
        for (int k = 0; k < count; k++)                                                         \
            a[k] = (REAL *)arrays[k];                                                           \
        long i = start;                                                                         \
        for (; i + LANES <= stop; i += LANES)                                                   \
            NAME(step##_lanes)(a, c, i);                                                        \
        if (i == stop)                                                                          \
            return;                                                                             \
        memset(room, 0, sizeof(room));                                                          \
        for (int k = 0; k < count; k++)                                                         \
            last[k] = a[k] ? memcpy(room[k], a[k] + i, (stop - i) * sizeof(REAL)) : NULL;       \
        NAME(step##_lanes)(last, c, 0);                                                         \
        for (int k = 0; k < count; k++)                                                         \
            if (a[k] && k != 1)                                                                 \
                memcpy(a[k] + i, room[k], (stop - i) * sizeof(REAL));                           \
    }
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

/* The larger of two; NaN where one is. */
INLINE VEC NAME(larger)(VEC a, VEC b) { return SELECT((a >= b) | (a != a), a, b); }

/* sign times the gradient, plus decay times the parameter, which may be infinite. */
INLINE VEC NAME(downhill)(REAL *const *a, long i, REAL sign, REAL decay)
{
    VEC g = sign * LOAD(a[1] + i);
    return decay != 0 ? g + decay * LOAD(a[0] + i) : g;
}

/* a: p, g, velocity. c: sign, weight_decay, lr, momentum, 1 - dampening, nesterov. */
INLINE void NAME(sgd_lanes)(REAL *const *a, const REAL *c, long i)
{
    VEC g = NAME(downhill)(a, i, c[0], c[1]);
    if (a[2]) {
        VEC v = c[3] * LOAD(a[2] + i) + c[4] * g;
        STORE(a[2] + i, v);
        g = c[5] != 0 ? g + c[3] * v : v;
    }
    STORE(a[0] + i, LOAD(a[0] + i) - c[2] * g);
}
WALK(sgd, 3)

/* a: p, g, velocity. c: sign, weight_decay, lr, momentum. */
INLINE void NAME(momentum_lanes)(REAL *const *a, const REAL *c, long i)
{
    VEC v = c[3] * LOAD(a[2] + i) + c[2] * NAME(downhill)(a, i, c[0], c[1]);
    STORE(a[2] + i, v);
    STORE(a[0] + i, LOAD(a[0] + i) - v);
}
WALK(momentum, 3)

/* a: p, g, mean, square, maximum. c: sign, weight_decay unless decoupled, lr / (1 - beta1^t),
   beta1, 1 - beta1, beta2, 1 - beta2, 1 / sqrt(1 - beta2^t), eps, what is kept of p. */
INLINE void NAME(adam_lanes)(REAL *const *a, const REAL *c, long i)
{
    VEC g = NAME(downhill)(a, i, c[0], c[1]);
    VEC m = c[3] * LOAD(a[2] + i) + c[4] * g;
    VEC v = c[5] * LOAD(a[3] + i) + c[6] * g * g;
    STORE(a[2] + i, m);
    STORE(a[3] + i, v);
    if (a[4]) {
        v = NAME(larger)(LOAD(a[4] + i), v);
        STORE(a[4] + i, v);
    }
    STORE(a[0] + i, c[9] * LOAD(a[0] + i) - c[2] * m / (NAME(roots)(v) * c[7] + c[8]));
}
WALK(adam, 5)

/* a: p, g, square, mean, velocity. c: sign, weight_decay, lr, alpha, 1 - alpha, eps, momentum. */
INLINE void NAME(rmsprop_lanes)(REAL *const *a, const REAL *c, long i)
{
    VEC g = NAME(downhill)(a, i, c[0], c[1]);
    VEC v = c[3] * LOAD(a[2] + i) + c[4] * g * g;
    STORE(a[2] + i, v);
    if (a[3]) {
        VEC m = c[3] * LOAD(a[3] + i) + c[4] * g;
        STORE(a[3] + i, m);
        v = NAME(larger)(v - m * m, SPLAT(0)); /* of denormal squares or by rounding below 0 */
    }
    VEC s = g / (NAME(roots)(v) + c[5]);
    if (a[4]) {
        s += c[6] * LOAD(a[4] + i);
        STORE(a[4] + i, s);
    }
    STORE(a[0] + i, LOAD(a[0] + i) - c[2] * s);
}
WALK(rmsprop, 5)

/* a: p, g, sum. c: sign, weight_decay, lr / (1 + (t - 1) lr_decay), eps. */
INLINE void NAME(adagrad_lanes)(REAL *const *a, const REAL *c, long i)
{
    VEC g = NAME(downhill)(a, i, c[0], c[1]);
    VEC sum = LOAD(a[2] + i) + g * g;
    STORE(a[2] + i, sum);
    STORE(a[0] + i, LOAD(a[0] + i) - c[2] * g / (NAME(roots)(sum) + c[3]));
}
WALK(adagrad, 3)

/* a: p, g, square, delta. c: sign, weight_decay, lr, rho, 1 - rho, eps. */
INLINE void NAME(adadelta_lanes)(REAL *const *a, const REAL *c, long i)
{
    VEC g = NAME(downhill)(a, i, c[0], c[1]);
    VEC v = c[3] * LOAD(a[2] + i) + c[4] * g * g;
    STORE(a[2] + i, v);
    VEC d = g / NAME(roots)(v + c[5]);
    if (a[3]) {
        VEC u = LOAD(a[3] + i);
        d *= NAME(roots)(u + c[5]);
        STORE(a[3] + i, c[3] * u + c[4] * d * d);
    }
    STORE(a[0] + i, LOAD(a[0] + i) - c[2] * d);
}
WALK(adadelta, 4)

/* a: p, g, mean, norm. c: sign, weight_decay, lr / (1 - beta1^t), beta1, 1 - beta1, beta2, eps. */
INLINE void NAME(adamax_lanes)(REAL *const *a, const REAL *c, long i)
{
    VEC g = NAME(downhill)(a, i, c[0], c[1]);
    VEC m = c[3] * LOAD(a[2] + i) + c[4] * g;
    VEC u = NAME(larger)(c[5] * LOAD(a[3] + i), SELECT(g < 0, -g, g) + c[6]);
    STORE(a[2] + i, m);
    STORE(a[3] + i, u);
    STORE(a[0] + i, LOAD(a[0] + i) - c[2] * m / u);
}
WALK(adamax, 4)
