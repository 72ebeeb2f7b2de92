/* Adaptive means, and means of windows side by side; see pool_numpy. */

#define FLUSH_DENORMALS 1
#define BODY "pool_mean.h"
#include "multiversion.h"

#define MEAN(R) (const R *x, R *y, long h, long w, long oh, long ow, long start, long stop)
DISPATCH_F32(pool_adaptive_forward, MEAN(float), (x, y, h, w, oh, ow, start, stop))
DISPATCH_F64(pool_adaptive_forward, MEAN(double), (x, y, h, w, oh, ow, start, stop))
DISPATCH_F32(pool_adaptive_backward, MEAN(float), (x, y, h, w, oh, ow, start, stop))
DISPATCH_F64(pool_adaptive_backward, MEAN(double), (x, y, h, w, oh, ow, start, stop))

#define TILES(R) (const R *x, R *y, R *row, const long *g, long start, long stop)
DISPATCH_F32(pool_tiles_forward, TILES(float), (x, y, row, g, start, stop))
DISPATCH_F64(pool_tiles_forward, TILES(double), (x, y, row, g, start, stop))

#define TILES_BACK(R) (const R *dy, R *dx, const long *g, long start, long stop)
DISPATCH_F32(pool_tiles_backward, TILES_BACK(float), (dy, dx, g, start, stop))
DISPATCH_F64(pool_tiles_backward, TILES_BACK(double), (dy, dx, g, start, stop))
