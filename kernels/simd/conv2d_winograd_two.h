/* Forward convolution by F(2x2, 3x3), part of conv2d_winograd.h: 16 products for 4 outputs, instead
   of 36, with no factors but 1 and 1/2, so that it rounds hardly more than a direct convolution.

   The lanes of a vector are tiles side by side: rows of pixels are combined where they lie, told
   apart into even and odd columns, and these combined. Where a row of tiles ends within a vector,
   the next one begins in it. */

/* TILES at once: v[channel * CHANNEL + element * PITCH + tile], where a vector may hang over the
   last one, and m[output * 16 + element][tile] for OUTPUTS outputs. Of rows 0 .. 3 of B' d the
   columns at even places and those at odd ones lie apart, COLUMNS numbers each. FEW channels are
   summed at once. */
enum {
    NAME(TILES) = 2 * LANES,
    NAME(PITCH) = 4 * LANES,
    NAME(CHANNEL) = 16 * NAME(PITCH) + 16,
    NAME(COLUMNS) = 4 * LANES,
    NAME(OUTPUTS) = 16,
    NAME(FEW) = 8
};

/* Pixels of one channel under a run of tiles. What lies outside the image stays 0. */
typedef struct {
    long first, pixels;                 /* the run's, for which the zeros stand */
    REAL none[NAME(PITCH) + 2];         /* a row outside the image */
    REAL rows[4][2 * LANES];            /* rows shorter than a step */
    REAL columns[2][8 * NAME(COLUMNS)]; /* rows of B' d, of two channels */
} NAME(patch);

INLINE void NAME(copy)(const REAL *from, long count, REAL *to)
{
    long j = 0;
    for (; j + LANES <= count; j += LANES)
        STORE(to + j, LOAD(from + j));
#ifdef MINIDL_VECTORS
    for (; j + 4 <= count; j += 4)
        *(QUAD *)(to + j) = *(const QUAD *)(from + j);
#endif
    for (; j < count; j++)
        to[j] = from[j];
}

/* Rows of B' d for 2 * LANES pixels; the pixels `ahead` behind them are asked for. */
INLINE void NAME(combine_rows)(const REAL *const *d, long at, long ahead, REAL *even, REAL *odd)
{
    VEC a[4], b[4];
    for (int i = 0; i < 4; i++) {
        NAME(pairs)(d[i] + at, a + i, b + i);
#ifdef MINIDL_VECTORS
        for (long k = 0; k < 2 * LANES; k += 16)
            __builtin_prefetch(d[i] + at + ahead + k);
#endif
    }
    STORE(even, a[0] - a[2]);
    STORE(odd, b[0] - b[2]);
    STORE(even + 2 * NAME(COLUMNS), a[1] + a[2]);
    STORE(odd + 2 * NAME(COLUMNS), b[1] + b[2]);
    STORE(even + 4 * NAME(COLUMNS), a[2] - a[1]);
    STORE(odd + 4 * NAME(COLUMNS), b[2] - b[1]);
    STORE(even + 6 * NAME(COLUMNS), a[1] - a[3]);
    STORE(odd + 6 * NAME(COLUMNS), b[1] - b[3]);
}

