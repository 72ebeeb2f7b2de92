/* Products of matrices for the fully connected layer, in sizes that a training step meets many times.

   BLAS libraries are made for large matrices; here a product is one call, nothing is packed that need
   not be, and what follows it (bias, ReLU) is done while its numbers are in registers. */

#include "turn.h"

#undef ROWS
#undef COLUMNS
#undef DEEP
#undef BLOCK
#undef SHARE
#undef GROUP
#if defined(HAVE_AVX512)
#define ROWS 14
#define BLOCK (48 / (long)sizeof(REAL) * ROWS) /* most rows at once: they fit the second-level cache */
#define SHARE (BLOCK / 3) /* rows of a block where there are several: B's panels stay in that cache */
#else
#define ROWS 6
#define BLOCK (96 / (long)sizeof(REAL) * ROWS)
#define SHARE BLOCK
#endif
#define COLUMNS (2 * LANES)
#define DEEP 400 /* most terms of a sum at once, a multiple of 16: a panel of B fits L1 */
#define GROUP (64 * COLUMNS) /* most columns whose panels wait for the next block of rows */

/* packed[panel of ROWS rows][p][row] = a[i + p * a_deep], zeros behind the last row. Terms of a sum lie
   apart, so all panels take what is theirs of one before the next is fetched. */
static void NAME(pack_left)(const REAL *a, long a_deep, long m, long deep, REAL *packed)
{
    const long whole = m / ROWS * ROWS;
    for (long p = 0; p < deep; p++, a += a_deep, packed += ROWS) {
        for (long i = 0; i < whole; i += ROWS)
            memcpy(packed + i * deep, a + i, ROWS * sizeof(REAL));
        if (whole < m)
            for (long r = 0; r < ROWS; r++)
                packed[whole * deep + r] = whole + r < m ? a[whole + r] : 0;
    }
}

/* panel[p][j] = b[p * b_row + j], zeros behind `width` columns. */
static void NAME(pack_right)(const REAL *b, long b_row, long deep, long width, REAL *panel)
{
    for (long p = 0; p < deep; p++, panel += COLUMNS, b += b_row)
        if (width == COLUMNS) {
            STORE(panel, LOAD(b));
            STORE(panel + LANES, LOAD(b + LANES));
        } else
            for (long j = 0; j < COLUMNS; j++)
                panel[j] = j < width ? b[j] : 0;
}

/* panel[p][j] = b[j * b_row + p], zeros behind `width` columns: the rows of b become columns. */
static void NAME(pack_turned)(const REAL *b, long b_row, long deep, long width, REAL *panel)
{
    for (long j = 0; j < COLUMNS; j += LANES) {
        long p = 0;
#ifdef CAN_SHUFFLE
        for (; j + LANES <= width && p + LANES <= deep; p += LANES) {
            VEC square[LANES];
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++)
                square[i] = LOAD(b + (j + i) * b_row + p);
            NAME(turn_square)(square);
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++)
                STORE(panel + (p + i) * COLUMNS + j, square[i]);
        }
#endif
        for (; p < deep; p++)
            for (long i = j; i < j + LANES; i++)
                panel[p * COLUMNS + i] = i < width ? b[i * b_row + p] : 0;
    }
}

/* What becomes of a sum: it is added to what C holds (`add`), then gets the bias of its column, and
   where `relu` is set 0 takes the place of what is not positive. */
typedef struct {
    const REAL *bias;
    int add, relu;
} NAME(ending);

/* A tile of C: rows of A, row_step apart with their terms deep_step apart, times a panel of B with its
   rows b_row apart. `rows` is a constant where this is inlined. */
INLINE void NAME(tile)(
    const REAL *a, long row_step, long deep_step, const REAL *b, long b_row, long deep, REAL *c,
    long c_row, const NAME(ending) *end, const int rows)
{
    VEC t[ROWS][2], left = SPLAT(0), right = left;
    const VEC zero = left;
    for (int i = 0; i < rows; i++)
        t[i][0] = t[i][1] = zero;
    for (long p = 0; p < deep; p++, b += b_row, a += deep_step) {
        left = LOAD(b);
        right = LOAD(b + LANES);
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++) {
            VEC number = SPLAT(a[i * row_step]);
            t[i][0] += number * left;
            t[i][1] += number * right;
        }
    }
    if (end->add) {
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++) {
            t[i][0] += LOAD(c + i * c_row);
            t[i][1] += LOAD(c + i * c_row + LANES);
        }
    }
    if (end->bias) {
        left = LOAD(end->bias);
        right = LOAD(end->bias + LANES);
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++) {
            t[i][0] += left;
            t[i][1] += right;
        }
    }
    if (end->relu) {
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++) {
            t[i][0] = SELECT(t[i][0] <= zero, zero, t[i][0]);
            t[i][1] = SELECT(t[i][1] <= zero, zero, t[i][1]);
        }
    }
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
        STORE(c + i * c_row, t[i][0]);
        STORE(c + i * c_row + LANES, t[i][1]);
    }
}

