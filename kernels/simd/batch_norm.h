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

#include "batch_norm_columns.h"

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

/* Adds x - centre and its squares, and asks for what lies `next` behind. */
INLINE void NAME(add_moments)(
    const REAL *x, REAL centre, long s, long next, NAME(part) *part, NAME(sums) *rest)
{
    const VEC v = SPLAT(centre);
    VEC p = part->sum, q = part->products;
    long j = 0;
    for (; j + 4 * LANES <= s; j += 4 * LANES) {
        NAME(ask)(x + j + next, 4 * LANES, 1);
        const VEC a = LOAD(x + j) - v, b = LOAD(x + j + LANES) - v;
        const VEC c = LOAD(x + j + 2 * LANES) - v, d = LOAD(x + j + 3 * LANES) - v;
        p += (a + b) + (c + d);
        q += (a * a + b * b) + (c * c + d * d);
    }
    for (; j + LANES <= s; j += LANES) {
        const VEC a = LOAD(x + j) - v;
        NAME(ask)(x + j + next, LANES, 1);
        p += a;
        q += a * a;
    }
    part->sum = p;
    part->products = q;
    for (; j < s; j++) {
        const REAL u = x[j] - centre;
        rest->sum += u;
        rest->products += u * u;
    }
}

/* Adds `count` parts to their sums and begins them anew. */
INLINE void NAME(flush)(NAME(part) *parts, NAME(sums) *sums, long count)
{
    for (long ch = 0; ch < count; ch++) {
        sums[ch].sum += SUM(parts[ch].sum);
        sums[ch].products += SUM(parts[ch].products);
        parts[ch].sum = parts[ch].products = SPLAT(0);
    }
}

/* y = relu((x - centre) * factor + beta + residual), and x_hat = (x - centre) * inv_std, of `count`
   values that fill vectors. */
INLINE void NAME(normalize_vectors)(
    const REAL *x, const REAL *residual, const NAME(scale) *l, REAL inv_std, REAL *y, REAL *x_hat,
    long count, long next, int relu, int stream)
{
    NAME(ask)(x + next, count, 0);
    if (residual)
        NAME(ask)(residual + next, count, 1);
    if (!stream)
        NAME(ask)(y + next, count, 1);
    for (long j = 0; j < count; j += LANES) {
        const VEC u = LOAD(x + j) - SPLAT(l->centre);
        VEC v = u * SPLAT(l->factor) + SPLAT(l->beta);
        if (residual)
            v += LOAD(residual + j);
        NAME(put)(y + j, relu ? NAME(rectified)(v) : v, stream);
        if (x_hat)
            STORE(x_hat + j, u * SPLAT(inv_std));
    }
}

INLINE void NAME(normalize)(
    const REAL *x, const REAL *residual, const NAME(scale) *scale, REAL inv_std, REAL *y,
    REAL *x_hat, long s, long next, int relu, int stream)
{
    const NAME(scale) l = *scale;
    long j = 0;
    for (; j + 4 * LANES <= s; j += 4 * LANES)
        NAME(normalize_vectors)(
            x + j, residual ? residual + j : NULL, &l, inv_std, y + j, x_hat ? x_hat + j : NULL,
            4 * LANES, next, relu, stream);
    for (; j + LANES <= s; j += LANES)
        NAME(normalize_vectors)(
            x + j, residual ? residual + j : NULL, &l, inv_std, y + j, x_hat ? x_hat + j : NULL,
            LANES, next, relu, stream);
    for (; j < s; j++) {
        REAL value = (x[j] - l.centre) * l.factor + l.beta;
        if (residual)
            value += residual[j];
        y[j] = relu && value <= 0 ? 0 : value;
        if (x_hat)
            x_hat[j] = (x[j] - l.centre) * inv_std;
    }
}

/* y of the `count` channels from `first` on, and the sums around their centres of the `coming`
   channels behind them. */
