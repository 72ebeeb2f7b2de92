/* Rows of a softmax: their largest value, and the exponentials of what lies below it. */

#include "exp.h"

/* The row after this one comes into the cache meanwhile. */
#undef PREFETCH
#ifdef MINIDL_VECTORS
#define PREFETCH(address, write) __builtin_prefetch(address, write)
#else
#define PREFETCH(address, write)
#endif

#ifndef STRETCH
#define STRETCH 4096
#endif

/* The largest of k values; anything where there is a NaN, which the exponentials bring to light. */
INLINE REAL NAME(largest)(const REAL *x, long k)
{
    VEC a = SPLAT(x[0]), b = a, c = a, d = a, v;
    long j = 0;
    for (; j + 4 * LANES <= k; j += 4 * LANES) {
        v = LOAD(x + j);
        a = NAME(larger)(v, a);
        v = LOAD(x + j + LANES);
        b = NAME(larger)(v, b);
        v = LOAD(x + j + 2 * LANES);
        c = NAME(larger)(v, c);
        v = LOAD(x + j + 3 * LANES);
        d = NAME(larger)(v, d);
    }
    for (; j + LANES <= k; j += LANES) {
        v = LOAD(x + j);
        a = NAME(larger)(v, a);
    }
    a = NAME(larger)(NAME(larger)(a, b), NAME(larger)(c, d));
    REAL part[LANES], most = x[0];
    STORE(part, a);
    for (int i = 0; i < LANES; i++)
        most = part[i] > most ? part[i] : most;
    for (; j < k; j++)
        most = x[j] > most ? x[j] : most;
    return most;
}

/* The sum of e = exp(x - most), written where wanted. */
INLINE double NAME(exponentials)(const REAL *x, REAL most, long k, REAL *e)
{
    double total = 0;
    VEC v_most = SPLAT(most);
    for (long from = 0; from < k; from += STRETCH) {
        long j = from, to = k - from < STRETCH ? k : from + STRETCH;
        VEC sum = SPLAT(0), other = sum, v, w;
        for (; j + 2 * LANES <= to; j += 2 * LANES) {
            v = EXP_BELOW(LOAD(x + j) - v_most);
            w = EXP_BELOW(LOAD(x + j + LANES) - v_most);
            for (int i = 0; i < (sizeof v == 64 ? 2 : 1); i++) { /* one for each line of 64 bytes */
                PREFETCH(x + j + k + i * LANES, 0);
                if (e)
                    PREFETCH(e + j + k + i * LANES, 1);
            }
            if (e) {
                STORE(e + j, v);
                STORE(e + j + LANES, w);
            }
            sum += v;
            other += w;
        }
        sum += other;
        for (; j + LANES <= to; j += LANES) {
            v = EXP_BELOW(LOAD(x + j) - v_most);
            if (e)
                STORE(e + j, v);
            sum += v;
        }
        if (j < to) {
            v = EXP_BELOW(NAME(load_part)(x + j, to - j, -(REAL)INFINITY) - v_most);
            if (e)
                NAME(store_part)(e + j, v, to - j);
            sum += v;
        }
        total += SUM(sum);
    }
    return total;
}

INLINE void NAME(scale)(REAL *x, REAL factor, long k)
{
    VEC v = SPLAT(factor);
    long j = 0;
    for (; j + LANES <= k; j += LANES)
        STORE(x + j, LOAD(x + j) * v);
    for (; j < k; j++)
        x[j] *= factor;
}
