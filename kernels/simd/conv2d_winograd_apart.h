/* A convolution of stride s whose windows are 3 s or 3 s - 1 pixels wide is one of stride 1 with
   windows of 3 x 3: pixels s apart become a channel of their own, s * s channels for each, and the
   taps of a window are dealt out like the pixels under it. A window of 3 s - 1 gets zeros for its
   last row and column.

   apart[image, (channel, r, t), i, j] = x[image, channel, i * sh + r - ph, j * sw + t - pw], zeros
   outside the image, for oh + 2 rows of ow + 2. */

/* The places j of a row of phase t that lie in the image: pixel j * step + t - padding. */
INLINE void NAME(places)(long t, long step, long padding, long width, long columns, long *begin,
                         long *end)
{
    *begin = t >= padding ? 0 : least(columns, (padding - t + step - 1) / step);
    *end = least(columns, (width + padding - t + step - 1) / step);
    *end = most(*begin, *end);
}

/* Images and channels start .. stop of x, dealt out. */
static void NAME(winograd_apart)(const REAL *x, REAL *apart, const long *sizes, long start,
                                 long stop)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    const long rows = g.oh + 2, columns = g.ow + 2;
    for (long plane = start; plane < stop; plane++)
        for (long r = 0; r < g.sh; r++)
            for (long i = 0; i < rows; i++) {
                const long row = i * g.sh + r - g.ph;
                REAL *cells = apart + ((plane * g.sh + r) * g.sw * rows + i) * columns;
                for (long t = 0; t < g.sw; t++, cells += rows * columns) {
                    const REAL *from = x + (plane * g.h + row) * g.w + t - g.pw;
                    long begin = columns, end = columns;
                    if (row >= 0 && row < g.h)
                        NAME(places)(t, g.sw, g.pw, g.w, columns, &begin, &end);
                    for (long j = 0; j < begin; j++)
                        cells[j] = 0;
                    if (g.sw == 4)
                        for (long j = begin; j < end; j++)
                            cells[j] = from[4 * j];
                    else
                        for (long j = begin; j < end; j++)
                            cells[j] = from[g.sw * j];
                    for (long j = end; j < columns; j++)
                        cells[j] = 0;
                }
            }
}

/* Images and channels start .. stop of x, from their pixels apart; those that no window reaches
   are 0. */
static void NAME(winograd_together)(const REAL *apart, REAL *x, const long *sizes, long start,
                                    long stop)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    const long rows = g.oh + 2, columns = g.ow + 2;
    for (long plane = start; plane < stop; plane++)
        for (long row = 0; row < g.h; row++) {
            const long i = (row + g.ph) / g.sh, r = (row + g.ph) % g.sh;
            const REAL *cells = apart + ((plane * g.sh + r) * g.sw * rows + i) * columns;
            REAL *to = x + (plane * g.h + row) * g.w;
            for (long v = i < rows ? most(0, columns * g.sw - g.pw) : 0; v < g.w; v++)
                to[v] = 0;
            for (long t = 0; t < g.sw && i < rows; t++, cells += rows * columns) {
                long begin, end;
                NAME(places)(t, g.sw, g.pw, g.w, columns, &begin, &end);
                for (long j = begin; j < end; j++)
                    to[j * g.sw + t - g.pw] = cells[j];
            }
        }
}
