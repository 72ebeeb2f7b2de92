/* Group normalization of rows start .. stop: row r is group r % groups of example r / groups, and
   holds `channels` channels of s values, one after the other, m = channels * s in all.

   Where s is 1 (layer normalization) the coefficients change with every value and are loaded beside
   it; otherwise they are constant along the s values of a channel. Each row is read from memory
   once: the passes after the first find it in the cache. Forward, its sum is taken along with the
   squares of the row before it, if both have room. Sums run in float over stretches of at most STRETCH values and in double beyond, so that long rows keep their
   accuracy. Where `stream` is set, results go around the cache. */

#include "stream.h"

#define STRETCH 4096
#ifndef GROUP_NORM_SIZES
#define GROUP_NORM_SIZES
#define ROOM (8 << 10)     /* bytes of a row of which the first cache has room for three */
#define CACHED (256 << 10) /* and of which the second has room for two */

/* How far ahead of what is read the cache is filled, in values: a row, or nothing. */
static inline long ahead_of(long m, size_t bytes)
{
    return m * (long)bytes <= ROOM ? m : 0;
}
#endif

INLINE double NAME(sum_of)(const REAL *x, long count)
{
    double total = 0;
    for (long from = 0; from < count; from += STRETCH) {
        long i = from, to = count - from < STRETCH ? count : from + STRETCH;
        const VEC zero = SPLAT(0);
        VEC part[4] = {zero, zero, zero, zero};
        for (; i + 4 * LANES <= to; i += 4 * LANES)
            for (int k = 0; k < 4; k++)
                part[k] += LOAD(x + i + k * LANES);
        for (; i + LANES <= to; i += LANES)
            part[0] += LOAD(x + i);
        total += SUM((part[0] + part[1]) + (part[2] + part[3]));
        for (; i < to; i++)
            total += x[i];
    }
    return total;
}

/* The squares of a row around its centre, and the sum of the row that comes next: one is in the cache,
   the other on its way there. `next` may be NULL. */
INLINE void NAME(squares_and_sum)(
    const REAL *x, REAL centre, const REAL *next, long count, long ahead, double *squares,
    double *sum)
{
    VEC v_centre = SPLAT(centre);
    *squares = *sum = 0;
    for (long from = 0; from < count; from += STRETCH) {
        long i = from, to = count - from < STRETCH ? count : from + STRETCH;
        const VEC zero = SPLAT(0);
        VEC part[4] = {zero, zero, zero, zero}, whole[4] = {zero, zero, zero, zero}, u;
        for (; i + 4 * LANES <= to; i += 4 * LANES) {
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) {
                u = LOAD(x + i + k * LANES) - v_centre;
                part[k] += u * u;
                if (next)
                    whole[k] += LOAD(next + i + k * LANES);
            }
            for (int k = 0; next && k < 4 * LANES; k += 64 / (int)sizeof(REAL))
                PREFETCH(next + i + k + ahead);
        }
        for (; i + LANES <= to; i += LANES) {
            u = LOAD(x + i) - v_centre;
            part[0] += u * u;
            if (next)
                whole[0] += LOAD(next + i);
        }
        *squares += SUM((part[0] + part[1]) + (part[2] + part[3]));
        *sum += SUM((whole[0] + whole[1]) + (whole[2] + whole[3]));
        for (; i < to; i++) {
            *squares += (x[i] - centre) * (x[i] - centre);
            *sum += next ? next[i] : 0;
        }
    }
}

/* y = (x - mean) * inv_std * gamma + beta with one gamma and beta for all values of a channel. */
INLINE void NAME(affine_channel)(
    const REAL *x, REAL mean, REAL factor, REAL shift, REAL *y, long s, int stream)
{
    VEC v_mean = SPLAT(mean), v_factor = SPLAT(factor), v_shift = SPLAT(shift);
    long i = 0, uneven = stream ? UNEVEN(y) : 0;
    for (; i < uneven && i < s; i++)
        y[i] = (x[i] - mean) * factor + shift;
    for (; i + LANES <= s; i += LANES) {
        VEC value = (LOAD(x + i) - v_mean) * v_factor + v_shift;
        if (stream)
            STREAM(y + i, value);
        else
            STORE(y + i, value);
    }
    for (; i < s; i++)
        y[i] = (x[i] - mean) * factor + shift;
}

