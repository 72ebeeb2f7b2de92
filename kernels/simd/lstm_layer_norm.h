/* The layer-normalized LSTM over a whole sequence, examples w->start .. w->stop; see lstm_numpy. */

#include "recurrent.h"

#define EPS 1e-12

#ifndef LSTM_ACTIVATIONS
#define LSTM_ACTIVATIONS
enum { ACT_TANH, ACT_RELU, ACT_SIGMOID };
#endif

INLINE VEC NAME(activated)(VEC v, int act)
{
    if (act == ACT_TANH)
        return NAME(tanh)(v);
    return act == ACT_RELU ? SELECT(v <= 0, SPLAT(0), v) : NAME(sigmoid)(v);
}

/* The derivative of an activation, from its result. */
INLINE VEC NAME(slope)(VEC y, int act)
{
    if (act == ACT_TANH)
        return 1 - y * y;
    return act == ACT_RELU ? SELECT(POSITIVE(y), SPLAT(1), SPLAT(0)) : y * (1 - y);
}

/* v becomes (v - mean) / sqrt(var + EPS); returns 1 / sqrt(var + EPS). */
INLINE REAL NAME(normalize)(REAL *v, long d)
{
    VEC sum = SPLAT(0), squares = sum;
    for (long j = 0; j < d; j += LANES)
        sum += NAME(some)(v + j, d - j);
    const VEC mean = SPLAT((REAL)(SUM(sum) / d));
    for (long j = 0; j < d; j += LANES) {
        VEC apart = NAME(some)(v + j, d - j) - mean;
        NAME(put)(v + j, apart, d - j);
        apart = NAME(some)(v + j, d - j); /* behind the end there are zeros again */
        squares += apart * apart;
    }
    REAL inv_std = (REAL)(1 / __builtin_sqrt((double)(SUM(squares) / d) + EPS));
    for (long j = 0; j < d; j += LANES)
        NAME(put)(v + j, NAME(some)(v + j, d - j) * inv_std, d - j);
    return inv_std;
}

/* u, the gradient of a normalized row, becomes that of the row; it is added to dgain and dshift. */
INLINE void NAME(normalize_back)(
    REAL *u, const REAL *hat, REAL inv_std, const REAL *gain, REAL *dgain, REAL *dshift, long d)
{
    VEC sum = SPLAT(0), proj = sum;
    for (long j = 0; j < d; j += LANES) {
        long left = d - j;
        VEC v = NAME(some)(u + j, left), h = NAME(some)(hat + j, left);
        NAME(put)(dgain + j, NAME(some)(dgain + j, left) + v * h, left);
        NAME(put)(dshift + j, NAME(some)(dshift + j, left) + v, left);
        v *= NAME(some)(gain + j, left);
        NAME(put)(u + j, v, left);
        sum += v;
        proj += v * h;
    }
    const VEC mean = SPLAT(SUM(sum) / d), along = SPLAT(SUM(proj) / d);
    for (long j = 0; j < d; j += LANES) {
        VEC v = NAME(some)(u + j, d - j) - mean - NAME(some)(hat + j, d - j) * along;
        NAME(put)(u + j, v * inv_std, d - j);
    }
}

/* What belongs to the cell beside its weights; gain is NULL where nothing is normalized. */
typedef struct {
    const REAL *bias, *gain, *shift;
    REAL forget_bias;
    int act;
} NAME(normed_cell);

/* LN's result of part k, or the sums themselves. */
INLINE VEC NAME(scaled)(const NAME(normed_cell) *m, const REAL *hats, long k, long j, long d)
{
    VEC v = NAME(some)(hats + k * d + j, d - j);
    if (!m->gain)
        return v;
    return v * NAME(some)(m->gain + k * d + j, d - j) + NAME(some)(m->shift + k * d + j, d - j);
}