INLINE void NAME(normalize_and_sum)(
    const NAME(call) *f, long first, long count, long coming, const REAL *centres,
    NAME(sums) *sums, const REAL *residual, REAL *x_hat, int relu, int stream)
{
    NAME(scale) scales[MOST];
    NAME(part) parts[MOST];
    const long larger = count > coming ? count : coming, apart = f->c * f->s;
    long since = 0;
    for (long ch = 0; ch < count; ch++)
        scales[ch] = NAME(scale_of)(f, first + ch);
    for (long ch = 0; ch < coming; ch++) {
        sums[ch] = (NAME(sums)){0, 0};
        parts[ch] = (NAME(part)){SPLAT(0), SPLAT(0)};
    }
    for (long i = 0; i < f->n; i++)
        for (long from = 0; from < f->s; from += PIECE) {
            const long length = f->s - from < PIECE ? f->s - from : PIECE;
            const long row = i * apart + first * f->s + from;
            for (long ch = 0; ch < larger; ch++) {
                const long in_row = ch * f->s + from, here = row + ch * f->s;
                const long there = here + count * f->s;
                if (ch < coming)
                    NAME(add_moments)(
                        f->x + there, centres[ch], length,
                        block_ahead(in_row, coming * f->s, apart), parts + ch, sums + ch);
                if (ch < count)
                    NAME(normalize)(
                        f->x + here, residual ? residual + here : NULL, scales + ch,
                        f->inv_std[first + ch], f->y + here, x_hat ? x_hat + here : NULL, length,
                        block_ahead(in_row, count * f->s, apart), relu, stream);
            }
            since += length;
            if (since >= STRETCH) {
                NAME(flush)(parts, sums, coming);
                since = 0;
            }
        }
    NAME(flush)(parts, sums, coming);
}

INLINE void NAME(sweep_as_asked)(
    const NAME(call) *f, long first, long count, long coming, const REAL *centres,
    NAME(sums) *sums, int stream)
{
    const REAL *residual = f->residual;
    if (f->x_hat)
        NAME(normalize_and_sum)(f, first, count, coming, centres, sums, NULL, f->x_hat, 0, 0);
    else if (residual && f->relu)
        NAME(normalize_and_sum)(f, first, count, coming, centres, sums, residual, NULL, 1, stream);
    else if (residual)
        NAME(normalize_and_sum)(f, first, count, coming, centres, sums, residual, NULL, 0, stream);
    else if (f->relu)
        NAME(normalize_and_sum)(f, first, count, coming, centres, sums, NULL, NULL, 1, stream);
    else
        NAME(normalize_and_sum)(f, first, count, coming, centres, sums, NULL, NULL, 0, stream);
}

static void NAME(sweep)(
    const NAME(call) *f, long first, long count, long coming, const REAL *centres,
    NAME(sums) *sums)
{
    if (f->stream)
        NAME(sweep_as_asked)(f, first, count, coming, centres, sums, 1);
    else
        NAME(sweep_as_asked)(f, first, count, coming, centres, sums, 0);
}

/* Of each channel the mean of its first plane, which is near that of all. */
static void NAME(centres_of)(const NAME(call) *f, long first, long count, REAL *centres)
{
    for (long ch = 0; ch < count; ch++) {
        NAME(part) part = {SPLAT(0), SPLAT(0)};
        NAME(sums) sums = {0, 0};
        NAME(add_moments)(f->x + (first + ch) * f->s, 0, f->s, 0, &part, &sums);
        NAME(flush)(&part, &sums, 1);
        centres[ch] = (REAL)(sums.sum / f->s);
    }
}

/* The sums of a channel around a centre. */
static NAME(sums) NAME(sums_around)(const NAME(call) *f, long ch, REAL centre)
{
    NAME(sums) sums;
    NAME(sweep)(f, ch, 0, 1, &centre, &sums);
    return sums;
}

/* mean, var and inv_std of a block, from its sums around its centres. */
static void NAME(moments)(
    const NAME(call) *f, long first, long count, const REAL *centres, const NAME(sums) *sums)
{
    const double m = (double)f->n * f->s;
    for (long ch = 0; ch < count; ch++) {
        REAL centre = centres[ch];
        double off = sums[ch].sum / m, var = sums[ch].products / m - off * off;
        if (!(off * off <= var)) { /* too far away, or not finite */
            centre = (REAL)(NAME(sums_around)(f, first + ch, 0).sum / m);
            const NAME(sums) closer = NAME(sums_around)(f, first + ch, centre);
            off = closer.sum / m;
            var = closer.products / m - off * off;
        }
        var = var < 0 ? 0 : var;
        f->mean[first + ch] = off - off == 0 ? (REAL)(centre + off) : centre;
        f->var[first + ch] = (REAL)var;
        f->inv_std[first + ch] = (REAL)(1 / __builtin_sqrt(var + f->eps));
    }
}

