/* The rectified linear unit of the values start .. stop. */

static void NAME(relu_forward)(const REAL *x, REAL *y, long start, long stop)
{
    long i = start;
    for (; i + LANES <= stop; i += LANES) {
        VEC v = LOAD(x + i);
        STORE(y + i, SELECT(v <= 0, SPLAT(0), v));
    }
    for (; i < stop; i++)
        y[i] = x[i] <= 0 ? 0 : x[i];
}

static void NAME(relu_backward)(const REAL *dy, const REAL *y, REAL *dx, long start, long stop)
{
    long i = start;
    for (; i + LANES <= stop; i += LANES)
        STORE(dx + i, SELECT(LOAD(y + i) <= 0, SPLAT(0), LOAD(dy + i)));
    for (; i < stop; i++)
        dx[i] = y[i] <= 0 ? 0 : dy[i];
}
