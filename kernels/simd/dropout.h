/* y = x * 0 where the number of the place is below the threshold, else x * scale, start .. stop. */

#include "hash.h"
#include "kept.h"

#ifndef DROPOUT_STRETCH
#define DROPOUT_STRETCH 512
#if defined(__GNUC__) || defined(__clang__)
#define WANTED_SOON(address) __builtin_prefetch(address)
#else
#define WANTED_SOON(address)
#endif
#endif

static void NAME(dropout_seeded)(const REAL *restrict x, REAL *restrict y, uint64_t seed,
                                 uint64_t threshold, double scale, long start, long stop,
                                 long stream)
{
    uint8_t dropped[DROPOUT_STRETCH];
    const long line = 64 / sizeof(REAL);
    for (long count; start < stop; start += count) {
        count = stop - start < DROPOUT_STRETCH ? stop - start : DROPOUT_STRETCH;
        /* Memory brings the values while their numbers are computed. */
        for (long k = 0; k < count; k += line)
            WANTED_SOON(x + start + k);
        NAME(below)(dropped, (uint64_t)start, count, seed, threshold);
        NAME(kept_product)(x + start, dropped, 0, (REAL)scale, y + start, count, (int)stream);
    }
    if (stream)
        stream_end();
}
