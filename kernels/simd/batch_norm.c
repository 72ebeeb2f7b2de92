/* Batch normalization; see batch_norm.h, and batch_norm_numpy for the shapes. */

#define FLUSH_DENORMALS COVERS(eps)
#define BODY "batch_norm.h"
#include "multiversion.h"

#define FORWARD(R)                                                                                \
    (const R *x, const R *residual, const R *gamma, const R *beta, double eps, R *y, R *x_hat,    \
     R *mean, R *var, R *inv_std, long n, long c, long s, long relu, long stream, long start,      \
     long stop)
#define FORWARD_ARGUMENTS \
    (x, residual, gamma, beta, eps, y, x_hat, mean, var, inv_std, n, c, s, relu, stream, start, \
     stop)
DISPATCH_F32(batch_norm_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(batch_norm_forward, FORWARD(double), FORWARD_ARGUMENTS)

#undef FLUSH_DENORMALS
#define FLUSH_DENORMALS 1

#define BACKWARD(R)                                                                               \
    (const R *dy, const R *x, const R *y, const R *mean, const R *inv_std, const R *gamma,        \
     const R *beta, R *dx, R *dz, R *dgamma, R *dbeta, long n, long c, long s, long given,        \
     long stream, long start, long stop)
#define BACKWARD_ARGUMENTS \
    (dy, x, y, mean, inv_std, gamma, beta, dx, dz, dgamma, dbeta, n, c, s, given, stream, start, \
     stop)
DISPATCH_F32(batch_norm_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(batch_norm_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
