/* Batch normalization of the channels start .. stop of arrays (n, c, s), a block of channels at a
   time.

   A block is read from memory once: it is small enough for the sweeps after the first to find it in
   the cache, and wide enough for its rows to be long contiguous runs. The first sweep over a block
   goes along with a later one over the block before it, where both have room: the one waits for
   memory, the other for the cache, at the same time. It asks for what it meets AHEAD values later: the
   row of the next image lies on a page that no processor looks for by itself, and of an array last met
   a network ago no cache has it. Sums run in REAL over stretches of about STRETCH values and in double
   beyond, so that large batches keep their accuracy, and in the same order whether they go along or
   not. Planes shorter than SHORT (a layer on vectors has s = 1) are the business of
   batch_norm_columns.h. Where `stream` is set, y and dx go around the cache. */

#include "stream.h"

#ifndef BATCH_NORM_SIZES
#define BATCH_NORM_SIZES
#define STRETCH 1024
#define SHORT 16
#define WIDTH 1024         /* values in a row of a block, unless one plane has more */
#define CACHED (256 << 10) /* bytes of a block, unless that leaves less than 256 bytes of a row */
#define MOST (WIDTH / SHORT)
#define AHEAD 512          /* values */

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

/* part += the whole vectors of x, rest += the values that are left. */
INLINE void NAME(add_plane)(const REAL *x, long s, VEC *part, double *rest)
{
    VEC a = SPLAT(0), b = a, c = a, d = a;
    long j = 0;
    for (; j + 4 * LANES <= s; j += 4 * LANES) {
        a += LOAD(x + j);
        b += LOAD(x + j + LANES);
        c += LOAD(x + j + 2 * LANES);
        d += LOAD(x + j + 3 * LANES);
    }
    for (; j + LANES <= s; j += LANES)
        a += LOAD(x + j);
    *part += (a + b) + (c + d);
    for (; j < s; j++)
        *rest += x[j];
}

/* The same with (x - centre)^2. */
INLINE void NAME(add_squares)(const REAL *x, REAL centre, long s, VEC *part, double *rest)
{
    VEC a = SPLAT(0), b = a, c = a, d = a, u, v = SPLAT(centre);
    long j = 0;
    for (; j + 4 * LANES <= s; j += 4 * LANES) {
        u = LOAD(x + j) - v;
        a += u * u;
        u = LOAD(x + j + LANES) - v;
        b += u * u;
        u = LOAD(x + j + 2 * LANES) - v;
        c += u * u;
        u = LOAD(x + j + 3 * LANES) - v;
        d += u * u;
    }
    for (; j + LANES <= s; j += LANES) {
        u = LOAD(x + j) - v;
        a += u * u;
    }
    *part += (a + b) + (c + d);
    for (; j < s; j++)
        *rest += (x[j] - centre) * (x[j] - centre);
}

/* Asks for four vectors, if they are wanted. */
INLINE void NAME(ask)(const REAL *p, long at, int wanted)
{
    for (int k = 0; k < 4 && wanted; k++)
        PREFETCH(p + at + k * LANES);
}

/* The squares of `here` around a centre and the sum of `there`, which is number `at` in a row of its
   block; either may be NULL. */
INLINE void NAME(add_both)(
    const REAL *here, REAL centre, const REAL *there, long s, long at, long row, long apart,
    VEC *squares, double *rest_squares, VEC *sum, double *rest_sum)
{
    VEC p = *squares, q = *sum;
    long j = 0;
    for (; j + 4 * LANES <= s; j += 4 * LANES) {
        if (here)
            NAME(add_squares)(here + j, centre, 4 * LANES, &p, rest_squares);
        if (there) {
            NAME(ask)(there, j + block_ahead(at + j, row, apart), 1);
            NAME(add_plane)(there + j, 4 * LANES, &q, rest_sum);
        }
    }
    if (here)
        NAME(add_squares)(here + j, centre, s - j, &p, rest_squares);
    if (there)
        NAME(add_plane)(there + j, s - j, &q, rest_sum);
    *squares = p;
    *sum = q;
}

INLINE void NAME(flush)(VEC *part, double *total, long count)
{
    for (long ch = 0; ch < count; ch++) {
        total[ch] += SUM(part[ch]);
        part[ch] = SPLAT(0);
    }
}

/* squares[ch] = the sum over a channel of (x - mean)^2, for `count` channels from `first` on, and
   sums[ch] = that of x for the `coming` channels behind them. */
