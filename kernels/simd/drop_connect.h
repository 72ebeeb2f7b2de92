/* Matrix products in which every sample has a mask of its own over the weights; sizes = n, k, d.
   The place of weight (o, j) of sample i in the mask is (i k + o) d + j. */

#include "hash.h"

INLINE REAL NAME(dot)(const REAL *restrict a, const REAL *restrict b, long count)
{
    VEC sums[4] = {SPLAT(0), SPLAT(0), SPLAT(0), SPLAT(0)};
    long j = 0;
    for (; j + 4 * LANES <= count; j += 4 * LANES)
        for (int v = 0; v < 4; v++)
            sums[v] += LOAD(a + j + v * LANES) * LOAD(b + j + v * LANES);
    REAL total = SUM(sums[0] + sums[1] + (sums[2] + sums[3]));
    for (; j < count; j++)
        total += a[j] * b[j];
    return total;
}

/* kept = a where `dropped` is 0, else 0. */
INLINE void NAME(keep_some)(REAL *restrict kept, const REAL *restrict a,
                            const uint8_t *restrict dropped, long count)
{
    for (long j = 0; j < count; j++)
        kept[j] = dropped[j] ? 0 : a[j];
}

/* y (n, k) of x (n, d) and weight (k, d), for samples start .. stop. */
static void NAME(drop_connect_forward)(const REAL *x, const REAL *weight, REAL *y,
                                       const long *sizes, uint64_t seed, uint64_t threshold,
                                       long start, long stop)
{
    long k = sizes[1], d = sizes[2];
    uint8_t dropped[HASH_MOST];
    REAL kept[HASH_MOST];
    for (long at = start * k; at < stop * k; at++) {
        REAL total = 0;
        for (long from = 0, count; from < d; from += count) {
            count = d - from < HASH_MOST ? d - from : HASH_MOST;
            uint64_t first = (uint64_t)at * (uint64_t)d + (uint64_t)from;
            NAME(below)(dropped, first, count, seed, threshold);
            NAME(keep_some)(kept, weight + at % k * d + from, dropped, count);
            total += NAME(dot)(kept, x + at / k * d + from, count);
        }
        y[at] = total;
    }
}

/* dx (n, d), zeros at first, of dy (n, k) and weight (k, d), for samples start .. stop. */
static void NAME(drop_connect_backward_input)(const REAL *dy, const REAL *weight, REAL *dx,
                                              const long *sizes, uint64_t seed,
                                              uint64_t threshold, long start, long stop)
{
    long k = sizes[1], d = sizes[2];
    uint8_t dropped[HASH_MOST];
    REAL kept[HASH_MOST];
    for (long at = start * k; at < stop * k; at++)
        for (long from = 0, count; from < d; from += count) {
            count = d - from < HASH_MOST ? d - from : HASH_MOST;
            uint64_t first = (uint64_t)at * (uint64_t)d + (uint64_t)from;
            NAME(below)(dropped, first, count, seed, threshold);
            NAME(keep_some)(kept, weight + at % k * d + from, dropped, count);
            REAL *restrict sum = dx + at / k * d + from;
            for (long j = 0; j < count; j++)
                sum[j] += dy[at] * kept[j];
        }
}

/* dweight (k, d), zeros at first, of dy (n, k) and x (n, d), for outputs start .. stop. */
static void NAME(drop_connect_backward_weight)(const REAL *dy, const REAL *x, REAL *dweight,
                                               const long *sizes, uint64_t seed,
                                               uint64_t threshold, long start, long stop)
{
    long n = sizes[0], k = sizes[1], d = sizes[2];
    uint8_t dropped[HASH_MOST];
    for (long o = start; o < stop; o++)
        for (long i = 0; i < n; i++)
            for (long from = 0, count; from < d; from += count) {
                count = d - from < HASH_MOST ? d - from : HASH_MOST;
                uint64_t first = (uint64_t)(i * k + o) * (uint64_t)d + (uint64_t)from;
                NAME(below)(dropped, first, count, seed, threshold);
                const REAL *restrict a = x + i * d + from;
                REAL *restrict sum = dweight + o * d + from, factor = dy[i * k + o];
                for (long j = 0; j < count; j++)
                    sum[j] += (dropped[j] ? 0 : factor) * a[j];
            }
}
