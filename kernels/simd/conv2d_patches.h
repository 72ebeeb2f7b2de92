/* Windows of images, copied into the cache with their zeros around them. */

#include "turn.h"

#define CONV_EVEN(l) (2 * (l))

/* target[q] = row[q * step] for q = begin .. end - 1. One number more may be read unless last. */
INLINE void NAME(copy_row)(
    const REAL *row, long begin, long end, long step, int last, REAL *target)
{
    long q = begin;
    if (step == 1) {
        for (; q + LANES <= end; q += LANES)
            STORE(target + q, LOAD(row + q));
        for (; q < end; q++)
            target[q] = row[q];
    } else if (step == 2) {
#ifdef CAN_SHUFFLE
        const MASK even = EACH_LANE(CONV_EVEN);
        for (; q + LANES <= end - last; q += LANES)
            STORE(target + q,
                  __builtin_shuffle(LOAD(row + 2 * q), LOAD(row + 2 * q + LANES), even));
#endif
        for (; q < end; q++)
            target[q] = row[2 * q];
    } else
        for (; q < end; q++)
            target[q] = row[q * step];
}

/* The windows of `channels` planes of size h x w, one after the other. The zeros around them are
   written where fresh, otherwise they stand there from a call with the same window. */
static void NAME(copy_windows)(
    const REAL *x, long channels, long h, long w, const conv2d_window *window, int fresh,
    REAL *target)
{
    long step = window->column_stride, length = window->length, pitch = window->slots * length;
    long rows = window->rows, stride = window->row_stride, top = window->top;
    long above = conv2d_least(rows, top >= 0 ? 0 : (stride - 1 - top) / stride);
    long below = top >= h ? 0 : conv2d_least(rows, (h - 1 - top) / stride + 1);
    if (fresh)
        memset(target, 0, channels * rows * pitch * sizeof(REAL));
    for (long slot = 0; slot < window->slots; slot++, target += length) {
        long first = window->left + window->phases[slot];
        long begin = first >= 0 ? 0 : conv2d_least(length, (step - 1 - first) / step);
        long end = first >= w ? 0 : conv2d_least(length, conv2d_floor(w - 1 - first, step) + 1);
        for (long c = 0; c < channels; c++) {
            const REAL *row = x + (c * h + top + above * stride) * w + first;
            REAL *cells = target + (c * rows + above) * pitch;
            for (long i = above; i < below; i++, row += stride * w, cells += pitch)
                NAME(copy_row)(row, begin, end, step,
                               c == channels - 1 && top + i * stride == h - 1, cells);
        }
    }
}
