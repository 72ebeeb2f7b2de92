/* dweight[k, o] = sum over positions t of patch[k, t] * dy[o, t].

   Vectors run over outputs: dy is turned into panels (t, outputs), and patches are read where they
   lie, number by number, at s[at[t] + off[k]]. Or they run over positions: conv2d_weight_dots.h. */

#include "conv2d_weight_dots.h"

#define CONV_TAPS 6
#define CONV_SPAN 256 /* positions whose panel fits the first-level cache */

/* sum[k][o] += patch[k, t] * panel[t][o] over t, for `taps` k and `vectors` vectors of outputs. */
INLINE void NAME(weight_tile)(
    const REAL *s, const long *at, const long *off, const REAL *panel, long count, REAL *sum,
    long sum_step, const int taps, const int vectors)
{
    VEC c[CONV_TAPS][4];
    const REAL *tap[CONV_TAPS];
    for (int i = 0; i < taps; i++) {
        tap[i] = s + off[i];
        for (int v = 0; v < vectors; v++)
            c[i][v] = SPLAT(0);
    }
    for (long t = 0; t < count; t++) {
        long there = at[t];
        VEC d[4];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            d[v] = LOAD(panel + (t * vectors + v) * LANES);
#pragma GCC unroll 6
        for (int i = 0; i < taps; i++) {
            VEC number = SPLAT(tap[i][there]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                c[i][v] += number * d[v];
        }
    }
    for (int i = 0; i < taps; i++)
        for (int v = 0; v < vectors; v++)
            STORE(sum + i * sum_step + v * LANES, LOAD(sum + i * sum_step + v * LANES) + c[i][v]);
}

INLINE void NAME(weight_tiles)(
    const REAL *s, const long *at, const long *off, const REAL *panel, long count, REAL *sum,
    long sum_step, long depth, const int vectors)
{
    long k = 0;
    for (; k + CONV_TAPS <= depth; k += CONV_TAPS)
        NAME(weight_tile)(s, at, off + k, panel, count, sum + k * sum_step, sum_step, CONV_TAPS,
                          vectors);
    for (; k + 3 <= depth; k += 3)
        NAME(weight_tile)(s, at, off + k, panel, count, sum + k * sum_step, sum_step, 3, vectors);
    for (; k < depth; k++)
        NAME(weight_tile)(s, at, off + k, panel, count, sum + k * sum_step, sum_step, 1, vectors);
}

/* panel[t][j] = dy[j][out[t]] for `count` positions and `width` outputs, zeros up to `padded`. */
static void NAME(turn)(
    const REAL *dy, long plane, const long *out, long count, long width, long padded, REAL *panel)
{
    long t = 0;
#ifdef CAN_SHUFFLE
    while (t + LANES <= count && out[t + LANES - 1] - out[t] == LANES - 1) {
        for (long j = 0; j < padded; j += LANES) {
            VEC square[LANES];
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++)
                square[i] = j + i < width ? LOAD(dy + (j + i) * plane + out[t]) : SPLAT(0);
            NAME(turn_square)(square);
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++)
                STORE(panel + (t + i) * padded + j, square[i]);
        }
        t += LANES;
        /* Where positions of two images meet, one by one. */
        for (; t < count && t + LANES <= count && out[t + LANES - 1] - out[t] != LANES - 1; t++)
            for (long j = 0; j < padded; j++)
                panel[t * padded + j] = j < width ? dy[j * plane + out[t]] : 0;
    }
#endif
    for (; t < count; t++)
        for (long j = 0; j < padded; j++)
            panel[t * padded + j] = j < width ? dy[j * plane + out[t]] : 0;
}

/* Windows are copied so often: for each column of taps where sums are dot products, which are of as
   many numbers as there are lanes; `padded` are outputs up to whole vectors. */
typedef struct {
    conv2d_layout layout;
    long *off, padded, copies;
    REAL *panel, *source, *sum;
    double least, each, room;
} NAME(weight_rooms);

/* Adds what the positions of a field bring to r->sum, (depth, padded). */
static void NAME(weight_field)(
    const NAME(weight_rooms) *r, const REAL *s, const REAL *dy, const conv2d_field *f, long depth,
    long outputs, REAL *sum)
{
    long at[CONV_SPAN], out[CONV_SPAN];
    long total = f->images * f->rows * f->columns;
    conv2d_cursor cursor = {0};
    for (long t = 0; t < total; t += CONV_SPAN) {
        long count = conv2d_least(CONV_SPAN, total - t);
        for (long j = 0; j < count; j++) {
            at[j] = cursor.at + cursor.column;
            out[j] = cursor.out + cursor.column;
            conv2d_advance(&cursor, f, 1);
        }
        for (long m = 0; m < r->padded;) {
            long left = (r->padded - m) / LANES, vectors = left >= 2 ? 2 : 1;
#ifdef HAVE_AVX512
            vectors = left >= 4 ? 4 : vectors;
#endif
            long padded = vectors * LANES;
            NAME(turn)(dy + m * f->out_plane, f->out_plane, out, count,
                       conv2d_least(padded, outputs - m), padded, r->panel);
#define CONV_WEIGHT(V) \
    NAME(weight_tiles)(s, at, r->off, r->panel, count, sum + m, r->padded, depth, V)
            if (vectors == 1)
                CONV_WEIGHT(1);
            else if (vectors == 2)
                CONV_WEIGHT(2);
            else
                CONV_WEIGHT(4);
#undef CONV_WEIGHT
            m += padded;
        }
    }
}

