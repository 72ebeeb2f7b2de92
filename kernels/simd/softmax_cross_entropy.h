/* Softmax and cross-entropy of the rows start .. stop, with q = (1 - eps) onehot + eps / k. */

#include <math.h>

#include "softmax.h"

/* The mean of x - most. */
INLINE double NAME(mean_below)(const REAL *x, REAL most, long k)
{
    double total = 0;
    for (long j = 0; j < k; j++)
        total += x[j] - most;
    return total / k;
}

static void NAME(softmax_cross_entropy_forward)(
    const REAL *logits, const int64_t *targets, double eps, REAL *losses, REAL *probabilities,
    long k, long start, long stop)
{
    for (long i = start; i < stop; i++) {
        const REAL *row = logits + i * k;
        REAL *p = probabilities + i * k, most = NAME(largest)(row, k);
        double total = NAME(exponentials)(row, most, k, p), right = row[targets[i]] - most;
        if (eps > 0)
            right = (1 - eps) * right + eps * NAME(mean_below)(row, most, k);
        losses[i] = (REAL)(log(total) - right);
        NAME(scale)(p, (REAL)(1 / total), k);
    }
}

/* dlogits may be the probabilities themselves. */
static void NAME(softmax_cross_entropy_backward)(
    const REAL *dlosses, const REAL *probabilities, const int64_t *targets, double eps,
    REAL *dlogits, long k, long start, long stop)
{
    REAL share = (REAL)(eps / k), own = (REAL)(1 - eps);
    for (long i = start; i < stop; i++) {
        const REAL *p = probabilities + i * k;
        REAL *d = dlogits + i * k, dy = dlosses[i], right = (p[targets[i]] - share - own) * dy;
        VEC v_dy = SPLAT(dy), v_share = SPLAT(share);
        long j = 0;
        for (; j + LANES <= k; j += LANES)
            STORE(d + j, (LOAD(p + j) - v_share) * v_dy);
        for (; j < k; j++)
            d[j] = (p[j] - share) * dy;
        d[targets[i]] = right;
    }
}
