/* Convolution but for Winograd's; see conv2d.h, and conv2d_numpy for what is computed. */

#include "conv2d_geometry.h"

#define BODY "conv2d.h"
#include "multiversion.h"

#define FORWARD(R)                                                                          \
    (const R *x, const R *weight, const R *bias, R *y, const long *sizes, long start,       \
     long stop, int *failed)
#define FORWARD_ARGUMENTS (x, weight, bias, y, sizes, start, stop, failed)
DISPATCH_F32(conv2d_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(conv2d_forward, FORWARD(double), FORWARD_ARGUMENTS)

#define BACKWARD(R) \
    (const R *dy, const R *other, R *out, const long *sizes, long start, long stop, int *failed)
#define BACKWARD_ARGUMENTS (dy, other, out, sizes, start, stop, failed)
DISPATCH_F32(conv2d_backward_input, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(conv2d_backward_input, BACKWARD(double), BACKWARD_ARGUMENTS)
DISPATCH_F32(conv2d_backward_weight, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(conv2d_backward_weight, BACKWARD(double), BACKWARD_ARGUMENTS)

#define SCATTER(R) \
    (const R *dy, const R *weight, R *dx, const long *sizes, long start, long stop)
#define SCATTER_ARGUMENTS (dy, weight, dx, sizes, start, stop)
DISPATCH_F32(conv2d_scatter, SCATTER(float), SCATTER_ARGUMENTS)
DISPATCH_F64(conv2d_scatter, SCATTER(double), SCATTER_ARGUMENTS)

#define FINITE(R) (const R *numbers, long count, int *finite)
DISPATCH_F32(conv2d_finite, FINITE(float), (numbers, count, finite))
DISPATCH_F64(conv2d_finite, FINITE(double), (numbers, count, finite))
