/* Windows of images, copied into the cache with their zeros around them, and squares of numbers
   turned over. */

#undef CONV_SHUFFLE
#undef CONV_LANES
#if defined(MINIDL_VECTORS) && !defined(__clang__) && !defined(MINIDL_SCALAR)
#define CONV_SHUFFLE 1
/* f for every lane, as the numbers of a vector. */
#if LANES == 16
#define CONV_LANES(f)                                                                  \
    {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12),  \
     f(13), f(14), f(15)}
#elif LANES == 8
#define CONV_LANES(f) {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)}
#elif LANES == 4
#define CONV_LANES(f) {f(0), f(1), f(2), f(3)}
#else
#define CONV_LANES(f) {f(0), f(1)}
#endif
#endif

#ifdef CONV_SHUFFLE
/* One step of turning a square of vectors over: blocks of size x size change places. */
#define CONV_TURN(size)                                                                \
    INLINE void NAME(turn_##size)(VEC *r)                                              \
    {                                                                                  \
        const MASK low = CONV_LANES(CONV_LOW_##size), high = CONV_LANES(CONV_HIGH_##size); \
        _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & size))      \
        {                                                                              \
            VEC a = r[i], b = r[i + size];                                             \
            r[i] = __builtin_shuffle(a, b, low);                                       \
            r[i + size] = __builtin_shuffle(a, b, high);                               \
        }                                                                              \
    }
#define CONV_LOW(l, size) ((l) & (size) ? LANES + (l) - (size) : (l))
#define CONV_HIGH(l, size) ((l) & (size) ? LANES + (l) : (l) + (size))
#define CONV_LOW_1(l) CONV_LOW(l, 1)
#define CONV_LOW_2(l) CONV_LOW(l, 2)
#define CONV_LOW_4(l) CONV_LOW(l, 4)
#define CONV_LOW_8(l) CONV_LOW(l, 8)
#define CONV_HIGH_1(l) CONV_HIGH(l, 1)
#define CONV_HIGH_2(l) CONV_HIGH(l, 2)
#define CONV_HIGH_4(l) CONV_HIGH(l, 4)
#define CONV_HIGH_8(l) CONV_HIGH(l, 8)
#define CONV_EVEN(l) (2 * (l))
CONV_TURN(1)
#if LANES > 2
CONV_TURN(2)
#endif
#if LANES > 4
CONV_TURN(4)
#endif
#if LANES > 8
CONV_TURN(8)
#endif

/* r[i][j] and r[j][i] change places. */
INLINE void NAME(turn_square)(VEC *r)
{
    NAME(turn_1)(r);
#if LANES > 2
    NAME(turn_2)(r);
#endif
#if LANES > 4
    NAME(turn_4)(r);
#endif
#if LANES > 8
    NAME(turn_8)(r);
#endif
}
#endif

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
#ifdef CONV_SHUFFLE
        const MASK even = CONV_LANES(CONV_EVEN);
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
