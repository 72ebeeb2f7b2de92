/* Batch normalization of planes shorter than SHORT: every column of a block has its coefficients
   beside it, and the loops over columns are long however short a plane is. */

/* total[ch] = the sum of the columns of a channel. */
INLINE void NAME(join_columns)(const double *columns, long s, long count, double *total)
{
    for (long ch = 0; ch < count; ch++) {
        total[ch] = 0;
        for (long j = ch * s; j < (ch + 1) * s; j++)
            total[ch] += columns[j];
    }
}

/* columns[j] = the value of the channel that column j belongs to. */
INLINE void NAME(spread)(const REAL *values, long s, long count, REAL *columns)
{
    for (long ch = 0; ch < count; ch++)
        for (long j = ch * s; j < (ch + 1) * s; j++)
            columns[j] = values[ch];
}

/* columns[j] = the sum over the rows of x[i, j], or of (x[i, j] - centre[j])^2. */
INLINE void NAME(sum_columns)(
    const REAL *x, const REAL *centre, long n, long stride, long width, double *columns)
{
    REAL part[WIDTH];
    for (long j = 0; j < width; j++)
        columns[j] = 0;
    for (long from = 0; from < n; from += STRETCH) {
        long to = n - from < STRETCH ? n : from + STRETCH;
        for (long j = 0; j < width; j++)
            part[j] = 0;
        for (long i = from; i < to; i++) {
            const REAL *row = x + i * stride;
            if (centre)
                for (long j = 0; j < width; j++)
                    part[j] += (row[j] - centre[j]) * (row[j] - centre[j]);
            else
                for (long j = 0; j < width; j++)
                    part[j] += row[j];
        }
        for (long j = 0; j < width; j++)
            columns[j] += part[j];
    }
}

static void NAME(forward_columns)(const NAME(call) *f, long first, long count)
{
    double columns[WIDTH], total[WIDTH], m = (double)f->n * f->s;
    REAL centre[WIDTH], factor[WIDTH], shift[WIDTH], inv_std[WIDTH];
    long width = count * f->s, stride = f->c * f->s, start = first * f->s;
    if (f->var) {
        NAME(sum_columns)(f->x + start, NULL, f->n, stride, width, columns);
        NAME(join_columns)(columns, f->s, count, total);
        for (long ch = 0; ch < count; ch++)
            f->mean[first + ch] = (REAL)(total[ch] / m);
    }
    NAME(spread)(f->mean + first, f->s, count, centre);
    if (f->var) {
        NAME(sum_columns)(f->x + start, centre, f->n, stride, width, columns);
        NAME(join_columns)(columns, f->s, count, total);
        for (long ch = 0; ch < count; ch++) {
            f->var[first + ch] = (REAL)(total[ch] / m);
            f->inv_std[first + ch] = (REAL)(1 / __builtin_sqrt(total[ch] / m + f->eps));
        }
    }
    NAME(spread)(f->inv_std + first, f->s, count, inv_std);
    NAME(spread)(f->gamma + first, f->s, count, factor);
    NAME(spread)(f->beta + first, f->s, count, shift);
    for (long j = 0; j < width; j++)
        factor[j] *= inv_std[j];
    for (long i = 0; i < f->n; i++) {
        long at = i * stride + start;
        const REAL *x = f->x + at;
        REAL *restrict y = f->y + at;
        for (long j = 0; j < width; j++)
            y[j] = (x[j] - centre[j]) * factor[j] + shift[j];
        if (f->residual)
            for (long j = 0; j < width; j++)
                y[j] += f->residual[at + j];
        if (f->relu)
            for (long j = 0; j < width; j++)
                y[j] = y[j] <= 0 ? 0 : y[j];
        if (f->x_hat)
            for (long j = 0; j < width; j++)
                f->x_hat[at + j] = (x[j] - centre[j]) * inv_std[j];
    }
}

/* What columns are normalized with. */
typedef struct {
    REAL centre[WIDTH], factor[WIDTH], beta[WIDTH];
} NAME(scales);