/* Rows of B' d for a run of tiles, from the four rows d of one channel's pixels. */
static void NAME(run_of_rows)(const REAL *const *d, const run *r, long ahead, NAME(patch) *here,
                              REAL *columns)
{
    const long turn = r->first % 2, last = r->pixels - 2 * LANES, rest = last % (2 * LANES);
    REAL *even = columns + turn * NAME(COLUMNS) + r->first / 2;
    REAL *odd = columns + (1 - turn) * NAME(COLUMNS) + r->first / 2 + turn;
    for (long j = 0; j <= last; j += 2 * LANES)
        NAME(combine_rows)(d, j, ahead, even + j / 2, odd + j / 2);
    if (last < 0) {
        const REAL *rows[4];
        for (int i = 0; i < 4; i++) {
            NAME(copy)(d[i], r->pixels, here->rows[i]);
            rows[i] = here->rows[i];
        }
        NAME(combine_rows)(rows, 0, 0, even, odd);
    } else if (rest > 2) {
        NAME(combine_rows)(d, last, ahead, (last % 2 ? odd : even) + last / 2,
                           (last % 2 ? even + 1 : odd) + last / 2);
    } else
        for (long j = r->pixels - rest; j < r->pixels; j++) {
            REAL *to = (j % 2 ? odd : even) + j / 2;
            to[0] = d[0][j] - d[2][j];
            to[2 * NAME(COLUMNS)] = d[1][j] + d[2][j];
            to[4 * NAME(COLUMNS)] = d[2][j] - d[1][j];
            to[6 * NAME(COLUMNS)] = d[1][j] - d[3][j];
        }
}

/* B' d B from the rows of B' d. */
INLINE void NAME(combine_columns)(const REAL *columns, long tiles, REAL *v)
{
    for (long t = 0; t < tiles; t += LANES)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const REAL *from = columns + 2 * i * NAME(COLUMNS) + t;
            const VEC a = LOAD(from), b = LOAD(from + NAME(COLUMNS));
            const VEC c = LOAD(from + 1), e = LOAD(from + NAME(COLUMNS) + 1);
            REAL *to = v + 4 * i * NAME(PITCH) + t;
            STORE(to, a - c);
            STORE(to + NAME(PITCH), b + c);
            STORE(to + 2 * NAME(PITCH), c - b);
            STORE(to + 3 * NAME(PITCH), b - e);
        }
}

/* All channels of a run of tiles, transformed. The rows of a channel are combined before the
   columns of the one before: what was stored just now loads late. */
static void NAME(inputs_by_two)(const NAME(problem) *p, const run *r, long ahead,
                                NAME(patch) *here, REAL *v)
{
    const REAL *d[4];
    long step[4];
    for (int i = 0; i < 4; i++) {
        const int inside = i >= r->top && i < r->bottom;
        d[i] = inside ? p->x + r->source + i * p->w : here->none;
        step[i] = inside ? p->h * p->w : 0;
    }
    if (r->first != here->first || r->pixels != here->pixels)
        memset(here, 0, sizeof *here);
    here->first = r->first;
    here->pixels = r->pixels;
    for (long k = 0; k <= p->c; k++) {
        if (k < p->c)
            NAME(run_of_rows)(d, r, ahead, here, here->columns[k % 2]);
        for (int i = 0; i < 4 && k < p->c; i++)
            d[i] += step[i];
        if (k > 0)
            NAME(combine_columns)(here->columns[1 - k % 2], r->tiles,
                                  v + (k - 1) * NAME(CHANNEL) + r->lane);
    }
}

/* The outputs a of all tiles laid out; 0 where all are finite. Where not `whole`, rows are put
   together first and copied run by run. */
static VEC NAME(outputs_by_two)(const NAME(problem) *p, const layout *l, const runs *s, int whole,
                                const REAL *m, long a)
{
    const VEC shift = SPLAT(p->bias ? p->bias[a] : 0);
    REAL *plane = p->y + a * p->oh * p->ow, apart[2][2 * NAME(TILES)];
    VEC total = SPLAT(0);
    for (long first = 0; first < l->count; first += LANES, m += LANES) {
        VEC half[2][4], y[2][2];
        for (int j = 0; j < 4; j++) {
            const VEC s = LOAD(m + j * NAME(TILES)), t = LOAD(m + (4 + j) * NAME(TILES));
            const VEC u = LOAD(m + (8 + j) * NAME(TILES)), v = LOAD(m + (12 + j) * NAME(TILES));
            half[0][j] = s + t + u;
            half[1][j] = t - u - v;
        }
        for (int i = 0; i < 2; i++) {
            y[i][0] = half[i][0] + half[i][1] + half[i][2] + shift;
            y[i][1] = half[i][1] - half[i][2] - half[i][3] + shift;
            total += y[i][0] + y[i][1];
            NAME(neighbours)(y[i][0], y[i][1],
                             whole ? plane + l->output[first] + i * p->ow : apart[i] + 2 * first);
        }
    }
    for (long k = 0; !whole && k < s->count; k++) {
        const run *r = &s->run[k];
        const long columns = least(2 * r->tiles, p->ow - l->x[r->lane]);
        for (long i = 0; i < least(2, p->oh - l->y[r->lane]); i++)
            NAME(copy)(apart[i] + 2 * r->lane, columns, plane + l->output[r->lane] + i * p->ow);
    }
    return total - total;
}

