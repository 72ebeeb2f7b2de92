/* Steps of optimizers; see optimizer_numpy. */

#define BODY "optimizer.h"
#include <math.h>

#include "multiversion.h"

#define ADAM(R) (R *p, const R *g, R *m, R *v, const double *o, long start, long stop)
DISPATCH_F32(optimizer_adam, ADAM(float), (p, g, m, v, o, start, stop))
DISPATCH_F64(optimizer_adam, ADAM(double), (p, g, m, v, o, start, stop))

#define SGD(R) (R *p, const R *g, R *v, const double *o, int nesterov, long start, long stop)
DISPATCH_F32(optimizer_sgd, SGD(float), (p, g, v, o, nesterov, start, stop))
DISPATCH_F64(optimizer_sgd, SGD(double), (p, g, v, o, nesterov, start, stop))