/* Without var, mean and inv_std are given: inference. */
static void NAME(batch_norm_forward)(
    const REAL *x, const REAL *residual, const REAL *gamma, const REAL *beta, double eps, REAL *y,
    REAL *x_hat, REAL *mean, REAL *var, REAL *inv_std, long n, long c, long s, long relu,
    long stream, long start, long stop)
{
    NAME(call) f = {.x = x, .residual = residual, .gamma = gamma, .beta = beta, .eps = eps, .y = y,
                    .x_hat = x_hat, .mean = mean, .var = var, .inv_std = inv_std, .n = n, .c = c,
                    .s = s, .relu = relu, .stream = stream};
    long most = block_channels(n, s, sizeof(REAL)), count = stop - start < most ? stop - start : most;
    const int apart = sweep_apart(n, s, sizeof(REAL));
    NAME(sums) sums[MOST];
    REAL centres[MOST];
    if (var && s >= SHORT) {
        NAME(centres_of)(&f, start, count, centres);
        NAME(sweep)(&f, start, 0, count, centres, sums);
    }
    for (long first = start, coming; first < stop; first += count, count = coming) {
        coming = stop - first - count < most ? stop - first - count : most;
        if (s < SHORT) {
            NAME(forward_columns)(&f, first, count);
            continue;
        }
        if (var) {
            NAME(moments)(&f, first, count, centres, sums);
            NAME(centres_of)(&f, first + count, coming, centres);
        }
        NAME(sweep)(&f, first, count, var && !apart ? coming : 0, centres, sums);
        if (var && apart)
            NAME(sweep)(&f, first + count, 0, coming, centres, sums);
    }
    if (stream)
        stream_end();
}

/* Adds dz and dz * (x - centre), where dz is what ReLU let pass of dy, written if wanted. */
INLINE void NAME(add_gradient)(
    const REAL *dy, const REAL *x, const REAL *y, REAL *dz, long j, const NAME(scale) *l, VEC *sum,
    VEC *products, const int told)
{
    const VEC u = LOAD(x + j) - SPLAT(l->centre);
    const VEC d = NAME(passed)(LOAD(dy + j), u, y, j, l, told);
    if (dz)
        STORE(dz + j, d);
    *sum += d;
    *products += d * u;
}

INLINE void NAME(add_gradients)(
    const REAL *dy, const REAL *x, const REAL *y, REAL *dz, const NAME(scale) *scale, long s,
    long next, NAME(part) *part, NAME(sums) *rest, const int told)
{
    const NAME(scale) l = *scale;
    VEC p = part->sum, q = part->products, t = SPLAT(0), u = t;
    long j = 0;
    for (; j + 2 * LANES <= s; j += 2 * LANES) {
        NAME(ask)(dy + j + next, 2 * LANES, 1);
        NAME(ask)(x + j + next, 2 * LANES, 1);
        if (told == NAME(Y_TELLS))
            NAME(ask)(y + j + next, 2 * LANES, 1);
        NAME(add_gradient)(dy, x, y, dz, j, &l, &p, &q, told);
        NAME(add_gradient)(dy, x, y, dz, j + LANES, &l, &t, &u, told);
    }
    for (; j + LANES <= s; j += LANES)
        NAME(add_gradient)(dy, x, y, dz, j, &l, &p, &q, told);
    part->sum = p + t;
    part->products = q + u;
    for (; j < s; j++) {
        REAL value = NAME(one_passed)(dy[j], x[j] - l.centre, y, j, &l, told);
        if (dz)
            dz[j] = value;
        rest->sum += value;
        rest->products += value * (x[j] - l.centre);
    }
}

/* The line that is subtracted from the gradients of a channel. */
typedef struct {
    REAL shift, slope;
} NAME(line);

