/* Windows of images, copied into the cache with their zeros around them. */

/* target[q] = row[first + q * step] for q = 0 .. length - 1, 0 outside row[0 .. w - 1]. */
INLINE void NAME(copy_row)(
    const REAL *row, long w, long first, long step, long length, REAL *target)
{
    long begin = first >= 0 ? 0 : conv2d_least(length, (step - 1 - first) / step);
    long end = first >= w ? 0 : conv2d_least(length, (w - 1 - first) / step + 1);
    long q = 0;
    for (; q < begin; q++)
        target[q] = 0;
    if (step == 1) {
        for (; q + LANES <= end; q += LANES)
            STORE(target + q, LOAD(row + first + q));
        for (; q < end; q++)
            target[q] = row[first + q];
    } else if (step == 2)
        for (; q < end; q++)
            target[q] = row[first + 2 * q];
    else
        for (; q < end; q++)
            target[q] = row[first + q * step];
    for (; q < length; q++)
        target[q] = 0;
}

/* The windows of `channels` planes of size h x w, one after the other. */
static void NAME(copy_windows)(
    const REAL *x, long channels, long h, long w, const conv2d_window *window, REAL *target)
{
    for (long c = 0; c < channels; c++, x += h * w)
        for (long i = 0; i < window->rows; i++) {
            long row = window->top + i * window->row_stride;
            for (long slot = 0; slot < window->slots; slot++, target += window->length) {
                if (row < 0 || row >= h)
                    for (long q = 0; q < window->length; q++)
                        target[q] = 0;
                else
                    NAME(copy_row)(x + row * w, w, window->left + window->phases[slot],
                                   window->column_stride, window->length, target);
            }
        }
}
