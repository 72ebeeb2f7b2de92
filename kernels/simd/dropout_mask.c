/* Dropout's mask by itself; see dropout_mask.h, and dropout_numpy. */

#define FLOAT_ONLY
#define BODY "dropout_mask.h"
#include "multiversion.h"

DISPATCH_F32(dropout_mask,
             (uint8_t *keep, uint64_t seed, uint64_t threshold, long start, long stop),
             (keep, seed, threshold, start, stop))