/* The same with a gamma and a beta for every value. */
INLINE void NAME(affine_each)(
    const REAL *x, REAL mean, REAL inv_std, const REAL *gamma, const REAL *beta, REAL *y, long m,
    int stream)
{
    VEC v_mean = SPLAT(mean), v_inv_std = SPLAT(inv_std);
    long i = 0, uneven = stream ? UNEVEN(y) : 0;
    for (; i < uneven && i < m; i++)
        y[i] = (x[i] - mean) * inv_std * gamma[i] + beta[i];
    for (; i + LANES <= m; i += LANES) {
        VEC value = (LOAD(x + i) - v_mean) * v_inv_std * LOAD(gamma + i) + LOAD(beta + i);
        if (stream)
            STREAM(y + i, value);
        else
            STORE(y + i, value);
    }
    for (; i < m; i++)
        y[i] = (x[i] - mean) * inv_std * gamma[i] + beta[i];
}

INLINE void NAME(forward_rows)(
    const REAL *x, const REAL *gamma, const REAL *beta, REAL *y, REAL *mean, REAL *inv_std,
    long start, long stop, long groups, long channels, long s, double eps, int stream)
{
    long m = channels * s, ahead = ahead_of(m, sizeof(REAL));
    const int apart = m * (long)sizeof(REAL) > CACHED;
    double squares, sum = start < stop ? NAME(sum_of)(x + start * m, m) : 0;
    for (long r = start; r < stop; r++) {
        const REAL *row = x + r * m, *next = r + 1 < stop ? row + m : NULL;
        const REAL *g = gamma + r % groups * channels, *b = beta + r % groups * channels;
        mean[r] = (REAL)(sum / m);
        NAME(squares_and_sum)(row, mean[r], apart ? NULL : next, m, ahead, &squares, &sum);
        inv_std[r] = (REAL)(1 / __builtin_sqrt(squares / m + eps));
        if (s == 1)
            NAME(affine_each)(row, mean[r], inv_std[r], g, b, y + r * m, m, stream);
        else
            for (long ch = 0; ch < channels; ch++)
                NAME(affine_channel)(
                    row + ch * s, mean[r], inv_std[r] * g[ch], b[ch], y + r * m + ch * s, s,
                    stream);
        if (apart && next)
            sum = NAME(sum_of)(next, m);
    }
}

static void NAME(group_norm_forward)(
    const REAL *x, const REAL *gamma, const REAL *beta, REAL *y, REAL *mean, REAL *inv_std,
    long start, long stop, long groups, long channels, long s, double eps, long stream)
{
    if (stream) {
        NAME(forward_rows)(
            x, gamma, beta, y, mean, inv_std, start, stop, groups, channels, s, eps, 1);
        stream_end();
    } else
        NAME(forward_rows)(
            x, gamma, beta, y, mean, inv_std, start, stop, groups, channels, s, eps, 0);
}

/* a = sum of dy, b = sum of dy * x_hat over the s values of a channel. */
INLINE void NAME(channel_sums)(
    const REAL *dy, const REAL *x, REAL mean, REAL inv_std, long s, double *a, double *b)
{
    VEC v_mean = SPLAT(mean);
    *a = *b = 0;
    for (long from = 0; from < s; from += STRETCH) {
        long i = from, to = s - from < STRETCH ? s : from + STRETCH;
        VEC p = SPLAT(0), q = p, t = p, u = p, d;
        for (; i + 2 * LANES <= to; i += 2 * LANES) {
            d = LOAD(dy + i);
            p += d;
            q += d * (LOAD(x + i) - v_mean);
            d = LOAD(dy + i + LANES);
            t += d;
            u += d * (LOAD(x + i + LANES) - v_mean);
        }
        *a += SUM(p + t);
        *b += SUM(q + u);
        for (; i < to; i++) {
            *a += dy[i];
            *b += dy[i] * (x[i] - mean);
        }
    }
    *b *= inv_std;
}

/* dx = inv_std * (gamma * dy - p - x_hat * q), gamma one for all. */
INLINE void NAME(gradient_channel)(
    const REAL *dy, const REAL *x, REAL mean, REAL inv_std, REAL gamma, REAL p, REAL q, REAL *dx,
    long s, int stream)
{
    REAL slope = q * inv_std;
    VEC v_mean = SPLAT(mean), v_gamma = SPLAT(gamma), v_slope = SPLAT(slope), v_p = SPLAT(p);
    VEC v_inv_std = SPLAT(inv_std);
    long i = 0, uneven = stream ? UNEVEN(dx) : 0;
    for (; i < uneven && i < s; i++)
        dx[i] = inv_std * (dy[i] * gamma - p - (x[i] - mean) * slope);
    for (; i + LANES <= s; i += LANES) {
        VEC d = LOAD(dy + i) * v_gamma - v_p - (LOAD(x + i) - v_mean) * v_slope;
        if (stream)
            STREAM(dx + i, v_inv_std * d);
        else
            STORE(dx + i, v_inv_std * d);
    }
    for (; i < s; i++)
        dx[i] = inv_std * (dy[i] * gamma - p - (x[i] - mean) * slope);
}

