/* Max pooling of the planes start .. stop.

   g holds h, w, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw. A row of x is first cut into its sw phases
   (columns 0, sw, 2 sw .. ; 1, sw + 1 ..): one tap of neighbouring windows is then one vector. */

#include "pool_pairs.h"

#ifndef POOL_GEOMETRY
#define POOL_GEOMETRY
enum { H, W, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW };
#define NOWHERE 255

static inline long first_inside(long offset, long step, long out)
{
    long q = offset >= 0 ? 0 : (step - 1 - offset) / step;
    return q < out ? q : out;
}

static inline long end_inside(long offset, long step, long length, long out)
{
    long q = offset >= length ? 0 : (length - 1 - offset) / step + 1;
    return q < out ? q : out;
}

/* Whether windows are 2x2, side by side and inside the image. */
static inline int in_pairs(const long *g)
{
    return g[KH] == 2 && g[KW] == 2 && g[SH] == 2 && g[SW] == 2 && !g[PH] && !g[PW] && g[DH] == 1
        && g[DW] == 1 && 2 * g[OH] <= g[H] && 2 * g[OW] <= g[W];
}

#define POOL_BYTE(l) ((l) * (int)sizeof(REAL))
#endif

/* phases[r * room + k] = row[k * step + r] */
static void NAME(split)(
    const REAL *restrict row, REAL *restrict phases, long w, long step, long room)
{
    if (step == 2) {
        REAL *restrict odd = phases + room;
        for (long k = 0; k < w / 2; k++) {
            phases[k] = row[2 * k];
            odd[k] = row[2 * k + 1];
        }
        if (w % 2)
            phases[w / 2] = row[w - 1];
        return;
    }
    for (long r = 0; r < step; r++)
        for (long k = 0; k * step + r < w; k++)
            phases[r * room + k] = row[k * step + r];
}

INLINE void NAME(store_places)(uint8_t *where, MASK place)
{
#if defined(CAN_SHUFFLE) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    typedef uint8_t bytes __attribute__((vector_size(BYTES)));
    const bytes lowest = EACH_LANE(POOL_BYTE);
    bytes narrow = __builtin_shuffle((bytes)place, lowest);
    memcpy(where, &narrow, LANES);
#elif LANES > 1
    typedef uint8_t bytes __attribute__((vector_size(LANES)));
    bytes narrow = __builtin_convertvector(place, bytes);
    memcpy(where, &narrow, LANES);
#else
    *where = (uint8_t)place;
#endif
}

/* Which of best and value stands, and where: the later only if it is larger, or NaN. */
INLINE void NAME(max_step)(VEC *best, MASK *place, VEC value, int number)
{
#if LANES > 1
    MASK better = (value > *best) | (value != value);
    *place = (*place & ~better) | (better & number);
#else
    int better = value > *best || value != value;
    *place = better ? number : *place;
#endif
    *best = SELECT(better, value, *best);
}

/* One vector of windows: taps[t] + q is what stands at tap t, numbered numbers[t]. */
INLINE void NAME(max_vector)(
    const REAL *const *taps, const int *numbers, int count, long q, REAL *y, uint8_t *where)
{
    VEC best = LOAD(taps[0] + q);
    MASK place = (best != best) & 0;
    place += numbers[0];
    for (int t = 1; t < count; t++)
        NAME(max_step)(&best, &place, LOAD(taps[t] + q), numbers[t]);
    STORE(y + q, best);
    NAME(store_places)(where + q, place);
}

/* The windows from .. to of one row of results, whose columns lie inside the image. */
static void NAME(max_inside)(
    const REAL *const *taps, const int *numbers, int count, long from, long to, REAL *y,
    uint8_t *where)
{
    long q = from;
    if (to - from < LANES)
        q = to;
    for (; q < to; q += LANES) {
        long at = q + LANES <= to ? q : to - LANES; /* the last vector overlaps its neighbour */
        if (count == 4)
            NAME(max_vector)(taps, numbers, 4, at, y, where);
        else if (count == 9)
            NAME(max_vector)(taps, numbers, 9, at, y, where);
        else
            NAME(max_vector)(taps, numbers, count, at, y, where);
    }
}

/* One window, some of whose taps may lie outside. */
static void NAME(max_window)(const REAL *x, const long *g, long p, long q, REAL *y, uint8_t *where)
{
    REAL best = -(REAL)INFINITY;
    int place = NOWHERE;
    for (long i = 0; i < g[KH]; i++) {
        long row = p * g[SH] - g[PH] + i * g[DH];
        if (row < 0 || row >= g[H])
            continue;
        for (long j = 0; j < g[KW]; j++) {
            long column = q * g[SW] - g[PW] + j * g[DW];
            if (column < 0 || column >= g[W])
                continue;
            REAL value = x[row * g[W] + column];
            if (value > best || value != value || place == NOWHERE) {
                best = value;
                place = (int)(i * g[KW] + j);
            }
        }
    }
    y[q] = best;
    where[q] = (uint8_t)place;
}

