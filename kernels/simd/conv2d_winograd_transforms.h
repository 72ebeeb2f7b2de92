/* The transforms of F(4, 3) and F(2, 3) on vectors whose lanes are tiles or channels; see
   conv2d_winograd.h. */

#define P_A ((REAL)(5. / 8))
#define P_B ((REAL)(3. / 2))
#define P_AA ((REAL)(25. / 64))
#define P_BB ((REAL)(9. / 4))
#define P_SUM ((REAL)(169. / 64))
#define P_ALL ((REAL)(225. / 256))
#define EXACT_N_0 (256. / 225)
#define EXACT_N_A (1 / (2 * 25. / 64 * (25. / 64 - 9. / 4)))
#define EXACT_N_B (1 / (2 * 9. / 4 * (9. / 4 - 25. / 64)))
#define N_0 ((REAL)EXACT_N_0)
#define N_A ((REAL)EXACT_N_A)
#define N_B ((REAL)EXACT_N_B)

/* The tile of a lane: those side by side are four lanes apart, where a load may then meet four. */
INLINE long NAME(tile_of)(long lane)
{
    return LANES < 4 ? lane : lane % 4 * (LANES / 4) + lane / 4;
}

/* Of how many lanes, four apart, p[lane] are always four numbers apart: of all, of two and two, or of
   each alone. */
INLINE int NAME(side_by_side)(const REAL *const *p)
{
    int side = LANES / 4;
    for (int lane = 4; lane < LANES; lane++)
        if (p[lane] != p[lane - 4] + 4)
            side = lane / 4 % 2 || side == 1 ? 1 : 2;
    return side;
}

#ifdef MINIDL_VECTORS
typedef REAL NAME(quad) __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
typedef REAL NAME(eight) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
#define QUAD NAME(quad)
#if defined(__clang__) || __GNUC__ >= 12
#define JOINS_PIECES 1 /* __builtin_shufflevector takes and makes vectors of any size */
#endif
#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (MASK){__VA_ARGS__})
#endif
#if LANES == 4
#define LOWS(a, b) SHUFFLE(a, b, 0, 4, 1, 5)
#define HIGHS(a, b) SHUFFLE(a, b, 2, 6, 3, 7)
#define LOW_PAIRS(a, b) SHUFFLE(a, b, 0, 1, 4, 5)
#define HIGH_PAIRS(a, b) SHUFFLE(a, b, 2, 3, 6, 7)
#elif LANES == 8
#define LOWS(a, b) SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGHS(a, b) SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW_PAIRS(a, b) SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH_PAIRS(a, b) SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define LOWS(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGHS(a, b) SHUFFLE(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LOW_PAIRS(a, b) \
    SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH_PAIRS(a, b) \
    SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#endif

/* Four numbers from each of the pointers p[0], p[4], p[8] ..., one behind the other, of which `side` lie
   side by side. In registers: what goes through memory in pieces and comes back as a whole waits for
   all of them. */
INLINE VEC NAME(fours)(const REAL *const *p, long at, const int side)
{
    if (side * 4 == LANES)
        return LOAD(p[0] + at);
#if LANES == 16 && defined(JOINS_PIECES)
    if (side == 2)
        return __builtin_shufflevector(*(const NAME(eight) *)(p[0] + at),
                                       *(const NAME(eight) *)(p[8] + at), 0, 1, 2, 3, 4, 5, 6, 7, 8,
                                       9, 10, 11, 12, 13, 14, 15);
#endif
#define QUAD_AT(i) (*(const QUAD *)(p[i] + at))
#define EIGHT_AT(i) \
    __builtin_shufflevector(QUAD_AT(i), QUAD_AT((i) + 4), 0, 1, 2, 3, 4, 5, 6, 7)
#if LANES == 8 && defined(JOINS_PIECES)
    return EIGHT_AT(0);
#elif LANES == 16 && defined(JOINS_PIECES)
    return __builtin_shufflevector(EIGHT_AT(0), EIGHT_AT(8), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                                   12, 13, 14, 15);
#else
    union {
        VEC all;
        QUAD part[LANES / 4];
    } v;
    for (int i = 0; i < LANES / 4; i++)
        v.part[i] = QUAD_AT(4 * i);
    return v.all;
#endif
#undef EIGHT_AT
#undef QUAD_AT
}

/* d[j] = the numbers p[lane][at + j], j = 0 .. 3. */
INLINE void NAME(columns)(const REAL *const *p, long at, VEC *d, const int side)
{
    const VEC a = NAME(fours)(p, at, side), b = NAME(fours)(p + 1, at, side);
    const VEC c = NAME(fours)(p + 2, at, side), e = NAME(fours)(p + 3, at, side);
    const VEC l = LOWS(a, b), m = LOWS(c, e), h = HIGHS(a, b), i = HIGHS(c, e);
    d[0] = LOW_PAIRS(l, m);
    d[1] = HIGH_PAIRS(l, m);
    d[2] = LOW_PAIRS(h, i);
    d[3] = HIGH_PAIRS(h, i);
}

/* d[j] = the numbers p[lane][at + j], j = 0, 1. */
INLINE void NAME(two_columns)(const REAL *const *p, long at, VEC *d, const int side)
{
    const VEC l = LOWS(NAME(fours)(p, at, side), NAME(fours)(p + 1, at, side));
    const VEC m = LOWS(NAME(fours)(p + 2, at, side), NAME(fours)(p + 3, at, side));
    d[0] = LOW_PAIRS(l, m);
    d[1] = HIGH_PAIRS(l, m);
}

