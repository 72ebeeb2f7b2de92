/* Activations built on the exponential; see activation.h, and activation_numpy for the shapes. */

#define FLUSH_DENORMALS 1
#define BODY "activation.h"
#include "multiversion.h"

#define FORWARD(R) (const R *x, R *y, long k, long start, long stop)
#define BACKWARD(R) (const R *dy, const R *y, R *dx, long k, long start, long stop)
#define BOTH_WAYS(f)                                                        \
    DISPATCH_F32(f##_forward, FORWARD(float), (x, y, k, start, stop))       \
    DISPATCH_F64(f##_forward, FORWARD(double), (x, y, k, start, stop))      \
    DISPATCH_F32(f##_backward, BACKWARD(float), (dy, y, dx, k, start, stop)) \
    DISPATCH_F64(f##_backward, BACKWARD(double), (dy, y, dx, k, start, stop))

BOTH_WAYS(sigmoid)
BOTH_WAYS(tanh)
BOTH_WAYS(softmax)
BOTH_WAYS(log_softmax)
