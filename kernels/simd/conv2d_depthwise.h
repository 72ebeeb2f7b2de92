/* Depthwise convolution: as many groups as channels, one output each. Plane by plane, in vectors of
   output positions that lie in one row; a row's end has a vector of its own with `tail` positions.
   */

#ifndef CONV2D_VECTORS
#define CONV2D_VECTORS

/* Where vectors begin: in the windows, and in the plane of results. First all full ones. */
typedef struct {
    long full, all, tail, *at, *out;
} conv2d_vectors;

/* room has place for 2 * rows * (columns / lanes + 1) numbers. */
static conv2d_vectors conv2d_list_vectors(
    long rows, long columns, long row_step, long lanes, long *room)
{
    long each = columns / lanes, tail = columns % lanes;
    conv2d_vectors v = {rows * each, rows * (each + (tail > 0)), tail, room,
                        room + rows * (each + 1)};
    for (long row = 0, k = 0; row < rows; row++) {
        for (long j = 0; j < each; j++, k++) {
            v.at[k] = row * row_step + j * lanes;
            v.out[k] = row * columns + j * lanes;
        }
        if (tail) {
            v.at[v.full + row] = row * row_step + each * lanes;
            v.out[v.full + row] = row * columns + each * lanes;
        }
    }
    return v;
}
#endif

/* c[v] = start + sum over k of weight[k] * the vector at[v] + off[k], for four vectors. */
INLINE void NAME(four_vectors)(
    const REAL *s, const long *at, const long *off, const REAL *weight, const long taps, VEC *c)
{
    const REAL *s0 = s + at[0], *s1 = s + at[1], *s2 = s + at[2], *s3 = s + at[3];
    VEC a = c[0], b = c[1], d = c[2], e = c[3];
#pragma GCC unroll 9
    for (long k = 0; k < taps; k++) {
        VEC number = SPLAT(weight[k]);
        a += number * LOAD(s0 + off[k]);
        b += number * LOAD(s1 + off[k]);
        d += number * LOAD(s2 + off[k]);
        e += number * LOAD(s3 + off[k]);
    }
    c[0] = a;
    c[1] = b;
    c[2] = d;
    c[3] = e;
}

/* One plane of results. */
static void NAME(depthwise_plane)(
    const REAL *s, const conv2d_vectors *v, const long *off, const REAL *weight, long taps,
    REAL bias, REAL *y)
{
    long k = 0;
    for (; k + 4 <= v->full; k += 4) {
        VEC c[4] = {SPLAT(bias), SPLAT(bias), SPLAT(bias), SPLAT(bias)};
        if (taps == 9)
            NAME(four_vectors)(s, v->at + k, off, weight, 9, c);
        else
            NAME(four_vectors)(s, v->at + k, off, weight, taps, c);
        for (int i = 0; i < 4; i++)
            STORE(y + v->out[k + i], c[i]);
    }
    for (; k < v->all; k++) {
        VEC c = SPLAT(bias);
        REAL numbers[LANES];
        for (long i = 0; i < taps; i++)
            c += SPLAT(weight[i]) * LOAD(s + v->at[k] + off[i]);
        if (k < v->full) {
            STORE(y + v->out[k], c);
            continue;
        }
        STORE(numbers, c);
        for (long j = 0; j < v->tail; j++)
            y[v->out[k] + j] = numbers[j];
    }
}

/* One plane of results for 3x3 windows of neighbouring pixels: four rows at a time, for which every
   vector of pixels is loaded once. The last rows, and the last vectors of a row, may begin before the
   end of those before them and are computed a second time. */
