/* The rectified linear unit; see relu_numpy. */

#define BODY "relu.h"
#include "multiversion.h"

DISPATCH_F32(relu_forward, (const float *x, float *y, long start, long stop), (x, y, start, stop))
DISPATCH_F64(relu_forward, (const double *x, double *y, long start, long stop), (x, y, start, stop))

#define BACKWARD(R) (const R *dy, const R *y, R *dx, long start, long stop)
DISPATCH_F32(relu_backward, BACKWARD(float), (dy, y, dx, start, stop))
DISPATCH_F64(relu_backward, BACKWARD(double), (dy, y, dx, start, stop))
