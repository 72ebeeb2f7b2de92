/* y = x W' made as y' = W x': the rows of W are read where they lie and x is packed, which is less
   work where there are more outputs than examples. y' is made beside y, a strip of outputs at a time,
   and turned over into it. Its sums are those of the other way, in the same order. */

#undef STRIP
#undef BATCH
#define STRIP (8 * ROWS) /* most outputs at once, a multiple of LANES */
#define BATCH 64         /* most examples at once, a multiple of COLUMNS: packed they fit L2 */

/* How many numbers of room this needs; 0 where it cannot be. */
static long NAME(swapped_room)(long m, long depth)
{
    return m % COLUMNS || depth > 4 * DEEP ? 0 : (m < BATCH ? m : BATCH) * (depth + STRIP);
}

/* Whether it saves time, counted in packed numbers: each takes as long as four multiplications in a
   tile (those by the zeros behind the last column are saved) or half as long as a number turned. */
static int NAME(swap_pays)(long m, long depth, long n)
{
    long zeros = (n + COLUMNS - 1) / COLUMNS * COLUMNS - n;
    return NAME(swapped_room)(m, depth) &&
           (n - m) * depth + m * depth * zeros / 4 > 2 * m * n;
}

/* y[i][j] = made[j][i] + bias[j], then ReLU where it is set; `rows` is a multiple of LANES. */
static void NAME(turn_out)(
    const REAL *made, const REAL *bias, int relu, REAL *y, long n, long rows, long outputs)
{
    for (long i = 0; i < rows; i += LANES) {
        long j = 0;
#ifdef CAN_SHUFFLE
        const VEC zero = SPLAT(0);
        for (; j + LANES <= outputs; j += LANES) {
            VEC square[LANES], shift = bias ? LOAD(bias + j) : zero;
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++)
                square[l] = LOAD(made + (j + l) * rows + i);
            NAME(turn_square)(square);
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++) {
                VEC v = square[l] + shift;
                STORE(y + (i + l) * n + j, relu ? SELECT(v <= zero, zero, v) : v);
            }
        }
#endif
        for (; j < outputs; j++)
            for (long r = i; r < i + LANES; r++) {
                REAL number = made[j * rows + r] + (bias ? bias[j] : 0);
                y[r * n + j] = relu && number <= 0 ? 0 : number;
            }
    }
}

/* made[o][r] = the sum for an output and an example, without what follows it. */
static void NAME(strip)(
    const REAL *w, const REAL *packed, REAL *made, long depth, long rows, long outputs)
{
    long part = NAME(part_of)(depth);
    for (long o = 0; o < outputs; o += ROWS)
        for (long r = 0; r < rows; r += COLUMNS)
            for (long from = 0; from < depth; from += part) {
                const REAL *panel = packed + r * depth + from * COLUMNS;
                const NAME(ending) end = {NULL, from > 0, 0};
                long deep = depth - from < part ? depth - from : part;
                NAME(panel_of)(
                    w + o * depth + from, depth, panel, COLUMNS, deep, made + o * rows + r, rows,
                    &end, outputs - o < ROWS ? outputs - o : ROWS, COLUMNS);
            }
}

/* The columns start .. stop of y (m x n) = x (m x depth) W' (depth x n), plus a bias for each column
   or NULL, then ReLU where it is set; m is a multiple of COLUMNS. */
static void NAME(linear_swapped)(
    const REAL *x, const REAL *w, const REAL *bias, int relu, REAL *y, long m, long depth, long n,
    long start, long stop, REAL *room)
{
    for (long i = 0; i < m; i += BATCH) {
        long rows = m - i < BATCH ? m - i : BATCH;
        REAL *made = room, *packed = room + STRIP * rows;
        for (long r = 0; r < rows; r += COLUMNS)
            NAME(pack_turned)(x + (i + r) * depth, depth, depth, COLUMNS, packed + r * depth);
        for (long j = start; j < stop; j += STRIP) {
            long outputs = stop - j < STRIP ? stop - j : STRIP;
            NAME(strip)(w + j * depth, packed, made, depth, rows, outputs);
            NAME(turn_out)(made, bias ? bias + j : NULL, relu, y + i * n + j, n, rows, outputs);
        }
    }
}
