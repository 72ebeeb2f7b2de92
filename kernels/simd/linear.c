/* The products of the fully connected layer; see linear.h. */

#define FLUSH_DENORMALS 1
#define BODY "linear.h"
#include "multiversion.h"

#define PRODUCT(R)                                                                               \
    (const R *a, long a_row, long a_deep, const R *b, int turned, const R *bias, int relu, R *c, \
     long m, long depth, long n, long start, long stop, R *room)
#define PRODUCT_ARGUMENTS                                                                        \
    (a, a_row, a_deep, b, turned, bias, relu, c, m, depth, n, start, stop, room)
DISPATCH_F32(linear_product, PRODUCT(float), PRODUCT_ARGUMENTS)
DISPATCH_F64(linear_product, PRODUCT(double), PRODUCT_ARGUMENTS)

#undef FLUSH_DENORMALS
#define FLUSH_DENORMALS 0

DISPATCH_F32(linear_room, (long m, long depth, long n, long *numbers), (m, depth, n, numbers))
DISPATCH_F64(linear_room, (long m, long depth, long n, long *numbers), (m, depth, n, numbers))

#define FINISH(R) (R *y, const R *bias, int relu, long n, long k)
DISPATCH_F32(linear_finish, FINISH(float), (y, bias, relu, n, k))
DISPATCH_F64(linear_finish, FINISH(double), (y, bias, relu, n, k))

#define BIAS(R) (const R *dy, const R *y, R *g, R *db, R *part, long n, long k)
DISPATCH_F32(linear_bias, BIAS(float), (dy, y, g, db, part, n, k))
DISPATCH_F64(linear_bias, BIAS(double), (dy, y, g, db, part, n, k))
