/* PReLU, of the samples start .. stop; see activation_prelu.h, and activation_numpy. */

#define FLUSH_DENORMALS 1
#define BODY "activation_prelu.h"
#include "multiversion.h"

#define FORWARD(R) (const R *x, const R *weight, R *y, long c, long s, long start, long stop)
#define FORWARD_ARGUMENTS (x, weight, y, c, s, start, stop)
DISPATCH_F32(prelu_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(prelu_forward, FORWARD(double), FORWARD_ARGUMENTS)

#define BACKWARD(R)                                                                         \
    (const R *dy, const R *x, const R *weight, R *dx, double *dweight, long c, long s,      \
     long start, long stop)
#define BACKWARD_ARGUMENTS (dy, x, weight, dx, dweight, c, s, start, stop)
DISPATCH_F32(prelu_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(prelu_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
