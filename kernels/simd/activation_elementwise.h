/* Activations of the values start .. stop, each by itself: y = f(x) and dx = f_chain(dy, x).

   a and b are the numbers that activation_numpy's functions take, in their order. */

#include "exp.h"
#include "sigmoid.h"
#include "erfc.h"

/* x * share, and 0 where the share is 0, however large x is. */
INLINE VEC NAME(times)(VEC x, VEC share) { return SELECT(share == 0, SPLAT(0), x * share); }

INLINE VEC NAME(leaky_relu)(VEC x, VEC slope, VEC b)
{
    (void)b;
    return SELECT(POSITIVE(x), x, x * slope);
}

INLINE VEC NAME(leaky_relu_chain)(VEC dy, VEC x, VEC slope, VEC b)
{
    (void)b;
    return SELECT(POSITIVE(x), dy, dy * slope);
}

INLINE VEC NAME(elu)(VEC x, VEC alpha, VEC scale)
{
    VEC near = NAME(expm1_near_zero)(x), far = EXP_BELOW(x) - 1;
    return SELECT(POSITIVE(x), x, SELECT(x > (REAL)-0.34, near, far) * alpha) * scale;
}

INLINE VEC NAME(elu_chain)(VEC dy, VEC x, VEC alpha, VEC scale)
{
    return SELECT(POSITIVE(x), dy, EXP_BELOW(x) * alpha * dy) * scale;
}

/* The normal distribution function, and e^(-x^2 / 2). */
INLINE VEC NAME(normal_cdf)(VEC x, VEC *gauss)
{
    VEC tail = NAME(erfc_above)(NAME(magnitude)(x) * (REAL)0.70710678118654752440, gauss);
    tail = tail * (REAL)0.5;
    return SELECT(x < 0, tail, 1 - tail);
}

INLINE VEC NAME(gelu)(VEC x, VEC a, VEC b)
{
    VEC gauss;
    (void)a, (void)b;
    return NAME(times)(x, NAME(normal_cdf)(x, &gauss));
}

INLINE VEC NAME(gelu_chain)(VEC dy, VEC x, VEC a, VEC b)
{
    VEC gauss, share = NAME(normal_cdf)(x, &gauss);
    (void)a, (void)b;
    return dy * (share + NAME(times)(x, gauss * (REAL)0.39894228040143267794));
}

/* 2 u = 2 sqrt(2 / pi) (x + cube x^3). */
INLINE VEC NAME(twice_u)(VEC x, double cube)
{
    return (x + x * x * x * (REAL)cube) * (REAL)1.59576912160573071176;
}

INLINE VEC NAME(gelu_tanh)(VEC x, VEC a, VEC b)
{
    (void)a, (void)b;
    return NAME(times)(x, NAME(sigmoid)(NAME(twice_u)(x, 0.044715)));
}

INLINE VEC NAME(gelu_tanh_chain)(VEC dy, VEC x, VEC a, VEC b)
{
    VEC share = NAME(sigmoid)(NAME(twice_u)(x, 0.044715));
    (void)a, (void)b;
    return dy * (share + NAME(times)(NAME(twice_u)(x, 3 * 0.044715), share * (1 - share)));
}

/* log(1 + e) for 0 <= e <= 1: twice the series of artanh(s), s = e / (2 + e) <= 1/3. */
INLINE VEC NAME(log1p_below)(VEC e)
{
    const int terms = sizeof(REAL) == 4 ? 8 : 17;
    VEC s = e / (e + 2), z = s * s, p = SPLAT((REAL)(1.0 / (2 * terms - 1)));
    for (int i = terms - 2; i >= 0; i--)
        p = p * z + (REAL)(1.0 / (2 * i + 1));
    return s * p * 2;
}

INLINE VEC NAME(softplus)(VEC x, VEC beta, VEC threshold)
{
    VEC z = x * beta, soft = NAME(log1p_below)(EXP_BELOW(-NAME(magnitude)(z)));
    return SELECT(z > threshold, x, (soft + SELECT(z > 0, z, SPLAT(0))) / beta);
}

INLINE VEC NAME(softplus_chain)(VEC dy, VEC x, VEC beta, VEC threshold)
{
    VEC z = x * beta;
    return SELECT(z > threshold, dy, dy * NAME(sigmoid)(z));
}

INLINE VEC NAME(silu)(VEC x, VEC a, VEC b)
{
    (void)a, (void)b;
    return NAME(times)(x, NAME(sigmoid)(x));
}

INLINE VEC NAME(silu_chain)(VEC dy, VEC x, VEC a, VEC b)
{
    VEC s = NAME(sigmoid)(x);
    (void)a, (void)b;
    return dy * (s + NAME(times)(x, s * (1 - s)));
}

INLINE VEC NAME(hard_sigmoid)(VEC x, VEC a, VEC b)
{
    VEC y = x / 6 + (REAL)0.5;
    (void)a, (void)b;
    return SELECT(y < 0, SPLAT(0), SELECT(y > 1, SPLAT(1), y));
}

INLINE VEC NAME(hard_sigmoid_chain)(VEC dy, VEC x, VEC a, VEC b)
{
    (void)a, (void)b;
    return SELECT((x > -3) & (x < 3), dy / 6, SPLAT(0));
}

INLINE VEC NAME(hard_tanh)(VEC x, VEC low, VEC high)
{
    return SELECT(x < low, low, SELECT(x > high, high, x));
}

INLINE VEC NAME(hard_tanh_chain)(VEC dy, VEC x, VEC low, VEC high)
{
    return SELECT((x > low) & (x < high), dy, SPLAT(0));
}

#define BOTH_WAYS_OF(f)                                                                         \
    static void NAME(f##_forward)(                                                              \
        const REAL *x, REAL *y, double a, double b, long start, long stop)                      \
    {                                                                                           \
        VEC va = SPLAT((REAL)a), vb = SPLAT((REAL)b);                                           \
        long i = start;                                                                         \
        for (; i + LANES <= stop; i += LANES)                                                   \
            STORE(y + i, NAME(f)(LOAD(x + i), va, vb));                                         \
        if (i < stop)                                                                           \
            NAME(store_part)(                                                                   \
                y + i, NAME(f)(NAME(load_part)(x + i, stop - i, 0), va, vb), stop - i);         \
    }                                                                                           \
    static void NAME(f##_backward)(                                                             \
        const REAL *dy, const REAL *x, REAL *dx, double a, double b, long start, long stop)     \
    {                                                                                           \
        VEC va = SPLAT((REAL)a), vb = SPLAT((REAL)b);                                           \
        long i = start;                                                                         \
        for (; i + LANES <= stop; i += LANES)                                                   \
            STORE(dx + i, NAME(f##_chain)(LOAD(dy + i), LOAD(x + i), va, vb));                  \
        if (i < stop) {                                                                         \
            VEC d = NAME(load_part)(dy + i, stop - i, 0), v = NAME(load_part)(x + i, stop - i, 0); \
            NAME(store_part)(dx + i, NAME(f##_chain)(d, v, va, vb), stop - i);                  \
        }                                                                                       \
    }
BOTH_WAYS_OF(leaky_relu)
BOTH_WAYS_OF(elu)
BOTH_WAYS_OF(gelu)
BOTH_WAYS_OF(gelu_tanh)
BOTH_WAYS_OF(softplus)
BOTH_WAYS_OF(silu)
BOTH_WAYS_OF(hard_sigmoid)
BOTH_WAYS_OF(hard_tanh)
#undef BOTH_WAYS_OF
