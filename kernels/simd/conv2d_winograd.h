/* 3x3 convolution by Winograd's F(4x4, 3x3): 36 products for 16 outputs, instead of 144. Forward,
   where that rounds too much, by F(4x1, 3x1) or, of fewer channels still, F(2x1, 3x1), and in the
   gradient by the input of few channels by F(4x1, 3x1), both in conv2d_winograd_strips.h.

   An output tile of 4 x 4 is y = A' [(G g G') * (B' d B)] A, where g are the 3 x 3 weights, d
   the 6 x 6 pixels under the tile and * multiplies element by element. Summed over channels,
   each of the 36 elements is a matrix product (outputs, channels) by (channels, tiles). A, B and
   G interpolate polynomials at 0, +-5/8, +-3/2 and infinity. Compared with the usual 0, +-1, +-2
   these points divide the largest error by five: what is multiplied stays of one size, and
   rounding is nearly as in a direct convolution. Their products are binary fractions of few
   digits, so A and B are exact.

   A NaN or infinity under a tile, or an overflow in between, leaves no output it should reach
   finite, but may reach others of its tile: tiles with such outputs are computed anew, directly.
   That takes a hundred times as long, so where there are many the direct kernels must do all.

   Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"; Barabasz et al. 2020,
   "Error analysis and improving the accuracy of Winograd convolution for deep neural networks". */

#include "conv2d_winograd_transforms.h"

#undef ROWS
#undef WIDTH
#define ROWS (LANES == 16 ? 8 : 4) /* outputs that one product holds in registers */
#define WIDTH (3 * LANES)          /* tiles or channels that it holds */

/* Outputs of a block; tiles of a block, in the gradient by the weights; tiles on a sheet. */
enum { NAME(BLOCK) = 64, NAME(DEPTH) = 96, NAME(SHEET) = 16 };

/* Channels that are summed at once, forward and in the gradient by the input: sums of sums round
   less than one long sum. */
enum { NAME(TERMS) = 16, NAME(GRADIENT_TERMS) = 32 };

INLINE long NAME(up)(long a, long to) { return (a + to - 1) / to * to; }
INLINE REAL *NAME(aligned)(REAL *p) { return (REAL *)(((uintptr_t)p + 63) & ~(uintptr_t)63); }

/* out[i][j] = sum over k of a[k * ka + i] * b[k * kb + j], or what is added to it, for ROWS rows
   and `vectors` vectors of j: sums of at most `terms` terms, added up. */
INLINE void NAME(product_of)(const REAL *a, long ka, const REAL *b, long kb, REAL *out, long step,
                             long depth, long terms, const int vectors, int add)
{
    for (long from = 0; from < depth; from += terms, add = 1) {
        VEC sum[ROWS][3];
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < vectors; j++)
                sum[i][j] = SPLAT(0);
        for (long k = least(terms, depth - from); k > 0; k--, a += ka, b += kb) {
            VEC right[3];
            for (int j = 0; j < vectors; j++)
                right[j] = LOAD(b + j * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < ROWS; i++) {
                const VEC left = SPLAT(a[i]);
                for (int j = 0; j < vectors; j++)
                    sum[i][j] += left * right[j];
            }
        }
        if (add)
            for (int i = 0; i < ROWS; i++)
                for (int j = 0; j < vectors; j++)
                    sum[i][j] += LOAD(out + i * step + j * LANES);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < vectors; j++)
                STORE(out + i * step + j * LANES, sum[i][j]);
    }
}

static void NAME(product)(const REAL *a, long ka, const REAL *b, long kb, REAL *out, long step,
                          long depth, long terms, long vectors, int add)
{
    switch (vectors) {
    case 1: NAME(product_of)(a, ka, b, kb, out, step, depth, terms, 1, add); break;
    case 2: NAME(product_of)(a, ka, b, kb, out, step, depth, terms, 2, add); break;
    default: NAME(product_of)(a, ka, b, kb, out, step, depth, terms, 3, add);
    }
}

/* --- weights: u[element][panel of ROWS outputs][channel][output of the panel] --- */

typedef struct {
    const REAL *weight;
    long backward, tall, wide; /* outputs of a tile, in a column and in a row */
    double square;             /* of strips: the sum of the squares of u */
} NAME(origin);