/* One example, one step. gates and hats have five parts. */
INLINE void NAME(normed_row)(
    const NAME(normed_cell) *m, const REAL *sums, const REAL *x, const REAL *c, const REAL *drop,
    REAL *h_next, REAL *c_next, REAL *gates, REAL *hats, REAL *inv_std, long d)
{
    for (long k = 0; k < 4; k++) {
        for (long j = k * d; j < (k + 1) * d; j += LANES) {
            long left = (k + 1) * d - j;
            NAME(put)(hats + j, NAME(some)(sums + j, left) + NAME(some)(x + j, left) +
                                    NAME(some)(m->bias + j, left), left);
        }
        inv_std[k] = m->gain ? NAME(normalize)(hats + k * d, d) : 0;
    }
    for (long j = 0; j < d; j += LANES) {
        long left = d - j;
        VEC i = NAME(sigmoid)(NAME(scaled)(m, hats, 0, j, d));
        VEC g = NAME(activated)(NAME(scaled)(m, hats, 1, j, d), m->act);
        VEC f = NAME(sigmoid)(NAME(scaled)(m, hats, 2, j, d) + m->forget_bias);
        NAME(put)(gates + j, i, left);
        NAME(put)(gates + d + j, g, left);
        NAME(put)(gates + 2 * d + j, f, left);
        NAME(put)(gates + 3 * d + j, NAME(sigmoid)(NAME(scaled)(m, hats, 3, j, d)), left);
        g = drop ? g * NAME(some)(drop + j, left) : g;
        NAME(put)(hats + 4 * d + j, f * NAME(some)(c + j, left) + i * g, left);
    }
    inv_std[4] = m->gain ? NAME(normalize)(hats + 4 * d, d) : 0;
    for (long j = 0; j < d; j += LANES) {
        VEC next = NAME(scaled)(m, hats, 4, j, d), y = NAME(activated)(next, m->act);
        NAME(put)(c_next + j, next, d - j);
        NAME(put)(gates + 4 * d + j, y, d - j);
        NAME(put)(h_next + j, y * NAME(some)(gates + 3 * d + j, d - j), d - j);
    }
    if (!m->gain)
        memset(hats, 0, 5 * d * sizeof(REAL));
}

/* As lstm_forward; `room` is for a step's sums and, where nothing is kept, a row of gates and
   hats. */
static void NAME(layer_norm_lstm_forward)(
    const REAL *projected, const REAL *bias, const REAL *packed, const REAL *gain,
    const REAL *shift, const REAL *drop, REAL *states, REAL *cells, REAL *gates, REAL *hats,
    REAL *inv_std, REAL *room, double forget_bias, int act, const recurrent_walk *w)
{
    long d = w->d, slot = w->n * d, width = NAME(whole_panels)(4 * d), rows = w->stop - w->start;
    const NAME(normed_cell) m = {bias, gain, shift, (REAL)forget_bias, act};
    REAL *spare = room + rows * width;
    for (long t = 0; t < w->steps; t++) {
        NAME(packed_product)(states + t * slot + w->start * d, d, packed, rows, d, 4 * d, room);
        for (long b = w->start; b < w->stop; b++) {
            long here = t * w->n + b, from = t * slot + b * d, to = from + slot;
            REAL *c = cells + (w->keep ? from : b * d), *c_next = cells + (w->keep ? to : b * d);
            REAL *kept = w->keep ? gates + 5 * here * d : spare;
            REAL *hat = w->keep ? hats + 5 * here * d : spare + 5 * d;
            REAL *inv = w->keep ? inv_std + 5 * here : spare + 10 * d;
            if (t < w->lengths[b]) {
                NAME(normed_row)(
                    &m, room + (b - w->start) * width, projected + 4 * here * d, c,
                    drop ? drop + here * d : NULL, states + to, c_next, kept, hat, inv, d);
                continue;
            }
            memcpy(states + to, states + from, d * sizeof(REAL));
            memmove(c_next, c, d * sizeof(REAL));
            memset(kept, 0, 5 * d * sizeof(REAL));
            memset(hat, 0, 5 * d * sizeof(REAL));
            memset(inv, 0, 5 * sizeof(REAL));
        }
    }
    for (long b = w->start; b < w->stop; b++) {
        long last = w->keep ? w->steps * slot : 0;
        memcpy(states + (w->steps + 1) * slot + b * d, cells + last + b * d, d * sizeof(REAL));
    }
}

