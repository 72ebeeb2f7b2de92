/* dx = the forward convolution of dy with the weights, each pixel taking what the taps that reach
   it bring. Pixel row u * sh + r is reached by tap i from output row u + (r + ph - i * dh) / sh,
   where that division has no rest: so for each phase (r, s) the pixels are a convolution of stride
   1. */

#ifndef CONV2D_PHASES
#define CONV2D_PHASES

/* Along one axis: the phases that some tap reaches; of each, its taps and their shifts. */
typedef struct {
    long count, low, high;            /* phases; least and greatest shift */
    long *phase, *taps, *tap, *shift; /* count of each; tap, shift: count x kernel */
} conv2d_phases;

/* room has place for 2 * kernel * (kernel + 1) numbers. */
static conv2d_phases conv2d_find_phases(
    long kernel, long stride, long padding, long dilation, long size, long *room)
{
    conv2d_phases p = {0, 0, 0, room, room + kernel, room + 2 * kernel,
                       room + 2 * kernel + kernel * kernel};
    for (long i = 0; i < kernel; i++) {
        long reached = i * dilation - padding, shift = -conv2d_floor(reached, stride);
        long phase = reached + shift * stride, f = 0;
        if (phase >= size)
            continue;
        while (f < p.count && p.phase[f] != phase)
            f++;
        if (f == p.count) {
            p.phase[p.count++] = phase;
            p.taps[f] = 0;
        }
        p.tap[f * kernel + p.taps[f]] = i;
        p.shift[f * kernel + p.taps[f]++] = shift;
        p.low = f || p.taps[f] > 1 ? conv2d_least(p.low, shift) : shift;
        p.high = f || p.taps[f] > 1 ? conv2d_most(p.high, shift) : shift;
    }
    return p;
}

/* Whether a tap reaches a phase. */
static int conv2d_reached(const conv2d_phases *p, long phase)
{
    long f = 0;
    while (f < p->count && p->phase[f] != phase)
        f++;
    return f < p->count;
}

/* How many u have u * stride + phase < size, for u from start to stop. */
static long conv2d_phase_length(long start, long stop, long stride, long phase, long size)
{
    long end = conv2d_least(stop, size > phase ? (size - 1 - phase) / stride + 1 : 0);
    return end > start ? end - start : 0;
}
#endif

typedef struct {
    conv2d_phases down, across;
    long *off, *place, lines, length, phase; /* phase: most numbers of a phase's planes */
    REAL *weights, *panel, *source, *apart;
    double least, each, room;
} NAME(input_rooms);

/* The weights of every group and phase, in order. NaN if one of them is not finite. */
static REAL NAME(pack_input_weights)(
    const conv2d_geometry *g, const NAME(input_rooms) *r, const REAL *weight)
{
    long channels = g->c / g->groups, outputs = g->o / g->groups, taps = g->kh * g->kw;
    REAL *packed = r->weights, finite = 0;
    for (long j = 0; j < g->groups; j++)
        for (long a = 0; a < r->down.count; a++)
            for (long b = 0; b < r->across.count; b++) {
                long depth = 0;
                for (long o = 0; o < outputs; o++)
                    for (long i = 0; i < r->down.taps[a]; i++)
                        for (long k = 0; k < r->across.taps[b]; k++)
                            r->place[depth++] = o * channels * taps +
                                                r->down.tap[a * g->kh + i] * g->kw +
                                                r->across.tap[b * g->kw + k];
                finite += NAME(pack_weights)(weight + j * outputs * channels * taps, taps, r->place,
                                             channels, depth, packed);
                packed += NAME(weights_size)(channels, depth);
            }
    return finite;
}

INLINE void NAME(clear_row)(REAL *row, long count)
{
    const VEC zero = SPLAT(0);
    long k = 0;
    for (; k + LANES <= count; k += LANES) {
        PREFETCH(row + k + CONV_AHEAD);
        STORE(row + k, zero);
    }
    for (; k < count; k++)
        row[k] = 0;
}

/* Zeros for the pixels that no tap reaches, of `rows` lines from `top` on of each image: whole blocks,
   or the rows between those that `weave_two` fills. */
