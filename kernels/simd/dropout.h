/* y = x * 0 where the number of the place is below the threshold, else x * scale, start .. stop. */

#include "hash.h"

static void NAME(dropout_seeded)(const REAL *restrict x, REAL *restrict y, uint64_t seed,
                                 uint64_t threshold, double scale, long start, long stop)
{
    uint8_t dropped[HASH_MOST];
    REAL kept = (REAL)scale;
    while (start < stop) {
        long count = stop - start < HASH_MOST ? stop - start : HASH_MOST;
        NAME(below)(dropped, (uint64_t)start, count, seed, threshold);
        for (long k = 0; k < count; k++)
            y[start + k] = x[start + k] * (dropped[k] ? 0 : kept);
        start += count;
    }
}
