/* The layer-normalized LSTM over a whole sequence; see lstm_layer_norm.h. */

#define FLUSH_DENORMALS 1
#define BODY "lstm_layer_norm.h"
#include "multiversion.h"

#define FORWARD(R)                                                                              \
    (const R *projected, const R *bias, const R *packed, const R *gain, const R *shift,         \
     const R *drop, R *states, R *cells, R *gates, R *hats, R *inv_std, R *room,                \
     double forget_bias, int act, const recurrent_walk *w)
#define FORWARD_ARGUMENTS                                                                       \
    (projected, bias, packed, gain, shift, drop, states, cells, gates, hats, inv_std, room,     \
     forget_bias, act, w)
DISPATCH_F32(layer_norm_lstm_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(layer_norm_lstm_forward, FORWARD(double), FORWARD_ARGUMENTS)

#define BACKWARD(R)                                                                             \
    (const R *dstates, const R *cells, const R *gates, const R *hats, const R *inv_std,         \
     const R *packed, const R *gain, const R *drop, R *dprojected, R *dgain, R *dshift, R *dh,  \
     R *dc, R *resting, int act, const recurrent_walk *w)
#define BACKWARD_ARGUMENTS                                                                      \
    (dstates, cells, gates, hats, inv_std, packed, gain, drop, dprojected, dgain, dshift, dh,   \
     dc, resting, act, w)
DISPATCH_F32(layer_norm_lstm_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(layer_norm_lstm_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
