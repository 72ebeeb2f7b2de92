/* Max pooling with places inside the window; see pool_numpy. */

#define BODY "pool.h"
#include <math.h>

#include "multiversion.h"

#define FORWARD(R) \
    (const R *x, R *y, uint8_t *where, R *scratch, const long *g, long start, long stop)
DISPATCH_F32(pool_max_forward, FORWARD(float), (x, y, where, scratch, g, start, stop))
DISPATCH_F64(pool_max_forward, FORWARD(double), (x, y, where, scratch, g, start, stop))

#define BACKWARD(R) (const R *dy, const uint8_t *where, R *dx, const long *g, long start, long stop)
DISPATCH_F32(pool_max_backward, BACKWARD(float), (dy, where, dx, g, start, stop))
DISPATCH_F64(pool_max_backward, BACKWARD(double), (dy, where, dx, g, start, stop))