/* One row where every value has its own gamma: sums, dgamma and dbeta, then dx. */
INLINE void NAME(gradient_each)(
    const REAL *dy, const REAL *x, REAL mean, REAL inv_std, const REAL *gamma, REAL *dx,
    REAL *dgamma, REAL *dbeta, long m, long ahead, int stream)
{
    VEC v_mean = SPLAT(mean), v_inv_std = SPLAT(inv_std);
    double sum = 0, proj = 0;
    for (long from = 0; from < m; from += STRETCH) {
        long i = from, to = m - from < STRETCH ? m : from + STRETCH;
        VEC p = SPLAT(0), q = p, d, h, g;
        for (; i + LANES <= to; i += LANES) {
            d = LOAD(dy + i);
            h = (LOAD(x + i) - v_mean) * v_inv_std;
            STORE(dgamma + i, LOAD(dgamma + i) + d * h);
            STORE(dbeta + i, LOAD(dbeta + i) + d);
            g = d * LOAD(gamma + i);
            p += g;
            q += g * h;
            PREFETCH(dy + i + ahead);
            PREFETCH(x + i + ahead);
        }
        sum += SUM(p);
        proj += SUM(q);
        for (; i < to; i++) {
            REAL hat = (x[i] - mean) * inv_std;
            dgamma[i] += dy[i] * hat;
            dbeta[i] += dy[i];
            sum += dy[i] * gamma[i];
            proj += dy[i] * gamma[i] * hat;
        }
    }
    REAL p = (REAL)(sum / m), slope = (REAL)(proj / m) * inv_std;
    VEC v_p = SPLAT(p), v_slope = SPLAT(slope);
    long i = 0, uneven = stream ? UNEVEN(dx) : 0;
    for (; i < uneven && i < m; i++)
        dx[i] = inv_std * (dy[i] * gamma[i] - p - (x[i] - mean) * slope);
    for (; i + LANES <= m; i += LANES) {
        VEC d = LOAD(dy + i) * LOAD(gamma + i) - v_p - (LOAD(x + i) - v_mean) * v_slope;
        if (stream)
            STREAM(dx + i, v_inv_std * d);
        else
            STORE(dx + i, v_inv_std * d);
    }
    for (; i < m; i++)
        dx[i] = inv_std * (dy[i] * gamma[i] - p - (x[i] - mean) * slope);
}

INLINE void NAME(backward_rows)(
    const REAL *dy, const REAL *x, const REAL *mean, const REAL *inv_std, const REAL *gamma,
    REAL *dx, REAL *dgamma, REAL *dbeta, long start, long stop, long groups, long channels, long s,
    int stream)
{
    long m = channels * s, ahead = ahead_of(m, sizeof(REAL));
    for (long r = start; r < stop; r++) {
        const REAL *dy_row = dy + r * m, *row = x + r * m;
        long first = r % groups * channels;
        double sum = 0, proj = 0, a, b;
        if (s == 1) {
            NAME(gradient_each)(dy_row, row, mean[r], inv_std[r], gamma + first, dx + r * m,
                                dgamma + first, dbeta + first, m, ahead, stream);
            continue;
        }
        for (long ch = 0; ch < channels; ch++) {
            NAME(channel_sums)(dy_row + ch * s, row + ch * s, mean[r], inv_std[r], s, &a, &b);
            dbeta[first + ch] += (REAL)a;
            dgamma[first + ch] += (REAL)b;
            sum += gamma[first + ch] * a;
            proj += gamma[first + ch] * b;
        }
        REAL p = (REAL)(sum / m), q = (REAL)(proj / m);
        for (long ch = 0; ch < channels; ch++)
            NAME(gradient_channel)(dy_row + ch * s, row + ch * s, mean[r], inv_std[r],
                                   gamma[first + ch], p, q, dx + r * m + ch * s, s, stream);
    }
}

static void NAME(group_norm_backward)(
    const REAL *dy, const REAL *x, const REAL *mean, const REAL *inv_std, const REAL *gamma,
    REAL *dx, REAL *dgamma, REAL *dbeta, long start, long stop, long groups, long channels, long s,
    long stream)
{
    if (stream) {
        NAME(backward_rows)(
            dy, x, mean, inv_std, gamma, dx, dgamma, dbeta, start, stop, groups, channels, s, 1);
        stream_end();
    } else
        NAME(backward_rows)(
            dy, x, mean, inv_std, gamma, dx, dgamma, dbeta, start, stop, groups, channels, s, 0);
}

#undef STRETCH
