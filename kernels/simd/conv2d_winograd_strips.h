/* 3x3 convolution by F(4x1, 3x1) or F(2x1, 3x1), part of conv2d_winograd.h: Winograd's algorithm down
   the columns only, 6 products for the 12 of four outputs one above the other, or 4 for the 6 of two.

   Pixels are combined row by row where they lie side by side, and so are outputs: nothing is
   shuffled, so the transforms cost little, and this is the way for few channels. A strip is TALL, four
   or two, rows of outputs of an image; of TALL + 2 rows of pixels under it, B' d, each is a row that
   the three taps of each of its own weights slide along. Lanes are positions side by side. Of two
   rows there are no factors but 1 and 1/2: that rounds 0.7 to 1.4 times as much as a direct sum, of four
   1.3 to 1.8 times. Weights are transformed in double, so as to be rounded once.

   An element of m is at most the root of the sum of the squares of u times that of v, an output nine
   times that. Where the product of the sums passes STRIP_LIMIT, so that something might overflow,
   or is not a number, the direct kernels must do all. */

#define STRIP_LIMIT 1e74

/* Outputs that a product holds in registers, two vectors of each; outputs of which registers hold both
   rows of a strip of two, where there are 32; channels that are summed at once; numbers of combined
   pixels that are worked on while they are in the cache; zeros before the first of a row, so many that
   whole vectors lie in one line each. */
enum {
    NAME(STRIP_ROWS) = LANES == 16 ? 8 : 6,
    NAME(HELD_ROWS) = 7,
    NAME(STRIP_TERMS) = 8,
    NAME(STRIP_ROOM) = LANES == 8 ? 16384 : 8192,
    NAME(STRIP_EDGE) = 16
};

/* Vectors of positions below each other: their combined pixels and first output, how many rows and
   columns of them are outputs, and whether all are. */
typedef struct {
    const REAL *pixels;
    long output, rows, columns, whole;
} NAME(place);

/* How strips lie in a thread's room: v[strip][element][channel * pitch + STRIP_EDGE + column], of which
   those of one strip are `size` numbers, and zeros beside the columns; so many strips in an image, at
   once; vectors of a strip. Products are of two vectors: where a strip has one or three, there are at
   least two strips. */
typedef struct {
    long pitch, size, image, strips, places;
    REAL *m; /* products of a tile: m[output][element][vector] */
} NAME(strips);

static NAME(strips) NAME(lay_strips)(long c, long oh, long ow, long tall)
{
    const long pitch = NAME(up)(NAME(STRIP_EDGE) + most(ow, LANES) + 2, 16);
    const long size = (tall + 2) * c * pitch;
    const long places = (ow + LANES - 1) / LANES;
    const long strips = most(NAME(STRIP_ROOM) / size, places == 1 || places == 3 ? 2 : 1);
    return (NAME(strips)){pitch, size, (oh + tall - 1) / tall, strips, places, NULL};
}

/* Whether registers hold both rows of outputs, so that products need no memory of their own: for
   images of one channel or three. */
static int NAME(held)(long channels, int tall)
{
    return LANES == 16 && tall == 2 && (channels == 1 || channels == 3);
}

/* As few panels of outputs as there can be. */
static conv2d_panels NAME(strip_panels)(long outputs, long channels, int tall)
{
    return conv2d_cut(outputs, NAME(held)(channels, tall) ? NAME(HELD_ROWS) : NAME(STRIP_ROWS));
}

/* The transforms of either kind of strip. */
INLINE void NAME(strip_input)(const VEC *d, VEC *t, const int tall)
{
    if (tall == 2)
        NAME(input_of_two)(d, t);
    else
        NAME(input)(d, t);
}
INLINE void NAME(strip_output)(const VEC *m, VEC *y, const int tall)
{
    if (tall == 2)
        NAME(output_of_two)(m, y);
    else
        NAME(output)(m, y);
}