static long NAME(room_by_two)(long c)
{
    return c * NAME(CHANNEL) + 16 * NAME(OUTPUTS) * NAME(TILES);
}

/* Whether every vector of tiles lies in one run and all their outputs in the image. */
static int NAME(whole_by_two)(const NAME(problem) *p, const layout *l, const runs *s)
{
    int whole = 1;
    for (long k = 0; k < s->count; k++) {
        const run *r = &s->run[k];
        whole &= r->tiles % LANES == 0 && l->y[r->lane] + 2 <= p->oh &&
                 l->x[r->lane] + 2 * r->tiles <= p->ow;
    }
    return whole;
}

static void NAME(forward_by_two)(const NAME(problem) *p, const REAL *u, long start, long stop,
                                 REAL *room)
{
    const long c = p->c, o = p->o, element = NAME(element)(o, c), depth = NAME(depth_of)(c);
    const tiling tiles = {c, p->h, p->w, p->ph, p->pw, (p->oh + 1) / 2, (p->ow + 1) / 2, 2};
    REAL *v = room, *m = v + c * NAME(CHANNEL);
    layout l;
    runs s;
    NAME(patch) here = {0};
    memset(v, 0, c * NAME(CHANNEL) * sizeof(REAL));
    for (long t = start; t < stop && *p->spare >= 0; t += l.count) {
        lay_runs(&l, &s, &tiles, t, least(NAME(TILES), stop - t));
        const long vectors = (l.count + LANES - 1) / LANES;
        const int whole = NAME(whole_by_two)(p, &l, &s);
        for (long k = 0; k < l.count; k++)
            l.output[k] = (l.image[k] * o * p->oh + l.y[k]) * p->ow + l.x[k];
        const long ahead = source_of(&tiles, least(t + l.count, stop - 1)) - s.run[0].source;
        for (long i = 0; i < s.count; i++)
            NAME(inputs_by_two)(p, &s.run[i], ahead, &here, v);
        VEC finite = SPLAT(0);
        for (long block = 0; block < o; block += NAME(OUTPUTS)) {
            const long end = least(block + NAME(OUTPUTS), o);
            for (int e = 0; e < 16; e++) {
#ifdef MINIDL_VECTORS
                for (long k = 0; k < l.count && block + e < end; k += LANES) {
                    const REAL *y = p->y + (block + e) * p->oh * p->ow + l.output[k];
                    __builtin_prefetch(y, 1);
                    __builtin_prefetch(y + p->ow, 1);
                }
#endif
                for (long a = block; a < end; a += ROWS)
                    NAME(product)(u + e * element + a * depth, ROWS, v + e * NAME(PITCH),
                                  NAME(CHANNEL), m + ((a - block) * 16 + e) * NAME(TILES),
                                  16 * NAME(TILES), c, NAME(FEW), vectors, 0);
            }
            for (long a = block; a < end; a++)
                finite += NAME(outputs_by_two)(p, &l, &s, whole,
                                               m + (a - block) * 16 * NAME(TILES), a);
        }
        for (long a = 0; a < o && SUM(finite) != 0; a += NAME(BLOCK))
            NAME(repair)(p, &l, a, least(a + NAME(BLOCK), o));
    }
}
