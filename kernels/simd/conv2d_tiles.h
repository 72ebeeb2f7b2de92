/* The product of conv2d_gemm.h in tiles of CONV_ROWS outputs by CONV_VECTORS vectors of positions.

   Outputs are cut into panels of as many rows as a tile has or fewer, as equal as can be, so that
   no tile has so few sums that each addition waits for the one before. */

#undef CONV_COLUMNS
#define CONV_COLUMNS (CONV_VECTORS * LANES)

INLINE long SHAPED(weights_size)(long outputs, long depth)
{
    return conv2d_cut(outputs, CONV_ROWS).count * CONV_ROWS * depth;
}

/* packed[part of depth][panel][k][row] = w[m * step + at[k]], zeros behind a panel's last output.
   Returns a number that is 0 if all weights are finite and NaN otherwise. */
static REAL SHAPED(pack_weights)(
    const REAL *w, long step, const long *at, long outputs, long depth, REAL *packed)
{
    REAL finite = 0;
    const conv2d_panels panels = conv2d_cut(outputs, CONV_ROWS);
    const long share = conv2d_share(depth, CONV_DEPTH);
    for (long from = 0, deep; from < depth; from += deep) {
        deep = conv2d_least(share, depth - from);
        for (long p = 0; p < panels.count; p++, packed += deep * CONV_ROWS) {
            long m = conv2d_panel(&panels, p), rows = conv2d_panel(&panels, p + 1) - m;
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

/* One tile: `rows` outputs, a constant where this is inlined, by its vectors of positions. The sums
   are put with a bias, or where that is NULL added to what is there. */
INLINE void SHAPED(tile)(
    const REAL *a, const REAL *const *s, const long *off, long depth, const int where, REAL *panel,
    const REAL *bias, REAL *const *out, long out_plane, const int rows)
{
    VEC c[CONV_ROWS][CONV_VECTORS];
    const REAL *from[CONV_VECTORS];
    for (int v = 0; v < CONV_VECTORS; v++)
        from[v] = s[v];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < CONV_VECTORS; v++)
            c[i][v] = SPLAT(0);
#ifdef MINIDL_VECTORS
    /* Results that are pages apart come into the cache meanwhile: nobody else asks for them. */
    if (bias && out_plane * (long)sizeof(REAL) > CONV_PAGE)
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < CONV_VECTORS; v++)
                __builtin_prefetch(out[v] + i * out_plane, 1);
#endif
    for (long k = 0; k < depth; k++) {
        REAL *cells = panel + k * CONV_COLUMNS;
        long there = where == CONV_PACKED ? 0 : off[k];
        const REAL *numbers = a + k * CONV_ROWS;
        /* Whichever are fewer stay in registers: numbers of outputs, or vectors of positions. Few
           outputs collect nothing. */
#if CONV_ROWS < CONV_VECTORS
        VEC number[CONV_ROWS];
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
            number[i] = SPLAT(numbers[i]);
#pragma GCC unroll 12
        for (int v = 0; v < CONV_VECTORS; v++) {
            VEC p = LOAD(where == CONV_PACKED ? cells + v * LANES : from[v] + there);
#pragma GCC unroll 12
            for (int i = 0; i < rows; i++)
                c[i][v] += number[i] * p;
        }
#else
        VEC p[CONV_VECTORS];
#pragma GCC unroll 12
        for (int v = 0; v < CONV_VECTORS; v++)
            p[v] = LOAD(where == CONV_PACKED ? cells + v * LANES : from[v] + there);
        if (where == CONV_COLLECTED) {
#pragma GCC unroll 12
            for (int v = 0; v < CONV_VECTORS; v++)
                STORE(cells + v * LANES, p[v]);
            /* What the next tile collects lies in planes far apart: nobody else asks for it. */
            PREFETCH(from[0] + off[k] + CONV_COLUMNS);
            PREFETCH(from[0] + off[k] + 2 * CONV_COLUMNS - 1);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            VEC number = SPLAT(numbers[i]);
#pragma GCC unroll 12
            for (int v = 0; v < CONV_VECTORS; v++)
                c[i][v] += number * p[v];
        }
#endif
    }
    REAL *to[CONV_VECTORS];
    for (int v = 0; v < CONV_VECTORS; v++)
        to[v] = out[v];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        /* Vectors may overlap: all are loaded before one is stored. */
#pragma GCC unroll 12
        for (int v = 0; v < CONV_VECTORS; v++)
            c[i][v] += bias ? SPLAT(bias[i]) : LOAD(to[v]);
#pragma GCC unroll 12
        for (int v = 0; v < CONV_VECTORS; v++) {
            STORE(to[v], c[i][v]);
            to[v] += out_plane;
        }
    }
}