/* u = G g of the taps of a panel's outputs, in double: so few can be rounded but once. */
INLINE void NAME(strip_weight)(double (*g)[NAME(STRIP_ROWS)], double (*u)[NAME(STRIP_ROWS)],
                               const int tall)
{
    for (int i = 0; i < NAME(STRIP_ROWS); i++) {
        const double n_a = tall == 2 ? .5 : EXACT_N_A, p_a = tall == 2 ? 1 : P_A;
        const double even = n_a * (g[0][i] + p_a * p_a * g[2][i]), odd = n_a * p_a * g[1][i];
        u[0][i] = tall == 2 ? g[0][i] : EXACT_N_0 * g[0][i];
        u[1][i] = even + odd;
        u[2][i] = even - odd;
        u[tall + 1][i] = g[2][i];
    }
    for (int i = 0; i < NAME(STRIP_ROWS) && tall == 4; i++) {
        const double even = EXACT_N_B * (g[0][i] + P_BB * g[2][i]);
        const double odd = EXACT_N_B * P_B * g[1][i];
        u[3][i] = even + odd;
        u[4][i] = even - odd;
    }
}

/* u[panel][element][channel][column of taps][output of the panel]; returns the sum of squares. */
static REAL NAME(strip_weights)(const REAL *weight, long outputs, long inputs, int backward,
                                int tall, REAL *u)
{
    enum { R = NAME(STRIP_ROWS) };
    const long to_output = backward ? 9 : 9 * inputs, to_input = backward ? 9 * outputs : 9;
    const conv2d_panels panels = NAME(strip_panels)(outputs, inputs, tall);
    double taps[3][R] = {{0}}, made[6][R], squares[R] = {0}, square = 0;
    for (long p = 0; p < panels.count; p++, u += (tall + 2) * inputs * 3 * R) {
        const long first = conv2d_panel(&panels, p), rows = conv2d_panel(&panels, p + 1) - first;
        for (long k = 0; k < 3 * inputs; k++) {
            const REAL *from = weight + first * to_output + k / 3 * to_input;
            for (long i = 0; i < 3; i++)
                for (long a = 0; a < R; a++) {
                    const long tap = backward ? 8 - 3 * i - k % 3 : 3 * i + k % 3;
                    taps[i][a] = a < rows ? from[a * to_output + tap] : 0;
                }
            if (tall == 2)
                NAME(strip_weight)(taps, made, 2);
            else
                NAME(strip_weight)(taps, made, 4);
            for (int e = 0; e < tall + 2; e++)
                for (long a = 0; a < R; a++) {
                    u[(e * 3 * inputs + k) * R + a] = (REAL)made[e][a];
                    squares[a] += made[e][a] * made[e][a];
                }
        }
    }
    for (long a = 0; a < R; a++)
        square += squares[a];
    return (REAL)square;
}

/* v[element * step] = B' d for a vector of each of the rows d of pixels; returns its square. */
INLINE VEC NAME(combine)(const REAL *const *d, long at, REAL *v, long step, const int tall)
{
    VEC pixels[6], t[6], square = SPLAT(0);
    for (int i = 0; i < tall + 2; i++)
        pixels[i] = LOAD(d[i] + at);
    NAME(strip_input)(pixels, t, tall);
    for (int e = 0; e < tall + 2; e++) {
        STORE(v + e * step + at, t[e]);
        square += t[e] * t[e];
    }
    return square;
}

/* The same for whole rows of w pixels; what lies beside them stays as it is. */
INLINE VEC NAME(combine_rows)(const REAL *const *d, long w, REAL *v, long step, const int tall)
{
    VEC square = SPLAT(0);
    long j = 0;
    for (; j + LANES <= w; j += LANES)
        square += NAME(combine)(d, j, v, step, tall);
    if (j < w && w >= LANES)
        square += NAME(combine)(d, w - LANES, v, step, tall);
    else if (j < w) {
        REAL few[6][LANES] = {{0}}, made[6 * LANES];
        const REAL *rows[6];
        for (int i = 0; i < tall + 2; i++)
            rows[i] = memcpy(few[i], d[i], w * sizeof(REAL));
        square += NAME(combine)(rows, 0, made, LANES, tall);
        for (int e = 0; e < tall + 2; e++)
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

/* m[i * row + j] = sum over channels and columns of taps of u[i] * pixels, for two vectors j. Rows,
   and channels if they are few, are constants where this is inlined. */
INLINE void NAME(strip_product)(const REAL *u, const REAL *left, const REAL *right, long pitch,
                                const long channels, REAL *m, const int row, const int rows)
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
                REAL *to = m + (row * i + j) * LANES;
                STORE(to, from ? sum[i][j] + LOAD(to) : sum[i][j]);
            }
    }
}

