/* y = x * scale where keep, else x * 0 (so that NaN stays NaN), for one plane of `count` values. */

static void NAME(drop_block_scale)(
    const REAL *restrict x, const uint8_t *restrict keep, REAL scale, REAL *restrict y, long count)
{
    for (long j = 0; j < count; j++)
        y[j] = x[j] * (keep[j] ? scale : 0);
}
