/* y = weight * patches + bias. */

typedef struct {
    conv2d_layout layout;
    long *off, *place;
    REAL *weights, *panel, *source;
    double least, each, room; /* numbers in the windows of one line, of one line more, of a block */
} NAME(forward_rooms);

static void NAME(forward_lines)(
    const conv2d_geometry *g, const NAME(forward_rooms) *r, const REAL *x, const REAL *weight,
    const REAL *bias, REAL *y, long start, long stop)
{
    const conv2d_layout *l = &r->layout;
    long channels = g->c / g->groups, outputs = g->o / g->groups, pixels = g->h * g->w;
    long depth = channels * g->kh * g->kw, positions = g->oh * g->ow, known = -1;
    long size = NAME(weights_size)(outputs, depth);
    int plain = conv2d_plain(g);
    for (long k = 0; k < depth; k++)
        r->place[k] = k;
    for (long j = 0; j < g->groups; j++)
        NAME(pack_weights)(weight + j * outputs * depth, depth, r->place, outputs, depth,
                           r->weights + j * size);
    long cleared = -1, clear_rows = 0, clear_images = 0; /* the window whose zeros stand */
    for (long at = start, images, rows; at < stop; at += images * rows) {
        long first = at / g->oh, top = at % g->oh;
        conv2d_next_block(at, stop, g->oh, r->least, r->each, r->room, &images, &rows);
        long deep = conv2d_depth(g, l, rows), plane = plain ? pixels : deep * l->pitch;
        conv2d_window window = {top * g->sh - g->ph, -g->pw, deep, l->stride, g->sw,
                                l->slots, l->length, l->phases};
        conv2d_field f = {images, rows, g->ow, channels * plane, l->step * l->pitch,
                          g->o * positions, positions, 1};
        if (plain)
            f = (conv2d_field){images, 1, rows * g->ow, g->c * plane, 0, g->o * positions,
                               positions, 0};
        if (plane != known)
            conv2d_offsets(g, l, channels, plane, r->off);
        known = plane;
        int fresh = top != cleared || rows != clear_rows || images > clear_images;
        for (long j = 0; j < g->groups; j++, fresh = 0) {
            const REAL *group = x + (first * g->c + j * channels) * pixels;
            for (long i = 0; i < images && !plain; i++)
                NAME(copy_windows)(group + i * g->c * pixels, channels, g->h, g->w, &window,
                                   fresh, r->source + i * f.image_step);
            NAME(correlate)(plain ? group + top * g->w : r->source, r->off, r->weights + j * size,
                            bias ? bias + j * outputs : NULL, depth, outputs, &f, r->panel,
                            y + (first * g->o + j * outputs) * positions + top * g->ow);
        }
        cleared = top;
        clear_rows = rows;
        clear_images = images;
    }
}

static void NAME(conv2d_forward)(
    const REAL *x, const REAL *weight, const REAL *bias, REAL *y, const long *sizes, long start,
    long stop, int *failed)
{
    conv2d_geometry g;
    memcpy(&g, sizes, sizeof g);
    NAME(forward_rooms) r;
    void *whole[4] = {0};
    double channels = g.c / g.groups, depth = channels * g.kh * g.kw;
    double padded = (g.o / g.groups + CONV_ROWS) * depth * g.groups;
    long *table = conv2d_room(2.0 * g.kw + 2 * depth, sizeof(long), whole);
    r.weights = conv2d_room(padded, sizeof(REAL), whole + 1);
    r.panel = conv2d_room(CONV_PANEL, sizeof(REAL), whole + 2);
    *failed = !(table && r.weights && r.panel);
    if (!*failed) {
        r.layout = conv2d_lay_out(&g, table);
        r.off = table + 2 * g.kw;
        r.place = r.off + (long)depth;
        r.each = channels * r.layout.pitch * r.layout.step;
        r.least = channels * r.layout.pitch * ((g.kh - 1.0) * g.dh + 1);
        r.room = conv2d_block(r.least, r.each, g.oh, g.n, CONV2D_BLOCK / sizeof(REAL));
        r.source = conv2d_room(conv2d_plain(&g) ? 0 : r.room + 2 * LANES, sizeof(REAL), whole + 3);
        *failed = !r.source;
    }
    if (!*failed)
        NAME(forward_lines)(&g, &r, x, weight, bias, y, start, stop);
    conv2d_leave(whole, 4);
}
