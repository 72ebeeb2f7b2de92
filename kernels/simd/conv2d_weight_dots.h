/* dweight[o, k] = sum over positions t of patch[k, t] * dy[o, t], as dot products, for few outputs or
   few taps.

   Vectors run over positions, of dy as it lies and of windows that are copied once for each column of
   taps, without what dy has nothing for: so both go through a block without a gap, nothing is turned,
   and no lane is left over where there are fewer outputs than lanes. Lanes that the last vector of a
   block shares with the one before it are multiplied by 0, so this way serves finite numbers only. */

#undef DOT_OUTPUTS
#undef DOT_TAPS
#if defined(HAVE_AVX512)
#define DOT_OUTPUTS 4
#else
#define DOT_OUTPUTS 2
#endif
#define DOT_TAPS 6
#define DOT_SPAN (64 * LANES) /* positions that are summed before they are added to what there is */

/* c[o][k] += patch[k] * dy[o] at a vector of positions, of dy those lanes that are to be kept. */
INLINE void NAME(dot_step)(
    const REAL *const *patch, const REAL *dy, long plane, long at, const MASK *keep,
    VEC (*c)[DOT_TAPS], const int outputs, const int taps)
{
    VEC d[DOT_OUTPUTS];
#pragma GCC unroll 4
    for (int o = 0; o < outputs; o++) {
        d[o] = LOAD(dy + o * plane + at);
        if (keep)
            d[o] = SELECT(*keep, d[o], SPLAT(0));
    }
#pragma GCC unroll 6
    for (int k = 0; k < taps; k++) {
        VEC there = LOAD(patch[k] + at);
        IN_REGISTER(there);
#pragma GCC unroll 4
        for (int o = 0; o < outputs; o++)
            c[o][k] += there * d[o];
    }
}

/* What is summed before it is added to what there is: `count` positions, LANES at least, of so many
   images, and where they begin in the windows and in dy. */
typedef struct {
    long images, count, s_step, dy_step, plane;
} NAME(dot_span);

/* sum[o][k] += patch[k] * dy[o] over a span, lane by lane; asks for as many numbers ahead. */
INLINE void NAME(dot_tile)(
    const REAL *s, const long *off, const REAL *dy, const REAL *ahead, const NAME(dot_span) *span,
    REAL *sum, long sum_step, const int outputs, const int taps)
{
    const long count = span->count, whole = count / LANES * LANES;
    VEC c[DOT_OUTPUTS][DOT_TAPS];
    const REAL *patch[DOT_TAPS];
    INTEGER lanes[LANES];
    MASK keep;
    for (long i = 0; i < LANES; i++)
        lanes[i] = count - LANES + i >= whole ? -1 : 0;
    memcpy(&keep, lanes, sizeof keep);
    for (int k = 0; k < taps; k++) {
        patch[k] = s + off[k];
        for (int o = 0; o < outputs; o++)
            c[o][k] = SPLAT(0);
    }
    for (long image = 0; image < span->images; image++) {
        for (long at = 0; at < whole; at += LANES) {
            PREFETCH(ahead + at);
            NAME(dot_step)(patch, dy, span->plane, at, NULL, c, outputs, taps);
        }
        if (whole < count)
            NAME(dot_step)(patch, dy, span->plane, count - LANES, &keep, c, outputs, taps);
        dy += span->dy_step;
        ahead += span->dy_step;
        for (int k = 0; k < taps; k++)
            patch[k] += span->s_step;
    }
    for (int o = 0; o < outputs; o++)
        for (int k = 0; k < taps; k++) {
            REAL *to = sum + o * sum_step + k * LANES;
            STORE(to, LOAD(to) + c[o][k]);
        }
}