static void NAME(weight_lines)(
    const conv2d_geometry *g, const NAME(weight_rooms) *r, const REAL *dy, const REAL *x,
    REAL *dweight, long start, long stop)
{
    const conv2d_layout *l = &r->layout;
    long channels = g->c / g->groups, outputs = g->o / g->groups, pixels = g->h * g->w;
    long depth = channels * g->kh * g->kw, positions = g->oh * g->ow, known = -1;
    const int plain = conv2d_plain(g), dots = r->copies > 0;
    const long numbers = dots ? outputs * LANES : r->padded; /* of sums, for a number of a patch */
    memset(r->sum, 0, g->groups * depth * numbers * sizeof(REAL));
    long cleared = -1, clear_rows = 0, clear_images = 0; /* the window whose zeros stand */
    for (long at = start, images, rows; at < stop; at += images * rows) {
        long first = at / g->oh, top = at % g->oh;
        conv2d_next_block(at, stop, g->oh, r->least, r->each, r->room, &images, &rows);
        long deep = conv2d_depth(g, l, rows), plane = plain ? pixels : deep * l->pitch;
        conv2d_window window = {top * g->sh - g->ph, -g->pw, deep, l->stride, g->sw,
                                l->slots, l->length, l->phases};
        conv2d_field f = {images, rows, g->ow, channels * plane, l->step * l->pitch,
                          g->o * positions, positions, 1};
        if (plain)
            f = (conv2d_field){images, 1, rows * g->ow, g->c * plane, 0, g->o * positions,
                               positions, 0};
        if (dots)
            f = (conv2d_field){images, 1, rows * g->ow, r->copies * channels * plane, 0,
                               g->o * positions, positions, 0};
        if (plane != known) {
            for (long j = 0; j < r->copies; j++)
                l->at[j] = j * channels * plane;
            conv2d_offsets(g, l, channels, plane, r->off);
        }
        known = plane;
        int fresh = top != cleared || rows != clear_rows || images > clear_images;
        for (long j = 0; j < g->groups; j++, fresh = 0) {
            const REAL *group = x + (first * g->c + j * channels) * pixels;
            for (long i = 0; i < images && !plain; i++)
                for (long copy = 0; copy < conv2d_most(r->copies, 1); copy++) {
                    window.phases = l->phases + copy;
                    NAME(copy_windows)(group + i * g->c * pixels, channels, g->h, g->w, &window,
                                       fresh, r->source + i * f.image_step + l->at[copy] * dots);
                }
            const REAL *d = dy + (first * g->o + j * outputs) * positions + top * g->ow;
            REAL *sum = r->sum + j * depth * numbers;
            if (dots)
                NAME(weight_dots)(r->off, r->source, d, &f, depth, outputs, sum);
            else
                NAME(weight_field)(r, plain ? group + top * g->w : r->source, d, &f, depth,
                                   outputs, sum);
        }
        cleared = top;
        clear_rows = rows;
        clear_images = images;
    }
    for (long o = 0; o < g->o; o++)
        for (long k = 0; k < depth; k++)
            dweight[o * depth + k] =
                dots ? SUM(LOAD(r->sum + (o * depth + k) * LANES))
                     : r->sum[(o / outputs * depth + k) * r->padded + o % outputs];
}

/* The lines with rooms of their own, by dot products or not. */
static void NAME(weight_run)(
    const conv2d_geometry *g, const REAL *dy, const REAL *x, REAL *dweight, long start, long stop,
    int dots, int *failed)
{
    NAME(weight_rooms) r;
    void *whole[4] = {0};
    const long outputs = g->o / g->groups;
    double channels = g->c / g->groups, depth = channels * g->kh * g->kw;
    r.padded = (outputs + LANES - 1) / LANES * LANES;
    r.copies = dots ? g->kw : 0;
    long *table = conv2d_room(2.0 * g->kw + depth, sizeof(long), whole);
    r.panel = conv2d_room(CONV_SPAN * 4 * LANES, sizeof(REAL), whole + 1);
    r.sum = conv2d_room(depth * (dots ? outputs * LANES : r.padded) * g->groups, sizeof(REAL),
                        whole + 2);
    *failed = !(table && r.panel && r.sum);
    if (!*failed) {
        r.layout = conv2d_lay_out(g, table);
        if (dots) {
            for (long j = 0; j < g->kw; j++)
                r.layout.phases[j] = j * g->dw;
            r.layout.slots = 1;
            r.layout.length = r.layout.pitch = g->ow;
        }
        r.off = table + 2 * g->kw;
        r.each = channels * r.layout.pitch * r.layout.step * conv2d_most(r.copies, 1);
        r.least = r.each / r.layout.step * ((g->kh - 1.0) * g->dh + 1);
        r.room = conv2d_block(r.least, r.each, g->oh, g->n, CONV2D_BLOCK / sizeof(REAL));
        r.source = conv2d_room(conv2d_plain(g) ? 0 : r.room + 2 * LANES, sizeof(REAL), whole + 3);
        *failed = !r.source;
    }
    if (!*failed)
        NAME(weight_lines)(g, &r, dy, x, dweight, start, stop);
    conv2d_leave(whole, 4);
}

static void NAME(conv2d_backward_weight)(
    const REAL *dy, const REAL *x, REAL *dweight, const long *sizes, long start, long stop,
    int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    int done = NAME(by_dots)(&g);
    if (done) {
        NAME(weight_run)(&g, dy, x, dweight, start, stop, 1, failed);
        done = !*failed;
        if (done)
            NAME(conv2d_finite)(dweight, g.o * (g.c / g.groups) * g.kh * g.kw, &done);
    }
    if (!done)
        NAME(weight_run)(&g, dy, x, dweight, start, stop, 0, failed);
}