/* The way back from `columns`: p[lane][at + j] = d[j]. */
INLINE void NAME(rows)(const VEC *d, REAL *const *p, long at, const int side)
{
    const VEC l = LOWS(d[0], d[1]), m = LOWS(d[2], d[3]);
    const VEC h = HIGHS(d[0], d[1]), i = HIGHS(d[2], d[3]);
    const VEC quads[4] = {LOW_PAIRS(l, m), HIGH_PAIRS(l, m), LOW_PAIRS(h, i), HIGH_PAIRS(h, i)};
    for (int k = 0; k < 4; k++) {
        if (side * 4 == LANES) {
            STORE(p[k] + at, quads[k]);
            continue;
        }
#if LANES == 16 && defined(JOINS_PIECES)
        if (side == 2) {
            *(NAME(eight) *)(p[k] + at) =
                __builtin_shufflevector(quads[k], quads[k], 0, 1, 2, 3, 4, 5, 6, 7);
            *(NAME(eight) *)(p[k + 8] + at) =
                __builtin_shufflevector(quads[k], quads[k], 8, 9, 10, 11, 12, 13, 14, 15);
            continue;
        }
#endif
#ifdef JOINS_PIECES
#define PUT_QUAD(q) \
    *(QUAD *)(p[k + 4 * (q)] + at) = \
        __builtin_shufflevector(quads[k], quads[k], 4 * (q), 4 * (q) + 1, 4 * (q) + 2, 4 * (q) + 3)
        PUT_QUAD(0);
#if LANES > 4
        PUT_QUAD(1);
#endif
#if LANES > 8
        PUT_QUAD(2);
        PUT_QUAD(3);
#endif
#undef PUT_QUAD
#else
        const QUAD *part = (const QUAD *)&quads[k];
        for (int q = 0; q < LANES / 4; q++)
            *(QUAD *)(p[4 * q + k] + at) = part[q];
#endif
    }
}
#else
INLINE void NAME(columns)(const REAL *const *p, long at, VEC *d, const int side)
{
    (void)side;
    for (int j = 0; j < 4; j++)
        d[j] = p[0][at + j];
}
INLINE void NAME(two_columns)(const REAL *const *p, long at, VEC *d, const int side)
{
    (void)side;
    d[0] = p[0][at];
    d[1] = p[0][at + 1];
}
INLINE void NAME(rows)(const VEC *d, REAL *const *p, long at, const int side)
{
    (void)side;
    for (int j = 0; j < 4; j++)
        p[0][at + j] = d[j];
}
#endif

/* B' d. */
INLINE void NAME(input)(const VEC *d, VEC *t)
{
    const VEC even_a = d[4] - P_BB * d[2], odd_a = d[3] - P_BB * d[1];
    const VEC even_b = d[4] - P_AA * d[2], odd_b = d[3] - P_AA * d[1];
    t[0] = d[4] - P_SUM * d[2] + P_ALL * d[0];
    t[1] = even_a + P_A * odd_a;
    t[2] = even_a - P_A * odd_a;
    t[3] = even_b + P_B * odd_b;
    t[4] = even_b - P_B * odd_b;
    t[5] = d[5] - P_SUM * d[3] + P_ALL * d[1];
}

/* A' m. */
INLINE void NAME(output)(const VEC *m, VEC *y)
{
    const VEC even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const VEC even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = P_A * odd_a + P_B * odd_b;
    y[2] = P_AA * even_a + P_BB * even_b;
    y[3] = m[5] + P_A * P_AA * odd_a + P_B * P_BB * odd_b;
}

/* A y. */
INLINE void NAME(output_gradient)(const VEC *y, VEC *m)
{
    const VEC even_a = y[0] + P_AA * y[2], odd_a = P_A * (y[1] + P_AA * y[3]);
    const VEC even_b = y[0] + P_BB * y[2], odd_b = P_B * (y[1] + P_BB * y[3]);
    m[0] = y[0];
    m[1] = even_a + odd_a;
    m[2] = even_a - odd_a;
    m[3] = even_b + odd_b;
    m[4] = even_b - odd_b;
    m[5] = y[3];
}

/* G g. */
INLINE void NAME(weights)(const VEC *g, VEC *u)
{
    const VEC even_a = N_A * g[0] + N_A * P_AA * g[2], odd_a = N_A * P_A * g[1];
    const VEC even_b = N_B * g[0] + N_B * P_BB * g[2], odd_b = N_B * P_B * g[1];
    u[0] = N_0 * g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
}

/* G' u. */
INLINE void NAME(weights_gradient)(const VEC *u, VEC *g)
{
    const VEC even_a = N_A * (u[1] + u[2]), even_b = N_B * (u[3] + u[4]);
    g[0] = N_0 * u[0] + even_a + even_b;
    g[1] = N_A * P_A * (u[1] - u[2]) + N_B * P_B * (u[3] - u[4]);
    g[2] = P_AA * even_a + P_BB * even_b + u[5];
}

/* The first two of F(2, 3). */
INLINE void NAME(input_of_two)(const VEC *d, VEC *t)
{
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
}
INLINE void NAME(output_of_two)(const VEC *m, VEC *y)
{
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] + m[3];
}

#undef LOWS
#undef HIGHS
#undef LOW_PAIRS
#undef HIGH_PAIRS
#undef SHUFFLE