static void NAME(depthwise_three)(
    const REAL *s, long pitch, const REAL *weight, REAL bias, long rows, long columns, REAL *y)
{
    VEC number[9];
#pragma GCC unroll 9
    for (int k = 0; k < 9; k++)
        number[k] = SPLAT(weight[k]);
    for (long r = 0; r < rows; r += 4) {
        long row = conv2d_least(r, rows - 4);
        for (long q = 0; q < columns; q += LANES) {
            long column = conv2d_least(q, columns - LANES);
            const REAL *from = s + row * pitch + column;
            VEC c[4] = {SPLAT(bias), SPLAT(bias), SPLAT(bias), SPLAT(bias)};
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++, from += pitch) {
#pragma GCC unroll 3
                for (int j = 0; j < 3; j++) {
                    VEC p = LOAD(from + j);
#pragma GCC unroll 4
                    for (int k = 0; k < 4; k++)
                        if (i >= k && i - k < 3)
                            c[k] += number[3 * (i - k) + j] * p;
                }
            }
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++)
                STORE(y + (row + k) * columns + column, c[k]);
        }
    }
}

/* The same for sums: sums[k] += dy times the patches' numbers of tap k for the full vectors of pairs
   of rows. Returns how many vectors that were. */
static long NAME(depthwise_three_sums)(
    const REAL *s, const REAL *dy, const conv2d_vectors *v, long pitch, long each, VEC *sums)
{
    VEC c[9];
    long done = v->full / (2 * each) * 2 * each;
    for (int i = 0; i < 9; i++)
        c[i] = sums[i];
    for (long k = 0; k < done; k += 2 * each)
        for (long j = k; j < k + each; j++) {
            const REAL *from = s + v->at[j];
            VEC above = LOAD(dy + v->out[j]), below = LOAD(dy + v->out[j + each]);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++, from += pitch)
#pragma GCC unroll 3
                for (int t = 0; t < 3; t++) {
                    VEC p = LOAD(from + t);
                    if (i < 3)
                        c[3 * i + t] += above * p;
                    if (i > 0)
                        c[3 * (i - 1) + t] += below * p;
                }
        }
    for (int i = 0; i < 9; i++)
        sums[i] = c[i];
    return done;
}

/* sums[k] += dy times the patches' numbers of tap k, for `taps` taps, a constant where inlined,
   and the vectors from `begin` on. */
INLINE void NAME(depthwise_sums)(
    const REAL *s, const REAL *dy, const conv2d_vectors *v, long begin, const long *off,
    VEC *sums, const int taps)
{
    VEC c[9];
    for (int i = 0; i < taps; i++)
        c[i] = sums[i];
    for (long k = begin; k < v->full; k++) {
        const REAL *from = s + v->at[k];
        VEC d = LOAD(dy + v->out[k]);
#pragma GCC unroll 9
        for (int i = 0; i < taps; i++)
            c[i] += d * LOAD(from + off[i]);
    }
    for (long k = v->full; k < v->all; k++) {
        /* Behind the tail neither dy nor the patches count, be they NaN. */
        REAL numbers[LANES] = {0};
        INTEGER inside[LANES] = {0};
        MASK mask;
        for (long j = 0; j < v->tail; j++) {
            numbers[j] = dy[v->out[k] + j];
            inside[j] = -1;
        }
        memcpy(&mask, inside, sizeof mask);
        for (int i = 0; i < taps; i++)
            c[i] += LOAD(numbers) * SELECT(mask, LOAD(s + v->at[k] + off[i]), SPLAT(0));
    }
    for (int i = 0; i < taps; i++)
        sums[i] = c[i];
}

typedef struct {
    conv2d_layout layout;
    conv2d_vectors vectors;
    conv2d_window window;
    long *off;
    REAL *source;
} NAME(depthwise_rooms);

/* Makes room for one plane; false where there is none. */
static int NAME(depthwise_room)(const conv2d_geometry *g, NAME(depthwise_rooms) *r, void **whole)
{
    long taps = g->kh * g->kw;
    double vectors = 2.0 * g->oh * (g->ow / LANES + 1);
    long *table = conv2d_room(2.0 * g->kw + taps + vectors, sizeof(long), whole);
    if (!table)
        return 0;
    r->layout = conv2d_lay_out(g, table);
    r->off = table + 2 * g->kw;
    double line = r->layout.pitch, each = line * r->layout.step;
    double size = line * ((g->kh - 1.0) * g->dh + 1) + each * (g->oh - 1);
    r->source = conv2d_room(size + 2 * LANES, sizeof(REAL), whole + 1);
    if (!r->source)
        return 0;
    r->vectors = conv2d_list_vectors(g->oh, g->ow, r->layout.step * r->layout.pitch, LANES,
                                     r->off + taps);
    r->window = (conv2d_window){-g->ph, -g->pw, conv2d_depth(g, &r->layout, g->oh),
                                r->layout.stride, g->sw, r->layout.slots, r->layout.length,
                                r->layout.phases};
    conv2d_offsets(g, &r->layout, 1, 0, r->off);
    return 1;
}