#define ORIGIN 16 /* floats before u, that say where the weights came from */

INLINE long NAME(depth_of)(long c) { return NAME(up)(c, LANES > ROWS ? LANES / ROWS : 1); }
INLINE long NAME(element)(long o, long c) { return NAME(up)(o, ROWS) * NAME(depth_of)(c) + 16; }

/* u[element * step] = G g G' of the taps' vectors: 6 x 6 elements. */
INLINE void NAME(weight_tiles)(const REAL *const *taps, REAL *u, long step)
{
    VEC half[3][6], t[6];
    for (int j = 0; j < 3; j++) {
        const VEC g[3] = {LOAD(taps[j]), LOAD(taps[3 + j]), LOAD(taps[6 + j])};
        NAME(weights)(g, half[j]);
    }
    for (int i = 0; i < 6; i++) {
        const VEC g[3] = {half[0][i], half[1][i], half[2][i]};
        NAME(weights)(g, t);
        for (int j = 0; j < 6; j++)
            STORE(u + (6 * i + j) * step, t[j]);
    }
}

static REAL NAME(strip_weights)(const REAL *weight, long outputs, long inputs, int backward,
                                int tall, REAL *u);

static void NAME(winograd_prepare)(const REAL *weight, long o, long c, int backward, int tall,
                                   int wide, REAL *u)
{
    enum { SOME = 32 };
    NAME(origin) origin = {weight, backward, tall, wide, 0};
    const long outputs = backward ? c : o, inputs = backward ? o : c;
    const long to_output = backward ? 9 : 9 * c, to_input = backward ? 9 * c : 9;
    if (wide == 1)
        origin.square = NAME(strip_weights)(weight, outputs, inputs, backward, tall, u + ORIGIN);
    memcpy(u, &origin, sizeof origin);
    if (wide == 1)
        return;
    const long element = NAME(element)(outputs, inputs), depth = NAME(depth_of)(inputs);
    REAL taps[9][SOME * ROWS];
    for (long a = 0; a < outputs; a += ROWS)
        for (long k = 0; k < depth; k += SOME) {
            const long count = least(SOME, depth - k), rows = least(ROWS, outputs - a);
            if (rows < ROWS || k + count > inputs)
                memset(taps, 0, sizeof taps);
            for (long j = 0; j < least(count, inputs - k); j++)
                for (long i = 0; i < rows; i++) {
                    const REAL *from = weight + (a + i) * to_output + (k + j) * to_input;
                    for (int tap = 0; tap < 9; tap++)
                        taps[backward ? 8 - tap : tap][j * ROWS + i] = from[tap];
                }
            REAL *to = u + ORIGIN + (a * depth + k * ROWS);
            for (long s = 0; s < count * ROWS; s += LANES) {
                const REAL *vectors[9];
                for (int tap = 0; tap < 9; tap++)
                    vectors[tap] = taps[tap] + s;
                NAME(weight_tiles)(vectors, to + s, element);
            }
        }
}

/* --- pixels --- */

/* The pieces of one channel, copied to the sheet; those `ahead` behind them are asked for. */
INLINE void NAME(copy_pieces)(const layout *l, const REAL *x, long w, long ahead, REAL *sheet)
{
    (void)ahead;
    for (long i = 0; i < l->pieces; i++) {
        const piece *p = &l->piece[i];
        const REAL *from = x + p->source;
        REAL *to = sheet + p->target;
        for (long r = 0; r < p->rows; r++, from += w, to += l->stride) {
            long j = 0;
#ifdef MINIDL_VECTORS
            for (; j + LANES <= p->columns; j += LANES)
                STORE(to + j, LOAD(from + j));
            for (; j + 4 <= p->columns; j += 4)
                *(QUAD *)(to + j) = *(const QUAD *)(from + j);
            for (long k = 0; k < p->columns; k += 16)
                __builtin_prefetch(from + ahead + k);
#endif
            for (; j < p->columns; j++)
                to[j] = from[j];
        }
    }
}

/* v[element * step] = B' d B, each lane from the 6 x 6 pixels at its own pointer; `side` of them lie
   side by side. */
