/* Batch normalization, backward: sums of the gradients, then the gradients of x. */

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

#define SWEEP(name, told, kept, stream)                                                            \
    CALLED void NAME(name)(                                                                        \
        const NAME(call) *f, const NAME(line) *lines, long first, long count, long coming,         \
        NAME(sums) *sums)                                                                          \
    {                                                                                              \
        const NAME(call) own = *f; /* whose fields no store can change */                          \
        NAME(gradients_and_sums)(                                                                  \
            &own, lines, first, count, coming, sums, NAME(told), kept, stream);                    \
    }
SWEEP(sweep_back, ALL_PASSES, 0, 0)
SWEEP(sweep_back_y, Y_TELLS, 0, 0)
SWEEP(sweep_back_x, X_TELLS, 0, 0)
SWEEP(sweep_back_kept, Y_TELLS, 1, 0)
SWEEP(stream_back, ALL_PASSES, 0, 1)
SWEEP(stream_back_y, Y_TELLS, 0, 1)
SWEEP(stream_back_x, X_TELLS, 0, 1)
SWEEP(stream_back_kept, Y_TELLS, 1, 1)
#undef SWEEP

static void NAME(sweep_backward)(
    const NAME(call) *f, const NAME(line) *lines, long first, long count, long coming,
    NAME(sums) *sums)
{
    const int asked = !f->y ? 0 : f->dz ? 3 : f->beta ? 2 : 1;
    void (*const sweeps[])(
        const NAME(call) *, const NAME(line) *, long, long, long, NAME(sums) *) = {
        NAME(sweep_back),  NAME(sweep_back_y),  NAME(sweep_back_x),  NAME(sweep_back_kept),
        NAME(stream_back), NAME(stream_back_y), NAME(stream_back_x), NAME(stream_back_kept),
    };
    sweeps[asked + (f->stream ? 4 : 0)](f, lines, first, count, coming, sums);
}

static void NAME(backward_planes)(const NAME(call) *f, long start, long stop, long most)
{
    const int apart = sweep_apart(f->n, f->s, sizeof(REAL));
    NAME(line) lines[MOST] = {{0}};
    NAME(sums) sums[MOST];
    long count = stop - start < most ? stop - start : most, coming;
    NAME(sweep_backward)(f, lines, start, 0, count, sums);
    for (long first = start; first < stop; first += count, count = coming) {
        for (long ch = 0; ch < count; ch++)
            lines[ch] = NAME(line_of)(f, first + ch, sums + ch);
        coming = stop - first - count < most ? stop - first - count : most;
        NAME(sweep_backward)(f, lines, first, count, apart ? 0 : coming, sums);
        if (apart)
            NAME(sweep_backward)(f, lines, first + count, 0, coming, sums);
    }
}

/* Where there is no mean, x is x_hat. dz, or dx without it, may be dy itself. */
static void NAME(batch_norm_backward)(
    const REAL *dy, const REAL *x, const REAL *y, const REAL *mean, const REAL *inv_std,
    const REAL *gamma, const REAL *beta, REAL *dx, REAL *dz, REAL *dgamma, REAL *dbeta, long n,
    long c, long s, long given, long stream, long start, long stop)
{
    NAME(call) f = {.dy = dy, .x = x, .y = (REAL *)y, .mean = (REAL *)mean, .gamma = gamma,
                    .beta = dz ? NULL : beta, .inv_std = (REAL *)inv_std, .dx = dx, .dz = dz,
                    .dgamma = dgamma, .dbeta = dbeta, .n = n, .c = c, .s = s, .given = given,
                    .stream = stream};
    long most = block_channels(n, s, 2 * sizeof(REAL));
    if (s < SHORT)
        for (long first = start; first < stop; first += most)
            NAME(backward_columns)(&f, first, stop - first < most ? stop - first : most);
    else
        NAME(backward_planes)(&f, start, stop, most);
    if (stream)
        stream_end();
}
