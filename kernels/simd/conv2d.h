/* Convolution as implicit GEMM: forward and the two gradients, for a run of lines over all images.

   A line is one row of output positions (of the input's pixels in the gradient of the input).
   Blocks of lines are worked on whose windows fit the second-level cache. */

#include "conv2d_patches.h"
#include "conv2d_gemm.h"

#ifndef CONV2D_PLANES
#define CONV2D_PLANES (1 << 22)  /* bytes of planes to add to */

/* How the windows of forward and of the weight's gradient are laid out: rows of `pitch` numbers, in
   slots of `length`; tap (i, j) is i * dh * pitch + at[j] behind the first number of its patch. */
typedef struct {
    long slots, length, pitch, stride, step, *phases, *at;
} conv2d_layout;

/* Whether a patch is one pixel, and there are no zeros around the image. */
static int conv2d_pointwise(const conv2d_geometry *g)
{
    return g->kh == 1 && g->kw == 1 && !g->ph && !g->pw;
}

/* The same where the patches under an image are the image. */
static int conv2d_plain(const conv2d_geometry *g)
{
    return conv2d_pointwise(g) && g->sh == 1 && g->sw == 1;
}

/* The layout; room has place for 2 * kw numbers. */
static conv2d_layout conv2d_lay_out(const conv2d_geometry *g, long *room)
{
    conv2d_layout l = {0, g->ow, 0, g->kh == 1 ? g->sh : 1, g->kh == 1 ? 1 : g->sh, room,
                       room + g->kw};
    for (long j = 0; j < g->kw; j++)
        l.length = conv2d_most(l.length, g->ow + j * g->dw / g->sw);
    for (long j = 0; j < g->kw; j++) {
        long phase = j * g->dw % g->sw, slot = 0;
        while (slot < l.slots && l.phases[slot] != phase)
            slot++;
        if (slot == l.slots)
            l.phases[l.slots++] = phase;
        l.at[j] = slot * l.length + j * g->dw / g->sw;
    }
    l.pitch = l.slots * l.length;
    return l;
}

/* The rows of a window over so many lines. */
static long conv2d_depth(const conv2d_geometry *g, const conv2d_layout *l, long lines)
{
    return (lines - 1) * l->step + (g->kh - 1) * g->dh + 1;
}

/* off[(channel, i, j)]: the place of a patch's number relative to its first. */
static void conv2d_offsets(
    const conv2d_geometry *g, const conv2d_layout *l, long channels, long plane, long *off)
{
    for (long c = 0; c < channels; c++)
        for (long i = 0; i < g->kh; i++)
            for (long j = 0; j < g->kw; j++)
                *off++ = c * plane + i * g->dh * l->pitch + l->at[j];
}

/* The images and lines of the next block, nothing being empty: whole images while they fit, or
   lines of one image. A block of r lines takes least + each * (r - 1) numbers, of `room`. */
static void conv2d_next_block(
    long line, long stop, long lines, double least, double each, double room, long *images,
    long *rows)
{
    double image = least + each * (lines - 1);
    long row = line % lines;
    *images = 1;
    *rows = conv2d_least(lines - row, stop - line);
    if (row == 0 && stop - line >= lines && image <= room)
        *images = conv2d_least((stop - line) / lines, (long)(room / image));
    else if (least + each * (*rows - 1) > room)
        *rows = conv2d_most(1, (long)((room - least) / each) + 1);
}

/* Numbers of a block: most, or one line if that is more, or all there is if that is less. */
static double conv2d_block(double least, double each, double lines, double images, double most)
{
    double image = least + each * (lines - 1), all = image * images;
    double room = least > most ? least : most;
    return all < room ? all : room;
}
#endif

/* Bytes of windows in a block, which fit the second-level cache: one of processors with AVX-512 has a
   megabyte or two, of the oldest for laptops half of one. */
#undef CONV2D_BLOCK
#if defined(HAVE_AVX512)
#define CONV2D_BLOCK 393216
#else
#define CONV2D_BLOCK 196608
#endif

/* Whether all numbers are finite. */
static void NAME(conv2d_finite)(const REAL *numbers, long count, int *finite)
{
    VEC total = SPLAT(0);
    REAL rest = 0;
    long k = 0;
    for (; k + LANES <= count; k += LANES)
        total += LOAD(numbers + k) * 0;
    for (; k < count; k++)
        rest += numbers[k] * 0;
    *finite = SUM(total) + rest == 0;
}

#include "conv2d_forward.h"
#include "conv2d_backward_input.h"
#include "conv2d_few.h"
#include "conv2d_bundles.h"
#include "conv2d_bias.h"
#include "conv2d_backward_weight.h"
#include "conv2d_depthwise.h"
