/* GRU over a whole sequence; see gru.h. */

#define FLUSH_DENORMALS 1
#define BODY "gru.h"
#include "multiversion.h"

#define FORWARD(R)                                                                              \
    (const R *projected, const R *bias_ih, const R *packed, const R *bias_hh, const R *drop,    \
     R *states, R *gates, R *room, const recurrent_walk *w)
#define FORWARD_ARGUMENTS                                                                       \
    (projected, bias_ih, packed, bias_hh, drop, states, gates, room, w)
DISPATCH_F32(gru_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(gru_forward, FORWARD(double), FORWARD_ARGUMENTS)

#define BACKWARD(R)                                                                             \
    (const R *dstates, const R *states, const R *gates, const R *packed, const R *drop,         \
     R *dprojected, R *dhidden, R *dh, R *past, const recurrent_walk *w)
#define BACKWARD_ARGUMENTS                                                                      \
    (dstates, states, gates, packed, drop, dprojected, dhidden, dh, past, w)
DISPATCH_F32(gru_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(gru_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