/* The rows of an output, `step` apart, from its elements m. */
INLINE void NAME(strip_rows)(const REAL *m, VEC shift, REAL *to, long step, const int tall)
{
    VEC t[6], y[4];
    for (int e = 0; e < tall + 2; e++)
        t[e] = LOAD(m + 2 * e * LANES);
    NAME(strip_output)(t, y, tall);
    for (int i = 0; i < tall; i++)
        STORE(to + i * step, y[i] + shift);
}

/* Asks for where a row of each output will be put, `plane` apart, while an element is summed; one row
   with each: more at once would keep the sums waiting. So would any with vectors of 16, but where one
   channel or two leave little to do besides. */
INLINE void NAME(wanted_row)(const NAME(problem) *p, const REAL *left, const REAL *right, long plane,
                             const int rows)
{
#ifdef MINIDL_VECTORS
    /* Two vectors of 8 are a line: tile by tile, those of the left ones are all. */
    const int apart = LANES == 16 && ((uintptr_t)left ^ (uintptr_t)(right + LANES - 1)) >= 64;
    for (int i = 0; i < rows && (LANES == 8 || p->c <= 2); i++) {
        __builtin_prefetch(left + i * plane, 1);
        if (apart)
            __builtin_prefetch(right + i * plane + LANES - 1, 1);
    }
#else
    (void)p, (void)left, (void)right, (void)plane, (void)rows;
#endif
}

/* Copies those of two places' outputs that there are, from part[place][row][column]. */
INLINE void NAME(put)(const REAL *part, const NAME(place) *at, long row, REAL *left, REAL *right,
                      const int tall)
{
    for (int j = 0; j < 2; j++)
        for (long r = 0; r < at[j].rows; r++)
            memcpy((j ? right : left) + r * row, part + (j * tall + r) * LANES,
                   at[j].columns * sizeof(REAL));
}

/* A panel of outputs from `first` on, for two places. */
INLINE void NAME(strip_tile)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                             const NAME(place) *at, long first, const int rows, const int tall)
{
    const int elements = tall + 2, row = 2 * elements;
    const long plane = p->oh * p->ow, step = p->c * s->pitch;
    const int whole = at[0].whole && at[1].whole;
    REAL *left = p->y + at[0].output + first * plane, *right = p->y + at[1].output + first * plane;
    REAL *m = s->m;
    for (int e = 0; e < elements; e++) {
        const REAL *a = at[0].pixels + e * step, *b = at[1].pixels + e * step;
        if (e < tall)
            NAME(wanted_row)(p, left + e * p->ow, right + e * p->ow, plane, rows);
        if (p->c == 3)
            NAME(strip_product)(u + e * 9 * NAME(STRIP_ROWS), a, b, s->pitch, 3, m + 2 * e * LANES,
                                row, rows);
        else
            NAME(strip_product)(u + e * p->c * 3 * NAME(STRIP_ROWS), a, b, s->pitch, p->c,
                                m + 2 * e * LANES, row, rows);
    }
    for (int i = 0; i < rows; i++, m += row * LANES, left += plane, right += plane) {
        const VEC shift = SPLAT(p->bias ? p->bias[first + i] : 0);
        REAL part[8 * LANES];
        if (whole) {
            NAME(strip_rows)(m, shift, left, p->ow, tall);
            NAME(strip_rows)(m + LANES, shift, right, p->ow, tall);
            continue;
        }
        NAME(strip_rows)(m, shift, part, LANES, tall);
        NAME(strip_rows)(m + LANES, shift, part + tall * LANES, LANES, tall);
        NAME(put)(part, at, p->ow, left, right, tall);
    }
}

#if LANES == 16
/* sum += element e of the products of few channels, or begins with it. */
INLINE void NAME(add_element)(const REAL *u, const NAME(place) *at, long pitch, VEC (*sum)[2],
                              const int first, const int e, const int rows, const int channels)
{
#pragma GCC unroll 3
    for (int k = e * channels; k < (e + 1) * channels; k++)
        NAME(strip_taps)(u + k * 3 * NAME(STRIP_ROWS), at[0].pixels + k * pitch,
                         at[1].pixels + k * pitch, sum, first && k == e * channels, rows);
}

/* Adds the bias, if any: last, so that a large one does not round what comes after it. */
INLINE void NAME(add_bias)(const REAL *bias, long first, VEC (*sum)[2], const int rows)
{
    if (bias)
#pragma GCC unroll 7
        for (int i = 0; i < rows; i++) {
            const VEC shift = SPLAT(bias[first + i]);
            sum[i][0] += shift;
            sum[i][1] += shift;
        }
}