static void NAME(squares_and_sums)(
    const NAME(call) *f, long first, long count, long coming, double *squares, double *sums)
{
    const long larger = count > coming ? count : coming;
    VEC p[MOST], q[MOST];
    long since = 0;
    for (long ch = 0; ch < larger; ch++) {
        squares[ch] = sums[ch] = 0;
        p[ch] = q[ch] = SPLAT(0);
    }
    for (long i = 0; i < f->n; i++)
        for (long from = 0; from < f->s; from += STRETCH) {
            const REAL *x = f->x + (i * f->c + first) * f->s + from;
            long length = f->s - from < STRETCH ? f->s - from : STRETCH;
            for (long ch = 0; ch < larger; ch++)
                NAME(add_both)(
                    ch < count ? x + ch * f->s : NULL, ch < count ? f->mean[first + ch] : 0,
                    ch < coming ? x + (count + ch) * f->s : NULL, length, ch * f->s + from,
                    coming * f->s, f->c * f->s, p + ch, squares + ch, q + ch, sums + ch);
            since += length;
            if (since >= STRETCH) {
                NAME(flush)(p, squares, larger);
                NAME(flush)(q, sums, larger);
                since = 0;
            }
        }
    NAME(flush)(p, squares, larger);
    NAME(flush)(q, sums, larger);
}

/* y = relu((x - centre) * factor + shift + residual), and x_hat = (x - centre) * inv_std, from value
   number `at` of a row of the block on. */
INLINE void NAME(normalize)(
    const REAL *x, const REAL *residual, REAL centre, REAL inv_std, REAL factor, REAL shift,
    REAL *y, REAL *x_hat, long s, long at, long row, long apart, int relu, int stream)
{
    VEC v_centre = SPLAT(centre), v_factor = SPLAT(factor), v_shift = SPLAT(shift);
    VEC v_inv_std = SPLAT(inv_std), u, v;
    long j = 0;
    for (; j + LANES <= s; j += LANES) {
        u = LOAD(x + j) - v_centre;
        v = u * v_factor + v_shift;
        if (residual) {
            PREFETCH(residual + j + block_ahead(at + j, row, apart));
            v += LOAD(residual + j);
        }
        NAME(put)(y + j, relu ? NAME(rectified)(v) : v, stream);
        if (x_hat)
            STORE(x_hat + j, u * v_inv_std);
    }
    for (; j < s; j++) {
        REAL value = (x[j] - centre) * factor + shift;
        if (residual)
            value += residual[j];
        y[j] = relu && value <= 0 ? 0 : value;
        if (x_hat)
            x_hat[j] = (x[j] - centre) * inv_std;
    }
}

INLINE void NAME(normalize_block)(
    const NAME(call) *f, long first, long count, const REAL *residual, REAL *x_hat, int relu,
    int stream)
{
    for (long i = 0; i < f->n; i++)
        for (long ch = first; ch < first + count; ch++) {
            long at = (i * f->c + ch) * f->s;
            NAME(normalize)(
                f->x + at, residual ? residual + at : NULL, f->mean[ch], f->inv_std[ch],
                f->inv_std[ch] * f->gamma[ch], f->beta[ch], f->y + at, x_hat ? x_hat + at : NULL,
                f->s, (ch - first) * f->s, count * f->s, f->c * f->s, relu, stream);
        }
}

INLINE void NAME(normalize_as_asked)(const NAME(call) *f, long first, long count, int stream)
{
    if (f->x_hat)
        NAME(normalize_block)(f, first, count, NULL, f->x_hat, 0, 0);
    else if (f->residual && f->relu)
        NAME(normalize_block)(f, first, count, f->residual, NULL, 1, stream);
    else if (f->residual)
        NAME(normalize_block)(f, first, count, f->residual, NULL, 0, stream);
    else if (f->relu)
        NAME(normalize_block)(f, first, count, NULL, NULL, 1, stream);
    else
        NAME(normalize_block)(f, first, count, NULL, NULL, 0, stream);
}

static void NAME(normalize_planes)(const NAME(call) *f, long first, long count)
{
    if (f->stream)
        NAME(normalize_as_asked)(f, first, count, 1);
    else
        NAME(normalize_as_asked)(f, first, count, 0);
}

