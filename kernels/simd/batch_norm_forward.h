/* Batch normalization, forward: sums around a centre, then what is normalized with them. */

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

/* A function for each thing asked: one that holds them all takes minutes to compile. */
#define SWEEP(name, residual, x_hat, relu, stream)                                                 \
    CALLED void NAME(name)(                                                                        \
        const NAME(call) *f, long first, long count, long coming, const REAL *centres,             \
        NAME(sums) *sums)                                                                          \
    {                                                                                              \
        const NAME(call) own = *f; /* whose fields no store can change */                          \
        NAME(normalize_and_sum)(                                                                   \
            &own, first, count, coming, centres, sums, residual, x_hat, relu, stream);             \
    }
SWEEP(sweep_kept, NULL, f->x_hat, 0, 0)
SWEEP(sweep_alone, NULL, NULL, 0, 0)
SWEEP(sweep_relu, NULL, NULL, 1, 0)
SWEEP(sweep_residual, f->residual, NULL, 0, 0)
SWEEP(sweep_residual_relu, f->residual, NULL, 1, 0)
SWEEP(stream_alone, NULL, NULL, 0, 1)
SWEEP(stream_relu, NULL, NULL, 1, 1)
SWEEP(stream_residual, f->residual, NULL, 0, 1)
SWEEP(stream_residual_relu, f->residual, NULL, 1, 1)
#undef SWEEP

static void NAME(sweep)(
    const NAME(call) *f, long first, long count, long coming, const REAL *centres,
    NAME(sums) *sums)
{
    const int asked = (f->stream ? 4 : 0) + (f->residual ? 2 : 0) + (f->relu ? 1 : 0);
    void (*const sweeps[])(
        const NAME(call) *, long, long, long, const REAL *, NAME(sums) *) = {
        NAME(sweep_alone),    NAME(sweep_relu),  NAME(sweep_residual),  NAME(sweep_residual_relu),
        NAME(stream_alone),   NAME(stream_relu), NAME(stream_residual), NAME(stream_residual_relu),
    };
    (f->x_hat ? NAME(sweep_kept) : sweeps[asked])(f, first, count, coming, centres, sums);
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
