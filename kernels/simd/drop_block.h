/* y = x * scale where keep, else x * 0, for planes start .. stop of `count` values; one plane of
   keep serves `shared` planes of x. */

#include "kept.h"

static void NAME(drop_block_product)(const REAL *restrict x, const uint8_t *restrict keep,
                                     double scale, REAL *restrict y, long count, long shared,
                                     long start, long stop, long stream)
{
    if (shared == 1)
        NAME(kept_product)(x + start * count, keep + start * count, (REAL)scale, 0,
                           y + start * count, (stop - start) * count, (int)stream);
    else
        for (long plane = start; plane < stop; plane++)
            NAME(kept_product)(x + plane * count, keep + plane / shared * count, (REAL)scale, 0,
                               y + plane * count, count, (int)stream);
    if (stream)
        stream_end();
}
