/* Steps of optimizers; see optimizer_numpy. */

#define BODY "optimizer.h"
#include <math.h>

#include "multiversion.h"

/* a: where the arrays of one parameter begin, o: options as optimizer.h lists them. */
#define STEP(name)                                                                     \
    DISPATCH_F32(name, (void *const *a, const double *o, long start, long stop), (a, o, start, stop)) \
    DISPATCH_F64(name, (void *const *a, const double *o, long start, long stop), (a, o, start, stop))

STEP(optimizer_sgd)
STEP(optimizer_momentum)
STEP(optimizer_adam)
STEP(optimizer_rmsprop)
STEP(optimizer_adagrad)
STEP(optimizer_adadelta)
STEP(optimizer_adamax)
