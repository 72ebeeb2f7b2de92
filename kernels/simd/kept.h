/* Products with masks of bytes, 0 or 1. */

#include "stream.h"

#ifndef KEPT_STRETCH
#define KEPT_STRETCH 256
#endif

/* y = x * (byte ? one : zero) for `count` values: a factor of 0 lets NaN be NaN. Where `stream` is
   set, y goes around the cache. */
INLINE void NAME(kept_product)(const REAL *restrict x, const uint8_t *restrict byte, REAL one,
                               REAL zero, REAL *restrict y, long count, int stream)
{
    REAL factor[KEPT_STRETCH];
    long uneven = stream ? UNEVEN(y) : 0;
    for (long from = 0, stretch; from < count; from += stretch) {
        stretch = from == 0 && uneven ? uneven : KEPT_STRETCH;
        stretch = stretch < count - from ? stretch : count - from;
        for (long k = 0; k < stretch; k++)
            factor[k] = byte[from + k] ? one : zero;
        long k = 0;
        if (stream)
            for (; k + LANES <= stretch; k += LANES)
                STREAM(y + from + k, LOAD(x + from + k) * LOAD(factor + k));
        for (; k + LANES <= stretch; k += LANES)
            STORE(y + from + k, LOAD(x + from + k) * LOAD(factor + k));
        for (; k < stretch; k++)
            y[from + k] = x[from + k] * factor[k];
    }
}
