/* dbias[c] = sum over images and positions of dy[image, c, position], for channels from start to stop.

   Planes lie one behind the other and are read in that order: `sums` has a vector for each channel. What
   few positions bring is summed first, since sums of sums round less. */
static void NAME(conv2d_backward_bias)(
    const REAL *dy, REAL *sums, REAL *dbias, long n, long o, long size, long start, long stop)
{
    const long whole = size / LANES * LANES;
    memset(sums, 0, (stop - start) * LANES * sizeof(REAL));
    for (long image = 0; image < n; image++)
        for (long c = start; c < stop; c++) {
            const REAL *plane = dy + (image * o + c) * size;
            VEC part[4] = {SPLAT(0), SPLAT(0), SPLAT(0), SPLAT(0)};
            REAL rest = 0;
            long t = 0;
            for (; t + 4 * LANES <= whole; t += 4 * LANES)
#pragma GCC unroll 4
                for (int i = 0; i < 4; i++)
                    part[i] += LOAD(plane + t + i * LANES);
            for (; t < whole; t += LANES)
                part[0] += LOAD(plane + t);
            for (; t < size; t++)
                rest += plane[t];
            REAL *sum = sums + (c - start) * LANES;
            STORE(sum, LOAD(sum) + ((part[0] + part[1]) + (part[2] + part[3])));
            sum[0] += rest;
        }
    for (long c = start; c < stop; c++)
        dbias[c] = SUM(LOAD(sums + (c - start) * LANES));
}
