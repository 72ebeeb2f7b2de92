/* Local response normalization; see lrn.h for what is computed and lrn_numpy for the shapes. */

#define FLUSH_DENORMALS COVERS(k)
#define BODY "lrn.h"
#include "multiversion.h"

#define FORWARD(R)                                                                          \
    (const R *x, long size, double alpha, double beta, double k, R *y, R *s, long c,        \
     long pixels, long start, long stop)
#define FORWARD_ARGUMENTS (x, size, alpha, beta, k, y, s, c, pixels, start, stop)
DISPATCH_F32(lrn_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(lrn_forward, FORWARD(double), FORWARD_ARGUMENTS)

#undef FLUSH_DENORMALS
#define FLUSH_DENORMALS COVERS(smallest) /* of s, in all images */

#define BACKWARD(R)                                                                         \
    (const R *dy, const R *x, const R *s, double smallest, long size, double factor,        \
     double beta, R *dx, R *ring, long c, long pixels, long start, long stop)
#define BACKWARD_ARGUMENTS \
    (dy, x, s, smallest, size, factor, beta, dx, ring, c, pixels, start, stop)
DISPATCH_F32(lrn_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(lrn_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