/* What `correlate` does at once: the panels of outputs from `begin` to `end`, `depth` numbers of
   each patch, `terms` of them in a sum. An output's bias is at bias[step * output], NULL where sums
   are added; `collect` is whether the first panel lays its patches side by side for the others. */
typedef struct {
    const REAL *s, *weights, *bias;
    const long *off;
    long step, depth, terms, begin, end;
    int collect;
} SHAPED(part);

/* One tile, sum by sum. */
INLINE void SHAPED(sums)(
    const SHAPED(part) *part, const REAL *weights, const REAL *const *s, const int where,
    REAL *panel, const REAL *bias, REAL *const *out, long out_plane, const int rows)
{
    for (long from = 0; from == 0 || from < part->depth; from += part->terms)
        SHAPED(tile)(weights + from * CONV_ROWS, s, part->off + from,
                     conv2d_least(part->terms, part->depth - from), where,
                     panel + from * CONV_COLUMNS, from ? NULL : bias, out, out_plane, rows);
}

/* A tile of up to CONV_ROWS outputs, by where its patches lie. */
#define CONV_ROW(WHERE, R)                                                                         \
    case R: SHAPED(sums)(part, weights, s, WHERE, panel, bias, out, out_plane, R); break;
#if CONV_ROWS > 3
#define CONV_MORE(WHERE) CONV_ROW(WHERE, 4) CONV_ROW(WHERE, 5) CONV_ROW(WHERE, 6)
#else
#define CONV_MORE(WHERE)
#endif
#if CONV_ROWS > 8
#define CONV_MOST(WHERE)                                                                           \
    CONV_ROW(WHERE, 7) CONV_ROW(WHERE, 8) CONV_ROW(WHERE, 9)                                       \
    CONV_ROW(WHERE, 10) CONV_ROW(WHERE, 11) CONV_ROW(WHERE, 12)
#elif CONV_ROWS > 6
#define CONV_MOST(WHERE) CONV_ROW(WHERE, 7) CONV_ROW(WHERE, 8)
#else
#define CONV_MOST(WHERE)
#endif
#define CONV_TILE(name, WHERE)                                                                     \
    static void SHAPED(name)(                                                                      \
        const SHAPED(part) *part, const REAL *weights, const REAL *const *s, REAL *panel,          \
        const REAL *bias, REAL *const *out, long out_plane, long rows)                             \
    {                                                                                              \
        switch (rows) {                                                                            \
            CONV_ROW(WHERE, 1)                                                                     \
            CONV_ROW(WHERE, 2)                                                                     \
            CONV_ROW(WHERE, 3)                                                                     \
            CONV_MORE(WHERE)                                                                       \
            CONV_MOST(WHERE)                                                                       \
        }                                                                                          \
    }
CONV_TILE(scattered_tile, CONV_SCATTERED)
CONV_TILE(packed_tile, CONV_PACKED)
CONV_TILE(collected_tile, CONV_COLLECTED)
#undef CONV_TILE
#undef CONV_MORE
#undef CONV_MOST
#undef CONV_ROW

INLINE void SHAPED(any_tile)(
    const SHAPED(part) *part, int where, const REAL *weights, const REAL *const *s, REAL *panel,
    const REAL *bias, REAL *const *out, long out_plane, long rows)
{
    if (where == CONV_SCATTERED)
        SHAPED(scattered_tile)(part, weights, s, panel, bias, out, out_plane, rows);
    else if (where == CONV_PACKED)
        SHAPED(packed_tile)(part, weights, s, panel, bias, out, out_plane, rows);
    else
        SHAPED(collected_tile)(part, weights, s, panel, bias, out, out_plane, rows);
}

/* cells[k] = the vector s[at[j] + off[k]] where the positions j lie in up to four rows: each row
   gives its lanes. A row's vector begins before the row, at the place its first lane asks for, and
   that is behind the beginning of the row before. False if there are more rows. */
