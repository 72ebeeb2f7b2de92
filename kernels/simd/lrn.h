/* Local response normalization of the images start .. stop: strips of STRIP pixels, short enough
   for the channels of a window to stay in the first-level cache, channel after channel.

   For the literature's beta = 3/4, s^-beta is r * sqrt(r) with r = 1 / sqrt(s), else a power. */

#include <math.h>
#ifdef MINIDL_X86
#include <immintrin.h>
#endif

#define STRIP 256
#define ROOT(a) (sizeof(a) == 4 ? (REAL)sqrtf((float)(a)) : (REAL)sqrt(a))
#define POWER(a, b) (sizeof(a) == 4 ? (REAL)powf((float)(a), (float)(b)) : (REAL)pow(a, b))

INLINE VEC NAME(root)(VEC v)
{
#if defined(HAVE_AVX512) && !defined(MINIDL_CHECKED)
    if (sizeof(REAL) == 4)
        return (VEC)_mm512_sqrt_ps((__m512)v);
    return (VEC)_mm512_sqrt_pd((__m512d)v);
#elif defined(HAVE_AVX2) && !defined(HAVE_AVX512)
    if (sizeof(REAL) == 4)
        return (VEC)_mm256_sqrt_ps((__m256)v);
    return (VEC)_mm256_sqrt_pd((__m256d)v);
#else
    REAL part[LANES];
    STORE(part, v);
    for (int i = 0; i < LANES; i++)
        part[i] = ROOT(part[i]);
    return LOAD(part);
#endif
}

/* total[j] = the sum of the squares (or, for the backward pass, of the values) of `count` rows,
   `step` apart; after row ring - 1 comes row 0. */
INLINE void NAME(add_rows)(
    const REAL *rows, long step, long first, long count, long ring, int squares, long width,
    REAL *total)
{
    long j = 0;
    for (; j + 4 * LANES <= width; j += 4 * LANES) {
        VEC a = SPLAT(0), b = a, c = a, d = a;
        for (long i = 0, at = first; i < count; i++, at = at + 1 == ring ? 0 : at + 1) {
            const REAL *row = rows + at * step + j;
            VEC p = LOAD(row), q = LOAD(row + LANES);
            VEC t = LOAD(row + 2 * LANES), u = LOAD(row + 3 * LANES);
            a += squares ? p * p : p;
            b += squares ? q * q : q;
            c += squares ? t * t : t;
            d += squares ? u * u : u;
        }
        STORE(total + j, a);
        STORE(total + j + LANES, b);
        STORE(total + j + 2 * LANES, c);
        STORE(total + j + 3 * LANES, d);
    }
    for (; j + LANES <= width; j += LANES) {
        VEC a = SPLAT(0);
        for (long i = 0, at = first; i < count; i++, at = at + 1 == ring ? 0 : at + 1) {
            VEC p = LOAD(rows + at * step + j);
            a += squares ? p * p : p;
        }
        STORE(total + j, a);
    }
    for (; j < width; j++) {
        total[j] = 0;
        for (long i = 0, at = first; i < count; i++, at = at + 1 == ring ? 0 : at + 1) {
            REAL value = rows[at * step + j];
            total[j] += squares ? value * value : value;
        }
    }
}

/* s = k + alpha * total, y = x * s^-beta. */
INLINE void NAME(normalize)(
    const REAL *x, const REAL *total, REAL alpha, REAL beta, REAL k, REAL *y, REAL *s, long width)
{
    VEC v_alpha = SPLAT(alpha), v_k = SPLAT(k), r;
    long j = 0;
    if (beta == (REAL)0.75)
        for (; j + LANES <= width; j += LANES) {
            VEC norm = v_alpha * LOAD(total + j) + v_k;
            STORE(s + j, norm);
            r = SPLAT(1) / NAME(root)(norm);
            STORE(y + j, LOAD(x + j) * (r * NAME(root)(r)));
        }
    for (; j < width; j++) {
        s[j] = alpha * total[j] + k;
        y[j] = x[j] * POWER(s[j], -beta);
    }
}

static void NAME(lrn_forward)(
    const REAL *x, long size, double alpha, double beta, double k, REAL *y, REAL *s, long c,
    long pixels, long start, long stop)
{
    REAL total[STRIP];
    long before = size / 2, after = (size - 1) / 2;
    for (long image = start; image < stop; image++)
        for (long from = 0; from < pixels; from += STRIP) {
            long width = pixels - from < STRIP ? pixels - from : STRIP;
            const REAL *rows = x + image * c * pixels + from;
            for (long ch = 0; ch < c; ch++) {
                long first = ch > before ? ch - before : 0;
                long last = c - ch > after ? ch + after + 1 : c;
                long at = (image * c + ch) * pixels + from;
                NAME(add_rows)(rows, pixels, first, last - first, c, 1, width, total);
                NAME(normalize)(
                    x + at, total, (REAL)alpha, (REAL)beta, (REAL)k, y + at, s + at, width);
            }
        }
}

/* direct = dy * s^-beta, term = direct * x / s. */
INLINE void NAME(terms)(
    const REAL *dy, const REAL *x, const REAL *s, REAL beta, REAL *direct, REAL *term, long width)
{
    long j = 0;
    if (beta == (REAL)0.75)
        for (; j + LANES <= width; j += LANES) {
            VEC r = SPLAT(1) / NAME(root)(LOAD(s + j)), d = LOAD(dy + j) * (r * NAME(root)(r));
            STORE(direct + j, d);
            STORE(term + j, d * LOAD(x + j) * (r * r));
        }
    for (; j < width; j++) {
        direct[j] = dy[j] * POWER(s[j], -beta);
        term[j] = direct[j] * x[j] / s[j];
    }
}

/* dx -= factor * x * total. */
INLINE void NAME(subtract)(const REAL *x, const REAL *total, REAL factor, REAL *dx, long width)
{
    VEC v_factor = SPLAT(factor);
    long j = 0;
    for (; j + LANES <= width; j += LANES)
        STORE(dx + j, LOAD(dx + j) - v_factor * LOAD(x + j) * LOAD(total + j));
    for (; j < width; j++)
        dx[j] -= factor * x[j] * total[j];
}

/* The terms of a window's channels stand in a ring of min(size, c) rows, each filled when the first
   window that holds it comes. */
static void NAME(lrn_backward)(
    const REAL *dy, const REAL *x, const REAL *s, double smallest, long size, double factor,
    double beta, REAL *dx, REAL *ring, long c, long pixels, long start, long stop)
{
    REAL total[STRIP];
    (void)smallest;
    long before = (size - 1) / 2, after = size / 2, rows = size < c ? size : c;
    for (long image = start; image < stop; image++)
        for (long from = 0; from < pixels; from += STRIP) {
            long width = pixels - from < STRIP ? pixels - from : STRIP, next = 0;
            for (long ch = 0; ch < c; ch++) {
                long first = ch > before ? ch - before : 0;
                long last = c - ch > after ? ch + after + 1 : c;
                for (; next < last; next++) {
                    long at = (image * c + next) * pixels + from;
                    NAME(terms)(dy + at, x + at, s + at, (REAL)beta, dx + at,
                                ring + next % rows * STRIP, width);
                }
                NAME(add_rows)(
                    ring, STRIP, first % rows, last - first, rows, 0, width, total);
                long at = (image * c + ch) * pixels + from;
                NAME(subtract)(x + at, total, (REAL)factor, dx + at, width);
            }
        }
}

#undef STRIP
#undef ROOT
#undef POWER
