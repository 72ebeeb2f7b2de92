/* What the steps of recurrent layers share: a product with weights that are laid out once for all.

   The weights lie in parts of at most DEPTH terms of the sum, each a row of panels of COLUMNS
   columns, so that a panel stays in the first-level cache while all rows of the state meet it. */

#include "exp.h"
#include "sigmoid.h"
#include "linear.h"
#include "recurrent_walk.h"

#undef DEPTH
#define DEPTH 256

/* Numbers of a row of sums: `columns` and what completes the last panel. */
INLINE long NAME(whole_panels)(long columns) { return (columns + COLUMNS - 1) / COLUMNS * COLUMNS; }

/* packed[part][panel][p][COLUMNS] of b, whose element (p, j) is b[p * columns + j] or, turned,
   b[j * depth + p]; zeros behind the last column. */
static void NAME(pack_weights)(const REAL *b, int turned, long depth, long columns, REAL *packed)
{
    for (long from = 0; from < depth; from += DEPTH) {
        long deep = depth - from < DEPTH ? depth - from : DEPTH;
        for (long j = 0; j < columns; j += COLUMNS, packed += deep * COLUMNS) {
            long width = columns - j < COLUMNS ? columns - j : COLUMNS;
            if (turned)
                NAME(pack_turned)(b + j * depth + from, depth, deep, width, packed);
            else
                NAME(pack_right)(b + from * columns + j, columns, deep, width, packed);
        }
    }
}

/* c (rows x whole panels) = a (rows x depth, a_row apart) times packed weights. The rows are dealt
   to tiles evenly: a tile of few rows waits for its own sums. */
static void NAME(packed_product)(
    const REAL *a, long a_row, const REAL *packed, long rows, long depth, long columns, REAL *c)
{
    long width = NAME(whole_panels)(columns), tiles = (rows + ROWS - 1) / ROWS;
    for (long from = 0; from < depth; from += DEPTH) {
        long deep = depth - from < DEPTH ? depth - from : DEPTH;
        const NAME(ending) end = {NULL, from > 0, 0};
        for (long j = 0; j < width; j += COLUMNS, packed += deep * COLUMNS)
            for (long tile = 0; tile < tiles; tile++) {
                long i = rows * tile / tiles, count = rows * (tile + 1) / tiles - i;
                const REAL *left = a + i * a_row + from;
                REAL *to = c + i * width + j;
#define TILE_OF(R)                                                                         \
    case R:                                                                                \
        NAME(tile)(left, a_row, 1, packed, COLUMNS, deep, to, width, &end, R);             \
        break;
                switch (count) {
                    TILE_OF(1)
                    TILE_OF(2)
                    TILE_OF(3)
                    TILE_OF(4)
                    TILE_OF(5)
                    TILE_OF(6)
#if ROWS > 6
                    TILE_OF(7)
                    TILE_OF(8)
                    TILE_OF(9)
                    TILE_OF(10)
                    TILE_OF(11)
                    TILE_OF(12)
                    TILE_OF(13)
                    TILE_OF(14)
#endif
                }
#undef TILE_OF
            }
    }
}

/* LANES numbers at p, or the first `count` of them and zeros. */
INLINE VEC NAME(some)(const REAL *p, long count)
{
    return count >= LANES ? LOAD(p) : NAME(load_part)(p, count, 0);
}

INLINE void NAME(put)(REAL *p, VEC v, long count)
{
    if (count >= LANES)
        STORE(p, v);
    else
        NAME(store_part)(p, v, count);
}

/* Short loops, one for each function: the processor then works on many vectors at once, where the
   exponentials of one would wait for each other. What follows d is done for each vector, and for
   the `left` numbers at the end. */
#undef ROW_LOOP
#define ROW_LOOP(d, ...)                              \
    {                                                 \
        long j = 0;                                   \
        for (; j + LANES <= (d); j += LANES) {        \
            const long left = LANES;                  \
            __VA_ARGS__                               \
        }                                             \
        if (j < (d)) {                                \
            const long left = (d) - j;                \
            __VA_ARGS__                               \
        }                                             \
    }
