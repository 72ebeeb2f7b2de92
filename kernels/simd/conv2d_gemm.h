/* The product at the heart of convolution: out[m, t] = bias[m] + sum over k of a[m, k] * patch[k,
   t], where patch[k, t] = s[at(t) + off[k]] is read where it lies: implicit GEMM.

   Two vectors of positions stay in registers while k runs, for six outputs, and four for up to
   three; where there are 32 registers, two for twelve outputs, three where there are no more than
   16 of them, and six for up to three: conv2d_tiles.h, read once for each shape. Where a vector of
   positions lies in one row of the image, it is loaded from there, otherwise the patches of the tile
   are first laid side by side in a panel. Planes of an image itself lie at distances that crowd into
   few lines of the cache: there the first outputs' tile fills the panel for the rest. */

#define CONV_DEPTH 384   /* most k at once: what a tile meets fits the first caches */
#define CONV_MANY 16     /* from so many outputs on a panel pays that only saves distances */
#define CONV_OUTPUTS 128 /* most outputs at once: their weights fit the second-level cache */
#define CONV_PAGE 4096   /* bytes */
#define CONV_PANEL (CONV_DEPTH * 6 * LANES) /* numbers of the largest panel */

/* About as many terms are summed in a row: sums of sums round less. */
#undef CONV_TERMS
#if defined(HAVE_AVX512)
#define CONV_TERMS 128
#else
#define CONV_TERMS 64
#endif

static const REAL NAME(no_bias)[16]; /* no tile has more rows */

/* SHAPED(f) is NAME(f_shape), for functions that there are for each shape of tiles. */
#define SHAPED__(f, shape) NAME(f##_##shape)
#define SHAPED_(f, shape) SHAPED__(f, shape)
#define SHAPED(f) SHAPED_(f, CONV_SHAPE)

#define CONV_EACH_SHAPE "conv2d_tiles.h"
#include "conv2d_shapes.h"

/* f of the shape for so many outputs, its arguments behind. */
#undef CONV_FOR
#if defined(HAVE_AVX512)
#define CONV_FOR(outputs, f, ...)                                                                  \
    (outputs > 16 ? NAME(f##_tall)(__VA_ARGS__)                                                    \
                  : outputs > 3 ? NAME(f##_broad)(__VA_ARGS__) : NAME(f##_slim)(__VA_ARGS__))
#else
#define CONV_FOR(outputs, f, ...)                                                                  \
    (outputs > 3 ? NAME(f##_tall)(__VA_ARGS__) : NAME(f##_slim)(__VA_ARGS__))
#endif

/* Positions of a tile of so many outputs. */
INLINE long NAME(tile_columns)(long outputs)
{
#if defined(HAVE_AVX512)
    return LANES * (outputs > 16 ? 2 : outputs > 3 ? 3 : 6);
#else
    return LANES * (outputs > 3 ? 2 : 4);
#endif
}

/* Numbers that `pack_weights` writes. */
INLINE long NAME(weights_size)(long outputs, long depth)
{
    return CONV_FOR(outputs, weights_size, outputs, depth);
}

/* Lays weights out for `correlate`: w[m * step + at[k]] for output m and number k of a patch.
   Returns a number that is 0 if all weights are finite and NaN otherwise. */
static REAL NAME(pack_weights)(
    const REAL *w, long step, const long *at, long outputs, long depth, REAL *packed)
{
    return CONV_FOR(outputs, pack_weights, w, step, at, outputs, depth, packed);
}

/* out = bias + weights times patches, for weights from `pack_weights`. */
static void NAME(correlate)(
    const REAL *s, const long *off, const REAL *weights, const REAL *bias, long depth, long outputs,
    const conv2d_field *f, REAL *panel, REAL *out)
{
    CONV_FOR(outputs, correlate, s, off, weights, bias, depth, outputs, f, panel, out);
}