/* dx = factor * (dz - shift - (x - centre) * slope), of `count` values that fill vectors. */
INLINE void NAME(gradient_vectors)(
    const REAL *dy, const REAL *x, const REAL *y, const NAME(scale) *l, const NAME(line) *line,
    REAL *dx, long from, long count, long next, const int told, int stream)
{
    NAME(ask)(dy + from + next, count, 0);
    NAME(ask)(x + from + next, count, 0);
    if (!stream)
        NAME(ask)(dx + from + next, count, 1);
    for (long j = from; j < from + count; j += LANES) {
        const VEC u = LOAD(x + j) - SPLAT(l->centre);
        const VEC d = NAME(passed)(LOAD(dy + j), u, y, j, l, told);
        NAME(put)(
            dx + j, SPLAT(l->factor) * (d - SPLAT(line->shift) - u * SPLAT(line->slope)), stream);
    }
}

INLINE void NAME(gradient)(
    const REAL *dy, const REAL *x, const REAL *y, const NAME(scale) *scale,
    const NAME(line) *subtracted, REAL *dx, long s, long next, const int told, int stream)
{
    const NAME(scale) l = *scale;
    const NAME(line) line = *subtracted;
    long j = 0;
    for (; j + 4 * LANES <= s; j += 4 * LANES)
        NAME(gradient_vectors)(dy, x, y, &l, &line, dx, j, 4 * LANES, next, told, stream);
    for (; j + LANES <= s; j += LANES)
        NAME(gradient_vectors)(dy, x, y, &l, &line, dx, j, LANES, next, told, stream);
    for (; j < s; j++) {
        REAL value = NAME(one_passed)(dy[j], x[j] - l.centre, y, j, &l, told);
        dx[j] = l.factor * (value - line.shift - (x[j] - l.centre) * line.slope);
    }
}

/* dx = factor * dz. */
INLINE void NAME(scaled)(
    const REAL *dy, const REAL *x, const REAL *y, const NAME(scale) *l, REAL *dx, long s,
    const int told)
{
    VEC v_centre = SPLAT(l->centre), v_factor = SPLAT(l->factor);
    long j = 0;
    for (; j + LANES <= s; j += LANES)
        STORE(dx + j, v_factor * NAME(passed)(LOAD(dy + j), LOAD(x + j) - v_centre, y, j, l, told));
    for (; j < s; j++)
        dx[j] = l->factor * NAME(one_passed)(dy[j], x[j] - l->centre, y, j, l, told);
}

/* `told`: where what ReLU held back is told. `kept`: the gradients before it are wanted, the sums
   write them, and what comes after reads them. */
INLINE void NAME(gradient_at)(
    const NAME(call) *f, const NAME(scale) *l, const NAME(line) *line, long at, long s, long next,
    const int told, const int kept, int stream)
{
    const REAL *dy = (kept ? f->dz : f->dy) + at, *y = f->y ? f->y + at : NULL;
    const int asked = kept ? NAME(ALL_PASSES) : told;
    if (f->given)
        NAME(scaled)(dy, f->x + at, y, l, f->dx + at, s, asked);
    else
        NAME(gradient)(dy, f->x + at, y, l, line, f->dx + at, s, next, asked, stream);
}

/* dx of the `count` channels from `first` on, and the sums of the `coming` channels behind them. */
INLINE void NAME(gradients_and_sums)(
    const NAME(call) *f, const NAME(line) *lines, long first, long count, long coming,
    NAME(sums) *sums, const int told, const int kept, int stream)
{
    NAME(scale) scales[2 * MOST];
    NAME(part) parts[MOST];
    const long larger = count > coming ? count : coming, apart = f->c * f->s;
    long since = 0;
    for (long ch = 0; ch < count + coming; ch++)
        scales[ch] = NAME(scale_of)(f, first + ch);
    for (long ch = 0; ch < coming; ch++) {
        sums[ch] = (NAME(sums)){0, 0};
        parts[ch] = (NAME(part)){SPLAT(0), SPLAT(0)};
    }
    for (long i = 0; i < f->n; i++)
        for (long from = 0; from < f->s; from += PIECE) {
            const long length = f->s - from < PIECE ? f->s - from : PIECE;
            const long row = i * apart + first * f->s + from;
            for (long ch = 0; ch < larger; ch++) {
                const long in_row = ch * f->s + from, here = row + ch * f->s;
                const long there = here + count * f->s;
                if (ch < coming)
                    NAME(add_gradients)(
                        f->dy + there, f->x + there, f->y ? f->y + there : NULL,
                        kept ? f->dz + there : NULL, scales + count + ch, length,
                        block_ahead(in_row, coming * f->s, apart), parts + ch, sums + ch, told);
                if (ch < count)
                    NAME(gradient_at)(
                        f, scales + ch, lines + ch, here, length,
                        block_ahead(in_row, count * f->s, apart), told, kept, stream);
            }
            since += length;
            if (since >= STRETCH) {
                NAME(flush)(parts, sums, coming);
                since = 0;
            }
        }
    NAME(flush)(parts, sums, coming);
}