/* One row of results. scratch holds kh rows of sw phases, each of w / sw + 1 values. */
static void NAME(max_row)(
    const REAL *x, const long *g, long p, REAL *y, uint8_t *where, REAL *scratch)
{
    const REAL *taps[NOWHERE];
    int numbers[NOWHERE], count = 0;
    long room = g[W] / g[SW] + 1;
    long from = first_inside(-g[PW], g[SW], g[OW]);
    long to = end_inside((g[KW] - 1) * g[DW] - g[PW], g[SW], g[W], g[OW]);
    for (long i = 0; i < g[KH] && to - from >= LANES; i++) {
        long row = p * g[SH] - g[PH] + i * g[DH];
        if (row < 0 || row >= g[H])
            continue;
        const REAL *phases = x + row * g[W];
        if (g[SW] > 1) {
            NAME(split)(phases, scratch + i * g[SW] * room, g[W], g[SW], room);
            phases = scratch + i * g[SW] * room;
        }
        for (long j = 0; j < g[KW]; j++) {
            long offset = j * g[DW] - g[PW], phase = offset % g[SW];
            phase += phase < 0 ? g[SW] : 0;
            numbers[count] = (int)(i * g[KW] + j);
            taps[count++] = phases + phase * room + (offset - phase) / g[SW];
        }
    }
    if (!count || to - from < LANES)
        from = to = g[OW];
    for (long q = 0; q < from; q++)
        NAME(max_window)(x, g, p, q, y, where);
    NAME(max_inside)(taps, numbers, count, from, to, y, where);
    for (long q = to; q < g[OW]; q++)
        NAME(max_window)(x, g, p, q, y, where);
}

/* One row of results of windows of 2x2 side by side; columns are told apart in registers. Where it
   is shorter than a vector, more is read and written if `beyond` says that this does no harm: what
   lies behind is there, and is written later. */
static void NAME(max_pairs)(const REAL *upper, const REAL *lower, long ow, int beyond, REAL *y,
                            uint8_t *where)
{
#ifdef CAN_SHUFFLE
    const MASK even = EACH_LANE(POOL_EVEN), odd = EACH_LANE(POOL_ODD);
    const MASK order = EACH_LANE(POOL_ORDER);
    int whole = ow >= LANES || beyond;
    for (long q = 0; q < ow && whole; q += LANES) {
        /* The last vector overlaps its neighbour. */
        long at = q + LANES <= ow || ow < LANES ? q : ow - LANES;
        VEC a = LOAD(upper + 2 * at), b = LOAD(upper + 2 * at + LANES);
        VEC c = LOAD(lower + 2 * at), d = LOAD(lower + 2 * at + LANES);
        VEC best = __builtin_shuffle(a, b, even);
        MASK place = {0};
        NAME(max_step)(&best, &place, __builtin_shuffle(a, b, odd), 1);
        NAME(max_step)(&best, &place, __builtin_shuffle(c, d, even), 2);
        NAME(max_step)(&best, &place, __builtin_shuffle(c, d, odd), 3);
        STORE(y + at, __builtin_shuffle(best, order));
        NAME(store_places)(where + at, __builtin_shuffle(place, order));
    }
    if (whole)
        return;
#endif
    for (long q = 0; q < ow; q++) {
        const REAL taps[4] = {upper[2 * q], upper[2 * q + 1], lower[2 * q], lower[2 * q + 1]};
        REAL best = taps[0];
        int place = 0;
        for (int t = 1; t < 4; t++) {
            int better = (taps[t] > best) | (taps[t] != taps[t]);
            best = better ? taps[t] : best;
            place = better ? t : place;
        }
        y[q] = best;
        where[q] = (uint8_t)place;
    }
}

static void NAME(pool_max_forward)(
    const REAL *x, REAL *y, uint8_t *where, REAL *scratch, const long *g, long start, long stop)
{
    long outputs = g[OH] * g[OW], w = g[W];
#ifdef CAN_SHUFFLE
    int pairs = in_pairs(g);
#else
    int pairs = in_pairs(g) && g[OW] < LANES;
#endif
    const REAL *end = x + stop * g[H] * w;
    for (long plane = start; plane < stop; plane++) {
        const REAL *from = x + plane * g[H] * w;
        for (long p = 0; p < g[OH]; p++) {
            long at = plane * outputs + p * g[OW];
            const REAL *upper = from + 2 * p * w;
            int beyond = upper + w + 2 * LANES <= end && at + LANES <= stop * outputs;
            if (pairs)
                NAME(max_pairs)(upper, upper + w, g[OW], beyond, y + at, where + at);
            else
                NAME(max_row)(from, g, p, y + at, where + at, scratch);
        }
    }
}

