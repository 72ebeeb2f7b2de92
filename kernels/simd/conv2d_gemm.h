/* The product at the heart of convolution: out[m, t] = bias[m] + sum over k of a[m, k] * patch[k,
   t], where patch[k, t] = s[at(t) + off[k]] is read where it lies: implicit GEMM.

   Three vectors of positions stay in registers for ROWS outputs while k runs. Where a vector of
   positions lies in one row of the image, it is loaded from there, otherwise the patches of the
   tile are first laid side by side in a panel. Planes of an image itself lie at distances that
   crowd into few lines of the cache: there the first outputs' tile fills the panel for the rest. */

#undef CONV_ROWS
#if defined(HAVE_AVX512)
#define CONV_ROWS 8
#else
#define CONV_ROWS 4
#endif
#define CONV_COLUMNS (3 * LANES)
#define CONV_TERMS 64    /* about as many terms are summed in a row: sums of sums round less */
#define CONV_DEPTH 256   /* most k at once: a panel of float fits half of the first-level cache */
#define CONV_MANY 16     /* from so many outputs on a panel pays that only saves distances */
#define CONV_OUTPUTS 128 /* most outputs at once: their weights fit the second-level cache */

/* Numbers that `pack_weights` writes. */
INLINE long NAME(weights_size)(long outputs, long depth)
{
    return (outputs + CONV_ROWS - 1) / CONV_ROWS * CONV_ROWS * depth;
}

/* packed[part of depth][panel of CONV_ROWS outputs][k][row] = w[m * step + at[k]], zeros behind the
   last output. Returns a number that is 0 if all weights are finite and NaN otherwise. */
static REAL NAME(pack_weights)(
    const REAL *w, long step, const long *at, long outputs, long depth, REAL *packed)
{
    REAL finite = 0;
    for (long from = 0; from < depth; from += CONV_DEPTH) {
        long deep = conv2d_least(CONV_DEPTH, depth - from);
        for (long m = 0; m < outputs; m += CONV_ROWS, packed += deep * CONV_ROWS) {
            long rows = conv2d_least(CONV_ROWS, outputs - m);
            for (long i = 0; i < CONV_ROWS; i++) {
                const REAL *row = w + (m + i) * step;
                for (long k = 0; k < deep; k++) {
                    REAL number = i < rows ? row[at[from + k]] : 0;
                    packed[k * CONV_ROWS + i] = number;
                    finite += number * 0;
                }
            }
        }
    }
    return finite;
}

