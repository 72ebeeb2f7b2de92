/* The product of DropBlock's mask; see drop_block.h. */

#define BODY "drop_block.h"
#include "multiversion.h"

DISPATCH_F32(drop_block_scale,
             (const float *x, const uint8_t *keep, float scale, float *y, long count),
             (x, keep, scale, y, count))
DISPATCH_F64(drop_block_scale,
             (const double *x, const uint8_t *keep, double scale, double *y, long count),
             (x, keep, scale, y, count))
