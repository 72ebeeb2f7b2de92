/* Softmax and cross-entropy; see softmax_cross_entropy.h and softmax_cross_entropy_numpy. */

#define FLUSH_DENORMALS 1
#define BODY "softmax_cross_entropy.h"
#include "multiversion.h"

#define FORWARD(R)                                                                             \
    (const R *logits, const int64_t *targets, double eps, R *losses, R *probabilities, long k, \
     long start, long stop)
#define FORWARD_ARGUMENTS (logits, targets, eps, losses, probabilities, k, start, stop)
DISPATCH_F32(softmax_cross_entropy_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(softmax_cross_entropy_forward, FORWARD(double), FORWARD_ARGUMENTS)

#define BACKWARD(R)                                                                     \
    (const R *dlosses, const R *probabilities, const int64_t *targets, double eps,      \
     R *dlogits, long k, long start, long stop)
#define BACKWARD_ARGUMENTS (dlosses, probabilities, targets, eps, dlogits, k, start, stop)
DISPATCH_F32(softmax_cross_entropy_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(softmax_cross_entropy_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
