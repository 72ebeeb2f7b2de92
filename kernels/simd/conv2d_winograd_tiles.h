/* Where the tiles of an output plane lie, and which pixels lie under them.

   Tiles are numbered row by row, image after image. A run of 4x4 tiles is laid out as pieces,
   rectangles of the image with their halo of pixels around, copied to a sheet of zeros: under
   every tile there then lie all the pixels it needs, with the same step from row to row. */

enum { MOST_TILES = 48 };

typedef struct {
    long channels, h, w, ph, pw; /* the image and its padding */
    long th, tw;                 /* rows and columns of tiles */
    long halo;                   /* pixels a tile needs beyond 4 */
} tiling;

typedef struct {
    long source, target, rows, columns;
} piece;

typedef struct {
    long count, pieces, stride, size;
    piece piece[MOST_TILES];
    long patch[MOST_TILES];                               /* the tile's first pixel, on the sheet */
    long image[MOST_TILES], y[MOST_TILES], x[MOST_TILES]; /* the tile's first output */
    long output[MOST_TILES];                              /* the same, among all outputs */
} layout;

static inline long least(long a, long b) { return a < b ? a : b; }
static inline long most(long a, long b) { return a > b ? a : b; }

/* Floats of a sheet for `count` tiles, at most. */
static inline long sheet_size(long count) { return 144 * count + 64; }

static void lay_out(layout *l, const tiling *g, long start, long count)
{
    l->count = count;
    l->pieces = l->size = 0;
    l->stride = 4 * least(g->tw, count) + 4;
    for (long t = start, k = 0; k < count; t = start + k) {
        const long image = t / (g->th * g->tw), ty = t / g->tw % g->th, tx = t % g->tw;
        const long left = count - k, whole = tx == 0 && left >= g->tw;
        const long down = whole ? least(left / g->tw, g->th - ty) : 1;
        const long across = whole ? g->tw : least(left, g->tw - tx);
        const long top = 4 * ty - g->ph, side = 4 * tx - g->pw;
        const long r0 = most(top, 0), r1 = least(top + 4 * down + g->halo, g->h);
        const long c0 = most(side, 0), c1 = least(side + 4 * across + g->halo, g->w);
        if (r0 < r1 && c0 < c1)
            l->piece[l->pieces++] = (piece){(image * g->channels * g->h + r0) * g->w + c0,
                                            l->size + (r0 - top) * l->stride + c0 - side,
                                            r1 - r0, c1 - c0};
        for (long i = 0; i < down * across; i++, k++) {
            l->patch[k] = l->size + (i / across * l->stride + i % across) * 4;
            l->image[k] = image;
            l->y[k] = 4 * (ty + i / across);
            l->x[k] = 4 * (tx + i % across);
        }
        l->size += (4 * down + g->halo) * l->stride;
    }
}
