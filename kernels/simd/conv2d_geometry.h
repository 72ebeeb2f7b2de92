/* The sizes of a convolution, and how positions and patches lie in memory. Free of number types. */

#ifndef CONV2D_GEOMETRY
#define CONV2D_GEOMETRY

#include <stddef.h>
#include <stdint.h>

/* x (n, c, h, w), weight (o, c / groups, kh, kw), y (n, o, oh, ow); as 16 numbers from Cython. */
typedef struct {
    long n, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw, groups, oh, ow;
} conv2d_geometry;

/* Windows of images, copied with their zeros around: cell (row, slot, q) of a plane is the pixel of
   row top + row * row_stride and column left + phases[slot] + q * column_stride. Columns that a
   window with a stride meets together lie side by side in one slot, so vectors can load them. */
typedef struct {
    long top, left, rows, row_stride, column_stride, slots, length; /* length of a slot */
    const long *phases;
} conv2d_window;

/* Output positions (image, row, column) of a block. The first number under one is at
   image * image_step + row * row_step + column in the windows; results lie side by side, at
   image * out_image + row * columns + column, and out_plane further for the next channel. Where
   spare, a vector's length behind the windows may be read. */
typedef struct {
    long images, rows, columns, image_step, row_step, out_image, out_plane, spare;
} conv2d_field;

/* Where a tile of the product finds its patches: in the windows, in a panel side by side, or in the
   windows and lays them into the panel for the tiles to come. */
enum { CONV_SCATTERED, CONV_PACKED, CONV_COLLECTED };

/* A position of a field: the column of a row whose first number is at `at` in the windows and whose
   first result is at `out`. */
typedef struct {
    long image, row, column, at, out;
} conv2d_cursor;

static inline void conv2d_advance(conv2d_cursor *here, const conv2d_field *f, long count)
{
    here->column += count;
    while (here->column >= f->columns) {
        here->column -= f->columns;
        here->at += f->row_step;
        here->out += f->columns;
        if (++here->row == f->rows) {
            here->row = 0;
            here->at = ++here->image * f->image_step;
            here->out = here->image * f->out_image;
        }
    }
}

static inline long conv2d_least(long a, long b) { return a < b ? a : b; }
static inline long conv2d_most(long a, long b) { return a > b ? a : b; }

/* Outputs cut into `count` panels: those before `taller` have height + 1 of them, others height. */
typedef struct {
    long count, height, taller;
} conv2d_panels;

/* As few panels of at most `rows` outputs as there can be, and as equal. */
static inline conv2d_panels conv2d_cut(long outputs, long rows)
{
    long count = (outputs + rows - 1) / rows;
    return (conv2d_panels){count, outputs / conv2d_most(count, 1),
                           outputs % conv2d_most(count, 1)};
}

/* The first output of panel p. */
static inline long conv2d_panel(const conv2d_panels *panels, long p)
{
    return p * panels->height + conv2d_least(p, panels->taller);
}

/* The largest part of `all` when it is cut into parts of at most `most`, as equal as can be. */
static inline long conv2d_share(long all, long most)
{
    long parts = conv2d_most((all + most - 1) / most, 1);
    return conv2d_most((all + parts - 1) / parts, 1);
}

/* Division that rounds down, for b > 0. */
static inline long conv2d_floor(long a, long b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

#endif
