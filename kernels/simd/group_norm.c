/* Group normalization; see group_norm.h, and group_norm_numpy for the shapes. */

#define FLUSH_DENORMALS COVERS(eps)
#define BODY "group_norm.h"
#include "multiversion.h"

#define FORWARD(R)                                                                          \
    (const R *x, const R *gamma, const R *beta, R *y, R *mean, R *inv_std, long start,      \
     long stop, long groups, long channels, long s, double eps, long stream)
#define FORWARD_ARGUMENTS \
    (x, gamma, beta, y, mean, inv_std, start, stop, groups, channels, s, eps, stream)
DISPATCH_F32(group_norm_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(group_norm_forward, FORWARD(double), FORWARD_ARGUMENTS)

#undef FLUSH_DENORMALS
#define FLUSH_DENORMALS 1

#define BACKWARD(R)                                                                         \
    (const R *dy, const R *x, const R *mean, const R *inv_std, const R *gamma, R *dx,       \
     R *dgamma, R *dbeta, long start, long stop, long groups, long channels, long s, long stream)
#define BACKWARD_ARGUMENTS \
    (dy, x, mean, inv_std, gamma, dx, dgamma, dbeta, start, stop, groups, channels, s, stream)
DISPATCH_F32(group_norm_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(group_norm_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
