/* Dropout by seed; see dropout_numpy. */

#define FLUSH_DENORMALS 1
#define BODY "dropout.h"
#include "multiversion.h"

#define SEEDED(R)                                                                              \
    (const R *x, R *y, uint64_t seed, uint64_t threshold, double scale, long start, long stop, \
     long stream)
DISPATCH_F32(dropout_seeded, SEEDED(float), (x, y, seed, threshold, scale, start, stop, stream))
DISPATCH_F64(dropout_seeded, SEEDED(double), (x, y, seed, threshold, scale, start, stop, stream))
