/* Activations built on the exponential, of the rows start .. stop of k values each. */

#include <math.h>

#include "softmax.h"
#include "sigmoid.h"

INLINE VEC NAME(sigmoid_slope)(VEC y) { return y * (1 - y); }
INLINE VEC NAME(tanh_slope)(VEC y) { return 1 - y * y; }

/* y = f(x) and dx = dy * slope(y), value by value. */
#define ELEMENTWISE(f)                                                                      \
    static void NAME(f##_forward)(const REAL *x, REAL *y, long k, long start, long stop)    \
    {                                                                                       \
        long i = start * k, to = stop * k;                                                  \
        for (; i + LANES <= to; i += LANES)                                                 \
            STORE(y + i, NAME(f)(LOAD(x + i)));                                             \
        if (i < to)                                                                         \
            NAME(store_part)(y + i, NAME(f)(NAME(load_part)(x + i, to - i, 0)), to - i);    \
    }                                                                                       \
    static void NAME(f##_backward)(                                                         \
        const REAL *dy, const REAL *y, REAL *dx, long k, long start, long stop)             \
    {                                                                                       \
        long i = start * k, to = stop * k;                                                  \
        for (; i + LANES <= to; i += LANES)                                                 \
            STORE(dx + i, LOAD(dy + i) * NAME(f##_slope)(LOAD(y + i)));                     \
        if (i < to)                                                                         \
            NAME(store_part)(dx + i,                                                        \
                NAME(load_part)(dy + i, to - i, 0) *                                        \
                    NAME(f##_slope)(NAME(load_part)(y + i, to - i, 0)), to - i);            \
    }
ELEMENTWISE(sigmoid)
ELEMENTWISE(tanh)
#undef ELEMENTWISE

static void NAME(softmax_forward)(const REAL *x, REAL *y, long k, long start, long stop)
{
    for (long i = start * k; i < stop * k; i += k) {
        double total = NAME(exponentials)(x + i, NAME(largest)(x + i, k), k, y + i);
        NAME(scale)(y + i, (REAL)(1 / total), k);
    }
}

static void NAME(softmax_backward)(
    const REAL *dy, const REAL *y, REAL *dx, long k, long start, long stop)
{
    for (long i = start * k; i < stop * k; i += k) {
        double total = 0;
        long j = 0;
        VEC sum = SPLAT(0);
        for (; j + LANES <= k; j += LANES)
            sum += LOAD(dy + i + j) * LOAD(y + i + j);
        total = SUM(sum);
        for (; j < k; j++)
            total += dy[i + j] * y[i + j];
        REAL shift = (REAL)total;
        VEC v_shift = SPLAT(shift);
        for (j = 0; j + LANES <= k; j += LANES)
            STORE(dx + i + j, LOAD(y + i + j) * (LOAD(dy + i + j) - v_shift));
        for (; j < k; j++)
            dx[i + j] = y[i + j] * (dy[i + j] - shift);
    }
}

static void NAME(log_softmax_forward)(const REAL *x, REAL *y, long k, long start, long stop)
{
    for (long i = start * k; i < stop * k; i += k) {
        REAL most = NAME(largest)(x + i, k);
        REAL log_total = (REAL)log(NAME(exponentials)(x + i, most, k, NULL));
        VEC v_most = SPLAT(most), v_log_total = SPLAT(log_total);
        long j = 0;
        for (; j + LANES <= k; j += LANES)
            STORE(y + i + j, LOAD(x + i + j) - v_most - v_log_total);
        for (; j < k; j++)
            y[i + j] = x[i + j] - most - log_total;
    }
}

static void NAME(log_softmax_backward)(
    const REAL *dy, const REAL *y, REAL *dx, long k, long start, long stop)
{
    for (long i = start * k; i < stop * k; i += k) {
        long j = 0;
        VEC sum = SPLAT(0);
        for (; j + LANES <= k; j += LANES)
            sum += LOAD(dy + i + j);
        double total = SUM(sum);
        for (; j < k; j++)
            total += dy[i + j];
        VEC v_total = SPLAT((REAL)total);
        for (j = 0; j + LANES <= k; j += LANES)
            STORE(dx + i + j, LOAD(dy + i + j) - EXP_BELOW(LOAD(y + i + j)) * v_total);
        if (j < k) {
            VEC d = NAME(load_part)(dy + i + j, k - j, 0);
            VEC e = EXP_BELOW(NAME(load_part)(y + i + j, k - j, 0));
            NAME(store_part)(dx + i + j, d - e * v_total, k - j);
        }
    }
}