static void NAME(clear_unreached)(
    const conv2d_geometry *g, const conv2d_phases *down, const conv2d_phases *across, long images,
    long top, long rows, REAL *dx)
{
    const long height = conv2d_least(rows * g->sh, g->h - top * g->sh);
    if (down->count == conv2d_least(g->sh, g->h) && across->count == conv2d_least(g->sw, g->w))
        return;
    for (long p = 0; p < images * g->c; p++) {
        REAL *plane = dx + (p * g->h + top * g->sh) * g->w;
        if (g->sw != 2 || !across->count)
            memset(plane, 0, height * g->w * sizeof(REAL));
        for (long row = 0; row < height && g->sw == 2 && across->count; row++)
            if (!conv2d_reached(down, row % g->sh))
                NAME(clear_row)(plane + row * g->w, g->w);
    }
}

/* The rows of a pixel plane, `step` apart, from those of the even and of the odd columns; 0 where
   there are none. */
INLINE void NAME(weave_two)(
    const REAL *even, const REAL *odd, long rows, long w, long step, REAL *line)
{
    const long evens = (w + 1) / 2, odds = w / 2;
    long u = 0;
#ifdef CAN_SHUFFLE
    const MASK low = EACH_LANE(CONV_WEAVE_LOW), high = EACH_LANE(CONV_WEAVE_HIGH);
    const VEC zero = SPLAT(0);
    /* Rows that are as long as a vector, two at a time. */
    for (; w == LANES && u + 2 <= rows; u += 2, line += 2 * step) {
        VEC a = even ? LOAD(even + u * evens) : zero, b = odd ? LOAD(odd + u * odds) : zero;
        STORE(line, __builtin_shuffle(a, b, low));
        STORE(line + step, __builtin_shuffle(a, b, high));
    }
#endif
    for (; u < rows; u++, line += step) {
        const REAL *left = even ? even + u * evens : NULL, *right = odd ? odd + u * odds : NULL;
        long v = 0;
#ifdef CAN_SHUFFLE
        for (; v + LANES <= odds; v += LANES) {
            VEC a = left ? LOAD(left + v) : zero, b = right ? LOAD(right + v) : zero;
            PREFETCH(line + 2 * v + CONV_AHEAD);
            PREFETCH(line + 2 * v + CONV_AHEAD + LANES);
            STORE(line + 2 * v, __builtin_shuffle(a, b, low));
            STORE(line + 2 * v + LANES, __builtin_shuffle(a, b, high));
        }
#endif
        for (; v < odds; v++) {
            line[2 * v] = left ? left[v] : 0;
            line[2 * v + 1] = right ? right[v] : 0;
        }
        if (evens > odds)
            line[w - 1] = left ? left[odds] : 0;
    }
}

/* Pixels of a plane, `w_step` apart in rows `step` apart, from any number of phases, `apart` numbers
   from one to the next; `before` rows of each lie before the first. */
static void NAME(weave_any)(
    const REAL *planes, long apart, const conv2d_phases *across, long before, long rows, long w,
    long w_step, long step, REAL *line)
{
    for (long b = 0; b < across->count; b++) {
        const long phase = across->phase[b];
        const long wide = conv2d_phase_length(0, w, w_step, phase, w);
        const REAL *cells = planes + b * apart + before * wide;
        for (long u = 0; u < rows; u++, cells += wide) {
            REAL *to = line + u * step + phase;
            if (w_step == 1)
                memcpy(to, cells, wide * sizeof(REAL));
            else
                for (long v = 0; v < wide; v++)
                    to[v * w_step] = cells[v];
        }
    }
}

/* dx[image, c, (top + u) * sh + phase a, v * sw + phase b] = phase plane [b][image, c, u, v], `apart`
   numbers from one phase to the next. */
static void NAME(weave)(
    const conv2d_geometry *g, const conv2d_phases *down, const conv2d_phases *across, long a,
    long images, long channels, long top, long rows, const REAL *planes, long apart, REAL *dx)
{
    const long tall = conv2d_phase_length(top, top + rows, g->sh, down->phase[a], g->h);
    const long from = (top * g->sh + down->phase[a]) * g->w;
    const long step = conv2d_least(g->sh, g->h) * g->w;
    for (long image = 0; image < images; image++)
        for (long c = 0; c < channels; c++) {
            const long before = (image * channels + c) * tall;
            REAL *line = dx + (image * g->c + c) * g->h * g->w + from;
            const REAL *half[2] = {NULL, NULL};
            for (long b = 0; b < across->count && g->sw == 2; b++)
                half[across->phase[b]] =
                    planes + b * apart + before * ((g->w + 1 - across->phase[b]) / 2);
            if (g->sw == 2)
                NAME(weave_two)(half[0], half[1], tall, g->w, step, line);
            else
                NAME(weave_any)(planes, apart, across, before, tall, g->w, g->sw, step, line);
        }
}

