/* dx for few channels: what every position of dy hands to every tap, one product, whose outputs
   are (channel, tap), is added up where the taps lie. A product for each phase would have as few
   outputs as there are channels, and tiles that read more than they multiply.

   Only products that belong to a pixel are added to it, so no weight does harm elsewhere. */

typedef struct {
    conv2d_phases down, across;
    /* columns: positions of a tile; block: positions of a product; rows: of the planes */
    long *off, *place, lines, columns, block, rows;
    REAL *weights, *panel, *products, *planes;
} NAME(few_rooms);

/* row[q] += products[q] for q = 0 .. count - 1 */
INLINE void NAME(add_row)(const REAL *products, long count, REAL *row)
{
    long q = 0;
    for (; q + LANES <= count; q += LANES)
        STORE(row + q, LOAD(row + q) + LOAD(products + q));
    for (; q < count; q++)
        row[q] += products[q];
}

/* Products of the positions from start to stop of dy, `pitch` for each channel and tap, and the
   rows of dy they lie in. */
typedef struct {
    const REAL *products;
    long pitch, start, stop, first, last;
} NAME(few_run);

/* Adds what a run hands to one tap to the plane of the tap's phase, of tall x wide pixels; pixel
   (u, v) gets it from position (u + down, v + across). */
static void NAME(add_tap)(
    const conv2d_geometry *g, const NAME(few_run) *run, const REAL *products, long down,
    long across, long tall, long wide, REAL *plane)
{
    long left = conv2d_most(across, 0), right = conv2d_least(wide + across, g->ow);
    long last = conv2d_least(run->last, down + tall - 1);
    for (long p = conv2d_most(run->first, down); p <= last; p++) {
        long q = conv2d_most(run->start - p * g->ow, left);
        long end = conv2d_least(run->stop - p * g->ow, right);
        if (q < end)
            NAME(add_row)(products + p * g->ow + q - run->start, end - q,
                          plane + (p - down) * wide + q - across);
    }
}

/* Adds a run to the planes, one for each channel, of phase (a, b) of pixel rows from `top` on. */
static void NAME(add_phase)(
    const conv2d_geometry *g, const NAME(few_rooms) *r, const NAME(few_run) *run, long a, long b,
    long top, long rows, REAL *planes)
{
    long tall = conv2d_phase_length(top, top + rows, g->sh, r->down.phase[a], g->h);
    long wide = conv2d_phase_length(0, g->w, g->sw, r->across.phase[b], g->w);
    for (long c = 0; c < g->c / g->groups; c++, planes += tall * wide)
        for (long i = a * g->kh; i < a * g->kh + r->down.taps[a]; i++)
            for (long j = b * g->kw; j < b * g->kw + r->across.taps[b]; j++) {
                long tap = (c * g->kh + r->down.tap[i]) * g->kw + r->across.tap[j];
                NAME(add_tap)(g, run, run->products + tap * run->pitch, r->down.shift[i] + top,
                              r->across.shift[j], tall, wide, planes);
            }
}

/* The pixel rows of one group and image, `rows` of each phase, from `top` on. */
static void NAME(few_block)(
    const conv2d_geometry *g, const NAME(few_rooms) *r, const REAL *dy, const REAL *weights,
    long top, long rows, REAL *dx)
{
    long channels = g->c / g->groups, outputs = g->o / g->groups;
    long room = r->rows * ((g->w - 1) / g->sw + 1);
    long at = conv2d_least(g->oh, conv2d_most(0, top + r->down.low)) * g->ow;
    long stop = conv2d_least(g->oh, conv2d_most(0, top + rows + r->down.high)) * g->ow;
    memset(r->planes, 0, r->down.count * r->across.count * channels * room * sizeof(REAL));
    for (long end; at < stop; at = end) {
        end = conv2d_least(at + r->block, stop);
        /* Whole tiles: some positions before are multiplied again. */
        long count = (end - at + r->columns - 1) / r->columns * r->columns;
        long begin = conv2d_most(0, end - count);
        /* An odd number of lines of the cache apart, rows do not crowd into few of its sets. */
        long pitch = (end - begin + 31) / 32 * 32 + 16;
        conv2d_field f = {1, 1, end - begin, 0, 0, 0, pitch, 0};
        NAME(correlate)(dy + begin, r->off, weights, NULL, outputs, channels * g->kh * g->kw, &f,
                        r->panel, r->products);
        NAME(few_run) run = {r->products + at - begin, pitch, at, end, at / g->ow,
                             (end - 1) / g->ow};
        REAL *planes = r->planes;
        for (long a = 0; a < r->down.count; a++)
            for (long b = 0; b < r->across.count; b++, planes += channels * room)
                NAME(add_phase)(g, r, &run, a, b, top, rows, planes);
    }
    for (long a = 0; a < r->down.count; a++)
        NAME(weave)(g, &r->down, &r->across, a, 1, channels, top, rows,
                    r->planes + a * r->across.count * channels * room, channels * room, dx);
}

