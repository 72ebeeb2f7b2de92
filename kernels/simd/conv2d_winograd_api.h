/* 3x3 convolution of stride 1, dilation 1, one group, in float, by Winograd's F(4x4, 3x3), or down the
   columns only, by F(4x1, 3x1) or F(2x1, 3x1): tall x wide are the outputs of a tile, and tiles with
   wide = 1 are worked on by strips, all those side by side.

   x is (n, c, h, w), weight (o, c, 3, 3), y (n, o, h + 2 ph - 2, w + 2 pw - 2), paddings at most
   2; all contiguous. The gradient by the input is winograd_forward_f32 with dy as x, o and c
   exchanged, paddings 2 - ph and 2 - pw, and weights prepared with backward = 1. What is
   computed, and how accurately, stands in conv2d_winograd.h. */

#ifndef CONV2D_WINOGRAD_API_H
#define CONV2D_WINOGRAD_API_H

/* Numbers in a vector of the processor at hand. */
long winograd_lanes(void);

/* Floats that the transformed weights (o, c, 3, 3) take, whichever the direction. */
long winograd_weights_size(long o, long c);

/* Transformed weights: weight is (o, c, 3, 3); it must live as long as u is used. */
void winograd_prepare_f32(const float *weight, long o, long c, int backward, int tall, int wide,
                          float *u);

/* Tiles of the output, or strips, the items that are split over threads. */
long winograd_items(long n, long h, long w, long ph, long pw, long tall, long wide);

/* Floats of scratch that one thread needs, for winograd_forward_f32 or the gradient by the
   weights. */
long winograd_room_size(long c, long o);

/* The same for strips of images of width w with padding pw. */
long winograd_strips_room_size(long c, long w, long pw);

/* Items start .. stop of y; where `anew`, a few tiles that are not finite are computed anew, but no
   strips. *finite is 0 where more are not: then the direct way must be taken for all. bias may be
   NULL. */
void winograd_forward_f32(const float *x, const float *u, const float *bias, float *y, long n,
                          long c, long h, long w, long o, long ph, long pw, long start, long stop,
                          int anew, float *room, int *finite);

/* Floats of one partial gradient by the weights. */
long winograd_gradient_size(long o, long c);

/* What tiles start .. stop contribute to the gradient by the weights, still transformed. */
void winograd_weight_gradient_f32(const float *x, const float *dy, float *part, long n, long c,
                                  long h, long w, long o, long ph, long pw, long start, long stop,
                                  float *room);

/* dweight from `count` parts, added in order; returns 0 where some value
   is not finite: then the direct way must be taken, to have NaN and infinity where they belong. */
int winograd_finish_gradient_f32(const float *const *parts, long count, long o, long c,
                                 float *dweight);

#endif
