/* The product of conv2d_bundles.h in tiles of CONV_ROWS outputs by CONV_VECTORS positions of a row. */

static long SHAPED(bundle_height)(void) { return CONV_ROWS; }
static conv2d_panels SHAPED(bundle_panels)(long outputs) { return conv2d_cut(outputs, CONV_ROWS); }

/* Positions of a row, up to whole tiles. */
static long SHAPED(bundle_wide)(long count)
{
    return (count + CONV_VECTORS - 1) / CONV_VECTORS * CONV_VECTORS;
}

/* What a row takes, in half cycles: a tile two products a cycle, but no two of a sum at once and
   no more than two loads. */
static long SHAPED(bundle_cost)(long count, long outputs)
{
    const conv2d_panels panels = conv2d_cut(outputs, CONV_ROWS);
    long cost = 0;
    for (long p = 0; p < panels.count; p++) {
        const long rows = panels.height + (p < panels.taller);
        cost += conv2d_most(rows * CONV_VECTORS, conv2d_most(8, rows + CONV_VECTORS));
    }
    return cost * SHAPED(bundle_wide)(count) / CONV_VECTORS;
}

/* packed[panel][i][j][input][row] for `deep` inputs, whose weights are read in the order in which they
   lie. */
static void SHAPED(bundle_weights)(
    const NAME(bundle_taps) *taps, const REAL *weight, long m_step, long k_step,
    const long *down_tap, const long *across_tap, long kw, long outputs, long deep, REAL *packed)
{
    const conv2d_panels panels = conv2d_cut(outputs, CONV_ROWS);
    const long down = taps->down.taps, across = taps->across.taps;
    for (long p = 0; p < panels.count; p++, packed += down * across * deep * CONV_ROWS) {
        const long m = conv2d_panel(&panels, p), rows = conv2d_panel(&panels, p + 1) - m;
        for (long t = 0; t < rows * deep; t++) {
            const long row = m_step > k_step ? t / deep : t % rows;
            const long e = m_step > k_step ? t % deep : t / rows;
            const REAL *from = weight + (m + row) * m_step + e * k_step;
            REAL *to = packed + e * CONV_ROWS + row;
            for (long i = 0; i < down; i++)
                for (long j = 0; j < across; j++, to += deep * CONV_ROWS)
                    *to = from[down_tap[i] * kw + across_tap[j]];
        }
    }
}

static void SHAPED(bundle_reach)(const NAME(bundle_taps) *taps)
{
    for (long v = 0, *reach = taps->reach; v < taps->across.count; v += CONV_VECTORS, reach += 2)
        conv2d_reach(&taps->across, v, v + CONV_VECTORS - 1, reach, reach + 1);
}

/* One tile: adds what its taps from row top to bottom of the window bring, or puts it with a bias.
   Taps of several rows lie in order where they are whole rows. */
INLINE void SHAPED(bundle_tile)(
    const NAME(bundle_taps) *taps, const long *reach, long top, long bottom, long deep,
    const long *off, const REAL *weights, const REAL *const *from, const REAL *bias,
    REAL *const *to, long plane, long rows)
{
    const long across = taps->across.taps, left = reach[0], right = reach[1];
    const long step = left == 0 && right == across ? conv2d_most(bottom - top, 1) : 1;
    for (long i = top; bias || i < bottom; i += step, bias = NULL) {
        const long at = (i * across + left) * deep;
        const long depth = i < bottom ? (right - left) * deep * step : 0;
        const SHAPED(part) part = {
            .off = off + at, .depth = depth, .terms = conv2d_share(depth, CONV_TERMS)};
        SHAPED(scattered_tile)(&part, weights + at * CONV_ROWS, from, NULL, bias, to, plane, rows);
    }
}

/* Adds what inputs k .. k + deep - 1 bring to the outputs of panels begin .. end, or puts it with a
   bias, bias[0] for all of them unless `each` has its own. */
static void SHAPED(bundle_rows)(
    const NAME(bundle_job) *job, const NAME(bundle_taps) *taps, const conv2d_panels *panels,
    long begin, long end, long k, long deep, const REAL *bias, int each)
{
    const conv2d_axis *down = &taps->down, *across = &taps->across;
    const NAME(turned) *s = &job->source, *y = &job->target;
    const long count = down->taps * across->taps, first = conv2d_panel(panels, begin);
    for (long p = begin; p < end; p++) {
        const long m = conv2d_panel(panels, p) - first;
        const long rows = panels->height + (p < panels->taller);
        const REAL *weights = taps->weights + (panels->count * k + p * deep) * count * CONV_ROWS;
        for (long u = 0; u < down->count; u++) {
            const long *reach = taps->reach;
            long top, bottom;
            conv2d_reach(down, u, u, &top, &bottom);
            for (long v = 0; v < across->count; v += CONV_VECTORS, reach += 2) {
                const REAL *from[CONV_VECTORS];
                REAL *to[CONV_VECTORS];
                for (int e = 0; e < CONV_VECTORS; e++) {
                    from[e] = s->lines + (s->first + u * down->step * s->pitch +
                                          (v + e) * across->step) * LANES;
                    to[e] = y->lines + (y->first + m * y->plane +
                                        (u * down->out_step + down->out) * y->pitch +
                                        (v + e) * across->out_step + across->out) * LANES;
                }
                SHAPED(bundle_tile)(taps, reach, top, bottom, deep, taps->off + k * count, weights,
                                   from, bias ? bias + m * each : NULL, to, y->plane * LANES,
                                   rows);
            }
        }
    }
}
