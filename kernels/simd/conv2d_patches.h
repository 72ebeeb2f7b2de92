/* Windows of images, copied into the cache with their zeros around them. */

#include "turn.h"

#define CONV_AHEAD (4096 / (long)sizeof(REAL)) /* a page, beyond which no processor looks ahead */
#define CONV_EVEN(l) (2 * (l))
#define CONV_ODD(l) (2 * (l) + 1)
#define CONV_WEAVE_LOW(l) ((l) / 2 + (l) % 2 * LANES)
#define CONV_WEAVE_HIGH(l) (LANES / 2 + (l) / 2 + (l) % 2 * LANES)

/* target[q] = row[q * step] for q = begin .. end - 1. One number more may be read unless last. */
INLINE void NAME(copy_row)(
    const REAL *row, long begin, long end, long step, int last, REAL *target)
{
    long q = begin;
    if (step == 1) {
        for (; q + LANES <= end; q += LANES) {
            if (end - begin >= 2 * LANES)
                PREFETCH(row + q + CONV_AHEAD);
            STORE(target + q, LOAD(row + q));
        }
        if (q < end && end - begin >= LANES)
            STORE(target + end - LANES, LOAD(row + end - LANES));
        else
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

/* Where the pixels of a slot whose column 0 stands for pixel `first` lie within a row of w. */
static void NAME(inside)(long first, long step, long length, long w, long *begin, long *end)
{
    *begin = first >= 0 ? 0 : conv2d_least(length, (step - 1 - first) / step);
    *end = first >= w ? 0 : conv2d_least(length, conv2d_floor(w - 1 - first, step) + 1);
}

/* to[r][k] = pixels[k * step + r] for r below step and k below count. */
INLINE void NAME(deal_row)(const REAL *pixels, long count, const int step, REAL *const *to)
{
    long k = 0;
#ifdef CAN_SHUFFLE
    const MASK even = EACH_LANE(CONV_EVEN), odd = EACH_LANE(CONV_ODD);
    for (; step == 2 && k + LANES <= count; k += LANES) {
        VEC a = LOAD(pixels + 2 * k), b = LOAD(pixels + 2 * k + LANES);
        PREFETCH(pixels + 2 * k + CONV_AHEAD);
        PREFETCH(pixels + 2 * k + LANES + CONV_AHEAD);
        STORE(to[0] + k, __builtin_shuffle(a, b, even));
        STORE(to[1] + k, __builtin_shuffle(a, b, odd));
    }
#endif
    for (; k < count; k++)
#pragma GCC unroll 4
        for (int r = 0; r < step; r++)
            to[r][k] = pixels[k * step + r];
}

/* The rows from `above` to `below` of windows that have all phases of a step: each row of pixels is
   read once and dealt out. */
INLINE void NAME(deal_windows)(
    const REAL *x, long channels, long h, long w, const conv2d_window *window, long above,
    long below, const int step, REAL *target)
{
    const long length = window->length, left = window->left, first = conv2d_most(left, 0);
    long starts[4], ends[4], count = length; /* of the slot that pixel first + r falls into */
    REAL *to[4];
    for (int s = 0; s < step; s++) {
        long column = left + window->phases[s], behind = column - first;
        long r = behind - conv2d_floor(behind, step) * step;
        to[r] = target + s * length;
        NAME(inside)(column, step, length, w, starts + r, ends + r);
        count = conv2d_most(0, conv2d_least(count, ends[r] - starts[r]));
    }
    for (long c = 0; c < channels; c++)
        for (long i = above; i < below; i++) {
            const REAL *pixels = x + (c * h + window->top + i * window->row_stride) * w + first;
            REAL *cells[4];
            for (int r = 0; r < step; r++)
                cells[r] = to[r] + (c * window->rows + i) * step * length + starts[r];
            NAME(deal_row)(pixels, count, step, cells);
            for (int r = 0; r < step; r++)
                for (long k = count; k < ends[r] - starts[r]; k++)
                    cells[r][k] = pixels[k * step + r];
        }
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
    if (step == 2 && window->slots == 2) {
        NAME(deal_windows)(x, channels, h, w, window, above, below, 2, target);
        return;
    }
    if (step == 4 && window->slots == 4) {
        NAME(deal_windows)(x, channels, h, w, window, above, below, 4, target);
        return;
    }
    for (long slot = 0; slot < window->slots; slot++, target += length) {
        long first = window->left + window->phases[slot], begin, end;
        NAME(inside)(first, step, length, w, &begin, &end);
        for (long c = 0; c < channels; c++) {
            const REAL *row = x + (c * h + top + above * stride) * w + first;
            REAL *cells = target + (c * rows + above) * pitch;
            for (long i = above; i < below; i++, row += stride * w, cells += pitch)
                NAME(copy_row)(row, begin, end, step,
                               c == channels - 1 && top + i * stride == h - 1, cells);
        }
    }
}