INLINE void NAME(input_tiles)(const REAL *const *pixels, long stride, REAL *v, long step,
                              const int side)
{
    VEC half[6][6];
    for (int i = 0; i < 6; i++) {
        VEC d[6];
        NAME(columns)(pixels, i * stride, d, side);
        NAME(two_columns)(pixels, i * stride + 4, d + 4, side);
        NAME(input)(d, half[i]);
    }
    for (int j = 0; j < 6; j++) {
        const VEC d[6] = {half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]};
        VEC t[6];
        NAME(input)(d, t);
        for (int i = 0; i < 6; i++)
            STORE(v + (6 * i + j) * step, t[i]);
    }
}

/* v[element * step] = A y A', each lane from the 4 x 4 output gradients at its own pointer. */
INLINE void NAME(output_gradient_tiles)(const REAL *const *dy, long stride, REAL *v, long step)
{
    VEC half[4][6];
    for (int i = 0; i < 4; i++) {
        VEC d[4];
        NAME(columns)(dy, i * stride, d, 1);
        NAME(output_gradient)(d, half[i]);
    }
    for (int j = 0; j < 6; j++) {
        const VEC d[4] = {half[0][j], half[1][j], half[2][j], half[3][j]};
        VEC t[6];
        NAME(output_gradient)(d, t);
        for (int i = 0; i < 6; i++)
            STORE(v + (6 * i + j) * step, t[i]);
    }
}

/* --- forward --- */

typedef struct {
    const REAL *x, *bias;
    REAL *y;
    long c, h, w, o, ph, pw, oh, ow;
    NAME(origin) origin;
    long *spare; /* so many times a tile may still be computed anew */
} NAME(problem);

/* Outputs start .. stop of one tile, by the definition. */
static void NAME(directly)(const NAME(problem) *p, long image, long top, long left, long start,
                           long stop)
{
    enum { SIDE = 4 };
    const int backward = p->origin.backward != 0;
    const long to_input = backward ? 9 * p->o : 9, to_output = backward ? 9 : 9 * p->c;
    REAL sums[NAME(BLOCK)][4][4], pixels[6][6];
    int taken[6][6]; /* padding is multiplied as well, but gradients beyond the edge are none */
    memset(sums, 0, sizeof sums);
    for (long k = 0; k < p->c; k++) {
        for (int i = 0; i < SIDE + 2; i++)
            for (int j = 0; j < SIDE + 2; j++) {
                const long u = top + i - p->ph, v = left + j - p->pw;
                const int inside = u >= 0 && u < p->h && v >= 0 && v < p->w;
                pixels[i][j] = inside ? p->x[((image * p->c + k) * p->h + u) * p->w + v] : 0;
                taken[i][j] = inside || !backward;
            }
        for (long a = start; a < stop; a++) {
            const REAL *weight = p->origin.weight + a * to_output + k * to_input;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++) {
                    const REAL g = weight[backward ? 8 - 3 * i - j : 3 * i + j];
                    const int all = !backward || g - g == 0; /* a finite g times 0 adds nothing */
                    for (int r = 0; r < SIDE; r++) {
                        REAL *sum = sums[a - start][r];
                        const REAL *under = pixels[r + i] + j;
                        if (all)
                            for (int s = 0; s < SIDE; s++)
                                sum[s] += g * under[s];
                        else
                            for (int s = 0; s < SIDE; s++)
                                sum[s] += taken[r + i][s + j] ? g * under[s] : 0;
                    }
                }
        }
    }
    for (long a = start; a < stop; a++)
        for (long r = top; r < least(top + SIDE, p->oh); r++)
            for (long s = left; s < least(left + SIDE, p->ow); s++)
                p->y[((image * p->o + a) * p->oh + r) * p->ow + s] =
                    sums[a - start][r - top][s - left] + (p->bias ? p->bias[a] : 0);
}

/* The outputs a of the tiles first .. first + LANES of the layout, `side` of them side by side, or those
   there are where not all are whole; returns 0 where all are finite. */
