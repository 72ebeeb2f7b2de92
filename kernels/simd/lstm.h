/* LSTM over a whole sequence, examples w->start .. w->stop: each step is a product with the packed
   recurrent weights and one pass over the gates; see lstm_numpy for the arrays. */

#include "recurrent.h"

/* One example, one step: `sums` are h weight_hh^T, x is the projected input; gates may be `sums` or x
   themselves. Behind x lies that of the next example, which is asked for meanwhile. */
static void NAME(lstm_row)(
    const REAL *sums, const REAL *x, const REAL *bias, const REAL *c, const REAL *drop,
    REAL *h_next, REAL *c_next, REAL *gates, long d)
{
#define GATE(at, f)                                                                          \
    PREFETCH(x + (at) + 4 * d);                                                              \
    NAME(put)(gates + (at), f(NAME(some)(x + (at), left) + NAME(some)(bias + (at), left) +   \
                              NAME(some)(sums + (at), left)), left);
    ROW_LOOP(2 * d, GATE(j, NAME(sigmoid)))
    const long g = 2 * d, o = 3 * d;
    ROW_LOOP(d, GATE(g + j, NAME(tanh)))
    ROW_LOOP(d, GATE(o + j, NAME(sigmoid)))
#undef GATE
    ROW_LOOP(d, {
        VEC new = NAME(some)(gates + j, left) * NAME(some)(gates + g + j, left);
        new = drop ? new * NAME(some)(drop + j, left) : new;
        new += NAME(some)(gates + d + j, left) * NAME(some)(c + j, left);
        NAME(put)(c_next + j, new, left);
    })
    ROW_LOOP(d, {
        VEC y = NAME(tanh)(NAME(some)(c_next + j, left));
        NAME(put)(h_next + j, NAME(some)(gates + o + j, left) * y, left);
    })
}

/* cells holds a slot for every step where w->keep is set, otherwise one, which is written over. The
   initial state is in its slots already. */
static void NAME(lstm_forward)(
    const REAL *projected, const REAL *bias, const REAL *packed, const REAL *drop, REAL *states,
    REAL *cells, REAL *gates, REAL *sums, const recurrent_walk *w)
{
    long d = w->d, slot = w->n * d, width = NAME(whole_panels)(4 * d), rows = w->stop - w->start;
    for (long s = 0; s < w->steps; s++) {
        long t = walk_time(w, s), before = walk_before(w, s), after = walk_after(w, s);
        NAME(packed_product)(
            states + before * slot + w->start * d, d, packed, rows, d, 4 * d, sums);
        for (long b = w->start; b < w->stop; b++) {
            long here = (t * w->n + b) * d, from = before * slot + b * d, to = after * slot + b * d;
            REAL *c = cells + (w->keep ? from : b * d), *c_next = cells + (w->keep ? to : b * d);
            REAL *row = sums + (b - w->start) * width, *kept = w->keep ? gates + 4 * here : row;
            if (t < w->lengths[b]) {
                NAME(lstm_row)(
                    row, projected + 4 * here, bias, c, drop ? drop + here : NULL, states + to,
                    c_next, kept, d);
                continue;
            }
            memcpy(states + to, states + from, d * sizeof(REAL));
            memmove(c_next, c, d * sizeof(REAL));
            memset(kept, 0, 4 * d * sizeof(REAL));
        }
    }
    for (long b = w->start; b < w->stop; b++) {
        long last = w->keep ? (w->reverse ? 0 : w->steps) * slot : 0;
        memcpy(states + (w->steps + 1) * slot + b * d, cells + last + b * d, d * sizeof(REAL));
    }
}

/* The gradient of one example at one step: dh arrives from the steps after and from `dy`; dc is
   changed to what goes on to the step before. */
static void NAME(lstm_row_back)(
    const REAL *dh, const REAL *dy, const REAL *gates, const REAL *c, const REAL *c_next,
    const REAL *drop, REAL *dc, REAL *da, long d)
{
    ROW_LOOP(d, {
        VEC i = NAME(some)(gates + j, left), f = NAME(some)(gates + d + j, left);
        VEC g = NAME(some)(gates + 2 * d + j, left), o = NAME(some)(gates + 3 * d + j, left);
        VEC y = NAME(tanh)(NAME(some)(c_next + j, left));
        VEC up = NAME(some)(dh + j, left) + NAME(some)(dy + j, left);
        VEC through = NAME(some)(dc + j, left) + up * o * (1 - y * y);
        VEC dropped = drop ? through * NAME(some)(drop + j, left) : through;
        NAME(put)(da + j, dropped * g * i * (1 - i), left);
        NAME(put)(da + d + j, through * NAME(some)(c + j, left) * f * (1 - f), left);
        NAME(put)(da + 2 * d + j, dropped * i * (1 - g * g), left);
        NAME(put)(da + 3 * d + j, up * y * o * (1 - o), left);
        NAME(put)(dc + j, through * f, left);
    })
}

/* dh and dc arrive as 0 and the gradient of the last c, and leave as those of the initial state; dh
   has rows of whole panels. `resting` has room for the dh of one step. */
static void NAME(lstm_backward)(
    const REAL *dstates, const REAL *cells, const REAL *gates, const REAL *packed, const REAL *drop,
    REAL *dprojected, REAL *dh, REAL *dc, REAL *resting, const recurrent_walk *w)
{
    long d = w->d, slot = w->n * d, width = NAME(whole_panels)(d), rows = w->stop - w->start;
    for (long s = w->steps - 1; s >= 0; s--) {
        long t = walk_time(w, s), before = walk_before(w, s), after = walk_after(w, s);
        REAL *da = dprojected + 4 * (t * w->n + w->start) * d;
        for (long b = w->start; b < w->stop; b++) {
            long r = b - w->start, here = (t * w->n + b) * d, at = after * slot + b * d;
            if (t < w->lengths[b]) {
                NAME(lstm_row_back)(
                    dh + r * width, dstates + at, gates + 4 * here, cells + before * slot + b * d,
                    cells + at, drop ? drop + here : NULL, dc + b * d, da + 4 * r * d, d);
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

/* Numbers of a row of `columns` sums, as a function that the dispatcher finds. */
static void NAME(recurrent_width)(long columns, long *width)
{
    *width = NAME(whole_panels)(columns);
}

static void NAME(recurrent_pack)(const REAL *b, int turned, long depth, long columns, REAL *packed)
{
    NAME(pack_weights)(b, turned, depth, columns, packed);
}