static void NAME(few_lines)(
    const conv2d_geometry *g, const NAME(few_rooms) *r, const REAL *dy, const REAL *weight,
    REAL *dx, long start, long stop)
{
    long channels = g->c / g->groups, outputs = g->o / g->groups, taps = g->kh * g->kw;
    long size = NAME(weights_size)(channels * taps, outputs), positions = g->oh * g->ow;
    for (long k = 0; k < outputs; k++) {
        r->place[k] = k * channels * taps;
        r->off[k] = k * positions;
    }
    for (long j = 0; j < g->groups; j++)
        NAME(pack_weights)(weight + j * outputs * channels * taps, 1, r->place, channels * taps,
                           outputs, r->weights + j * size);
    for (long at = start, rows; at < stop; at += rows) {
        long image = at / r->lines, top = at % r->lines;
        rows = conv2d_least(conv2d_least(r->lines - top, stop - at), r->rows);
        NAME(clear_unreached)(g, &r->down, &r->across, 1, top, rows,
                              dx + image * g->c * g->h * g->w);
        for (long j = 0; j < g->groups; j++)
            NAME(few_block)(g, r, dy + (image * g->o + j * outputs) * positions,
                            r->weights + j * size, top, rows,
                            dx + (image * g->c + j * channels) * g->h * g->w);
    }
}

static void NAME(conv2d_few)(
    const REAL *dy, const REAL *weight, REAL *dx, const long *sizes, long start, long stop,
    int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    NAME(few_rooms) r;
    void *whole[5] = {0};
    double outputs = g.o / g.groups, products = (double)(g.c / g.groups) * g.kh * g.kw;
    double tables = 2.0 * g.kh * (g.kh + 1) + 2.0 * g.kw * (g.kw + 1);
    long *table = conv2d_room(tables + 2 * outputs, sizeof(long), whole);
    r.weights = conv2d_room((products + CONV_ROWS) * outputs * g.groups, sizeof(REAL), whole + 1);
    r.panel = conv2d_room(CONV_PANEL, sizeof(REAL), whole + 2);
    r.columns = NAME(tile_columns)((long)products);
    r.block = CONV2D_BLOCK / (long)sizeof(REAL) / r.columns / (long)products;
    r.block = r.columns * conv2d_most(1, r.block);
    r.block = conv2d_least(r.block, g.oh * g.ow);
    r.products = conv2d_room((r.block + r.columns + 48) * products, sizeof(REAL), whole + 3);
    *failed = !(table && r.weights && r.panel && r.products);
    if (!*failed) {
        r.down = conv2d_find_phases(g.kh, g.sh, g.ph, g.dh, g.h, table);
        r.across = conv2d_find_phases(g.kw, g.sw, g.pw, g.dw, g.w, table + 2 * g.kh * (g.kh + 1));
        r.off = table + (long)tables;
        r.place = r.off + (long)outputs;
        r.lines = (g.h - 1) / g.sh + 1;
        /* Rows at the seams of blocks are multiplied twice: let there be few. */
        double each = (double)(g.c / g.groups) * r.down.count * r.across.count *
                      ((g.w - 1) / g.sw + 1);
        r.rows = conv2d_least(r.lines, conv2d_most(1, (long)(CONV2D_PLANES / sizeof(REAL) / each)));
        r.planes = conv2d_room(r.rows * each, sizeof(REAL), whole + 4);
        *failed = !r.planes;
    }
    if (!*failed)
        NAME(few_lines)(&g, &r, dy, weight, dx, start, stop);
    conv2d_leave(whole, 5);
}
