/* 3x3 convolution by F(4x1, 3x1), part of conv2d_winograd.h: Winograd's algorithm down the columns
   only, 6 products for the 12 of four outputs one above the other.

   Pixels are combined row by row where they lie side by side, and so are outputs: nothing is
   shuffled, so the transforms cost little, and this is the way for few channels. A strip is four
   rows of outputs of an image; of six rows of pixels under it, B' d, each is a row that the three
   taps of each of its own 6 x 3 weights slide along. Lanes are positions side by side.

   An element of m is at most the root of the sum of the squares of u times that of v, an output nine
   times that. Where the product of the sums passes STRIP_LIMIT, so that something might overflow,
   or is not a number, the direct kernels must do all. */

#define STRIP_LIMIT 1e74

/* Outputs that a product holds in registers, two vectors of each; channels that are summed at once;
   numbers of combined pixels that are worked on while they are in the cache. */
enum {
    NAME(STRIP_ROWS) = LANES == 16 ? 8 : 6,
    NAME(STRIP_TERMS) = 16,
    NAME(STRIP_ROOM) = 8192
};

/* Vectors of positions below each other: their combined pixels and first output, how many rows and
   columns of them are outputs, and whether all are. */
typedef struct {
    const REAL *pixels;
    long output, rows, columns, whole;
} NAME(place);

/* How strips lie in a thread's room: v[strip][element][channel * pitch + column], of which those of
   one strip are `size` numbers; so many strips in an image, at once; vectors of a strip. Products
   are of two vectors: where a strip has one or three, there are at least two strips. */
typedef struct {
    long pitch, size, tall, strips, places;
    REAL *m; /* products of a tile: m[output][element][vector] */
} NAME(strips);

static NAME(strips) NAME(lay_strips)(long c, long oh, long ow)
{
    const long pitch = NAME(up)(ow + 2 + LANES, 16), size = 6 * c * pitch;
    const long places = (ow + LANES - 1) / LANES;
    const long strips = most(NAME(STRIP_ROOM) / size, places == 1 || places == 3 ? 2 : 1);
    return (NAME(strips)){pitch, size, (oh + 3) / 4, strips, places, NULL};
}

/* u[panel][element][channel][column of taps][output of the panel]; returns the sum of squares. */
static REAL NAME(strip_weights)(const REAL *weight, long outputs, long inputs, int backward,
                                REAL *u)
{
    enum { R = NAME(STRIP_ROWS), MOST = 16 };
    const long to_output = backward ? 9 : 9 * inputs, to_input = backward ? 9 * outputs : 9;
    const conv2d_panels panels = conv2d_cut(outputs, R);
    REAL taps[3][MOST] = {{0}}, made[6][MOST];
    VEC square = SPLAT(0);
    for (long p = 0; p < panels.count; p++, u += 6 * inputs * 3 * R) {
        const long first = conv2d_panel(&panels, p), rows = conv2d_panel(&panels, p + 1) - first;
        for (long k = 0; k < 3 * inputs; k++) {
            const REAL *from = weight + first * to_output + k / 3 * to_input;
            for (long i = 0; i < 3; i++)
                for (long a = 0; a < R; a++) {
                    const long tap = backward ? 8 - 3 * i - k % 3 : 3 * i + k % 3;
                    taps[i][a] = a < rows ? from[a * to_output + tap] : 0;
                }
            for (long a = 0; a < R; a += LANES) {
                const VEC g[3] = {LOAD(taps[0] + a), LOAD(taps[1] + a), LOAD(taps[2] + a)};
                VEC t[6];
                NAME(weights)(g, t);
                for (int e = 0; e < 6; e++) {
                    STORE(made[e] + a, t[e]);
                    square += t[e] * t[e];
                }
            }
            for (int e = 0; e < 6; e++)
                memcpy(u + (e * 3 * inputs + k) * R, made[e], R * sizeof(REAL));
        }
    }
    return SUM(square);
}

/* v[element * step] = B' d for a vector of each of the six rows d of pixels; returns its square. */
INLINE VEC NAME(combine)(const REAL *const *d, long at, REAL *v, long step)
{
    VEC pixels[6], t[6], square = SPLAT(0);
    for (int i = 0; i < 6; i++)
        pixels[i] = LOAD(d[i] + at);
    NAME(input)(pixels, t);
    for (int e = 0; e < 6; e++) {
        STORE(v + e * step + at, t[e]);
        square += t[e] * t[e];
    }
    return square;
}