#ifdef CAN_SHUFFLE
/* A vector of gradients brought back to two rows: each to the first or second of its neighbours in
   the upper row, places 0 and 1, or in the lower, 2 and 3. */
INLINE void NAME(spread_vector)(VEC dy, const uint8_t *where, REAL *upper, REAL *lower)
{
    typedef uint8_t bytes __attribute__((vector_size(LANES)));
    const MASK firsts = EACH_LANE(POOL_FIRSTS), lasts = EACH_LANE(POOL_LASTS);
    bytes narrow;
    memcpy(&narrow, where, LANES);
    const MASK place = __builtin_convertvector(narrow, MASK);
    const VEC zero = SPLAT(0);
    VEC even = SELECT(place == 0, dy, zero), odd = SELECT(place == 1, dy, zero);
    STORE(upper, __builtin_shuffle(even, odd, firsts));
    STORE(upper + LANES, __builtin_shuffle(even, odd, lasts));
    even = SELECT(place == 2, dy, zero);
    odd = SELECT(place == 3, dy, zero);
    STORE(lower, __builtin_shuffle(even, odd, firsts));
    STORE(lower + LANES, __builtin_shuffle(even, odd, lasts));
}
#endif

/* Windows of 2x2 side by side: both rows of dx are written once, whole. Where they are shorter than
   two vectors, more is read and written if `beyond` says that this does no harm. */
static void NAME(spread_pair)(
    const REAL *dy, const uint8_t *where, REAL *upper, REAL *lower, long ow, int beyond)
{
    long q = 0;
#ifdef CAN_SHUFFLE
    for (; q < ow && (ow >= LANES || beyond); q += LANES) {
        /* The last vector overlaps its neighbour. */
        long at = q + LANES <= ow || ow < LANES ? q : ow - LANES;
        NAME(spread_vector)(LOAD(dy + at), where + at, upper + 2 * at, lower + 2 * at);
    }
#endif
    for (; q < ow; q++) {
        upper[2 * q] = where[q] == 0 ? dy[q] : 0;
        upper[2 * q + 1] = where[q] == 1 ? dy[q] : 0;
        lower[2 * q] = where[q] == 2 ? dy[q] : 0;
        lower[2 * q + 1] = where[q] == 3 ? dy[q] : 0;
    }
}

static void NAME(scatter)(const REAL *dy, const uint8_t *where, REAL *dx, const long *g)
{
    long step[NOWHERE], across[NOWHERE], taps = g[KH] * g[KW];
    for (long t = 0; t < taps; t++) {
        across[t] = t % g[KW] * g[DW];
        step[t] = t / g[KW] * g[DH] * g[W] + across[t];
    }
    memset(dx, 0, sizeof(REAL) * g[H] * g[W]);
    for (long p = 0; p < g[OH]; p++)
        for (long q = 0; q < g[OW]; q++) {
            long t = where[p * g[OW] + q];
            long place = (p * g[SH] - g[PH]) * g[W] + q * g[SW] - g[PW];
            long column = q * g[SW] - g[PW];
            if (t >= taps)
                continue;
            place += step[t];
            column += across[t];
            if (column >= 0 && column < g[W] && place >= 0 && place < g[H] * g[W])
                dx[place] += dy[p * g[OW] + q];
        }
}

static void NAME(pool_max_backward)(const REAL *dy, const uint8_t *where, REAL *dx, const long *g,
                                    long start, long stop)
{
    long outputs = g[OH] * g[OW], w = g[W];
    int pairs = in_pairs(g);
    const REAL *end = dx + stop * g[H] * w;
    for (long plane = start; plane < stop; plane++) {
        const REAL *from = dy + plane * outputs;
        const uint8_t *places = where + plane * outputs;
        REAL *to = dx + plane * g[H] * w;
        if (!pairs) {
            NAME(scatter)(from, places, to, g);
            continue;
        }
        for (long p = 0; p < g[OH]; p++) {
            REAL *upper = to + 2 * p * w;
            long at = plane * outputs + p * g[OW];
            int beyond = upper + w + 2 * LANES <= end && at + LANES <= stop * outputs;
            NAME(spread_pair)(dy + at, where + at, upper, upper + w, g[OW], beyond);
            for (long q = 2 * g[OW]; q < w; q++)
                upper[q] = upper[w + q] = 0;
        }
        memset(to + 2 * g[OH] * w, 0, sizeof(REAL) * (g[H] - 2 * g[OH]) * w);
    }
}
