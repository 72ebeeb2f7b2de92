/* Steps of optimizers; see optimizer_numpy. */

#define BODY "optimizer.h"
#include <math.h>

#include "multiversion.h"

/* a: where the arrays of one parameter begin, o: options as optimizer.h lists them. Momentum of a
   parameter that gets no gradient any more is denormal after some hundred steps. */
#define STEP(name, flush)                                                               \
    DISPATCH_FLUSHING(flush, name, f32, (void *const *a, const double *o, long start, long stop), \
        (a, o, start, stop))                                                            \
    DISPATCH_FLUSHING(flush, name, f64, (void *const *a, const double *o, long start, long stop), \
        (a, o, start, stop))

STEP(optimizer_sgd, 1)
STEP(optimizer_momentum, 1)
STEP(optimizer_adam, COVERS(o[8]))
STEP(optimizer_rmsprop, COVERS(o[5]))
STEP(optimizer_adagrad, COVERS(o[3]))
STEP(optimizer_adadelta, COVERS(o[5]))
STEP(optimizer_adamax, COVERS(o[6]))