/* One block of one group, phase by phase. */
static void NAME(input_block)(
    const conv2d_geometry *g, const NAME(input_rooms) *r, const REAL *source, const REAL *weights,
    long images, long top, long rows, long plane, REAL *dx)
{
    long channels = g->c / g->groups, outputs = g->o / g->groups;
    int whole = g->sh == 1 && g->sw == 1;
    for (long a = 0; a < r->down.count; a++) {
        for (long b = 0; b < r->across.count; b++) {
            long depth = 0;
            for (long o = 0; o < outputs; o++)
                for (long i = 0; i < r->down.taps[a]; i++)
                    for (long k = 0; k < r->across.taps[b]; k++)
                        r->off[depth++] = o * plane +
                                          (r->down.shift[a * g->kh + i] - r->down.low) * r->length +
                                          r->across.shift[b * g->kw + k] - r->across.low;
            long tall = conv2d_phase_length(top, top + rows, g->sh, r->down.phase[a], g->h);
            long wide = conv2d_phase_length(0, g->w, g->sw, r->across.phase[b], g->w);
            conv2d_field f = {images, tall, wide, outputs * plane, r->length,
                              whole ? g->c * g->h * g->w : channels * tall * wide,
                              whole ? g->h * g->w : tall * wide, 1};
            if (conv2d_pointwise(g))
                f = (conv2d_field){images, 1, rows * g->ow, g->o * plane, 0, f.out_image,
                                   f.out_plane, 0};
            if (tall && wide)
                NAME(correlate)(source, r->off, weights, NULL, depth, channels, &f, r->panel,
                                whole ? dx + top * g->w : r->apart + b * r->phase);
            weights += NAME(weights_size)(channels, depth);
        }
        if (!whole)
            NAME(weave)(g, &r->down, &r->across, a, images, channels, top, rows, r->apart,
                        r->phase, dx);
    }
}

static void NAME(input_lines)(
    const conv2d_geometry *g, const NAME(input_rooms) *r, const REAL *dy, REAL *dx, long start,
    long stop)
{
    long channels = g->c / g->groups, outputs = g->o / g->groups, pixels = g->h * g->w;
    int plain = conv2d_pointwise(g); /* windows are dy itself */
    long zero = 0, positions = g->oh * g->ow, size = 0;
    for (long a = 0; a < r->down.count; a++)
        for (long b = 0; b < r->across.count; b++)
            size += NAME(weights_size)(channels, outputs * r->down.taps[a] * r->across.taps[b]);
    long cleared = -1, clear_rows = 0, clear_images = 0; /* the window whose zeros stand */
    for (long at = start, images, rows; at < stop; at += images * rows) {
        long first = at / r->lines, top = at % r->lines;
        conv2d_next_block(at, stop, r->lines, r->least, r->each, r->room, &images, &rows);
        long deep = rows + r->down.high - r->down.low;
        long plane = plain ? positions : deep * r->length;
        conv2d_window window = {top + r->down.low, r->across.low, deep, 1, 1, 1, r->length, &zero};
        NAME(clear_unreached)(g, &r->down, &r->across, images, top, rows,
                              dx + first * g->c * pixels);
        int fresh = top != cleared || rows != clear_rows || images > clear_images;
        for (long j = 0; j < g->groups; j++, fresh = 0) {
            const REAL *group = dy + (first * g->o + j * outputs) * positions;
            for (long i = 0; i < images && !plain; i++)
                NAME(copy_windows)(group + i * g->o * positions, outputs, g->oh, g->ow, &window,
                                   fresh, r->source + i * outputs * plane);
            NAME(input_block)(g, r, plain ? group + top * g->ow : r->source, r->weights + j * size,
                              images, top, rows, plane,
                              dx + (first * g->c + j * channels) * pixels);
        }
        cleared = top;
        clear_rows = rows;
        clear_images = images;
    }
}

/* dx in the words of the definition, for weights that are not finite: none of their products may
   reach a pixel that no tap reaches, zeros around dy included. */
