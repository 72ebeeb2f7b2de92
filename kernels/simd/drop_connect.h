/* Matrix products in which every sample has a mask of its own over the weights; sizes = n, k, d. The
   place of weight (o, j) of sample i in the mask is (i k + o) d + j. */

#include "hash.h"

/* The sum of a * b where `dropped` is 0. */
INLINE REAL NAME(kept_dot)(const REAL *restrict a, const REAL *restrict b, const uint8_t *dropped,
                           long count)
{
    REAL kept[HASH_MOST];
    for (long j = 0; j < count; j++)
        kept[j] = dropped[j] ? 0 : a[j];
    VEC sums[4] = {SPLAT(0), SPLAT(0), SPLAT(0), SPLAT(0)};
    long j = 0;
    for (; j + 4 * LANES <= count; j += 4 * LANES)
        for (int v = 0; v < 4; v++)
            sums[v] += LOAD(kept + j + v * LANES) * LOAD(b + j + v * LANES);
    REAL total = SUM(sums[0] + sums[1] + (sums[2] + sums[3]));
    for (; j < count; j++)
        total += kept[j] * b[j];
    return total;
}

/* sum += factor * a where `dropped` is 0. */
INLINE void NAME(kept_add)(REAL *restrict sum, REAL factor, const REAL *restrict a,
                           const uint8_t *restrict dropped, long count)
{
    for (long j = 0; j < count; j++)
        sum[j] += (dropped[j] ? 0 : factor) * a[j];
}

/* y (n, k) of x (n, d) and weight (k, d), for samples start .. stop. */
static void NAME(drop_connect_forward)(const REAL *x, const REAL *weight, REAL *y, const long *sizes,
                                       uint64_t seed, uint64_t threshold, long start, long stop)
{
    long k = sizes[1], d = sizes[2];
    uint8_t dropped[HASH_MOST];
    for (long row = start * k; row < stop * k; row++) {
        const REAL *a = weight + row % k * d, *b = x + row / k * d;
        REAL total = 0;
        for (long from = 0, count; from < d; from += count) {
            count = d - from < HASH_MOST ? d - from : HASH_MOST;
            NAME(below)(dropped, (uint64_t)row * (uint64_t)d + (uint64_t)from, count, seed, threshold);
            total += NAME(kept_dot)(a + from, b + from, dropped, count);
        }
        y[row] = total;
    }
}

/* dx (n, d), zeros at first, of dy (n, k) and weight (k, d), for samples start .. stop. */
static void NAME(drop_connect_backward_input)(const REAL *dy, const REAL *weight, REAL *dx,
                                              const long *sizes, uint64_t seed, uint64_t threshold,
                                              long start, long stop)
{
    long k = sizes[1], d = sizes[2];
    uint8_t dropped[HASH_MOST];
    for (long row = start * k; row < stop * k; row++)
        for (long from = 0, count; from < d; from += count) {
            count = d - from < HASH_MOST ? d - from : HASH_MOST;
            NAME(below)(dropped, (uint64_t)row * (uint64_t)d + (uint64_t)from, count, seed, threshold);
            REAL kept[HASH_MOST];
            const REAL *a = weight + row % k * d + from;
            for (long j = 0; j < count; j++)
                kept[j] = dropped[j] ? 0 : a[j];
            REAL *sum = dx + row / k * d + from, factor = dy[row];
            for (long j = 0; j < count; j++)
                sum[j] += factor * kept[j];
        }
}

/* dweight (k, d), zeros at first, of dy (n, k) and x (n, d), for outputs start .. stop. */
static void NAME(drop_connect_backward_weight)(const REAL *dy, const REAL *x, REAL *dweight,
                                               const long *sizes, uint64_t seed, uint64_t threshold,
                                               long start, long stop)
{
    long n = sizes[0], k = sizes[1], d = sizes[2];
    uint8_t dropped[HASH_MOST];
    for (long o = start; o < stop; o++)
        for (long i = 0; i < n; i++)
            for (long from = 0, count; from < d; from += count) {
                count = d - from < HASH_MOST ? d - from : HASH_MOST;
                uint64_t first = ((uint64_t)i * (uint64_t)k + (uint64_t)o) * (uint64_t)d + (uint64_t)from;
                NAME(below)(dropped, first, count, seed, threshold);
                NAME(kept_add)(dweight + o * d + from, dy[i * k + o], x + i * d + from, dropped, count);
            }
}