/* dgamma and dbeta of a channel from its sums, and the line. */
INLINE NAME(line) NAME(line_of)(const NAME(call) *f, long ch, const NAME(sums) *sums)
{
    const double m = (double)f->n * f->s, scale = f->mean ? f->inv_std[ch] : 1;
    f->dbeta[ch] = (REAL)sums->sum;
    f->dgamma[ch] = (REAL)(sums->products * scale);
    return (NAME(line)){(REAL)(sums->sum / m), (REAL)(sums->products * scale * scale / m)};
}

INLINE void NAME(backward_planes)(
    const NAME(call) *f, long start, long stop, long most, const int told,
    const int kept, int stream)
{
    const int apart = sweep_apart(f->n, f->s, sizeof(REAL));
    NAME(line) lines[MOST] = {{0}};
    NAME(sums) sums[MOST];
    long count = stop - start < most ? stop - start : most, coming;
    NAME(gradients_and_sums)(f, lines, start, 0, count, sums, told, kept, stream);
    for (long first = start; first < stop; first += count, count = coming) {
        for (long ch = 0; ch < count; ch++)
            lines[ch] = NAME(line_of)(f, first + ch, sums + ch);
        coming = stop - first - count < most ? stop - first - count : most;
        NAME(gradients_and_sums)(
            f, lines, first, count, apart ? 0 : coming, sums, told, kept, stream);
        if (apart)
            NAME(gradients_and_sums)(
                f, lines, first + count, 0, coming, sums, told, kept, stream);
    }
}

INLINE void NAME(backward_as_asked)(
    const NAME(call) *f, long start, long stop, long most, int stream)
{
    if (f->y && f->dz)
        NAME(backward_planes)(f, start, stop, most, NAME(Y_TELLS), 1, stream);
    else if (f->y && f->beta)
        NAME(backward_planes)(f, start, stop, most, NAME(X_TELLS), 0, stream);
    else if (f->y)
        NAME(backward_planes)(f, start, stop, most, NAME(Y_TELLS), 0, stream);
    else
        NAME(backward_planes)(f, start, stop, most, NAME(ALL_PASSES), 0, stream);
}

/* Where there is no mean, x is x_hat. dz, or dx without it, may be dy itself. */
static void NAME(batch_norm_backward)(
    const REAL *dy, const REAL *x, const REAL *y, const REAL *mean, const REAL *inv_std,
    const REAL *gamma, const REAL *beta, REAL *dx, REAL *dz, REAL *dgamma, REAL *dbeta, long n,
    long c, long s, long given, long stream, long start, long stop)
{
    NAME(call) f = {.dy = dy, .x = x, .y = (REAL *)y, .mean = (REAL *)mean, .gamma = gamma,
                    .beta = dz ? NULL : beta, .inv_std = (REAL *)inv_std, .dx = dx, .dz = dz,
                    .dgamma = dgamma, .dbeta = dbeta, .n = n, .c = c, .s = s, .given = given};
    long most = block_channels(n, s, 2 * sizeof(REAL));
    if (s < SHORT)
        for (long first = start; first < stop; first += most)
            NAME(backward_columns)(&f, first, stop - first < most ? stop - first : most);
    else if (stream)
        NAME(backward_as_asked)(&f, start, stop, most, 1);
    else
        NAME(backward_as_asked)(&f, start, stop, most, 0);
    if (stream)
        stream_end();
}
