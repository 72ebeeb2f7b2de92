/* Convolution but for Winograd's; see conv2d.h, and conv2d_numpy for what is computed.

   All functions for Cython look alike: two arrays and perhaps a bias come in, one goes out, the
   sizes of conv2d_geometry, the part to compute, and what failed: 1 for a lack of memory, 2 for
   weights that are not finite, 0 for nothing. */

#include "conv2d_geometry.h"
#include "conv2d_rooms.h"

#define FLUSH_DENORMALS 1
#define BODY "conv2d.h"
#include "multiversion.h"

#define PARAMETERS                                                                          \
    (const void *first, const void *second, const void *bias, void *out, const long *sizes, \
     long start, long stop, int *failed)
#define FORWARD (first, second, bias, out, sizes, start, stop, failed)
#define BACKWARD (first, second, out, sizes, start, stop, failed)

DISPATCH_F32(conv2d_forward, PARAMETERS, FORWARD)
DISPATCH_F64(conv2d_forward, PARAMETERS, FORWARD)
DISPATCH_F32(bundle_forward, PARAMETERS, FORWARD)
DISPATCH_F64(bundle_forward, PARAMETERS, FORWARD)
DISPATCH_F32(depthwise_forward, PARAMETERS, FORWARD)
DISPATCH_F64(depthwise_forward, PARAMETERS, FORWARD)

#define DISPATCH_BACKWARD(name)                                     \
    DISPATCH_F32(name, PARAMETERS, BACKWARD)                        \
    DISPATCH_F64(name, PARAMETERS, BACKWARD)
DISPATCH_BACKWARD(conv2d_backward_input)
DISPATCH_BACKWARD(conv2d_backward_weight)
DISPATCH_BACKWARD(depthwise_backward_weight)
DISPATCH_BACKWARD(conv2d_scatter)
DISPATCH_BACKWARD(conv2d_few)
DISPATCH_BACKWARD(bundle_backward_input)

#define FINITE(R) (const R *numbers, long count, int *finite)
DISPATCH_F32(conv2d_finite, FINITE(float), (numbers, count, finite))
DISPATCH_F64(conv2d_finite, FINITE(double), (numbers, count, finite))

#define BUNDLES (const long *sizes, int backward, long *bundles)
DISPATCH_F32(conv2d_bundles, BUNDLES, (sizes, backward, bundles))
DISPATCH_F64(conv2d_bundles, BUNDLES, (sizes, backward, bundles))

#define BIAS(R) (const R *dy, R *sums, R *dbias, long n, long o, long size, long start, long stop)
#define SUMMED (dy, sums, dbias, n, o, size, start, stop)
DISPATCH_F32(conv2d_backward_bias, BIAS(float), SUMMED)
DISPATCH_F64(conv2d_backward_bias, BIAS(double), SUMMED)