/* The gradient of one example at one step: dh arrives from the steps after and from `dy`; dc is
   changed to what goes on to the step before. */
INLINE void NAME(normed_row_back)(
    const REAL *dh, const REAL *dy, const REAL *gates, const REAL *hats, const REAL *inv_std,
    const REAL *c, const REAL *gain, const REAL *drop, REAL *dc, REAL *da, REAL *dgain,
    REAL *dshift, int act, long d)
{
    for (long j = 0; j < d; j += LANES) {
        long left = d - j;
        VEC o = NAME(some)(gates + 3 * d + j, left), y = NAME(some)(gates + 4 * d + j, left);
        VEC up = NAME(some)(dh + j, left) + NAME(some)(dy + j, left);
        NAME(put)(dc + j, NAME(some)(dc + j, left) + up * o * NAME(slope)(y, act), left);
        NAME(put)(da + 3 * d + j, up * y * o * (1 - o), left);
    }
    if (gain)
        NAME(normalize_back)(
            dc, hats + 4 * d, inv_std[4], gain + 4 * d, dgain + 4 * d, dshift + 4 * d, d);
    for (long j = 0; j < d; j += LANES) {
        long left = d - j;
        VEC i = NAME(some)(gates + j, left), g = NAME(some)(gates + d + j, left);
        VEC f = NAME(some)(gates + 2 * d + j, left), through = NAME(some)(dc + j, left);
        VEC dropped = drop ? through * NAME(some)(drop + j, left) : through;
        NAME(put)(da + j, dropped * g * i * (1 - i), left);
        NAME(put)(da + d + j, dropped * i * NAME(slope)(g, act), left);
        NAME(put)(da + 2 * d + j, through * NAME(some)(c + j, left) * f * (1 - f), left);
        NAME(put)(dc + j, through * f, left);
    }
    for (long k = 0; gain && k < 4; k++)
        NAME(normalize_back)(
            da + k * d, hats + k * d, inv_std[k], gain + k * d, dgain + k * d, dshift + k * d, d);
}

/* As lstm_backward; dgain and dshift are added to. */
static void NAME(layer_norm_lstm_backward)(
    const REAL *dstates, const REAL *cells, const REAL *gates, const REAL *hats,
    const REAL *inv_std, const REAL *packed, const REAL *gain, const REAL *drop, REAL *dprojected,
    REAL *dgain, REAL *dshift, REAL *dh, REAL *dc, REAL *resting, int act, const recurrent_walk *w)
{
    long d = w->d, slot = w->n * d, width = NAME(whole_panels)(d), rows = w->stop - w->start;
    for (long t = w->steps - 1; t >= 0; t--) {
        REAL *da = dprojected + 4 * (t * w->n + w->start) * d;
        for (long b = w->start; b < w->stop; b++) {
            long r = b - w->start, here = t * w->n + b, at = (t + 1) * slot + b * d;
            if (t < w->lengths[b]) {
                NAME(normed_row_back)(
                    dh + r * width, dstates + at, gates + 5 * here * d, hats + 5 * here * d,
                    inv_std + 5 * here, cells + at - slot, gain, drop ? drop + here * d : NULL,
                    dc + b * d, da + 4 * r * d, dgain, dshift, act, d);
                continue;
            }
            for (long j = 0; j < d; j++)
                resting[r * d + j] = dh[r * width + j] + dstates[at + j];
            memset(da + 4 * r * d, 0, 4 * d * sizeof(REAL));
        }
        NAME(packed_product)(da, 4 * d, packed, rows, 4 * d, d, dh);
        for (long r = 0; r < rows; r++)
            if (t >= w->lengths[w->start + r])
                memcpy(dh + r * width, resting + r * d, d * sizeof(REAL));
    }
}

#undef EPS
