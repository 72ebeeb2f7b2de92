/* Convolution of bundles of LANES images, a vector's lanes over the images: forward and dx.

   Where images lie turned over, the numbers of one place side by side, every step of a window is a
   whole vector: no row ends within one, no stride needs copies, and taps that meet nothing but zeros
   around the image are left out. Turning costs as much as a few taps, so this way is for windows of
   more than that; and a few planes must fit the second-level cache, so it is for small images. */

#ifndef CONV2D_BUNDLES
#define CONV2D_BUNDLES

/* Along one axis: tap t of output v meets place v * step + at[t], which is in the image from 0 to
   size - 1; output v goes to v * out_step + out. The places of the taps rise or fall. */
typedef struct {
    long count, size, step, taps, out_step, out;
    const long *at;
} conv2d_axis;

/* The taps, from *begin up to *end, by which outputs first .. last meet the image. */
static void conv2d_reach(const conv2d_axis *a, long first, long last, long *begin, long *end)
{
    *begin = *end = 0;
    for (long t = 0; t < a->taps; t++)
        if (last * a->step + a->at[t] >= 0 && first * a->step + a->at[t] < a->size) {
            if (*begin == *end)
                *begin = t;
            *end = t + 1;
        }
}

/* The tiles of a product; see conv2d_gemm.h. */
enum { BUNDLE_SLIM, BUNDLE_BROAD, BUNDLE_TALL };
#endif

/* Planes of a bundle: the numbers of row r and column q of plane k are the vector at line
   first + k * plane + r * pitch + q. */
typedef struct {
    REAL *lines;
    long first, plane, pitch;
} NAME(turned);

/* square[j][l] = x[l * step + j]: LANES numbers of each of up to LANES images; 0 where there is
   none. */
INLINE void NAME(turn_images)(const REAL *x, long step, long images, VEC *square)
{
#ifdef CAN_SHUFFLE
    if (images >= LANES) {
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++)
            square[l] = LOAD(x + l * step);
    } else
        for (int l = 0; l < LANES; l++)
            square[l] = l < images ? LOAD(x + l * step) : SPLAT(0);
    NAME(turn_square)(square);
#else
    REAL numbers[LANES * LANES] = {0};
    for (long l = 0; l < conv2d_least(images, LANES); l++)
        for (long j = 0; j < LANES; j++)
            numbers[j * LANES + l] = x[l * step + j];
    for (long j = 0; j < LANES; j++)
        square[j] = LOAD(numbers + j * LANES);
#endif
}

/* Turns planes of h x w of up to LANES images over, `step` numbers from one image to the next. */
static void NAME(turn_in)(
    const REAL *x, long step, long images, long planes, long h, long w, const NAME(turned) *to)
{
    const long size = h * w, span = conv2d_least(LANES, size);
    REAL few[LANES * LANES] = {0};
    for (long k = 0; k < planes; k++, x += size)
        for (long t = 0; t < size; t += LANES) {
            VEC square[LANES];
            const long from = conv2d_least(t, size - span);
            const REAL *begin = x + from;
            if (size < LANES) {
                for (long l = 0; l < conv2d_least(LANES, images); l++)
                    memcpy(few + l * LANES, x + l * step, size * sizeof(REAL));
                begin = few;
            }
            NAME(turn_images)(begin, size < LANES ? LANES : step, images, square);
            REAL *row = to->lines + (to->first + k * to->plane + from / w * to->pitch) * LANES;
            for (long j = 0, q = from % w; j < span; j++) {
                STORE(row + q * LANES, square[j]);
                if (++q == w) {
                    q = 0;
                    row += to->pitch * LANES;
                }
            }
        }
}

