/* Batch normalization of the channels start .. stop of arrays (n, c, s), a block of channels at a
   time.

   A block is read from memory once: it is small enough for the sweep after the first to find it in
   the cache, and wide enough for its rows to be long contiguous runs. The first sweep over a block
   goes along with the later one over the block before it, where both have room: a PIECE of a plane
   here, a piece there. Both ask for what they read and write AHEAD values later: the row of the next
   image lies on a page that no processor looks for by itself, and of an array last met a network ago
   no cache has it.

   A variance takes one sweep, not two: the sums of x - centre and of its squares, with the mean of the
   first image's plane as the centre, tell it as exactly as squares around the mean do while the two
   are less than a standard deviation apart. Where they are not, two more sweeps find it. Sums run in
   REAL over stretches of about STRETCH values and in double beyond, so that large batches keep their
   accuracy, and in the same order whether they go along or not. Planes shorter than SHORT (a layer on
   vectors has s = 1) are the business of batch_norm_columns.h. Where `stream` is set, y and dx go
   around the cache. */

#include "stream.h"

#ifndef BATCH_NORM_SIZES
#define BATCH_NORM_SIZES
#define STRETCH 1024
#define SHORT 16
#define WIDTH 1024         /* values in a row of a block, unless one plane has more */
#define CACHED (256 << 10) /* bytes of a block, unless that leaves less than 256 bytes of a row */
#define MOST (WIDTH / SHORT)
#define PIECE 512          /* values */
#define AHEAD 512
#define LINE 64            /* bytes that a cache moves at once */

static inline long block_channels(long n, long s, long bytes)
{
    long wide = WIDTH / s, cached = CACHED / (n * s * bytes), least = 256 / (s * bytes);
    if (cached < least)
        cached = least;
    if (wide > cached)
        wide = cached;
    return wide < 1 ? 1 : wide;
}

/* How far behind value number `at` in a row of a block lies the one that a sweep meets AHEAD values
   later, or a row later if that is less, when the rows of two images are `apart`. */
static inline long block_ahead(long at, long row, long apart)
{
    const long ahead = AHEAD < row ? AHEAD : row;
    return at + ahead < row ? ahead : ahead - row + apart;
}

/* Whether the second-level cache has no room for two blocks: then nothing goes along. */
static inline int sweep_apart(long n, long s, long bytes) { return n * s * bytes > CACHED; }
#endif

/* The arrays and sizes of a call. y, residual, x_hat and dz may be NULL: not wanted. Statistics
   that are `given` are constants, through which no gradient goes back. Backward, y tells what ReLU
   held back; with beta, x and what it is normalized with tell so too, and y need not be read (a result
   that is denormal has been held back then). */
typedef struct {
    const REAL *x, *residual, *dy, *gamma, *beta;
    REAL *y, *x_hat, *mean, *var, *inv_std, *dx, *dz, *dgamma, *dbeta;
    long n, c, s, relu, given, stream;
    double eps;
} NAME(call);

INLINE void NAME(put)(REAL *p, VEC v, int stream)
{
    if (stream)
        STREAM(p, v);
    else
        STORE(p, v);
}

INLINE VEC NAME(rectified)(VEC v) { return SELECT(v <= 0, SPLAT(0), v); } /* NaN passes */

/* Whether ReLU has held a value back, from its result: a denormal one it has not. */
INLINE MASK NAME(held)(VEC y) { return (y <= 0) & ~POSITIVE(y); }
INLINE int NAME(one_held)(REAL y)
{
    INTEGER bits;
    memcpy(&bits, &y, sizeof(bits));
    return y <= 0 && bits <= 0;
}

/* What a channel is normalized with: (x - centre) * factor + beta. */
typedef struct {
    REAL centre, factor, beta;
} NAME(scale);

INLINE NAME(scale) NAME(scale_of)(const NAME(call) *f, long ch)
{
    return (NAME(scale)){f->mean ? f->mean[ch] : 0, f->inv_std[ch] * f->gamma[ch],
                         f->beta ? f->beta[ch] : 0};
}

/* Where what ReLU held back is told: nothing was, y tells, or x does. */
enum { NAME(ALL_PASSES), NAME(Y_TELLS), NAME(X_TELLS) };

/* d unless ReLU held its value y[j] back; u is x - centre. */
INLINE VEC NAME(passed)(
    VEC d, VEC u, const REAL *y, long j, const NAME(scale) *l, const int told)
{
    if (told == NAME(ALL_PASSES))
        return d;
    const VEC v = told == NAME(Y_TELLS) ? LOAD(y + j) : u * SPLAT(l->factor) + SPLAT(l->beta);
    return SELECT(NAME(held)(v), SPLAT(0), d);
}
INLINE REAL NAME(one_passed)(
    REAL d, REAL u, const REAL *y, long j, const NAME(scale) *l, const int told)
{
    if (told == NAME(ALL_PASSES))
        return d;
    return NAME(one_held)(told == NAME(Y_TELLS) ? y[j] : u * l->factor + l->beta) ? 0 : d;
}

/* Asks for the lines of `count` values. Those from far away it asks for with every vector: under load
   a processor drops requests, and short vectors then ask again. */
INLINE void NAME(ask)(const REAL *p, long count, int far)
{
    for (long k = 0; k < count; k += far ? LANES : LINE / (long)sizeof(REAL))
        PREFETCH(p + k);
}

/* The sum of some values, and that of their products with x - centre: a stretch of each lane, and all. */
typedef struct {
    VEC sum, products;
} NAME(part);
typedef struct {
    double sum, products;
} NAME(sums);

/* Adds `count` parts to their sums and begins them anew. */
INLINE void NAME(flush)(NAME(part) *parts, NAME(sums) *sums, long count)
{
    for (long ch = 0; ch < count; ch++) {
        sums[ch].sum += SUM(parts[ch].sum);
        sums[ch].products += SUM(parts[ch].products);
        parts[ch].sum = parts[ch].products = SPLAT(0);
    }
}

#include "batch_norm_columns.h"
#include "batch_norm_forward.h"
#include "batch_norm_backward.h"