/* strip_tile of few channels, whose outputs never leave the registers: y = m1 + m2 and m1 - m2, onto
   which come m0 and m3. */
INLINE void NAME(held_tile)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                            const NAME(place) *at, long first, const int rows, const int channels)
{
    const long plane = p->oh * p->ow;
    const int whole = at[0].whole && at[1].whole;
    REAL *left = p->y + at[0].output + first * plane, *right = p->y + at[1].output + first * plane;
    REAL part[NAME(HELD_ROWS)][4 * LANES];
    REAL *to[2] = {whole ? left : part[0], whole ? right : part[0] + 2 * LANES};
    const long next = whole ? plane : 4 * LANES, below = whole ? p->ow : LANES;
    VEC above[NAME(HELD_ROWS)][2], under[NAME(HELD_ROWS)][2];
    NAME(wanted_row)(p, left, right, plane, rows);
    NAME(add_element)(u, at, s->pitch, above, 1, 1, rows, channels);
    NAME(wanted_row)(p, left + p->ow, right + p->ow, plane, rows);
    NAME(add_element)(u, at, s->pitch, under, 1, 2, rows, channels);
#pragma GCC unroll 7
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            const VEC m1 = above[i][j], m2 = under[i][j];
            above[i][j] = m1 + m2;
            under[i][j] = m1 - m2;
        }
    NAME(add_element)(u, at, s->pitch, above, 0, 0, rows, channels);
    NAME(add_bias)(p->bias, first, above, rows);
#pragma GCC unroll 14
    for (int i = 0; i < 2 * rows; i++)
        STORE(to[i % 2] + i / 2 * next, above[i / 2][i % 2]);
    NAME(add_element)(u, at, s->pitch, under, 0, 3, rows, channels);
    NAME(add_bias)(p->bias, first, under, rows);
#pragma GCC unroll 14
    for (int i = 0; i < 2 * rows; i++)
        STORE(to[i % 2] + i / 2 * next + below, under[i / 2][i % 2]);
    for (int i = 0; i < rows && !whole; i++)
        NAME(put)(part[i], at, p->ow, left + i * plane, right + i * plane, 2);
}

/* The same, whatever the rows. */
INLINE void NAME(any_held_tile)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                                const NAME(place) *at, long first, long rows, const int channels)
{
    switch (rows) {
    case 1: NAME(held_tile)(p, s, u, at, first, 1, channels); break;
    case 2: NAME(held_tile)(p, s, u, at, first, 2, channels); break;
    case 3: NAME(held_tile)(p, s, u, at, first, 3, channels); break;
    case 4: NAME(held_tile)(p, s, u, at, first, 4, channels); break;
    case 5: NAME(held_tile)(p, s, u, at, first, 5, channels); break;
    case 6: NAME(held_tile)(p, s, u, at, first, 6, channels); break;
    default: NAME(held_tile)(p, s, u, at, first, NAME(HELD_ROWS), channels);
    }
}
#endif

/* The same, whatever the rows. Called tile by tile: in a loop around it the compiler spills. */
INLINE void NAME(any_strip_tile)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                                 const NAME(place) *at, long first, long rows, const int tall)
{
    switch (rows) {
    case 1: NAME(strip_tile)(p, s, u, at, first, 1, tall); break;
    case 2: NAME(strip_tile)(p, s, u, at, first, 2, tall); break;
    case 3: NAME(strip_tile)(p, s, u, at, first, 3, tall); break;
    case 4: NAME(strip_tile)(p, s, u, at, first, 4, tall); break;
    case 5: NAME(strip_tile)(p, s, u, at, first, 5, tall); break;
#if LANES == 16
    case 6: NAME(strip_tile)(p, s, u, at, first, 6, tall); break;
    case 7: NAME(strip_tile)(p, s, u, at, first, 7, tall); break;
#endif
    default: NAME(strip_tile)(p, s, u, at, first, NAME(STRIP_ROWS), tall);
    }
}
static void NAME(tile_of_four)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                               const NAME(place) *at, long first, long rows)
{
    NAME(any_strip_tile)(p, s, u, at, first, rows, 4);
}
static void NAME(tile_of_two)(const NAME(problem) *p, const NAME(strips) *s, const REAL *u,
                              const NAME(place) *at, long first, long rows)
{
#if LANES == 16
    if (NAME(held)(p->c, 2)) {
        if (p->c == 1)
            NAME(any_held_tile)(p, s, u, at, first, rows, 1);
        else
            NAME(any_held_tile)(p, s, u, at, first, rows, 3);
        return;
    }
#endif
    NAME(any_strip_tile)(p, s, u, at, first, rows, 2);
}

