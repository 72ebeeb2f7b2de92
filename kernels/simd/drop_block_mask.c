/* DropBlock's masks by seed; see drop_block_mask.h, and drop_block_numpy. */

#define FLOAT_ONLY
#define BODY "drop_block_mask.h"
#include "multiversion.h"

DISPATCH_F32(drop_block_seeds,
             (uint8_t *seeds, uint64_t seed, uint64_t threshold, long start, long stop),
             (seeds, seed, threshold, start, stop))
DISPATCH_F32(drop_block_mask,
             (uint8_t *keep, const long *sizes, uint64_t seed, uint64_t threshold, long start,
              long stop, long *kept),
             (keep, sizes, seed, threshold, start, stop, kept))