/* The way back. */
static void NAME(turn_out)(
    const NAME(turned) *from, long step, long images, long planes, long h, long w, REAL *y)
{
    const long size = h * w, span = conv2d_least(LANES, size);
    images = conv2d_least(images, LANES);
    for (long k = 0; k < planes; k++, y += size)
        for (long t = 0; t < size; t += LANES) {
            REAL numbers[LANES * LANES];
            VEC square[LANES];
            const long to = conv2d_least(t, size - span);
            const REAL *row =
                from->lines + (from->first + k * from->plane + to / w * from->pitch) * LANES;
            for (long j = span; j < LANES; j++)
                square[j] = SPLAT(0);
            for (long j = 0, q = to % w; j < span; j++) {
                square[j] = LOAD(row + q * LANES);
                if (++q == w) {
                    q = 0;
                    row += from->pitch * LANES;
                }
            }
#ifdef CAN_SHUFFLE
            NAME(turn_square)(square);
            if (images == LANES && size >= LANES) {
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++)
                    STORE(y + l * step + to, square[l]);
                continue;
            }
            memcpy(numbers, square, sizeof numbers);
#else
            for (long j = 0; j < LANES; j++)
                for (long l = 0; l < LANES; l++)
                    memcpy(numbers + l * LANES + j, (REAL *)(square + j) + l, sizeof(REAL));
#endif
            for (long l = 0; l < images; l++)
                memcpy(y + l * step + to, numbers + l * LANES, span * sizeof(REAL));
        }
}

/* What taps of one kind, those that make a phase, bring to the outputs. off[k * taps + (i, j, e)] is
   where the number of tap (i, j) and input k + e lies, for inputs k .. k + chunk - 1; their
   weights lie in that order, for each panel of outputs. reach: for each tile of a row, the first
   tap and the one behind the last. */
typedef struct {
    conv2d_axis down, across;
    long *off, *reach;
    REAL *weights;
} NAME(bundle_taps);

/* `inputs` planes, `chunk` of them at a time in the source, to `outputs` planes in the target, or
   as many of them as there is room for at a time: `block`. Shape: which tiles compute them. */
typedef struct {
    long inputs, outputs, chunk, block, count;
    int shape;
    NAME(bundle_taps) *taps;
    NAME(turned) source, target;
} NAME(bundle_job);

#define CONV_EACH_SHAPE "conv2d_bundles_rows.h"
#include "conv2d_shapes.h"

