/* GRU over a whole sequence, examples w->start .. w->stop: each step is a product with the packed
   recurrent weights and one pass over the gates; see gru_numpy for the arrays. */

#include "recurrent.h"

/* One example, one step: `sums` are h weight_hh^T, x is the projected input. */
static void NAME(gru_row)(
    const REAL *sums, const REAL *x, const REAL *bias_ih, const REAL *bias_hh, const REAL *h,
    const REAL *drop, REAL *h_next, REAL *gates, long d)
{
    const long n = 2 * d, h_n = 3 * d;
    ROW_LOOP(2 * d, {
        VEC a = NAME(some)(x + j, left) + NAME(some)(bias_ih + j, left);
        a += NAME(some)(sums + j, left) + NAME(some)(bias_hh + j, left);
        NAME(put)(gates + j, NAME(sigmoid)(a), left);
    })
    ROW_LOOP(d, {
        VEC a = NAME(some)(x + n + j, left) + NAME(some)(bias_ih + n + j, left);
        VEC inner = NAME(some)(sums + n + j, left) + NAME(some)(bias_hh + n + j, left);
        NAME(put)(gates + h_n + j, inner, left);
        NAME(put)(gates + n + j, NAME(tanh)(a + NAME(some)(gates + j, left) * inner), left);
    })
    ROW_LOOP(d, {
        VEC z = NAME(some)(gates + d + j, left), new = NAME(some)(gates + n + j, left);
        new = drop ? new * NAME(some)(drop + j, left) : new;
        NAME(put)(h_next + j, (1 - z) * new + z * NAME(some)(h + j, left), left);
    })
}

/* `room` is for a step's sums, and behind them for a row of gates where nothing is kept. The
   initial state is in its slot already. */
static void NAME(gru_forward)(
    const REAL *projected, const REAL *bias_ih, const REAL *packed, const REAL *bias_hh,
    const REAL *drop, REAL *states, REAL *gates, REAL *room, const recurrent_walk *w)
{
    long d = w->d, slot = w->n * d, width = NAME(whole_panels)(3 * d), rows = w->stop - w->start;
    for (long s = 0; s < w->steps; s++) {
        long t = walk_time(w, s), before = walk_before(w, s), after = walk_after(w, s);
        NAME(packed_product)(
            states + before * slot + w->start * d, d, packed, rows, d, 3 * d, room);
        for (long b = w->start; b < w->stop; b++) {
            long here = (t * w->n + b) * d, from = before * slot + b * d, to = after * slot + b * d;
            REAL *kept = w->keep ? gates + 4 * here : room + rows * width;
            if (t < w->lengths[b]) {
                NAME(gru_row)(
                    room + (b - w->start) * width, projected + 3 * here, bias_ih, bias_hh,
                    states + from, drop ? drop + here : NULL, states + to, kept, d);
                continue;
            }
            memcpy(states + to, states + from, d * sizeof(REAL));
            memset(kept, 0, 4 * d * sizeof(REAL));
        }
    }
}

/* The gradient of one example at one step: dh arrives from the steps after and from `dy`; what goes
   round the product to the step before becomes `past`. */
static void NAME(gru_row_back)(
    const REAL *dh, const REAL *dy, const REAL *gates, const REAL *h, const REAL *drop, REAL *dx,
    REAL *dhidden, REAL *past, long d)
{
    ROW_LOOP(d, {
        VEC r = NAME(some)(gates + j, left), z = NAME(some)(gates + d + j, left);
        VEC n = NAME(some)(gates + 2 * d + j, left), h_n = NAME(some)(gates + 3 * d + j, left);
        VEC up = NAME(some)(dh + j, left) + NAME(some)(dy + j, left);
        VEC factor = drop ? NAME(some)(drop + j, left) : SPLAT(1);
        VEC dz = up * (NAME(some)(h + j, left) - n * factor) * z * (1 - z);
        VEC dn = up * (1 - z) * factor * (1 - n * n), dr = dn * h_n * r * (1 - r);
        NAME(put)(dx + j, dr, left);
        NAME(put)(dx + d + j, dz, left);
        NAME(put)(dx + 2 * d + j, dn, left);
        NAME(put)(dhidden + j, dr, left);
        NAME(put)(dhidden + d + j, dz, left);
        NAME(put)(dhidden + 2 * d + j, dn * r, left);
        NAME(put)(past + j, up * z, left);
    })
}

/* dh arrives as 0 and leaves as the gradient of the initial state; it has rows of whole panels.
   `past` has room for the dh of one step. */
static void NAME(gru_backward)(
    const REAL *dstates, const REAL *states, const REAL *gates, const REAL *packed,
    const REAL *drop, REAL *dprojected, REAL *dhidden, REAL *dh, REAL *past,
    const recurrent_walk *w)
{
    long d = w->d, slot = w->n * d, width = NAME(whole_panels)(d), rows = w->stop - w->start;
    for (long s = w->steps - 1; s >= 0; s--) {
        long t = walk_time(w, s), before = walk_before(w, s), after = walk_after(w, s);
        long first = 3 * (t * w->n + w->start) * d;
        for (long b = w->start; b < w->stop; b++) {
            long r = b - w->start, here = (t * w->n + b) * d, at = after * slot + b * d;
            if (t < w->lengths[b]) {
                NAME(gru_row_back)(
                    dh + r * width, dstates + at, gates + 4 * here, states + before * slot + b * d,
                    drop ? drop + here : NULL, dprojected + 3 * here, dhidden + 3 * here,
                    past + r * d, d);
                continue;
            }
            for (long j = 0; j < d; j++)
                past[r * d + j] = dh[r * width + j] + dstates[at + j];
            memset(dprojected + 3 * here, 0, 3 * d * sizeof(REAL));
            memset(dhidden + 3 * here, 0, 3 * d * sizeof(REAL));
        }
        NAME(packed_product)(dhidden + first, 3 * d, packed, rows, 3 * d, d, dh);
        for (long r = 0; r < rows; r++) {
            REAL *row = dh + r * width;
            const int goes = t < w->lengths[w->start + r];
            for (long j = 0; j < d; j++)
                row[j] = goes ? row[j] + past[r * d + j] : past[r * d + j];
        }
    }
}