/* One tile: `rows` outputs, a constant where this is inlined, by three vectors of positions. */
INLINE void NAME(tile)(
    const REAL *a, const REAL *const *s, const long *off, long depth, const int where, REAL *panel,
    const REAL *bias, const int first, REAL *const *out, long out_plane, const int rows)
{
    VEC c[CONV_ROWS][3];
    const REAL *s0 = s[0], *s1 = s[1], *s2 = s[2];
    REAL *out0 = out[0], *out1 = out[1], *out2 = out[2];
    for (int i = 0; i < rows; i++)
        c[i][0] = c[i][1] = c[i][2] = SPLAT(0);
    for (long k = 0; k < depth; k++) {
        VEC p, q, r;
        REAL *cells = panel + k * CONV_COLUMNS;
        if (where == CONV_PACKED) {
            p = LOAD(cells);
            q = LOAD(cells + LANES);
            r = LOAD(cells + 2 * LANES);
        } else {
            long there = off[k];
            p = LOAD(s0 + there);
            q = LOAD(s1 + there);
            r = LOAD(s2 + there);
        }
        if (where == CONV_COLLECTED) {
            STORE(cells, p);
            STORE(cells + LANES, q);
            STORE(cells + 2 * LANES, r);
            /* What the next tile collects lies in planes far apart: nobody else asks for it. */
            PREFETCH(s0 + off[k] + CONV_COLUMNS);
            PREFETCH(s0 + off[k] + 2 * CONV_COLUMNS - 1);
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            VEC number = SPLAT(a[k * CONV_ROWS + i]);
            c[i][0] += number * p;
            c[i][1] += number * q;
            c[i][2] += number * r;
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        VEC start = SPLAT(first && bias ? bias[i] : 0);
        STORE(out0, c[i][0] + (first ? start : LOAD(out0)));
        STORE(out1, c[i][1] + (first ? start : LOAD(out1)));
        STORE(out2, c[i][2] + (first ? start : LOAD(out2)));
        out0 += out_plane, out1 += out_plane, out2 += out_plane;
    }
}

/* A tile of up to CONV_ROWS outputs, part by part of the depth. */
static void NAME(tiles)(
    const REAL *a, const REAL *const *s, const long *off, long depth, int where, REAL *panel,
    const REAL *bias, int first, REAL *const *out, long out_plane, long rows)
{
    long parts = (depth + CONV_TERMS - 1) / CONV_TERMS, terms = parts ? depth / parts + 1 : 1;
    for (long from = 0; from == 0 || from < depth; from += terms) {
        long deep = conv2d_least(terms, depth - from);
        const REAL *here = a + from * CONV_ROWS;
        const long *offs = off + from;
        REAL *cells = panel + from * CONV_COLUMNS;
        int begin = first && from == 0;
#define CONV_TILE_WHERE(W, R) \
    NAME(tile)(here, s, offs, deep, W, cells, bias, begin, out, out_plane, R)
#define CONV_TILE(R)                               \
        case R:                                    \
            if (where == CONV_PACKED)              \
                CONV_TILE_WHERE(CONV_PACKED, R);   \
            else                                   \
                CONV_TILE_WHERE(CONV_SCATTERED, R); \
            break;
        switch (where == CONV_COLLECTED ? 0 : rows) {
            case 0:
                CONV_TILE_WHERE(CONV_COLLECTED, CONV_ROWS);
                break;
            CONV_TILE(1)
            CONV_TILE(2)
            CONV_TILE(3)
            CONV_TILE(4)
#if CONV_ROWS > 4
            CONV_TILE(5)
            CONV_TILE(6)
            CONV_TILE(7)
            CONV_TILE(8)
#endif
        }
#undef CONV_TILE
#undef CONV_TILE_WHERE
    }
}

/* cells[k] = the vector s[at[j] + off[k]] where the positions j lie in up to four rows: each row
   gives its lanes. A row's vector begins before the row, at the place its first lane asks for, and
   that is behind the beginning of the row before. False if there are more rows. */
static int NAME(pack_pieces)(
    const REAL *s, const long *at, const long *off, long depth, REAL *cells)
{
    const REAL *from[4] = {s + at[0]};
    INTEGER lanes[4][LANES] = {{0}};
    MASK mask[4];
    int pieces = 1;
    for (long j = 1; j < LANES; j++) {
        if (at[j] != at[j - 1] + 1) {
            if (pieces == 4)
                return 0;
            from[pieces++] = s + at[j] - j;
        }
        lanes[pieces - 1][j] = -1;
    }
    memcpy(mask, lanes, sizeof mask);
    for (long k = 0; k < depth; k++) {
        VEC v = LOAD(from[0] + off[k]);
        for (int i = 1; i < pieces; i++)
            v = SELECT(mask[i], LOAD(from[i] + off[k]), v);
        STORE(cells + k * CONV_COLUMNS, v);
    }
    return 1;
}

/* panel[k][j] = s[at[j] + off[k]] for the first `count` columns, 0 behind them. runs tells for each
   vector whether its positions lie side by side. */
static void NAME(pack_patches)(
    const REAL *s, const long *at, const int *runs, const long *off, long depth, long count,
    REAL *panel)
{
    for (int v = 0; v < 3; v++) {
        const long *here = at + v * LANES;
        REAL *cells = panel + v * LANES;
        long filled = conv2d_most(0, conv2d_least(LANES, count - v * LANES));
        if (runs[v])
            for (long k = 0; k < depth; k++)
                STORE(cells + k * CONV_COLUMNS, LOAD(s + here[0] + off[k]));
        else if (filled < LANES || !NAME(pack_pieces)(s, here, off, depth, cells))
            for (long k = 0; k < depth; k++) {
                for (long j = 0; j < filled; j++)
                    cells[k * CONV_COLUMNS + j] = s[here[j] + off[k]];
                for (long j = filled; j < LANES; j++)
                    cells[k * CONV_COLUMNS + j] = 0;
            }
    }
}

/* Where the columns of a tile lie in s and in out: how many of each vector are positions, and
   whether they are whole runs. */
typedef struct {
    long at[CONV_COLUMNS], out[CONV_COLUMNS], filled[3];
    int run[3], out_run[3];
} NAME(places);

/* The places of the next tile, of at most `left` positions; returns how many it has. With `apart`
   the vectors end where rows end, and what they load behind a row does not count. */
static long NAME(place)(
    NAME(places) *p, conv2d_cursor *cursor, const conv2d_field *f, long left, int apart)
{
    long before = left;
    for (int v = 0; v < 3; v++) {
        conv2d_cursor here = *cursor;
        long *at = p->at + v * LANES, *out = p->out + v * LANES;
        long filled = conv2d_least(LANES, apart ? f->columns - here.column : left);
        filled = conv2d_least(filled, left);
        p->filled[v] = filled;
        p->run[v] = apart || (filled == LANES && here.column + LANES <= f->columns);
        at[0] = filled ? here.image * f->image_step + here.row * f->row_step + here.column : 0;
        out[0] = here.image * f->out_image + here.row * f->columns + here.column;
        p->out_run[v] = filled == LANES &&
                        here.row * f->columns + here.column + LANES <= f->rows * f->columns;
        for (long j = 1; j < filled; j++) {
            if (p->run[v]) {
                out[j] = out[0] + j;
                continue;
            }
            conv2d_advance(&here, f, 1);
            at[j] = here.image * f->image_step + here.row * f->row_step + here.column;
            out[j] = here.image * f->out_image + here.row * f->columns + here.column;
        }
        conv2d_advance(cursor, f, filled);
        left -= filled;
    }
    return before - left;
}

/* The places of the next tile where the last vector of a row may begin before the end of the one
   before it, to compute those positions a second time: every vector is a run, in s and in out. */
static long NAME(place_over)(
    NAME(places) *p, conv2d_cursor *cursor, const conv2d_field *f, long left)
{
    long before = left, last = f->columns - LANES;
    for (int v = 0; v < 3; v++) {
        if (left) {
            long column = conv2d_least(cursor->column, last);
            p->at[v * LANES] = cursor->image * f->image_step + cursor->row * f->row_step + column;
            p->out[v * LANES] = cursor->image * f->out_image + cursor->row * f->columns + column;
            long filled = column + LANES - cursor->column;
            conv2d_advance(cursor, f, filled);
            left -= filled;
        } else {
            p->at[v * LANES] = p->at[(v - 1) * LANES];
            p->out[v * LANES] = p->out[(v - 1) * LANES];
        }
        p->run[v] = p->out_run[v] = 1;
    }
    return before - left;
}

/* Adds the rows of a tile, or puts them, at its positions. */
static void NAME(put_apart)(
    const NAME(places) *p, const REAL *tile, long rows, int first, long out_plane, REAL *plane)
{
    for (long i = 0; i < rows; i++, plane += out_plane)
        for (int v = 0; v < 3; v++)
            for (long j = 0; j < p->filled[v]; j++) {
                REAL *y = plane + p->out[v * LANES + j];
                REAL number = tile[i * CONV_COLUMNS + v * LANES + j];
                *y = first ? number : *y + number;
            }
}

/* All positions of a field, for one part of the outputs and of the depth. */
static void NAME(correlate_part)(
    const REAL *s, const long *off, const REAL *a, const REAL *bias, long depth, long outputs,
    int first, const conv2d_field *f, REAL *panel, REAL *out)
{
    REAL tile[CONV_ROWS * CONV_COLUMNS];
    NAME(places) p;
    conv2d_cursor cursor = {0, 0, 0};
    long total = f->images * f->rows * f->columns;
    /* Laying patches side by side costs about as much as one panel of outputs. */
    long waste = (LANES - f->columns % LANES) % LANES;
    long panels = (outputs + CONV_ROWS - 1) / CONV_ROWS;
    int cheap = f->spare && waste * panels < f->columns;
    int ends = cheap && depth >= CONV_TERMS;
    int over = cheap && !ends && first && f->columns >= LANES;
    for (long t = 0, count; t < total; t += count) {
        count = over ? NAME(place_over)(&p, &cursor, f, total - t)
                     : NAME(place)(&p, &cursor, f, total - t, ends);
        int runs = p.run[0] && p.run[1] && p.run[2], where = CONV_SCATTERED;
        int side_by_side = p.out_run[0] && p.out_run[1] && p.out_run[2];
        const REAL *from[3] = {s + p.at[0], s + p.at[LANES], s + p.at[2 * LANES]};
        if (!runs) {
            NAME(pack_patches)(s, p.at, p.run, off, depth, count, panel);
            where = CONV_PACKED;
        } else if (!f->spare && outputs >= CONV_MANY)
            where = CONV_COLLECTED;
        for (long m = 0; m < outputs; m += CONV_ROWS) {
            long rows = conv2d_least(CONV_ROWS, outputs - m);
            REAL *plane = out + m * f->out_plane;
            const REAL *offset = bias ? bias + m : NULL;
            if (side_by_side) {
                REAL *to[3] = {plane + p.out[0], plane + p.out[LANES], plane + p.out[2 * LANES]};
                NAME(tiles)(a + m * depth, from, off, depth, where, panel, offset, first, to,
                            f->out_plane, rows);
            } else {
                REAL *to[3] = {tile, tile + LANES, tile + 2 * LANES};
                NAME(tiles)(a + m * depth, from, off, depth, where, panel, offset, 1, to,
                            CONV_COLUMNS, rows);
                NAME(put_apart)(&p, tile, rows, first, f->out_plane, plane);
            }
            if (where == CONV_COLLECTED)
                where = CONV_PACKED;
        }
    }
}

/* out = bias + weights times patches, for weights from `pack_weights`. */
static void NAME(correlate)(
    const REAL *s, const long *off, const REAL *weights, const REAL *bias, long depth, long outputs,
    const conv2d_field *f, REAL *panel, REAL *out)
{
    for (long from = 0; from == 0 || from < depth; from += CONV_DEPTH) {
        long deep = conv2d_least(CONV_DEPTH, depth - from);
        for (long m = 0; m < outputs; m += CONV_OUTPUTS)
            NAME(correlate_part)(
                s, off + from, weights + NAME(weights_size)(outputs, from) + m * deep,
                from || !bias ? NULL : bias + m, deep, conv2d_least(CONV_OUTPUTS, outputs - m),
                from == 0, f, panel, out + m * f->out_plane);
    }
}