/* The same, whatever the outputs. */
INLINE void NAME(dot_tiles)(
    const REAL *s, const long *off, const REAL *dy, const REAL *ahead, const NAME(dot_span) *span,
    REAL *sum, long sum_step, long outputs, const int taps)
{
    switch (outputs) {
    case 1: NAME(dot_tile)(s, off, dy, ahead, span, sum, sum_step, 1, taps); break;
#if DOT_OUTPUTS > 2
    case 2: NAME(dot_tile)(s, off, dy, ahead, span, sum, sum_step, 2, taps); break;
    case 3: NAME(dot_tile)(s, off, dy, ahead, span, sum, sum_step, 3, taps); break;
#endif
    default: NAME(dot_tile)(s, off, dy, ahead, span, sum, sum_step, DOT_OUTPUTS, taps);
    }
}

/* Whether a block has room for the copies of a row's windows, and for so many rows that what two
   blocks both need, the height of a window less one row, is at most about two thirds of it. */
static int NAME(dots_fit)(const conv2d_geometry *g)
{
    const double row = (double)(g->c / g->groups) * g->kw * g->ow, tall = (g->kh - 1.0) * g->dh + 1;
    const double rows = CONV2D_BLOCK / sizeof(REAL) / row - tall + 1;
    return rows >= g->oh || (rows >= 1 && 2 * rows >= tall);
}

/* Whether this way serves, which takes panels of 4 to DOT_TAPS taps and rows of a vector at least, and
   saves time, counted in products: to turn a vector of dy takes as long as 32, lanes beyond the
   outputs are lost, and a product here takes as long as 4 / 3. */
static int NAME(by_dots)(const conv2d_geometry *g)
{
    const long depth = g->c / g->groups * g->kh * g->kw, outputs = g->o / g->groups;
    const long padded = (outputs + LANES - 1) / LANES * LANES;
    return LANES > 1 && !conv2d_plain(g) && g->sh == 1 && g->ow >= LANES &&
           conv2d_cut(depth, DOT_TAPS).height >= 4 &&
           4 * outputs * depth <= 3 * padded * (depth + 32) && NAME(dots_fit)(g);
}

/* Adds what the positions of a field bring to sum[output][k][lane]. */
static void NAME(weight_dots)(
    const long *off, const REAL *s, const REAL *dy, const conv2d_field *f, long depth,
    long outputs, REAL *sum)
{
    const conv2d_panels wide = conv2d_cut(outputs, DOT_OUTPUTS), deep = conv2d_cut(depth, DOT_TAPS);
    const long parts = (f->columns + DOT_SPAN - 1) / DOT_SPAN; /* of an image */
    const long images = conv2d_most(DOT_SPAN / f->columns, 1); /* in a span */
    for (long t = 0; t < f->images * parts; t += images) {
        const long image = t / parts, from = f->columns * (t % parts) / parts;
        const NAME(dot_span) span = {conv2d_least(images, f->images - image),
                                     f->columns * (t % parts + 1) / parts - from, f->image_step,
                                     f->out_image, f->out_plane};
        const REAL *here = s + image * f->image_step + from;
        for (long m = 0; m < wide.count; m++) {
            const long o = conv2d_panel(&wide, m), some = conv2d_panel(&wide, m + 1) - o;
            const REAL *d = dy + image * f->out_image + from + o * f->out_plane;
            for (long p = 0; p < deep.count; p++) {
                const long k = conv2d_panel(&deep, p), taps = conv2d_panel(&deep, p + 1) - k;
                /* A panel of taps asks for one of the next outputs. */
                const REAL *ahead = d + (p < some ? some + p : 0) * f->out_plane;
                REAL *to = sum + (o * depth + k) * LANES;
#define DOT_TILES(TAPS) \
    NAME(dot_tiles)(here, off + k, d, ahead, &span, to, depth * LANES, some, TAPS)
                if (taps == 4)
                    DOT_TILES(4);
                else if (taps == 5)
                    DOT_TILES(5);
                else
                    DOT_TILES(DOT_TAPS);
#undef DOT_TILES
            }
        }
    }
}
