/* Squares of LANES x LANES numbers turned over: rows become columns. Only where CAN_SHUFFLE. */

#undef CAN_SHUFFLE
#undef EACH_LANE
#if defined(MINIDL_VECTORS) && !defined(__clang__) && !defined(MINIDL_SCALAR)
#define CAN_SHUFFLE 1
/* f for every lane, as the numbers of a vector. */
#if LANES == 16
#define EACH_LANE(f)                                                                  \
    {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12),  \
     f(13), f(14), f(15)}
#elif LANES == 8
#define EACH_LANE(f) {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)}
#elif LANES == 4
#define EACH_LANE(f) {f(0), f(1), f(2), f(3)}
#else
#define EACH_LANE(f) {f(0), f(1)}
#endif
#endif

#ifdef CAN_SHUFFLE
/* One step of turning a square of vectors over: blocks of size x size change places. */
#define TURN(size)                                                                \
    INLINE void NAME(turn_##size)(VEC *r)                                              \
    {                                                                                  \
        const MASK low = EACH_LANE(TURN_LOW_##size), high = EACH_LANE(TURN_HIGH_##size); \
        _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & size))      \
        {                                                                              \
            VEC a = r[i], b = r[i + size];                                             \
            r[i] = __builtin_shuffle(a, b, low);                                       \
            r[i + size] = __builtin_shuffle(a, b, high);                               \
        }                                                                              \
    }
#define TURN_LOW(l, size) ((l) & (size) ? LANES + (l) - (size) : (l))
#define TURN_HIGH(l, size) ((l) & (size) ? LANES + (l) : (l) + (size))
#define TURN_LOW_1(l) TURN_LOW(l, 1)
#define TURN_LOW_2(l) TURN_LOW(l, 2)
#define TURN_LOW_4(l) TURN_LOW(l, 4)
#define TURN_LOW_8(l) TURN_LOW(l, 8)
#define TURN_HIGH_1(l) TURN_HIGH(l, 1)
#define TURN_HIGH_2(l) TURN_HIGH(l, 2)
#define TURN_HIGH_4(l) TURN_HIGH(l, 4)
#define TURN_HIGH_8(l) TURN_HIGH(l, 8)
TURN(1)
#if LANES > 2
TURN(2)
#endif
#if LANES > 4
TURN(4)
#endif
#if LANES > 8
TURN(8)
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

