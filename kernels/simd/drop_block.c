/* The product of DropBlock's mask; see drop_block.h. */

#define FLUSH_DENORMALS 1
#define BODY "drop_block.h"
#include "multiversion.h"

#define PRODUCT(R)                                                                             \
    (const R *x, const uint8_t *keep, double scale, R *y, long count, long shared, long start, \
     long stop, long stream)
#define ARGUMENTS (x, keep, scale, y, count, shared, start, stop, stream)
DISPATCH_F32(drop_block_product, PRODUCT(float), ARGUMENTS)
DISPATCH_F64(drop_block_product, PRODUCT(double), ARGUMENTS)
