/* keep = 1 where the number of the place is not below the threshold, for places start .. stop. */

#include "hash.h"

static void NAME(dropout_mask)(uint8_t *restrict keep, uint64_t seed, uint64_t threshold,
                               long start, long stop)
{
    uint8_t dropped[HASH_MOST];
    for (long count; start < stop; start += count) {
        count = stop - start < HASH_MOST ? stop - start : HASH_MOST;
        NAME(below)(dropped, (uint64_t)start, count, seed, threshold);
        for (long k = 0; k < count; k++)
            keep[start + k] = !dropped[k];
    }
}
