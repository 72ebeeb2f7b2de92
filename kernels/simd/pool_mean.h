/* Means of windows: those that divide the image, and those that lie side by side. */

#include "pool_pairs.h"

/* The mean of each window; rows are added as vectors, their sums in double. */
static void NAME(pool_adaptive_forward)(const REAL *x, REAL *y, long h, long w, long oh, long ow,
                                        long start, long stop)
{
    for (long out = start * oh * ow; out < stop * oh * ow; out++) {
        long plane = out / (oh * ow), p = out / ow % oh, q = out % ow;
        long top = p * h / oh, bottom = ((p + 1) * h + oh - 1) / oh;
        long left = q * w / ow, right = ((q + 1) * w + ow - 1) / ow;
        int whole = left == 0 && right == w; /* then the rows are one long row */
        long rows = whole ? 1 : bottom - top, length = (whole ? bottom - top : 1) * (right - left);
        double total = 0;
        for (long row = 0; row < rows; row++) {
            const REAL *from = x + (plane * h + top + row) * w + left;
            long k = 0;
            while (k + LANES <= length) {
                VEC sums = SPLAT(0);
                long end = k + 64 * LANES < length ? k + 64 * LANES : length;
                for (; k + LANES <= end; k += LANES)
                    sums += LOAD(from + k);
                total += SUM(sums);
            }
            for (; k < length; k++)
                total += from[k];
        }
        y[out] = (REAL)(total / ((bottom - top) * (right - left)));
    }
}

/* The way back: each gradient, divided, is added to its window. */
static void NAME(pool_adaptive_backward)(const REAL *dy, REAL *dx, long h, long w, long oh, long ow,
                                         long start, long stop)
{
    for (long plane = start; plane < stop; plane++) {
        REAL *to = dx + plane * h * w;
        if (oh * ow == 1) {
            REAL share = dy[plane] / (REAL)(h * w);
            for (long k = 0; k < h * w; k++)
                to[k] = share;
            continue;
        }
        memset(to, 0, h * w * sizeof(REAL));
        for (long p = 0; p < oh; p++)
            for (long q = 0; q < ow; q++) {
                long top = p * h / oh, bottom = ((p + 1) * h + oh - 1) / oh;
                long left = q * w / ow, right = ((q + 1) * w + ow - 1) / ow;
                REAL count = (REAL)((bottom - top) * (right - left));
                REAL share = dy[(plane * oh + p) * ow + q] / count;
                for (long row = top; row < bottom; row++)
                    for (long column = left; column < right; column++)
                        to[row * w + column] += share;
            }
    }
}

#ifdef CAN_SHUFFLE
/* One row of means of windows of 2x2 side by side: rows are added first, then neighbours. A whole
   vector is read and written also where the row is shorter. */
static void NAME(mean_pairs)(const REAL *upper, const REAL *lower, long ow, REAL *y)
{
    const MASK even = EACH_LANE(POOL_EVEN), odd = EACH_LANE(POOL_ODD);
    const MASK order = EACH_LANE(POOL_ORDER);
    for (long q = 0; q < ow; q += LANES) {
        /* The last vector overlaps its neighbour. */
        long at = q + LANES <= ow || ow < LANES ? q : ow - LANES;
        VEC a = LOAD(upper + 2 * at) + LOAD(lower + 2 * at);
        VEC b = LOAD(upper + 2 * at + LANES) + LOAD(lower + 2 * at + LANES);
        VEC sums = __builtin_shuffle(a, b, even) + __builtin_shuffle(a, b, odd);
        STORE(y + at, __builtin_shuffle(sums, order) / 4);
    }
}
#endif

/* Means of windows that lie side by side (stride = kernel, no padding) in planes start .. stop: kh
   rows are added into one, and of that kw neighbours. row holds w numbers. */
static void NAME(pool_tiles_forward)(const REAL *restrict x, REAL *restrict y, REAL *restrict row,
                                     const long *g, long start, long stop)
{
    long h = g[0], w = g[1], oh = g[2], ow = g[3], kh = g[4], kw = g[5];
    REAL count = (REAL)(kh * kw);
#ifdef CAN_SHUFFLE
    const REAL *end = x + stop * h * w;
#endif
    for (long plane = start; plane < stop; plane++)
        for (long p = 0; p < oh; p++) {
            const REAL *from = x + (plane * h + p * kh) * w;
            REAL *to = y + (plane * oh + p) * ow;
#ifdef CAN_SHUFFLE
            int beyond = from + w + 2 * LANES <= end && to + LANES <= y + stop * oh * ow;
            if (kh == 2 && kw == 2 && (ow >= LANES || beyond)) {
                NAME(mean_pairs)(from, from + w, ow, to);
                continue;
            }
#endif
            memcpy(row, from, w * sizeof(REAL));
            for (long i = 1; i < kh; i++)
                for (long j = 0; j < w; j++)
                    row[j] += from[i * w + j];
            if (kw == 2)
                for (long q = 0; q < ow; q++)
                    to[q] = (row[2 * q] + row[2 * q + 1]) / count;
            else
                for (long q = 0; q < ow; q++) {
                    REAL total = row[q * kw];
                    for (long j = 1; j < kw; j++)
                        total += row[q * kw + j];
                    to[q] = total / count;
                }
        }
}

#ifdef CAN_SHUFFLE
#define POOL_LOW(l) ((l) / 2)
#define POOL_HIGH(l) ((l) / 2 + LANES / 2)
/* Two rows of dx from one of dy, of whole vectors: a quarter of each number for each of four. */
INLINE void NAME(quarter_rows)(const REAL *dy, long ow, REAL *upper, REAL *lower)
{
    const MASK low = EACH_LANE(POOL_LOW), high = EACH_LANE(POOL_HIGH);
    for (long q = 0; q < ow; q += LANES) {
        VEC share = LOAD(dy + q) / 4;
        VEC left = __builtin_shuffle(share, low), right = __builtin_shuffle(share, high);
        STORE(upper + 2 * q, left);
        STORE(upper + 2 * q + LANES, right);
        STORE(lower + 2 * q, left);
        STORE(lower + 2 * q + LANES, right);
    }
}
#endif

/* The way back: each gradient, divided, fills its window; what lies in no window receives 0. */
static void NAME(pool_tiles_backward)(const REAL *restrict dy, REAL *restrict dx, const long *g,
                                      long start, long stop)
{
    long h = g[0], w = g[1], oh = g[2], ow = g[3], kh = g[4], kw = g[5];
    REAL count = (REAL)(kh * kw);
    for (long plane = start; plane < stop; plane++) {
        REAL *to = dx + plane * h * w;
        for (long p = 0; p < oh; p++, to += kh * w) {
            const REAL *from = dy + (plane * oh + p) * ow;
#ifdef CAN_SHUFFLE
            if (kh == 2 && kw == 2 && w == 2 * ow && ow % LANES == 0) {
                NAME(quarter_rows)(from, ow, to, to + w);
                continue;
            }
#endif
            if (kw == 2)
                for (long q = 0; q < ow; q++)
                    to[2 * q] = to[2 * q + 1] = from[q] / count;
            else
                for (long q = 0; q < ow; q++) {
                    REAL share = from[q] / count;
                    for (long j = 0; j < kw; j++)
                        to[q * kw + j] = share;
                }
            for (long j = ow * kw; j < w; j++)
                to[j] = 0;
            for (long i = 1; i < kh; i++)
                memcpy(to + i * w, to, w * sizeof(REAL));
        }
        memset(to, 0, (h - oh * kh) * w * sizeof(REAL));
    }
}