INLINE VEC NAME(output_tiles)(const NAME(problem) *p, const layout *l, long first, int whole,
                              const REAL *m, long a, const int side)
{
    const VEC shift = SPLAT(p->bias ? p->bias[a] : 0);
    const long step = whole ? p->ow : 4 * side;
    VEC half[6][4], total = SPLAT(0);
    REAL apart[16 * LANES], *to[LANES], *plane = p->y + a * p->oh * p->ow;
    for (int k = 0; k < LANES; k++) {
        const long t = NAME(tile_of)(k);
        to[k] = whole ? plane + l->output[first + t] : apart + t / side * side * 16 + t % side * 4;
    }
    for (int j = 0; j < 6; j++) {
        VEC t[6];
        for (int i = 0; i < 6; i++)
            t[i] = LOAD(m + (6 * i + j) * WIDTH);
        NAME(output)(t, half[j]);
    }
    for (int i = 0; i < 4; i++) {
        const VEC t[6] = {half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]};
        VEC y[4];
        NAME(output)(t, y);
        for (int j = 0; j < 4; j++) {
            y[j] += shift;
            total += y[j];
        }
        NAME(rows)(y, to, i * step, side);
    }
    for (long k = 0; !whole && k < least(LANES, l->count - first); k += side) {
        const long t = first + k;
        for (long i = 0; i < least(4, p->oh - l->y[t]); i++)
            for (long j = 0; j < least(step, p->ow - l->x[t]); j++)
                plane[l->output[t] + i * p->ow + j] = apart[16 * k + step * i + j];
    }
    return total - total;
}

/* Outputs start .. stop of the tiles where some are not finite, computed anew. */
static void NAME(repair)(const NAME(problem) *p, const layout *l, long start, long stop)
{
    for (long t = 0; t < l->count; t++) {
        const long bottom = least(l->y[t] + 4, p->oh), right = least(l->x[t] + 4, p->ow);
        REAL finite = 0;
        for (long a = start; a < stop; a++)
            for (long r = l->y[t]; r < bottom; r++)
                for (long s = l->x[t]; s < right; s++) {
                    const REAL y = p->y[((l->image[t] * p->o + a) * p->oh + r) * p->ow + s];
                    finite += y - y;
                }
        if (finite != 0 && (*p->spare)-- > 0)
            NAME(directly)(p, l->image[t], l->y[t], l->x[t], start, stop);
    }
}

/* The same, however many lie side by side. Called: within the loop over channels they are slower. */
CALLED void NAME(any_input_tiles)(const REAL *const *pixels, long stride, REAL *v, long step,
                                   int side)
{
    if (LANES == 16 && side == 4)
        NAME(input_tiles)(pixels, stride, v, step, 4);
    else if (LANES >= 8 && side == 2)
        NAME(input_tiles)(pixels, stride, v, step, 2);
    else
        NAME(input_tiles)(pixels, stride, v, step, 1);
}
CALLED VEC NAME(any_output_tiles)(const NAME(problem) *p, const layout *l, long first, int whole,
                                  const REAL *m, long a, int side)
{
    if (LANES == 16 && side == 4)
        return NAME(output_tiles)(p, l, first, whole, m, a, 4);
    if (LANES >= 8 && side == 2)
        return NAME(output_tiles)(p, l, first, whole, m, a, 2);
    return NAME(output_tiles)(p, l, first, whole, m, a, 1);
}

#include "conv2d_winograd_strips.h"