/* f of the job's shape, its arguments behind. */
#undef BUNDLE_FOR
#if defined(HAVE_AVX512)
#define BUNDLE_FOR(shape, f, ...)                                                                   \
    (shape == BUNDLE_TALL ? NAME(f##_tall)(__VA_ARGS__)                                             \
     : shape == BUNDLE_BROAD ? NAME(f##_broad)(__VA_ARGS__) : NAME(f##_slim)(__VA_ARGS__))
#else
#define BUNDLE_FOR(shape, f, ...)                                                                   \
    (shape == BUNDLE_TALL ? NAME(f##_tall)(__VA_ARGS__) : NAME(f##_slim)(__VA_ARGS__))
#endif

/* The shape that takes least for rows of `count` positions. */
static int NAME(bundle_shape)(long count, long outputs)
{
    const long tall = NAME(bundle_cost_tall)(count, outputs);
    const long slim = NAME(bundle_cost_slim)(count, outputs);
    int shape = tall < slim ? BUNDLE_TALL : BUNDLE_SLIM;
#if defined(HAVE_AVX512)
    if (NAME(bundle_cost_broad)(count, outputs) <= conv2d_least(tall, slim))
        shape = BUNDLE_BROAD;
#endif
    return shape;
}

/* Lays out what taps of one kind meet and by what they multiply it, the weight of output m and input k
   being number m * m_step + k * k_step + down_tap[i] * kw + across_tap[j]. */
static void NAME(bundle_prepare)(
    const NAME(bundle_job) *job, NAME(bundle_taps) *taps, const REAL *weight, long m_step,
    long k_step, const long *down_tap, const long *across_tap, long kw)
{
    const NAME(turned) *s = &job->source;
    const long count = taps->down.taps * taps->across.taps;
    REAL *packed = taps->weights;
    long *off = taps->off;
    for (long k = 0; k < job->inputs; k += job->chunk) {
        const long deep = conv2d_least(job->chunk, job->inputs - k);
        for (long i = 0; i < taps->down.taps; i++)
            for (long j = 0; j < taps->across.taps; j++)
                for (long e = 0; e < deep; e++)
                    *off++ = (e * s->plane + taps->down.at[i] * s->pitch + taps->across.at[j]) * LANES;
        BUNDLE_FOR(job->shape, bundle_weights, taps, weight + k * k_step, m_step, k_step, down_tap,
                   across_tap, kw, job->outputs, deep, packed);
        packed += BUNDLE_FOR(job->shape, weights_size, job->outputs, deep * count);
    }
    BUNDLE_FOR(job->shape, bundle_reach, taps);
}

/* The images of one bundle: x, `step` numbers from one to the next, of h x w, to y. */
static void NAME(bundle_images)(
    const NAME(bundle_job) *job, const REAL *x, long x_step, long h, long w, long images,
    const REAL *bias, REAL *y, long y_step, long oh, long ow)
{
    const conv2d_panels panels = BUNDLE_FOR(job->shape, bundle_panels, job->outputs);
    for (long p = 0; p < panels.count; p += job->block) {
        const long end = conv2d_least(p + job->block, panels.count);
        const long m = conv2d_panel(&panels, p), planes = conv2d_panel(&panels, end) - m;
        for (long k = 0; k < job->inputs; k += job->chunk) {
            const long deep = conv2d_least(job->chunk, job->inputs - k);
            NAME(turn_in)(x + k * h * w, x_step, images, deep, h, w, &job->source);
            for (long t = 0; t < job->count; t++)
                BUNDLE_FOR(job->shape, bundle_rows, job, job->taps + t, &panels, p, end, k, deep,
                           k ? NULL : bias ? bias + m : NAME(no_bias), bias != NULL);
        }
        NAME(turn_out)(&job->target, y_step, images, planes, oh, ow, y + m * oh * ow);
    }
}

/* How much of a job is worked on at once, its planes and shape being known: tiles that are deep, and
   planes of inputs and of outputs for which there is room. */
static void NAME(bundle_cut)(NAME(bundle_job) *job, long taps)
{
    const long room = CONV2D_BLOCK / (long)sizeof(REAL) / LANES;
    const long rows = BUNDLE_FOR(job->shape, bundle_height, );
    const long deep = conv2d_least(CONV_DEPTH / conv2d_most(taps, 1), room / job->source.plane);
    const conv2d_panels panels = conv2d_cut(job->outputs, rows);
    job->chunk = conv2d_share(job->inputs, conv2d_most(deep, 1));
    job->block = conv2d_share(panels.count, conv2d_most(room / job->target.plane / rows, 1));
}

/* Planes for as much as is worked on at once, zeros where nothing comes. */
static int NAME(bundle_planes)(NAME(bundle_job) *job, void **whole)
{
    const long rows = BUNDLE_FOR(job->shape, bundle_height, );
    const double source = (double)job->chunk * job->source.plane * LANES;
    const double target =
        (double)conv2d_least(job->block * rows, job->outputs) * job->target.plane * LANES;
    job->source.lines = conv2d_room(source, sizeof(REAL), whole);
    job->target.lines = conv2d_room(target, sizeof(REAL), whole + 1);
    if (!job->source.lines || !job->target.lines)
        return 0;
    memset(job->source.lines, 0, (size_t)source * sizeof(REAL));
    memset(job->target.lines, 0, (size_t)target * sizeof(REAL));
    return 1;
}

/* How many bundles there are, or 0 where they do not serve; limits as measured.

   At most a fifth of what is computed may be idle lanes and columns. Forward, many outputs of a large
   image cost more to turn than is gained, unless many numbers meet in each; of an image whose planes
   hardly fit, few meet at once. In dx small images of dy gain, but not few positions in all, for which
   weights are laid out in vain. */
static void NAME(conv2d_bundles)(const long *sizes, int backward, long *bundles)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    const long count = (g.n + LANES - 1) / LANES, room = CONV2D_BLOCK / (long)sizeof(REAL) / LANES;
    const long columns = backward ? (g.w - 1) / g.sw + 1 : g.ow;
    const int shape = NAME(bundle_shape)(columns, (backward ? g.c : g.o) / g.groups);
    const double wide = BUNDLE_FOR(shape, bundle_wide, columns);
    const double phases = backward ? conv2d_least(conv2d_least(g.sw, g.kw), g.w) : 1;
    const double row = backward && columns * phases > g.w ? g.w : columns * phases;
    const double used = g.n / ((double)count * LANES) * row / (wide * phases);
    const double positions = (double)g.oh * g.ow, pixels = (double)g.h * g.w;
    const double taps = (double)g.kh * g.kw, channels = g.c / g.groups, outputs = g.o / g.groups;
    const double around = (g.kw - 1.0) * g.dw + 2.0 * g.pw + 6.0 * g.sw; /* columns around a row */
    const int fits = (g.w + around) * g.h <= room && (g.ow + around / g.sw + 1) * g.oh <= room;
    int serve = used >= 0.8 && taps > 1 && taps <= CONV_DEPTH && fits;
    if (backward) {
        const int deep = outputs * taps >= 400.0 * g.sh * g.sw;
        serve &= outputs >= 3 && channels <= 24 * outputs && g.n * positions >= 128 &&
                 positions <= (deep ? 24 : 14) * LANES;
    } else {
        const int deep = channels * taps >= 400 && positions <= 24 * LANES;
        serve &= channels >= 3 && outputs <= 32 * positions && room * taps >= 128 * pixels &&
                 (deep || outputs * positions <= 256 * LANES);
    }
    *bundles = serve ? count : 0;
}

/* y of the bundles from start to stop. */
static void NAME(bundle_forward)(
    const REAL *x, const REAL *weight, const REAL *bias, REAL *y, const long *sizes, long start,
    long stop, int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    const long channels = g.c / g.groups, outputs = g.o / g.groups, taps = g.kh * g.kw;
    const long longest = conv2d_most(g.kh, g.kw);
    NAME(bundle_taps) all = {.down = {g.oh, g.h, g.sh, g.kh, 1, 0, NULL},
                             .across = {g.ow, g.w, g.sw, g.kw, 1, 0, NULL}};
    NAME(bundle_job) job = {.inputs = channels, .outputs = outputs, .count = 1, .taps = &all};
    job.shape = NAME(bundle_shape)(g.ow, outputs);
    const long wide = BUNDLE_FOR(job.shape, bundle_wide, g.ow);
    const long right = conv2d_most(0, (wide - 1) * g.sw + (g.kw - 1) * g.dw - g.pw - g.w + 1);
    void *whole[4] = {0};
    const long size = BUNDLE_FOR(job.shape, weights_size, outputs, channels * taps);
    long *table = conv2d_room(3.0 * longest + 2.0 * wide + (double)channels * taps, sizeof(long),
                              whole);
    all.weights = conv2d_room((double)size, sizeof(REAL), whole + 1);
    *failed = !(table && all.weights);
    if (!*failed) {
        long *down = table, *across = down + longest, *tap = across + longest;
        all.reach = tap + longest;
        all.off = all.reach + 2 * wide;
        for (long t = 0; t < longest; t++) {
            down[t] = t * g.dh - g.ph;
            across[t] = t * g.dw - g.pw;
            tap[t] = t;
        }
        all.down.at = down;
        all.across.at = across;
        const long pitch = g.pw + g.w + right;
        job.source = (NAME(turned)){NULL, g.pw, g.h * pitch, pitch};
        job.target = (NAME(turned)){NULL, 0, g.oh * wide, wide};
        NAME(bundle_cut)(&job, taps);
        *failed = !NAME(bundle_planes)(&job, whole + 2);
        for (long j = 0; j < g.groups && !*failed; j++) {
            NAME(bundle_prepare)(&job, &all, weight + j * outputs * channels * taps, channels * taps,
                                taps, tap, tap, g.kw);
            for (long b = start; b < stop; b++)
                NAME(bundle_images)(&job, x + (b * LANES * g.c + j * channels) * g.h * g.w,
                                   g.c * g.h * g.w, g.h, g.w, g.n - b * LANES,
                                   bias ? bias + j * outputs : NULL,
                                   y + (b * LANES * g.o + j * outputs) * g.oh * g.ow,
                                   g.o * g.oh * g.ow, g.oh, g.ow);
        }
    }
    conv2d_leave(whole, 4);
}

/* dx of the bundles from start to stop, phase by phase. */
static void NAME(bundle_backward_input)(
    const REAL *dy, const REAL *weight, REAL *dx, const long *sizes, long start, long stop,
    int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    const long channels = g.c / g.groups, outputs = g.o / g.groups, taps = g.kh * g.kw;
    const long longest = (g.w - 1) / g.sw + 1; /* row of a phase */
    const double phases = 2.0 * g.kh * (g.kh + 1) + 2.0 * g.kw * (g.kw + 1);
    NAME(bundle_job) job = {.inputs = outputs, .outputs = channels};
    job.shape = NAME(bundle_shape)(longest, channels);
    const long wide = BUNDLE_FOR(job.shape, bundle_wide, longest);
    const long size = BUNDLE_FOR(job.shape, weights_size, channels, outputs * taps);
    void *whole[5] = {0};
    long *table = conv2d_room(phases + 2.0 * wide * taps + (double)outputs * taps, sizeof(long),
                              whole);
    REAL *weights = conv2d_room((double)size, sizeof(REAL), whole + 1);
    job.taps = conv2d_room((double)taps, sizeof *job.taps, whole + 2);
    *failed = !(table && weights && job.taps);
    if (!*failed) {
        const conv2d_phases d = conv2d_find_phases(g.kh, g.sh, g.ph, g.dh, g.h, table);
        const conv2d_phases a =
            conv2d_find_phases(g.kw, g.sw, g.pw, g.dw, g.w, table + 2 * g.kh * (g.kh + 1));
        long *reach = table + (long)phases, *off = reach + 2 * wide * taps;
        const long left = conv2d_most(0, -a.low), right = conv2d_most(0, wide + a.high - g.ow);
        const long pitch = left + g.ow + right;
        job.source = (NAME(turned)){NULL, left, g.oh * pitch, pitch};
        job.target = (NAME(turned)){NULL, 0, g.h * wide * g.sw, wide * g.sw};
        long most = 0;
        for (long m = 0; m < d.count; m++)
            for (long n = 0; n < a.count; n++) {
                const long own = d.taps[m] * a.taps[n];
                most = conv2d_most(most, own);
                job.taps[job.count++] = (NAME(bundle_taps)){
                    {conv2d_phase_length(0, g.h, g.sh, d.phase[m], g.h), g.oh, 1, d.taps[m], g.sh,
                     d.phase[m], d.shift + m * g.kh},
                    {conv2d_phase_length(0, g.w, g.sw, a.phase[n], g.w), g.ow, 1, a.taps[n], g.sw,
                     a.phase[n], a.shift + n * g.kw},
                    off, reach, weights};
                off += outputs * own;
                reach += 2 * wide;
                weights += BUNDLE_FOR(job.shape, weights_size, channels, outputs * own);
            }
        NAME(bundle_cut)(&job, most);
        *failed = !NAME(bundle_planes)(&job, whole + 3);
        for (long j = 0; j < g.groups && !*failed; j++) {
            for (long t = 0; t < job.count; t++)
                NAME(bundle_prepare)(&job, job.taps + t, weight + j * outputs * channels * taps, taps,
                                    channels * taps, d.tap + t / a.count * g.kh,
                                    a.tap + t % a.count * g.kw, g.kw);
            for (long b = start; b < stop; b++)
                NAME(bundle_images)(&job, dy + (b * LANES * g.o + j * outputs) * g.oh * g.ow,
                                   g.o * g.oh * g.ow, g.oh, g.ow, g.n - b * LANES, NULL,
                                   dx + (b * LANES * g.c + j * channels) * g.h * g.w,
                                   g.c * g.h * g.w, g.h, g.w);
        }
    }
    conv2d_leave(whole, 5);
}
