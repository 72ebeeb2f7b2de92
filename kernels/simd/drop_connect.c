/* DropConnect with a mask for each sample; see drop_connect.h, and drop_connect_numpy. */

#define FLUSH_DENORMALS 1
#define BODY "drop_connect.h"
#include "multiversion.h"

#define PARAMETERS(R)                                                                       \
    (const R *a, const R *b, R *out, const long *sizes, uint64_t seed, uint64_t threshold, \
     long start, long stop)
#define BOTH_TYPES(f)                                                                    \
    DISPATCH_F32(f, PARAMETERS(float), (a, b, out, sizes, seed, threshold, start, stop)) \
    DISPATCH_F64(f, PARAMETERS(double), (a, b, out, sizes, seed, threshold, start, stop))

BOTH_TYPES(drop_connect_forward)
BOTH_TYPES(drop_connect_backward_input)
BOTH_TYPES(drop_connect_backward_weight)
