/* The rectified linear unit of the values start .. stop.

   Forward asks for what it reads and writes AHEAD values later where that is LARGE: such arrays share
   the last cache with whatever else runs, and the processor itself looks less far. Smaller ones are
   quicker without. */

#ifndef RELU_SIZES
#define RELU_SIZES
#define AHEAD 2048      /* values */
#define LARGE (6 << 20) /* bytes */
#define LINE 64         /* bytes that a cache moves at once */
#endif

INLINE void NAME(rectify)(const REAL *x, REAL *y, long i)
{
    const VEC v = LOAD(x + i);
    STORE(y + i, SELECT(v <= 0, SPLAT(0), v));
}

static void NAME(relu_forward)(const REAL *x, REAL *y, long start, long stop)
{
    long i = start;
    if ((stop - start) * (long)sizeof(REAL) >= LARGE)
        for (; i + AHEAD + 4 * LANES <= stop; i += 4 * LANES) {
            for (long k = AHEAD; k < AHEAD + 4 * LANES; k += LINE / (long)sizeof(REAL)) {
                PREFETCH(x + i + k);
                PREFETCH(y + i + k);
            }
            for (long k = 0; k < 4 * LANES; k += LANES)
                NAME(rectify)(x, y, i + k);
        }
    for (; i + LANES <= stop; i += LANES)
        NAME(rectify)(x, y, i);
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
