/* PReLU of samples of c channels with s values each; with s = 1 channels stand side by side. */

#include "exp.h"

/* Values summed in their own precision before they are added to a double. */
#ifndef PRELU_STRETCH
#define PRELU_STRETCH 2048
#endif

INLINE VEC NAME(prelu)(VEC x, VEC w)
{
    return SELECT(POSITIVE(x), x, w * x);
}

static void NAME(prelu_forward)(
    const REAL *x, const REAL *weight, REAL *y, long c, long s, long start, long stop)
{
    for (long n = start; s == 1 && n < stop; n++)
        for (long j = 0; j < c; j += LANES) {
            const REAL *v = x + n * c + j;
            if (j + LANES <= c)
                STORE(y + n * c + j, NAME(prelu)(LOAD(v), LOAD(weight + j)));
            else
                NAME(store_part)(y + n * c + j, NAME(prelu)(NAME(load_part)(v, c - j, 0),
                    NAME(load_part)(weight + j, c - j, 0)), c - j);
        }
    for (long row = start * c; s != 1 && row < stop * c; row++) {
        const REAL *v = x + row * s;
        REAL *to = y + row * s;
        VEC w = SPLAT(weight[row % c]);
        long i = 0;
        for (; i + LANES <= s; i += LANES)
            STORE(to + i, NAME(prelu)(LOAD(v + i), w));
        if (i < s)
            NAME(store_part)(to + i, NAME(prelu)(NAME(load_part)(v + i, s - i, 0), w), s - i);
    }
}

/* dx of one row, and the sum of dy * x where not x > 0. */
INLINE double NAME(prelu_row)(const REAL *dy, const REAL *x, REAL w, REAL *dx, long s)
{
    double total = 0;
    VEC v_w = SPLAT(w);
    for (long from = 0; from < s; from += PRELU_STRETCH) {
        long i = from, to = s - from < PRELU_STRETCH ? s : from + PRELU_STRETCH;
        VEC sum = SPLAT(0);
        for (; i + LANES <= to; i += LANES) {
            VEC d = LOAD(dy + i), v = LOAD(x + i);
            STORE(dx + i, SELECT(POSITIVE(v), d, d * v_w));
            sum += SELECT(POSITIVE(v), SPLAT(0), d * v);
        }
        if (i < to) {
            VEC d = NAME(load_part)(dy + i, to - i, 0), v = NAME(load_part)(x + i, to - i, 0);
            NAME(store_part)(dx + i, SELECT(POSITIVE(v), d, d * v_w), to - i);
            sum += SELECT(POSITIVE(v), SPLAT(0), d * v);
        }
        total += SUM(sum);
    }
    return total;
}

/* dx of the samples, and dweight, for the channels j .. j + count, side by side. */
INLINE void NAME(prelu_column)(
    const REAL *dy, const REAL *x, const REAL *weight, REAL *dx, double *dweight, long c, long j,
    long count, long start, long stop)
{
    VEC w = NAME(load_part)(weight + j, count, 0);
    REAL part[LANES];
    for (long from = start; from < stop; from += PRELU_STRETCH) {
        VEC sum = SPLAT(0);
        for (long n = from; n < stop && n < from + PRELU_STRETCH; n++) {
            const long place = n * c + j;
            VEC d, v;
            if (count == LANES)
                d = LOAD(dy + place), v = LOAD(x + place);
            else
                d = NAME(load_part)(dy + place, count, 0), v = NAME(load_part)(x + place, count, 0);
            VEC slope = SELECT(POSITIVE(v), d, d * w);
            if (count == LANES)
                STORE(dx + place, slope);
            else
                NAME(store_part)(dx + place, slope, count);
            sum += SELECT(POSITIVE(v), SPLAT(0), d * v);
        }
        STORE(part, sum);
        for (long i = 0; i < count; i++)
            dweight[j + i] += part[i];
    }
}

/* dweight, of c numbers, is added to. */
static void NAME(prelu_backward)(
    const REAL *dy, const REAL *x, const REAL *weight, REAL *dx, double *dweight, long c, long s,
    long start, long stop)
{
    for (long j = 0; s == 1 && j < c; j += LANES) {
        if (j + LANES <= c)
            NAME(prelu_column)(dy, x, weight, dx, dweight, c, j, LANES, start, stop);
        else
            NAME(prelu_column)(dy, x, weight, dx, dweight, c, j, c - j, start, stop);
    }
    for (long row = start * c; s != 1 && row < stop * c; row++)
        dweight[row % c] +=
            NAME(prelu_row)(dy + row * s, x + row * s, weight[row % c], dx + row * s, s);
}