/* The same for whole rows of w pixels; what lies beside them stays as it is. */
static VEC NAME(combine_rows_of_pixels)(const REAL *const *d, long w, REAL *v, long step)
{
    VEC square = SPLAT(0);
    long j = 0;
    for (; j + LANES <= w; j += LANES)
        square += NAME(combine)(d, j, v, step);
    if (j < w && w >= LANES)
        square += NAME(combine)(d, w - LANES, v, step);
    else if (j < w) {
        REAL few[6][LANES] = {{0}}, made[6 * LANES];
        const REAL *rows[6];
        for (int i = 0; i < 6; i++)
            rows[i] = memcpy(few[i], d[i], w * sizeof(REAL));
        square += NAME(combine)(rows, 0, made, LANES);
        for (int e = 0; e < 6; e++)
            memcpy(v + e * step, made + e * LANES, w * sizeof(REAL));
    }
    return square;
}

/* What the taps of one channel bring to the sums, or begin them with. */
INLINE void NAME(strip_taps)(const REAL *u, const REAL *left, const REAL *right, VEC (*sum)[2],
                             const int first, const int rows)
{
#pragma GCC unroll 3
    for (int tap = 0; tap < 3; tap++, u += NAME(STRIP_ROWS)) {
        const VEC a = LOAD(left + tap), b = LOAD(right + tap);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const VEC weight = SPLAT(u[i]);
            sum[i][0] = first && tap == 0 ? weight * a : sum[i][0] + weight * a;
            sum[i][1] = first && tap == 0 ? weight * b : sum[i][1] + weight * b;
        }
    }
}

/* m[i * 12 + j] = sum over channels and columns of taps of u[i] * pixels, for two vectors j. Rows,
   and channels if they are few, are constants where this is inlined. */
INLINE void NAME(strip_product)(const REAL *u, const REAL *left, const REAL *right, long pitch,
                                const long channels, REAL *m, const int rows)
{
    for (long from = 0; from < channels; from += NAME(STRIP_TERMS)) {
        const long some = least(NAME(STRIP_TERMS), channels - from);
        VEC sum[NAME(STRIP_ROWS)][2];
        NAME(strip_taps)(u, left, right, sum, 1, rows);
#pragma GCC unroll 2
        for (long k = 1; k < some; k++)
            NAME(strip_taps)(u + k * 3 * NAME(STRIP_ROWS), left + k * pitch, right + k * pitch, sum,
                             0, rows);
        u += some * 3 * NAME(STRIP_ROWS);
        left += some * pitch;
        right += some * pitch;
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < 2; j++) {
                REAL *to = m + (12 * i + j) * LANES;
                STORE(to, from ? sum[i][j] + LOAD(to) : sum[i][j]);
            }
    }
}

/* Four rows of an output, `step` apart, from its elements m. */
INLINE void NAME(strip_output)(const REAL *m, VEC shift, REAL *to, long step)
{
    VEC t[6], y[4];
    for (int e = 0; e < 6; e++)
        t[e] = LOAD(m + 2 * e * LANES);
    NAME(output)(t, y);
    for (int i = 0; i < 4; i++)
        STORE(to + i * step, y[i] + shift);
}

/* A panel of outputs from `first` on, for two places. */
INLINE void NAME(strip_tile)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                             const NAME(place) *at, long first, const int rows)
{
    const long plane = p->oh * p->ow, step = p->c * s->pitch;
    const int whole = at[0].whole && at[1].whole;
    REAL *left = p->y + at[0].output + first * plane, *right = p->y + at[1].output + first * plane;
    REAL *m = s->m;
#ifdef MINIDL_VECTORS
    const int apart = ((uintptr_t)left ^ (uintptr_t)(right + LANES - 1)) >= 64;
    for (int i = 0; i < rows; i++)
        for (int r = 0; r < 4; r++) {
            __builtin_prefetch(left + i * plane + r * p->ow, 1);
            if (apart)
                __builtin_prefetch(right + i * plane + r * p->ow + LANES - 1, 1);
        }
#endif
    if (p->c == 3)
        for (int e = 0; e < 6; e++)
            NAME(strip_product)(u + e * 9 * NAME(STRIP_ROWS), at[0].pixels + e * step,
                                at[1].pixels + e * step, s->pitch, 3, m + 2 * e * LANES, rows);
    else
        for (int e = 0; e < 6; e++)
            NAME(strip_product)(u + e * p->c * 3 * NAME(STRIP_ROWS), at[0].pixels + e * step,
                                at[1].pixels + e * step, s->pitch, p->c, m + 2 * e * LANES, rows);
    for (int i = 0; i < rows; i++, m += 12 * LANES, left += plane, right += plane) {
        const VEC shift = SPLAT(p->bias ? p->bias[first + i] : 0);
        REAL part[2][4 * LANES];
        if (whole) {
            NAME(strip_output)(m, shift, left, p->ow);
            NAME(strip_output)(m + LANES, shift, right, p->ow);
            continue;
        }
        NAME(strip_output)(m, shift, part[0], LANES);
        NAME(strip_output)(m + LANES, shift, part[1], LANES);
        for (int j = 0; j < 2; j++)
            for (long r = 0; r < at[j].rows; r++)
                memcpy((j ? right : left) + r * p->ow, part[j] + r * LANES,
                       at[j].columns * sizeof(REAL));
    }
}

