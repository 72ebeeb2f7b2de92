/* Activations of each value by itself; see activation_elementwise.h, and activation_numpy. */

#define FLUSH_DENORMALS 1
#define BODY "activation_elementwise.h"
#include "multiversion.h"

#define FORWARD(R) (const R *x, R *y, double a, double b, long start, long stop)
#define BACKWARD(R) (const R *dy, const R *x, R *dx, double a, double b, long start, long stop)
#define BOTH_WAYS(f)                                                              \
    DISPATCH_F32(f##_forward, FORWARD(float), (x, y, a, b, start, stop))          \
    DISPATCH_F64(f##_forward, FORWARD(double), (x, y, a, b, start, stop))         \
    DISPATCH_F32(f##_backward, BACKWARD(float), (dy, x, dx, a, b, start, stop))   \
    DISPATCH_F64(f##_backward, BACKWARD(double), (dy, x, dx, a, b, start, stop))

BOTH_WAYS(leaky_relu)
BOTH_WAYS(elu)
BOTH_WAYS(gelu)
BOTH_WAYS(gelu_tanh)
BOTH_WAYS(softplus)
BOTH_WAYS(silu)
BOTH_WAYS(hard_sigmoid)

#undef FLUSH_DENORMALS
#define FLUSH_DENORMALS 0
BOTH_WAYS(hard_tanh)
