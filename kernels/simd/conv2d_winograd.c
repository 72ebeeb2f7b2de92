/* 3x3 convolution by Winograd's algorithm; see conv2d_winograd.h for what is computed. */

#include "conv2d_winograd_api.h"
#include "conv2d_geometry.h"
#include "conv2d_winograd_tiles.h"

#define FLUSH_DENORMALS 1
#define FLOAT_ONLY
#define BODY "conv2d_winograd.h"
#include "multiversion.h"

DISPATCH_F32(winograd_prepare,
             (const float *weight, long o, long c, int backward, int tall, int wide, float *u),
             (weight, o, c, backward, tall, wide, u))

#define RANGE long n, long c, long h, long w, long o, long ph, long pw, long start, long stop
#define RANGE_ARGUMENTS n, c, h, w, o, ph, pw, start, stop
DISPATCH_F32(winograd_forward,
             (const float *x, const float *u, const float *bias, float *y, RANGE, int anew,
              float *room, int *finite),
             (x, u, bias, y, RANGE_ARGUMENTS, anew, room, finite))
DISPATCH_F32(winograd_weight_gradient,
             (const float *x, const float *dy, float *part, RANGE, float *room),
             (x, dy, part, RANGE_ARGUMENTS, room))

#define APART (const float *from, float *to, const long *sizes, long start, long stop)
DISPATCH_F32(winograd_apart, APART, (from, to, sizes, start, stop))
DISPATCH_F32(winograd_together, APART, (from, to, sizes, start, stop))

static DISPATCH_F32(winograd_vector, (long *lanes), (lanes))
static DISPATCH_F32(winograd_strips_size, (long c, long w, long pw, long *size), (c, w, pw, size))
static DISPATCH_F32(winograd_finish,
                    (const float *const *parts, long count, long o, long c, float *dweight,
                     int *finite),
                    (parts, count, o, c, dweight, finite))
static DISPATCH_F32(winograd_sizes, (long o, long c, long *weights, long *room, long *gradient),
                    (o, c, weights, room, gradient))

long winograd_lanes(void)
{
    long lanes;
    winograd_vector_f32(&lanes);
    return lanes;
}

int winograd_finish_gradient_f32(const float *const *parts, long count, long o, long c,
                                 float *dweight)
{
    int finite;
    winograd_finish_f32(parts, count, o, c, dweight, &finite);
    return finite;
}

long winograd_items(long n, long h, long w, long ph, long pw, long tall, long wide)
{
    const long oh = h + 2 * ph - 2, ow = w + 2 * pw - 2;
    return n * ((oh + tall - 1) / tall) * (wide == 1 ? 1 : (ow + wide - 1) / wide);
}

long winograd_weights_size(long o, long c)
{
    long weights, room, gradient;
    winograd_sizes_f32(o, c, &weights, &room, &gradient);
    return weights;
}

long winograd_room_size(long c, long o)
{
    long weights, room, gradient;
    winograd_sizes_f32(o, c, &weights, &room, &gradient);
    return room;
}

long winograd_gradient_size(long o, long c)
{
    long weights, room, gradient;
    winograd_sizes_f32(o, c, &weights, &room, &gradient);
    return gradient;
}

long winograd_strips_room_size(long c, long w, long pw)
{
    long size;
    winograd_strips_size_f32(c, w, pw, &size);
    return size;
}