/* A tile at the edge: fewer rows, or fewer columns; with these it is made beside C. */
static void NAME(edge)(
    const REAL *a, long row_step, long deep_step, const REAL *b, long b_row, long deep, REAL *c,
    long c_row, const NAME(ending) *end, long rows, long width)
{
    REAL made[ROWS * COLUMNS];
    const NAME(ending) plain = {NULL, 0, 0};
    int in_place = width == COLUMNS;
    const NAME(ending) *then = in_place ? end : &plain;
    REAL *to = in_place ? c : made;
    long to_row = in_place ? c_row : COLUMNS, beside = in_place ? 0 : rows;
    for (; rows >= ROWS; rows -= ROWS, a += ROWS * row_step, to += ROWS * to_row)
        NAME(tile)(a, row_step, deep_step, b, b_row, deep, to, to_row, then, ROWS);
    for (; rows >= 4; rows -= 4, a += 4 * row_step, to += 4 * to_row)
        NAME(tile)(a, row_step, deep_step, b, b_row, deep, to, to_row, then, 4);
    for (; rows >= 2; rows -= 2, a += 2 * row_step, to += 2 * to_row)
        NAME(tile)(a, row_step, deep_step, b, b_row, deep, to, to_row, then, 2);
    if (rows)
        NAME(tile)(a, row_step, deep_step, b, b_row, deep, to, to_row, then, 1);
    for (long i = 0; i < beside; i++)
        for (long j = 0; j < width; j++) {
            REAL *there = c + i * c_row + j;
            REAL number = made[i * COLUMNS + j] + (end->add ? *there : 0);
            number += end->bias ? end->bias[j] : 0;
            *there = end->relu && number <= 0 ? 0 : number;
        }
}

/* The rows of a block, or fewer, for one panel of B: A's own, or packed ones where a_row is 0. */
INLINE void NAME(panel_of)(
    const REAL *a, long a_row, const REAL *b, long b_row, long deep, REAL *c, long c_row,
    const NAME(ending) *end, long rows, long width)
{
    long row_step = a_row ? a_row : 1, deep_step = a_row ? 1 : ROWS;
    for (; rows > 0; rows -= ROWS, a += a_row ? ROWS * a_row : ROWS * deep, c += ROWS * c_row)
        if (rows < ROWS || width < COLUMNS)
            NAME(edge)(a, row_step, deep_step, b, b_row, deep, c, c_row, end,
                       rows < ROWS ? rows : ROWS, width);
        else if (a_row)
            NAME(tile)(a, a_row, 1, b, b_row, deep, c, c_row, end, ROWS);
        else
            NAME(tile)(a, 1, ROWS, b, b_row, deep, c, c_row, end, ROWS);
}

/* How many terms of each sum are added before the next part begins. */
static long NAME(part_of)(long depth)
{
    long parts = (depth + DEEP - 1) / DEEP;
    return parts > 1 ? ((depth + parts - 1) / parts + 15) / 16 * 16 : DEEP;
}

#include "linear_swapped.h"

/* How many columns of packed panels are kept at once: one panel where there is one block of rows. */
static long NAME(panels_kept)(long m, long n)
{
    if (m <= BLOCK)
        return COLUMNS;
    return n < GROUP ? (n + COLUMNS - 1) / COLUMNS * COLUMNS : GROUP;
}

/* C (m x n) = A (m x depth) B (depth x n), plus a bias for each column or NULL, then ReLU where it is
   set: the columns start .. stop. C's rows are n apart. A's element (i, p) is a[i * a_row + p *
   a_deep], one of which is 1; B's element (p, j) is b[p * n + j], or, turned, b[j * depth + p]. */
