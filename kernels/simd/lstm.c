/* LSTM over a whole sequence; see lstm.h. */

#define FLUSH_DENORMALS 1
#define BODY "lstm.h"
#include "multiversion.h"

DISPATCH_F32(recurrent_width, (long columns, long *width), (columns, width))
DISPATCH_F64(recurrent_width, (long columns, long *width), (columns, width))

#define PACK(R) (const R *b, int turned, long depth, long columns, R *packed)
#define PACK_ARGUMENTS (b, turned, depth, columns, packed)
DISPATCH_F32(recurrent_pack, PACK(float), PACK_ARGUMENTS)
DISPATCH_F64(recurrent_pack, PACK(double), PACK_ARGUMENTS)

#define FORWARD(R)                                                                              \
    (const R *projected, const R *bias, const R *packed, const R *drop, R *states, R *cells,    \
     R *gates, R *sums, const recurrent_walk *w)
#define FORWARD_ARGUMENTS (projected, bias, packed, drop, states, cells, gates, sums, w)
DISPATCH_F32(lstm_forward, FORWARD(float), FORWARD_ARGUMENTS)
DISPATCH_F64(lstm_forward, FORWARD(double), FORWARD_ARGUMENTS)

#define BACKWARD(R)                                                                             \
    (const R *dstates, const R *cells, const R *gates, const R *packed, const R *drop,          \
     R *dprojected, R *dh, R *dc, R *resting, const recurrent_walk *w)
#define BACKWARD_ARGUMENTS                                                                      \
    (dstates, cells, gates, packed, drop, dprojected, dh, dc, resting, w)
DISPATCH_F32(lstm_backward, BACKWARD(float), BACKWARD_ARGUMENTS)
DISPATCH_F64(lstm_backward, BACKWARD(double), BACKWARD_ARGUMENTS)