static void NAME(forward_by_four)(const NAME(problem) *p, const REAL *u, long start, long stop,
                                  REAL *room)
{
    const long c = p->c, o = p->o;
    const tiling tiles = {c, p->h, p->w, p->ph, p->pw, (p->oh + 3) / 4, (p->ow + 3) / 4, 2};
    const long element = NAME(element)(o, c), depth = NAME(depth_of)(c), step = c * WIDTH + 16;
    REAL *v = room, *m = v + 36 * step, *sheet = m + NAME(BLOCK) * 36 * WIDTH;
    const long terms = p->origin.backward ? NAME(GRADIENT_TERMS) : NAME(TERMS);
    layout l;
    for (long t = start, count; t < stop && *p->spare >= 0; t += count) {
        const REAL *pixels[WIDTH];
        /* one vector alone would leave the processor waiting for its sums: better two and two */
        count = stop - t > WIDTH && stop - t <= WIDTH + LANES ? 2 * LANES : least(WIDTH, stop - t);
        lay_out(&l, &tiles, t, count);
        const long vectors = (l.count + LANES - 1) / LANES;
        int whole[3] = {1, 1, 1}, side[3];
        for (long k = 0; k < vectors * LANES; k++) {
            const long here = k / LANES * LANES + NAME(tile_of)(k % LANES);
            const long tile = least(here, l.count - 1);
            pixels[k] = sheet + l.patch[tile];
            l.output[tile] = (l.image[tile] * o * p->oh + l.y[tile]) * p->ow + l.x[tile];
            if (here >= l.count || l.y[tile] + 4 > p->oh || l.x[tile] + 4 > p->ow)
                whole[k / LANES] = 0;
        }
        for (long j = 0; j < vectors; j++)
            side[j] = NAME(side_by_side)(pixels + j * LANES);
        memset(sheet, 0, l.size * sizeof(REAL));
        for (long k = 0; k < c; k++) {
            NAME(copy_pieces)(&l, p->x + k * p->h * p->w, p->w, p->h * p->w, sheet);
            for (long j = 0; j < vectors; j++)
                NAME(any_input_tiles)(pixels + j * LANES, l.stride, v + k * WIDTH + j * LANES, step,
                                      side[j]);
        }
        for (long block = 0; block < o; block += NAME(BLOCK)) {
            const long end = least(block + NAME(BLOCK), o);
            for (int e = 0; e < 36; e++)
                for (long a = block; a < end; a += ROWS)
                    NAME(product)(u + e * element + a * depth, ROWS, v + e * step, WIDTH,
                                  m + ((a - block) * 36 + e) * WIDTH, 36 * WIDTH, c, terms,
                                  vectors, 0);
            VEC finite = SPLAT(0);
            for (long a = block; a < end; a++)
                for (long j = 0; j < vectors; j++)
                    finite += NAME(any_output_tiles)(
                        p, &l, j * LANES, whole[j], m + (a - block) * 36 * WIDTH + j * LANES, a,
                        side[j]);
            if (SUM(finite) != 0)
                NAME(repair)(p, &l, block, end);
        }
    }
}

/* Tiles start .. stop; *finite is 0 where more are not than may be computed anew, and then y is not
   all there. */
static void NAME(winograd_forward)(const REAL *x, const REAL *u, const REAL *bias, REAL *y, long n,
                                   long c, long h, long w, long o, long ph, long pw, long start,
                                   long stop, int anew, REAL *room, int *finite)
{
    long spare = anew ? (4 + (stop - start) / 256) * ((o + NAME(BLOCK) - 1) / NAME(BLOCK)) : 0;
    (void)n;
    NAME(problem) p = {x, bias, y, c, h, w, o, ph, pw, h + 2 * ph - 2, w + 2 * pw - 2, {0, 0, 0, 0, 0},
                       &spare};
    memcpy(&p.origin, u, sizeof p.origin);
    if (p.origin.wide == 1 && p.origin.tall == 2)
        NAME(forward_by_strips_of_two)(&p, u + ORIGIN, start, stop, NAME(aligned)(room));
    else if (p.origin.wide == 1)
        NAME(forward_by_strips_of_four)(&p, u + ORIGIN, start, stop, NAME(aligned)(room));
    else
        NAME(forward_by_four)(&p, u + ORIGIN, start, stop, NAME(aligned)(room));
    *finite = spare >= 0;
}

#include "conv2d_winograd_gradient.h"
#include "conv2d_winograd_apart.h"

static void NAME(winograd_vector)(long *lanes) { *lanes = LANES; }

/* Floats of transformed weights, of a thread's room, of a partial gradient. */
static void NAME(winograd_sizes)(long o, long c, long *weights, long *room, long *gradient)
{
    const long forward = 36 * (c * WIDTH + 16) + NAME(BLOCK) * 36 * WIDTH + sheet_size(WIDTH);
    const long products = NAME(up)(c, WIDTH) * NAME(DEPTH) + NAME(up)(o, GROUP) * NAME(DEPTH) + 32;
    const long backward = 36 * products + LANES * sheet_size(NAME(SHEET));
    *weights = ORIGIN + 36 * most(NAME(element)(o, c), NAME(element)(c, o));
    *room = most(forward, backward) + 32;
    *gradient = NAME(part_size)(o, c);
}
