/* Max pooling with places inside the window, and adaptive means; see pool_numpy. */

#define BODY "pool.h"
#include <math.h>

#include "multiversion.h"

#define FORWARD(R) (const R *x, R *y, uint8_t *where, R *scratch, const long *g, long start, long stop)
DISPATCH_F32(pool_max_forward, FORWARD(float), (x, y, where, scratch, g, start, stop))
DISPATCH_F64(pool_max_forward, FORWARD(double), (x, y, where, scratch, g, start, stop))

#define BACKWARD(R) (const R *dy, const uint8_t *where, R *dx, const long *g, long start, long stop)
DISPATCH_F32(pool_max_backward, BACKWARD(float), (dy, where, dx, g, start, stop))
DISPATCH_F64(pool_max_backward, BACKWARD(double), (dy, where, dx, g, start, stop))

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
