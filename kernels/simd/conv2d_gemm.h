/* The product at the heart of convolution: out[m, t] = bias[m] + sum over k of a[m, k] * patch[k,
   t], where patch[k, t] = s[at(t) + off[k]] is read where it lies: implicit GEMM.

   Two vectors of positions stay in registers while k runs, for six outputs, or for twelve where
   there are 32 registers; for up to three outputs four vectors, or six: conv2d_tiles.h, read once
   for each shape. Where a vector of positions lies in one row of the image, it is loaded from there,
   otherwise the patches of the tile are first laid side by side in a panel. Planes of an image itself
   lie at distances that crowd into few lines of the cache: there the first outputs' tile fills the
   panel for the rest. */

#define CONV_TERMS 64    /* about as many terms are summed in a row: sums of sums round less */
#define CONV_DEPTH 384   /* most k at once: what a tile of float meets fits the first-level cache */
#define CONV_MANY 16     /* from so many outputs on a panel pays that only saves distances */
#define CONV_OUTPUTS 128 /* most outputs at once: their weights fit the second-level cache */
#define CONV_PAGE 4096   /* bytes */
#define CONV_PANEL (CONV_DEPTH * 6 * LANES) /* numbers of the largest panel */

static const REAL NAME(no_bias)[8];

/* SHAPED(f) is NAME(f_shape), for functions that there are for each shape of tiles. */
#define SHAPED__(f, shape) NAME(f##_##shape)
#define SHAPED_(f, shape) SHAPED__(f, shape)
#define SHAPED(f) SHAPED_(f, CONV_SHAPE)

#undef CONV_SHAPE
#undef CONV_ROWS
#undef CONV_VECTORS
#define CONV_SHAPE slim
#define CONV_ROWS 3
#if defined(HAVE_AVX512)
#define CONV_VECTORS 6
#else
#define CONV_VECTORS 4
#endif
#include "conv2d_tiles.h"

#undef CONV_SHAPE
#undef CONV_ROWS
#undef CONV_VECTORS
#define CONV_SHAPE tall
#define CONV_VECTORS 2
#if defined(HAVE_AVX512)
#define CONV_ROWS 12
#else
#define CONV_ROWS 6
#endif
#include "conv2d_tiles.h"

/* Numbers that `pack_weights` writes. */
INLINE long NAME(weights_size)(long outputs, long depth)
{
    return outputs > 3 ? NAME(weights_size_tall)(outputs, depth)
                       : NAME(weights_size_slim)(outputs, depth);
}

/* Lays weights out for `correlate`: w[m * step + at[k]] for output m and number k of a patch.
   Returns a number that is 0 if all weights are finite and NaN otherwise. */
static REAL NAME(pack_weights)(
    const REAL *w, long step, const long *at, long outputs, long depth, REAL *packed)
{
    return outputs > 3 ? NAME(pack_weights_tall)(w, step, at, outputs, depth, packed)
                       : NAME(pack_weights_slim)(w, step, at, outputs, depth, packed);
}

/* out = bias + weights times patches, for weights from `pack_weights`. */
static void NAME(correlate)(
    const REAL *s, const long *off, const REAL *weights, const REAL *bias, long depth, long outputs,
    const conv2d_field *f, REAL *panel, REAL *out)
{
    if (outputs > 3)
        NAME(correlate_tall)(s, off, weights, bias, depth, outputs, f, panel, out);
    else
        NAME(correlate_slim)(s, off, weights, bias, depth, outputs, f, panel, out);
}