static int SHAPED(pack_pieces)(
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
static void SHAPED(pack_patches)(
    const REAL *s, const long *at, const int *runs, const long *off, long depth, long count,
    REAL *panel)
{
    for (int v = 0; v < CONV_VECTORS; v++) {
        const long *here = at + v * LANES;
        REAL *cells = panel + v * LANES;
        long filled = conv2d_most(0, conv2d_least(LANES, count - v * LANES));
        if (runs[v])
            for (long k = 0; k < depth; k++)
                STORE(cells + k * CONV_COLUMNS, LOAD(s + here[0] + off[k]));
        else if (filled < LANES || !SHAPED(pack_pieces)(s, here, off, depth, cells))
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
    long at[CONV_COLUMNS], out[CONV_COLUMNS], filled[CONV_VECTORS];
    int run[CONV_VECTORS], out_run[CONV_VECTORS];
} SHAPED(places);

/* The places of the next tile, of at most `left` positions; returns how many it has. With `apart`
   the vectors end where rows end, and what they load behind a row does not count. */
static long SHAPED(place)(
    SHAPED(places) *p, conv2d_cursor *cursor, const conv2d_field *f, long left, int apart)
{
    long before = left;
    for (int v = 0; v < CONV_VECTORS; v++) {
        conv2d_cursor here = *cursor;
        long *at = p->at + v * LANES, *out = p->out + v * LANES;
        long filled = conv2d_least(LANES, apart ? f->columns - here.column : left);
        filled = conv2d_least(filled, left);
        p->filled[v] = filled;
        p->run[v] = apart || (filled == LANES && here.column + LANES <= f->columns);
        at[0] = filled ? here.at + here.column : 0;
        out[0] = here.out + here.column;
        p->out_run[v] = filled == LANES &&
                        here.row * f->columns + here.column + LANES <= f->rows * f->columns;
        for (long j = 1; j < filled; j++) {
            if (p->run[v]) {
                out[j] = out[0] + j;
                continue;
            }
            conv2d_advance(&here, f, 1);
            at[j] = here.at + here.column;
            out[j] = here.out + here.column;
        }
        conv2d_advance(cursor, f, filled);
        left -= filled;
    }
    return before - left;
}

/* The places of the next tile where the last vector of a row may begin before the end of the one
   before it, to compute those positions a second time: every vector is a run, in s and in out. */
static long SHAPED(place_over)(
    SHAPED(places) *p, conv2d_cursor *cursor, const conv2d_field *f, long left)
{
    long before = left, last = f->columns - LANES;
    for (int v = 0; v < CONV_VECTORS; v++) {
        if (left) {
            long column = conv2d_least(cursor->column, last);
            p->at[v * LANES] = cursor->at + column;
            p->out[v * LANES] = cursor->out + column;
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
static void SHAPED(put_apart)(
    const SHAPED(places) *p, const REAL *tile, long rows, int first, long out_plane, REAL *plane)
{
    for (long i = 0; i < rows; i++, plane += out_plane)
        for (int v = 0; v < CONV_VECTORS; v++)
            for (long j = 0; j < p->filled[v]; j++) {
                REAL *y = plane + p->out[v * LANES + j];
                REAL number = tile[i * CONV_COLUMNS + v * LANES + j];
                *y = first ? number : *y + number;
            }
}

/* A field whose rows are whole tiles: the short way. The last vectors of a row may begin before the
   end of those before them and compute some positions a second time. */
static void SHAPED(correlate_rows)(
    const SHAPED(part) *a, const conv2d_panels *panels, const conv2d_field *f, REAL *panel,
    REAL *out)
{
    const REAL *from[CONV_VECTORS];
    REAL *to[CONV_VECTORS];
    const long first = conv2d_panel(panels, a->begin);
    conv2d_cursor cursor = {0};
    while (cursor.image < f->images) {
        const REAL *weights = a->weights, *bias = a->bias;
        int where = a->collect ? CONV_COLLECTED : CONV_SCATTERED;
        for (int v = 0; v < CONV_VECTORS; v++) {
            long column = conv2d_least(cursor.column + v * LANES, f->columns - LANES);
            from[v] = a->s + cursor.at + column;
            to[v] = out + first * f->out_plane + cursor.out + column;
        }
        for (long k = a->begin, m = first; k < a->end; k++) {
            long rows = panels->height + (k < panels->taller);
            SHAPED(any_tile)(a, where, weights, from, panel, bias ? bias + a->step * m : NULL, to,
                             f->out_plane, rows);
            where = a->collect ? CONV_PACKED : CONV_SCATTERED;
            weights += CONV_ROWS * a->depth;
            m += rows;
            for (int v = 0; v < CONV_VECTORS; v++)
                to[v] += rows * f->out_plane;
        }
        conv2d_advance(&cursor, f, conv2d_least(CONV_COLUMNS, f->columns - cursor.column));
    }
}

/* Any field. With `ends` vectors end where rows end; with `over` they may overlap there. */
static void SHAPED(correlate_places)(
    const SHAPED(part) *a, const conv2d_panels *panels, const conv2d_field *f, int ends, int over,
    REAL *panel, REAL *out)
{
    REAL tile[CONV_ROWS * CONV_COLUMNS];
    SHAPED(places) p;
    conv2d_cursor cursor = {0};
    long total = f->images * f->rows * f->columns;
    for (long t = 0, count; t < total; t += count) {
        count = over ? SHAPED(place_over)(&p, &cursor, f, total - t)
                     : SHAPED(place)(&p, &cursor, f, total - t, ends);
        int runs = 1, side_by_side = 1, where = a->collect ? CONV_COLLECTED : CONV_SCATTERED;
        const REAL *from[CONV_VECTORS], *weights = a->weights;
        REAL *to[CONV_VECTORS];
        for (int v = 0; v < CONV_VECTORS; v++) {
            runs &= p.run[v];
            side_by_side &= p.out_run[v];
            from[v] = a->s + p.at[v * LANES];
        }
        if (!runs) {
            SHAPED(pack_patches)(a->s, p.at, p.run, a->off, a->depth, count, panel);
            where = CONV_PACKED;
        }
        for (long k = a->begin, m = conv2d_panel(panels, k); k < a->end; k++) {
            long rows = panels->height + (k < panels->taller);
            REAL *plane = out + m * f->out_plane;
            for (int v = 0; v < CONV_VECTORS; v++)
                to[v] = side_by_side ? plane + p.out[v * LANES] : tile + v * LANES;
            const REAL *none = side_by_side ? NULL : NAME(no_bias);
            SHAPED(any_tile)(a, where, weights, from, panel,
                             a->bias ? a->bias + a->step * m : none, to,
                             side_by_side ? f->out_plane : CONV_COLUMNS, rows);
            if (!side_by_side)
                SHAPED(put_apart)(&p, tile, rows, a->bias != NULL, f->out_plane, plane);
            if (where == CONV_COLLECTED)
                where = CONV_PACKED;
            weights += CONV_ROWS * a->depth;
            m += rows;
        }
    }
}

/* One part; `whole` is whether there is no other of the depth, and what is computed twice is put
   twice and not added. */
static void SHAPED(correlate_part)(
    const SHAPED(part) *a, const conv2d_panels *panels, const conv2d_field *f, int whole,
    REAL *panel, REAL *out)
{
    /* Laying patches side by side costs about as much as one panel of outputs. */
    long waste = (LANES - f->columns % LANES) % LANES;
    int cheap = f->spare && waste * (a->end - a->begin) < f->columns;
    int over = cheap && whole && f->columns >= LANES;
    int ends = cheap && !over && a->depth >= CONV_TERMS;
    if ((over || waste == 0) && (f->columns + waste) % CONV_COLUMNS == 0)
        SHAPED(correlate_rows)(a, panels, f, panel, out);
    else
        SHAPED(correlate_places)(a, panels, f, ends, over, panel, out);
}

static void SHAPED(correlate)(
    const REAL *s, const long *off, const REAL *weights, const REAL *bias, long depth, long outputs,
    const conv2d_field *f, REAL *panel, REAL *out)
{
    const conv2d_panels panels = conv2d_cut(outputs, CONV_ROWS);
    const long most = CONV_OUTPUTS / CONV_ROWS + 1, share = conv2d_share(depth, CONV_DEPTH);
    for (long from = 0; from == 0 || from < depth; from += share) {
        long deep = conv2d_least(share, depth - from);
        const REAL *begin = from ? NULL : bias ? bias : NAME(no_bias);
        for (long k = 0; k < panels.count; k += most) {
            const SHAPED(part) part = {
                s, weights + (panels.count * from + k * deep) * CONV_ROWS, begin,
                off + from, bias != NULL, deep, conv2d_share(deep, CONV_TERMS), k,
                conv2d_least(k + most, panels.count),
                !f->spare && outputs >= CONV_MANY};
            SHAPED(correlate_part)(&part, &panels, f, deep >= depth, panel, out);
        }
    }
}