/* Whether windows are 3x3 and of neighbouring pixels. */
static int NAME(depthwise_is_three)(const conv2d_geometry *g)
{
    return g->kh == 3 && g->kw == 3 && g->sh == 1 && g->sw == 1 && g->dh == 1 && g->dw == 1 &&
           g->ow >= LANES;
}

/* Planes start .. stop of y, counted over images and channels. */
static void NAME(depthwise_forward)(
    const REAL *x, const REAL *weight, const REAL *bias, REAL *y, const long *sizes, long start,
    long stop, int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    NAME(depthwise_rooms) r;
    void *whole[3] = {0};
    long taps = g.kh * g.kw;
    int three = NAME(depthwise_is_three)(&g) && g.oh >= 4;
    *failed = !NAME(depthwise_room)(&g, &r, whole);
    for (long plane = start; plane < stop && !*failed; plane++) {
        long c = plane % g.c;
        REAL offset = bias ? bias[c] : 0, *to = y + plane * g.oh * g.ow;
        NAME(copy_windows)(x + plane * g.h * g.w, 1, g.h, g.w, &r.window, plane == start, r.source);
        if (three)
            NAME(depthwise_three)(r.source, r.layout.pitch, weight + c * taps, offset, g.oh, g.ow,
                                  to);
        else
            NAME(depthwise_plane)(r.source, &r.vectors, r.off, weight + c * taps, taps, offset, to);
    }
    conv2d_leave(whole, 3);
}

/* dweight of channels start .. stop. */
static void NAME(depthwise_backward_weight)(
    const REAL *dy, const REAL *x, REAL *dweight, const long *sizes, long start, long stop,
    int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    NAME(depthwise_rooms) r;
    void *whole[3] = {0};
    long taps = g.kh * g.kw;
    int three = NAME(depthwise_is_three)(&g);
    VEC *sums = conv2d_room((double)(stop - start) * taps, sizeof(VEC), whole + 2);
    *failed = !sums || !NAME(depthwise_room)(&g, &r, whole);
    for (long k = 0; k < (stop - start) * taps && !*failed; k++)
        sums[k] = SPLAT(0);
    /* Planes in the order of memory, and the sums of all channels beside. */
    for (long image = 0; image < g.n && !*failed; image++)
        for (long c = start; c < stop; c++) {
            long plane = image * g.c + c, k = 0, done = 0;
            const REAL *from = dy + plane * g.oh * g.ow;
            VEC *sum = sums + (c - start) * taps;
            NAME(copy_windows)(x + plane * g.h * g.w, 1, g.h, g.w, &r.window, plane == start,
                               r.source);
            if (three)
                done = NAME(depthwise_three_sums)(r.source, from, &r.vectors, r.layout.pitch,
                                                  g.ow / LANES, sum);
            for (; k + 9 <= taps; k += 9)
                NAME(depthwise_sums)(r.source, from, &r.vectors, done, r.off + k, sum + k, 9);
            for (; k + 3 <= taps; k += 3)
                NAME(depthwise_sums)(r.source, from, &r.vectors, done, r.off + k, sum + k, 3);
            for (; k < taps; k++)
                NAME(depthwise_sums)(r.source, from, &r.vectors, done, r.off + k, sum + k, 1);
        }
    for (long k = 0; k < (stop - start) * taps && !*failed; k++)
        dweight[start * taps + k] = SUM(sums[k]);
    conv2d_leave(whole, 3);
}
