/* The gradient of Winograd's convolution by the weights; part of conv2d_winograd.h.

   Of y = A' [(G g G') * (B' d B)] A, summed over channels, the gradient by g is
   dg = G' [sum over tiles of (A dy A') * (B' d B)] G: each of the 36 elements is a matrix product
   (outputs, tiles) by (tiles, channels). */

#undef GROUP
#define GROUP (LANES < 4 ? 4 : LANES) /* outputs that lie together */

INLINE long NAME(span)(long c) { return NAME(up)(c, LANES); }
INLINE long NAME(part_size)(long o, long c) { return 36 * NAME(up)(o, GROUP) * NAME(span)(c); }

/* Channels of a panel: two vectors where three would leave one for a product of its own, if products
   have rows enough to be as quick with two. */
INLINE long NAME(panel_width)(long c)
{
    const long vectors = NAME(span)(c) / LANES;
    return ROWS == 8 && vectors % 3 == 1 && vectors % 2 == 0 ? 2 * LANES : WIDTH;
}

/* Tiles of all channels, transformed: v[element][panel of `width` channels][tile][channel in it].
   The gradients dy are read where they are, unless a tile hangs over the edge. */
static void NAME(many_tiles)(const REAL *x, const tiling *tiles, long t, long count, int pixels,
                             long width, REAL *v, long step, REAL *sheet)
{
    const long c = tiles->channels, lanes = NAME(up)(c, pixels ? LANES : GROUP);
    layout l;
    for (long begin = 0; begin < count; begin += NAME(SHEET)) {
        lay_out(&l, tiles, t + begin, least(NAME(SHEET), count - begin));
        int copied = pixels;
        for (long i = 0; i < l.count; i++) {
            l.output[i] = (l.image[i] * c * tiles->h + l.y[i]) * tiles->w + l.x[i];
            copied |= l.y[i] + 4 > tiles->h || l.x[i] + 4 > tiles->w;
        }
        const long stride = copied ? l.stride : tiles->w;
        if (copied)
            memset(sheet, 0, LANES * l.size * sizeof(REAL));
        for (long k = 0; k < lanes; k += LANES) {
            const REAL *from[LANES], *at[LANES];
            REAL *to = v + k / width * width * NAME(DEPTH) + begin * width + k % width;
            for (long lane = 0; lane < LANES; lane++) {
                from[lane] = x + least(k + lane, c - 1) * tiles->h * tiles->w;
                if (copied) {
                    NAME(copy_pieces)(&l, from[lane], tiles->w, tiles->h * tiles->w,
                                      sheet + lane * l.size);
                    from[lane] = sheet + lane * l.size;
                }
            }
            for (long tile = 0; tile < l.count; tile++, to += width) {
                for (long lane = 0; lane < LANES; lane++)
                    at[lane] = from[lane] + (copied ? l.patch[tile] : l.output[tile]);
                if (pixels)
                    NAME(input_tiles)(at, stride, to, step, 1);
                else
                    NAME(output_gradient_tiles)(at, stride, to, step);
            }
        }
    }
}

static void NAME(winograd_weight_gradient)(const REAL *x, const REAL *dy, REAL *part, long n,
                                           long c, long h, long w, long o, long ph, long pw,
                                           long start, long stop, REAL *room)
{
    const long oh = h + 2 * ph - 2, ow = w + 2 * pw - 2, th = (oh + 3) / 4, tw = (ow + 3) / 4;
    const tiling inputs = {c, h, w, ph, pw, th, tw, 2}, outputs = {o, oh, ow, 0, 0, th, tw, 0};
    const long span = NAME(span)(c), rows = NAME(up)(o, GROUP), width = NAME(panel_width)(c);
    const long step = NAME(up)(c, width) * NAME(DEPTH) + 16, other = rows * NAME(DEPTH) + 16;
    REAL *v = NAME(aligned)(room), *z = v + 36 * step, *sheet = z + 36 * other;
    (void)n;
    if (start >= stop)
        memset(part, 0, NAME(part_size)(o, c) * sizeof(REAL));
    for (long t = start; t < stop; t += NAME(DEPTH)) {
        const long count = least(NAME(DEPTH), stop - t);
        NAME(many_tiles)(x, &inputs, t, count, 1, width, v, step, sheet);
        NAME(many_tiles)(dy, &outputs, t, count, 0, GROUP, z, other, sheet);
        for (int e = 0; e < 36; e++)
            for (long k = 0; k < c; k += width)
                for (long a = 0; a < rows; a += ROWS) {
                    const REAL *left = z + e * other + a / GROUP * GROUP * NAME(DEPTH) + a % GROUP;
                    NAME(product)(left, GROUP, v + e * step + k * NAME(DEPTH), width,
                                  part + (e * rows + a) * span + k, span, count, count,
                                  least(width, span - k) / LANES, t > start);
                }
    }
}

static void NAME(winograd_finish)(const REAL *const *parts, long count, long o, long c,
                                  REAL *dweight, int *finite)
{
    const long span = NAME(span)(c), element = NAME(up)(o, GROUP) * span;
    VEC total = SPLAT(0);
    for (long a = 0; a < o; a++)
        for (long k = 0; k < c; k += LANES) {
            VEC half[6][3];
            REAL taps[9][LANES];
            for (int j = 0; j < 6; j++) {
                VEC t[6];
                for (int i = 0; i < 6; i++) {
                    const long at = (6 * i + j) * element + a * span + k;
                    t[i] = LOAD(parts[0] + at);
                    for (long q = 1; q < count; q++)
                        t[i] += LOAD(parts[q] + at);
                }
                NAME(weights_gradient)(t, half[j]);
            }
            for (int i = 0; i < 3; i++) {
                const VEC t[6] = {half[0][i], half[1][i], half[2][i],
                                  half[3][i], half[4][i], half[5][i]};
                VEC g[3];
                NAME(weights_gradient)(t, g);
                for (int j = 0; j < 3; j++) {
                    STORE(taps[3 * i + j], g[j]);
                    total += g[j] - g[j];
                }
            }
            for (long lane = 0; lane < least(LANES, c - k); lane++)
                for (int tap = 0; tap < 9; tap++)
                    dweight[(a * c + k + lane) * 9 + tap] = taps[tap][lane];
        }
    *finite = SUM(total) == 0;
}