/* The pixels under one strip, combined, and its places; returns the sum of their squares. */
INLINE REAL NAME(one_strip)(const NAME(problem) *p, const NAME(strips) *s, long strip,
                            const REAL *none, REAL *v, NAME(place) *places, const int tall)
{
    const long image = strip / s->image, top = strip % s->image * tall;
    const long rows = least(tall, p->oh - top), columns = least(LANES, p->ow);
    VEC square = SPLAT(0);
    for (long k = 0; k < p->c; k++) {
        const REAL *d[6];
        for (long i = 0; i < tall + 2; i++) {
            const long row = top + i - p->ph;
            d[i] = row >= 0 && row < p->h ? p->x + ((image * p->c + k) * p->h + row) * p->w : none;
        }
        square += NAME(combine_rows)(d, p->w, v + k * s->pitch + NAME(STRIP_EDGE),
                                     p->c * s->pitch, tall);
    }
    for (long j = 0; j < s->places; j++) {
        const long column = most(0, least(j * LANES, p->ow - LANES));
        places[j] = (NAME(place)){v + NAME(STRIP_EDGE) - p->pw + column,
                                  (image * p->o * p->oh + top) * p->ow + column, rows, columns,
                                  rows == tall && columns == LANES};
    }
    return SUM(square);
}

/* Strips start .. stop. */
INLINE void NAME(forward_by_strips)(const NAME(problem) *p, const REAL *u, long start, long stop,
                                    REAL *room, const int tall)
{
    NAME(strips) s = NAME(lay_strips)(p->c, p->oh, p->ow, tall);
    const conv2d_panels panels = NAME(strip_panels)(p->o, p->c, tall);
    const long panel = (tall + 2) * p->c * 3 * NAME(STRIP_ROWS);
    REAL *v = room, *none = v + s.strips * s.size;
    s.m = none + NAME(up)(p->w + LANES, 16);
    NAME(place) *places = (NAME(place) *)(s.m + NAME(STRIP_ROWS) * 2 * (tall + 2) * LANES);
    memset(room, 0, (s.m - room) * sizeof(REAL));
    for (long t = start, count; t < stop && *p->spare >= 0; t += count) {
        double largest = 0;
        count = least(s.strips, stop - t);
        for (long k = 0; k < count; k++)
            largest +=
                NAME(one_strip)(p, &s, t + k, none, v + k * s.size, places + k * s.places, tall);
        if (!(largest * p->origin.square < STRIP_LIMIT))
            *p->spare = -1;
        places[count * s.places] = places[count * s.places - 1];
        for (long k = 0; k < panels.count && *p->spare >= 0; k++) {
            const long first = conv2d_panel(&panels, k);
            const long rows = conv2d_panel(&panels, k + 1) - first;
            for (long j = 0; j < count * s.places; j += 2)
                if (tall == 2)
                    NAME(tile_of_two)(p, &s, u + k * panel, places + j, first, rows);
                else
                    NAME(tile_of_four)(p, &s, u + k * panel, places + j, first, rows);
        }
    }
}

static void NAME(forward_by_strips_of_four)(const NAME(problem) *p, const REAL *u, long start,
                                            long stop, REAL *room)
{
    NAME(forward_by_strips)(p, u, start, stop, room, 4);
}
static void NAME(forward_by_strips_of_two)(const NAME(problem) *p, const REAL *u, long start,
                                           long stop, REAL *room)
{
    NAME(forward_by_strips)(p, u, start, stop, room, 2);
}

/* Numbers of room that forward_by_strips needs, whichever. */
static void NAME(winograd_strips_size)(long c, long w, long pw, long *size)
{
    *size = 0;
    for (int tall = 2; tall <= 4; tall += 2) {
        const NAME(strips) s = NAME(lay_strips)(c, 1, w + 2 * pw - 2, tall);
        const long places = (s.strips * s.places + 1) * (long)(sizeof(NAME(place)) / sizeof(REAL));
        const long m = NAME(STRIP_ROWS) * 2 * (tall + 2) * LANES;
        *size = most(*size, s.strips * s.size + NAME(up)(w + LANES, 16) + m + places + 32);
    }
}