static void NAME(linear_product)(
    const REAL *a, long a_row, long a_deep, const REAL *b, int turned, const REAL *bias, int relu,
    REAL *c, long m, long depth, long n, long start, long stop, REAL *room)
{
    if (turned && a_deep == 1 && NAME(swap_pays)(m, depth, stop - start)) {
        NAME(linear_swapped)(a, b, bias, relu, c, m, depth, n, start, stop, room);
        return;
    }
    /* Rows of B serve as they lie to few rows of A, of a B that the caches hold; those a multiple of
       1 KiB apart crowd into few lines of the first. */
    const int held = depth * n <= (1 << 21) / (long)sizeof(REAL);
    const int pack = n % 256 == 0 || m > (held ? 4 * ROWS : ROWS);
    const long part = NAME(part_of)(depth), panels = NAME(panels_kept)(m, stop - start);
    const long most = m > BLOCK ? SHARE : BLOCK;
    for (long from = 0; from == 0 || from < depth; from += part)
        for (long group = start; group < stop; group += GROUP) {
            const long until = stop - group < GROUP ? stop : group + GROUP;
            const long deep = depth - from < part ? depth - from : part;
            const int last = from + deep >= depth;
            REAL *left = room + panels * deep;
            for (long i = 0; i < m; i += most) {
                const long rows = m - i < most ? m - i : most;
                const REAL *block = a + i * a_row + from * a_deep;
                if (a_deep != 1) {
                    NAME(pack_left)(block, a_deep, rows, deep, left);
                    block = left;
                }
                for (long j = group; j < until; j += COLUMNS) {
                    NAME(ending) end = {bias && last ? bias + j : NULL, from > 0, relu && last};
                    long width = stop - j < COLUMNS ? stop - j : COLUMNS, step = COLUMNS;
                    REAL *panel = panels > COLUMNS ? room + (j - group) * deep : room;
                    const REAL *right = panel;
                    if (!turned && !pack && width == COLUMNS)
                        right = b + from * n + j, step = n;
                    else if (i == 0 && turned)
                        NAME(pack_turned)(b + j * depth + from, depth, deep, width, panel);
                    else if (i == 0)
                        NAME(pack_right)(b + from * n + j, n, deep, width, panel);
                    NAME(panel_of)(
                        block, a_deep == 1 ? a_row : 0, right, step, deep, c + i * n + j, n, &end,
                        rows, width);
                }
            }
        }
}

/* How many numbers of room `linear_product` needs. */
static void NAME(linear_room)(long m, long depth, long n, long *numbers)
{
    long rows = m < BLOCK ? (m + ROWS - 1) / ROWS * ROWS : BLOCK;
    long swapped = NAME(swapped_room)(m, depth);
    *numbers = (depth < DEEP ? depth : DEEP) * (rows + NAME(panels_kept)(m, n));
    *numbers = *numbers < swapped ? swapped : *numbers;
}

/* y += bias, then ReLU where it is set: what remains to be done behind BLAS. */
static void NAME(linear_finish)(REAL *y, const REAL *bias, int relu, long n, long k)
{
    const VEC zero = SPLAT(0);
    for (long i = 0; i < n; i++, y += k) {
        long j = 0;
        for (; j + LANES <= k; j += LANES) {
            VEC v = LOAD(y + j) + (bias ? LOAD(bias + j) : zero);
            STORE(y + j, relu ? SELECT(v <= zero, zero, v) : v);
        }
        for (; j < k; j++) {
            REAL number = y[j] + (bias ? bias[j] : 0);
            y[j] = relu && number <= 0 ? 0 : number;
        }
    }
}

/* db = the sum of the rows of g, where g is dy, or dy where y > 0 and else 0 if there is a y; then g
   is written. Sums of 64 rows are summed, so that many rows do not wear the last digits away. */
static void NAME(linear_bias)(
    const REAL *dy, const REAL *y, REAL *g, REAL *db, REAL *part, long n, long k)
{
    memset(db, 0, k * sizeof(REAL));
    for (long from = 0; from < n; from += 64) {
        long to = n - from < 64 ? n : from + 64;
        memset(part, 0, k * sizeof(REAL));
        for (long i = from; i < to; i++) {
            const REAL *row = dy + i * k;
            long j = 0;
            for (; j + LANES <= k; j += LANES) {
                VEC v = LOAD(row + j);
                if (y) {
                    v = SELECT(LOAD(y + i * k + j) <= 0, SPLAT(0), v);
                    STORE(g + i * k + j, v);
                }
                STORE(part + j, LOAD(part + j) + v);
            }
            for (; j < k; j++) {
                REAL number = y && y[i * k + j] <= 0 ? 0 : row[j];
                if (y)
                    g[i * k + j] = number;
                part[j] += number;
            }
        }
        for (long j = 0; j < k; j++)
            db[j] += part[j];
    }
}