static void NAME(input_by_definition)(
    const conv2d_geometry *g, const REAL *dy, const REAL *weight, REAL *dx, long image)
{
    long channels = g->c / g->groups, outputs = g->o / g->groups;
    memset(dx + image * g->c * g->h * g->w, 0, g->c * g->h * g->w * sizeof(REAL));
    for (long o = 0; o < g->o; o++)
        for (long k = 0; k < channels * g->kh * g->kw; k++) {
            long c = o / outputs * channels + k / (g->kh * g->kw);
            REAL number = weight[o * channels * g->kh * g->kw + k];
            VEC v_number = SPLAT(number);
            long left = k % g->kw * g->dw - g->pw; /* position q hands to pixel q * sw + left */
            long begin = left >= 0 ? 0 : (g->sw - 1 - left) / g->sw;
            long end = left >= g->w ? 0 : conv2d_least(g->ow, (g->w - 1 - left) / g->sw + 1);
            for (long p = 0; p < g->oh; p++) {
                long row = p * g->sh - g->ph + k / g->kw % g->kh * g->dh;
                const REAL *from = dy + ((image * g->o + o) * g->oh + p) * g->ow;
                if (row < 0 || row >= g->h)
                    continue;
                REAL *to = dx + ((image * g->c + c) * g->h + row) * g->w;
                long q = begin;
                for (; g->sw == 1 && q + LANES <= end; q += LANES)
                    STORE(to + q + left, LOAD(to + q + left) + v_number * LOAD(from + q));
                for (; q < end; q++)
                    to[q * g->sw + left] += number * from[q];
            }
        }
}

static void NAME(conv2d_backward_input)(
    const REAL *dy, const REAL *weight, REAL *dx, const long *sizes, long start, long stop,
    int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    NAME(input_rooms) r;
    void *whole[5] = {0};
    double outputs = g.o / g.groups, taps = (double)g.kh * g.kw, channels = g.c / g.groups;
    double phases = 2.0 * g.kh * (g.kh + 1) + 2.0 * g.kw * (g.kw + 1);
    long *table = conv2d_room(phases + 2 * outputs * taps, sizeof(long), whole);
    double padded = (channels + CONV_ROWS) * outputs * taps * g.groups;
    r.weights = conv2d_room(padded, sizeof(REAL), whole + 1);
    r.panel = conv2d_room(CONV_PANEL, sizeof(REAL), whole + 2);
    *failed = !(table && r.weights && r.panel);
    if (!*failed) {
        r.down = conv2d_find_phases(g.kh, g.sh, g.ph, g.dh, g.h, table);
        r.across = conv2d_find_phases(g.kw, g.sw, g.pw, g.dw, g.w, table + 2 * g.kh * (g.kh + 1));
        r.off = table + 2 * g.kh * (g.kh + 1) + 2 * g.kw * (g.kw + 1);
        r.place = r.off + (long)(outputs * taps);
        r.lines = (g.h - 1) / g.sh + 1;
        r.length = (g.w - 1) / g.sw + 1 + r.across.high - r.across.low;
        r.each = outputs * r.length;
        r.least = r.each * (r.down.high - r.down.low + 1);
        r.room = conv2d_block(r.least, r.each, r.lines, g.n, CONV2D_BLOCK / sizeof(REAL));
        r.source = conv2d_room(conv2d_pointwise(&g) ? 0 : r.room + 2 * LANES, sizeof(REAL),
                               whole + 3);
        /* A phase plane has at most as many lines as the windows; of stride 1 it is dx. */
        double most = g.sh == 1 && g.sw == 1
                          ? 0
                          : r.room / r.each * channels * ((g.w - 1) / g.sw + 1);
        r.phase = (long)most;
        r.apart = conv2d_room(most * r.across.count, sizeof(REAL), whole + 4);
        *failed = !(r.source && r.apart);
    }
    if (!*failed) {
        REAL finite = NAME(pack_input_weights)(&g, &r, weight);
        if (finite == 0)
            NAME(input_lines)(&g, &r, dy, dx, start, stop);
        else
            *failed = 2;
    }
    conv2d_leave(whole, 5);
}

static void NAME(conv2d_scatter)(
    const REAL *dy, const REAL *weight, REAL *dx, const long *sizes, long start, long stop,
    int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    *failed = 0;
    for (long image = start; image < stop; image++)
        NAME(input_by_definition)(&g, dy, weight, dx, image);
}