/* row = dy where ReLU held nothing back, else 0. */
INLINE void NAME(pass_row)(
    const NAME(call) *f, long at, long width, const NAME(scales) *l, REAL *row)
{
    const REAL *dy = f->dy + at, *x = f->x + at;
    if (f->y && f->beta)
        for (long j = 0; j < width; j++)
            row[j] = NAME(one_held)((x[j] - l->centre[j]) * l->factor[j] + l->beta[j]) ? 0 : dy[j];
    else if (f->y)
        for (long j = 0; j < width; j++)
            row[j] = NAME(one_held)(f->y[at + j]) ? 0 : dy[j];
    else
        for (long j = 0; j < width; j++)
            row[j] = dy[j];
}

/* a = sums of dz over the rows, b = sums of dz * (x - centre). */
INLINE void NAME(sum_gradient_columns)(
    const NAME(call) *f, long start, long width, const NAME(scales) *l, double *a, double *b)
{
    REAL row[WIDTH], p[WIDTH], q[WIDTH];
    for (long j = 0; j < width; j++)
        a[j] = b[j] = 0;
    for (long from = 0; from < f->n; from += STRETCH) {
        long to = f->n - from < STRETCH ? f->n : from + STRETCH;
        for (long j = 0; j < width; j++)
            p[j] = q[j] = 0;
        for (long i = from; i < to; i++) {
            long at = i * f->c * f->s + start;
            const REAL *x = f->x + at;
            NAME(pass_row)(f, at, width, l, row);
            if (f->dz)
                for (long j = 0; j < width; j++)
                    f->dz[at + j] = row[j];
            for (long j = 0; j < width; j++) {
                p[j] += row[j];
                q[j] += row[j] * (x[j] - l->centre[j]);
            }
        }
        for (long j = 0; j < width; j++) {
            a[j] += p[j];
            b[j] += q[j];
        }
    }
}

INLINE void NAME(row_gradient)(
    const REAL *x, const REAL *row, long width, const NAME(scales) *l, const REAL *shift,
    const REAL *slope, REAL *restrict dx)
{
    for (long j = 0; j < width; j++)
        dx[j] = l->factor[j] * (row[j] - shift[j] - (x[j] - l->centre[j]) * slope[j]);
}

static void NAME(backward_columns)(const NAME(call) *f, long first, long count)
{
    double a[WIDTH], b[WIDTH], sums[WIDTH], projections[WIDTH], m = (double)f->n * f->s;
    REAL row[WIDTH], shift[WIDTH], slope[WIDTH];
    NAME(scales) l;
    long s = f->s, width = count * s, start = first * s;
    for (long ch = 0; ch < count; ch++) {
        const NAME(scale) of = NAME(scale_of)(f, first + ch);
        for (long j = ch * s; j < (ch + 1) * s; j++) {
            l.centre[j] = of.centre;
            l.factor[j] = of.factor;
            l.beta[j] = of.beta;
        }
    }
    NAME(sum_gradient_columns)(f, start, width, &l, a, b);
    NAME(join_columns)(a, s, count, sums);
    NAME(join_columns)(b, s, count, projections);
    for (long ch = 0; ch < count; ch++) {
        long k = first + ch;
        double scale = f->mean ? f->inv_std[k] : 1;
        f->dbeta[k] = (REAL)sums[ch];
        f->dgamma[k] = (REAL)(projections[ch] * scale);
        for (long j = ch * s; j < (ch + 1) * s; j++) {
            shift[j] = (REAL)(sums[ch] / m);
            slope[j] = (REAL)(projections[ch] * scale * scale / m);
        }
    }
    for (long i = 0; i < f->n; i++) {
        long at = i * f->c * s + start;
        NAME(pass_row)(f, at, width, &l, row);
        if (f->given)
            for (long j = 0; j < width; j++)
                f->dx[at + j] = l.factor[j] * row[j];
        else
            NAME(row_gradient)(f->x + at, row, width, &l, shift, slope, f->dx + at);
    }
}