/* The same, whatever the rows. Called tile by tile: in a loop around it the compiler spills. */
static void NAME(any_strip_tile)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                                 const NAME(place) *at, long first, long rows)
{
    switch (rows) {
    case 1: NAME(strip_tile)(p, s, u, at, first, 1); break;
    case 2: NAME(strip_tile)(p, s, u, at, first, 2); break;
    case 3: NAME(strip_tile)(p, s, u, at, first, 3); break;
    case 4: NAME(strip_tile)(p, s, u, at, first, 4); break;
    case 5: NAME(strip_tile)(p, s, u, at, first, 5); break;
#if LANES == 16
    case 6: NAME(strip_tile)(p, s, u, at, first, 6); break;
    case 7: NAME(strip_tile)(p, s, u, at, first, 7); break;
#endif
    default: NAME(strip_tile)(p, s, u, at, first, NAME(STRIP_ROWS));
    }
}

/* The pixels under one strip, combined, and its places; returns the sum of their squares. */
static REAL NAME(one_strip)(const NAME(problem) *p, const NAME(strips) *s, long strip,
                            const REAL *none, REAL *v, NAME(place) *places)
{
    const long image = strip / s->tall, top = strip % s->tall * 4;
    const long rows = least(4, p->oh - top), columns = least(LANES, p->ow);
    VEC square = SPLAT(0);
    for (long k = 0; k < p->c; k++) {
        const REAL *d[6];
        for (long i = 0; i < 6; i++) {
            const long row = top + i - p->ph;
            d[i] = row >= 0 && row < p->h ? p->x + ((image * p->c + k) * p->h + row) * p->w : none;
        }
        square += NAME(combine_rows_of_pixels)(d, p->w, v + k * s->pitch + p->pw, p->c * s->pitch);
    }
    for (long j = 0; j < s->places; j++) {
        const long column = most(0, least(j * LANES, p->ow - LANES));
        places[j] = (NAME(place)){v + column, (image * p->o * p->oh + top) * p->ow + column, rows,
                                  columns, rows == 4 && columns == LANES};
    }
    return SUM(square);
}

/* Strips start .. stop. */
static void NAME(forward_by_strips)(const NAME(problem) *p, const REAL *u, long start, long stop,
                                    REAL *room)
{
    NAME(strips) s = NAME(lay_strips)(p->c, p->oh, p->ow);
    const conv2d_panels panels = conv2d_cut(p->o, NAME(STRIP_ROWS));
    const long panel = 6 * p->c * 3 * NAME(STRIP_ROWS);
    REAL *v = room, *none = v + s.strips * s.size;
    s.m = none + NAME(up)(p->w + LANES, 16);
    NAME(place) *places = (NAME(place) *)(s.m + NAME(STRIP_ROWS) * 12 * LANES);
    memset(room, 0, (s.m - room) * sizeof(REAL));
    for (long t = start, count; t < stop && *p->spare >= 0; t += count) {
        double largest = 0;
        count = least(s.strips, stop - t);
        for (long k = 0; k < count; k++)
            largest += NAME(one_strip)(p, &s, t + k, none, v + k * s.size, places + k * s.places);
        if (!(largest * p->origin.square < STRIP_LIMIT))
            *p->spare = -1;
        places[count * s.places] = places[count * s.places - 1];
        for (long k = 0; k < panels.count && *p->spare >= 0; k++) {
            const long first = conv2d_panel(&panels, k);
            for (long j = 0; j < count * s.places; j += 2)
                NAME(any_strip_tile)(p, &s, u + k * panel, places + j, first,
                                     conv2d_panel(&panels, k + 1) - first);
        }
    }
}

/* Numbers of room that forward_by_strips needs. */
static void NAME(winograd_strips_size)(long c, long w, long pw, long *size)
{
    const NAME(strips) s = NAME(lay_strips)(c, 1, w + 2 * pw - 2);
    const long places = (s.strips * s.places + 1) * (long)(sizeof(NAME(place)) / sizeof(REAL));
    *size = s.strips * s.size + NAME(up)(w + LANES, 16) + NAME(STRIP_ROWS) * 12 * LANES + places +
            32;
}