/* mean, var and inv_std of a block, from its sums, which those of the next block replace. */
static void NAME(moments_of_planes)(
    const NAME(call) *f, long first, long count, long coming, double *sums)
{
    double squares[MOST], m = (double)f->n * f->s;
    for (long ch = 0; ch < count; ch++)
        f->mean[first + ch] = (REAL)(sums[ch] / m);
    NAME(squares_and_sums)(f, first, count, coming, squares, sums);
    for (long ch = 0; ch < count; ch++) {
        f->var[first + ch] = (REAL)(squares[ch] / m);
        f->inv_std[first + ch] = (REAL)(1 / __builtin_sqrt(squares[ch] / m + f->eps));
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
    double squares[MOST], sums[MOST];
    if (var && s >= SHORT)
        NAME(squares_and_sums)(&f, start, 0, count, squares, sums);
    for (long first = start, coming; first < stop; first += count, count = coming) {
        coming = stop - first - count < most ? stop - first - count : most;
        if (s < SHORT) {
            NAME(forward_columns)(&f, first, count);
            continue;
        }
        if (var)
            NAME(moments_of_planes)(&f, first, count, apart ? 0 : coming, sums);
        NAME(normalize_planes)(&f, first, count);
        if (var && apart)
            NAME(squares_and_sums)(&f, first + count, 0, coming, squares, sums);
    }
    if (stream)
        stream_end();
}

/* a += dz, b += dz * (x - centre), where dz is what ReLU let pass of dy, written if wanted. */
INLINE void NAME(add_gradients)(
    const REAL *dy, const REAL *x, const REAL *y, REAL *dz, const NAME(scale) *l, long s, VEC *a,
    VEC *b, double *rest_a, double *rest_b, const int told)
{
    VEC v_centre = SPLAT(l->centre), d, e, p = SPLAT(0), q = p, t = p, u = p;
    long j = 0;
    for (; j + 2 * LANES <= s; j += 2 * LANES) {
        e = LOAD(x + j) - v_centre;
        d = NAME(passed)(LOAD(dy + j), e, y, j, l, told);
        if (dz)
            STORE(dz + j, d);
        p += d;
        q += d * e;
        e = LOAD(x + j + LANES) - v_centre;
        d = NAME(passed)(LOAD(dy + j + LANES), e, y, j + LANES, l, told);
        if (dz)
            STORE(dz + j + LANES, d);
        t += d;
        u += d * e;
    }
    *a += p + t;
    *b += q + u;
    for (; j < s; j++) {
        REAL value = NAME(one_passed)(dy[j], x[j] - l->centre, y, j, l, told);
        if (dz)
            dz[j] = value;
        *rest_a += value;
        *rest_b += value * (x[j] - l->centre);
    }
}

/* The line that is subtracted from the gradients of a channel. */
typedef struct {
    REAL shift, slope;
} NAME(line);

/* dx = factor * (dz - shift - (x - centre) * slope). */
INLINE void NAME(gradient)(
    const REAL *dy, const REAL *x, const REAL *y, const NAME(scale) *l, const NAME(line) *line,
    REAL *dx, long s, const int told, int stream)
{
    VEC v_centre = SPLAT(l->centre), v_factor = SPLAT(l->factor), v_shift = SPLAT(line->shift);
    VEC v_slope = SPLAT(line->slope), d, u;
    long j = 0;
    for (; j + LANES <= s; j += LANES) {
        u = LOAD(x + j) - v_centre;
        d = NAME(passed)(LOAD(dy + j), u, y, j, l, told);
        NAME(put)(dx + j, v_factor * (d - v_shift - u * v_slope), stream);
    }
    for (; j < s; j++) {
        REAL value = NAME(one_passed)(dy[j], x[j] - l->centre, y, j, l, told);
        dx[j] = l->factor * (value - line->shift - (x[j] - l->centre) * line->slope);
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
    const NAME(call) *f, const NAME(scale) *l, const NAME(line) *line, long at, long s,
    const int told, const int kept, int stream)
{
    const REAL *dy = (kept ? f->dz : f->dy) + at, *y = f->y ? f->y + at : NULL;
    const int asked = kept ? NAME(ALL_PASSES) : told;
    if (f->given)
        NAME(scaled)(dy, f->x + at, y, l, f->dx + at, s, asked);
    else
        NAME(gradient)(dy, f->x + at, y, l, line, f->dx + at, s, asked, stream);
}

INLINE void NAME(sums_at)(
    const NAME(call) *f, const NAME(scale) *l, long at, long s, VEC *a, VEC *b, double *rest_a,
    double *rest_b, const int told, const int kept)
{
    NAME(add_gradients)(f->dy + at, f->x + at, f->y ? f->y + at : NULL, kept ? f->dz + at : NULL, l,
                        s, a, b, rest_a, rest_b, told);
}

/* dx of the `count` channels from `first` on, and the sums of the `coming` channels behind them. */
INLINE void NAME(gradients_and_sums)(
    const NAME(call) *f, const NAME(line) *lines, long first, long count, long coming, double *a,
    double *b, const int told, const int kept, int stream)
{
    const long larger = count > coming ? count : coming;
    NAME(scale) scales[2 * MOST];
    VEC p[MOST], q[MOST];
    long since = 0;
    for (long ch = 0; ch < count + coming; ch++)
        scales[ch] = NAME(scale_of)(f, first + ch);
    for (long ch = 0; ch < larger; ch++) {
        a[ch] = b[ch] = 0;
        p[ch] = q[ch] = SPLAT(0);
    }
    for (long i = 0; i < f->n; i++)
        for (long from = 0; from < f->s; from += STRETCH) {
            long length = f->s - from < STRETCH ? f->s - from : STRETCH;
            for (long ch = 0; ch < larger; ch++) {
                const long here = (i * f->c + first + ch) * f->s + from;
                const long there = here + count * f->s;
                const NAME(scale) *l = scales + ch, *next = scales + count + ch;
                VEC u = p[ch], v = q[ch];
                long j = 0;
                for (; j + 4 * LANES <= length; j += 4 * LANES) {
                    const long later = there + j + block_ahead(ch * f->s + from + j,
                                                               coming * f->s, f->c * f->s);
                    NAME(ask)(f->dy, later, ch < coming);
                    if (ch < count)
                        NAME(gradient_at)(f, l, lines + ch, here + j, 4 * LANES, told, kept,
                                          stream);
                    NAME(ask)(f->x, later, ch < coming);
                    NAME(ask)(f->y, later, ch < coming && told == NAME(Y_TELLS));
                    if (ch < coming)
                        NAME(sums_at)(f, next, there + j, 4 * LANES, &u, &v, a + ch, b + ch, told,
                                      kept);
                }
                if (ch < count)
                    NAME(gradient_at)(f, l, lines + ch, here + j, length - j, told, kept, stream);
                if (ch < coming)
                    NAME(sums_at)(f, next, there + j, length - j, &u, &v, a + ch, b + ch, told,
                                  kept);
                p[ch] = u;
                q[ch] = v;
            }
            since += length;
            if (since >= STRETCH) {
                NAME(flush)(p, a, larger);
                NAME(flush)(q, b, larger);
                since = 0;
            }
        }
    NAME(flush)(p, a, larger);
    NAME(flush)(q, b, larger);
}

/* dgamma and dbeta of a channel from its sums, and the line. */
INLINE NAME(line) NAME(line_of)(const NAME(call) *f, long ch, double a, double b)
{
    const double m = (double)f->n * f->s, scale = f->mean ? f->inv_std[ch] : 1;
    f->dbeta[ch] = (REAL)a;
    f->dgamma[ch] = (REAL)(b * scale);
    return (NAME(line)){(REAL)(a / m), (REAL)(b * scale * scale / m)};
}

INLINE void NAME(backward_planes)(
    const NAME(call) *f, long start, long stop, long most, const int told,
    const int kept, int stream)
{
    const int apart = sweep_apart(f->n, f->s, sizeof(REAL));
    NAME(line) lines[MOST] = {{0}};
    double a[MOST], b[MOST];
    long count = stop - start < most ? stop - start : most, coming;
    NAME(gradients_and_sums)(f, lines, start, 0, count, a, b, told, kept, stream);
    for (long first = start; first < stop; first += count, count = coming) {
        for (long ch = 0; ch < count; ch++)
            lines[ch] = NAME(line_of)(f, first + ch, a[ch], b[ch]);
        coming = stop - first - count < most ? stop - first - count : most;
        NAME(gradients_and_sums)(
            f, lines, first, count, apart ? 0 : coming, a, b, told, kept, stream);
        if (apart)
            NAME(gradients_and_sums)(
                f, lines, first + count, 0, coming, a, b, told, kept, stream);
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
