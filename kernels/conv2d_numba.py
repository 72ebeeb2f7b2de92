"""Two-dimensional convolution in Numba: im2col in tiles that stay in the cache, and BLAS.

A tile is a run of whole output rows ("lines"), taken over all images. The patches under it become
the columns of a small matrix, and one matrix product serves them all. What is computed, and the
shapes, stand in conv2d_numpy.
"""

import numpy as np
from numba import njit, uintp


def _tiles(y, rows):
    """Every tile of every group: group, first line, its columns, its outputs, and whether apart.

    rows is (groups, outputs, depth): the weights as matrices. The columns of a tile are many
    enough to keep BLAS busy and few enough to stay in the cache, 384 KiB in float32. The outputs
    lie apart, in a room of their own, or are a view of y where a tile is one whole image: wanted
    where there are more of them than columns to lay out, since it saves copying them.
    """
    n, _, oh, ow = y.shape
    groups, outputs, depth = rows.shape
    tile = max(98304 // (depth + outputs), 192) // ow
    if tile > oh:
        tile = oh if outputs > depth and oh * ow >= 192 else tile - tile % oh
    tile = max(min(tile, n * oh), 1)
    room = np.empty((depth + outputs) * tile * ow, y.dtype)
    for group in range(groups):
        for start in range(0, n * oh, tile):
            width = min(tile, n * oh - start) * ow
            cols = room[: depth * width].reshape(depth, width)
            if tile == oh:
                out = y[start // oh, group * outputs : (group + 1) * outputs]
            else:
                out = room[depth * width : (depth + outputs) * width]
            yield group, start, cols, out.reshape(outputs, width), tile != oh


@njit(cache=True)
def _first(offset, step, ow):
    """The first position on a line whose pixel, q * step + offset, is not before the image."""
    return 0 if offset >= 0 else min((step - 1 - offset) // step, ow)


@njit(cache=True)
def _last(offset, step, w, ow):
    """One more than the last position on a line whose pixel is not behind the image."""
    return 0 if offset >= w else min((w - 1 - offset) // step + 1, ow)


# Indices in these three are unsigned, so that Numba adds no test for negative ones and the loops
# become vector code.
@njit(cache=True)
def _fill(target, start, count):
    """target[start + q] = 0."""
    for q in range(uintp(count)):
        target[uintp(start) + q] = 0


@njit(cache=True)
def _copy(source, read, step, target, write, count):
    """target[write + q] = source[read + q * step]."""
    if step == 1:
        for q in range(uintp(count)):
            target[uintp(write) + q] = source[uintp(read) + q]
    elif step == 2:
        for q in range(uintp(count)):
            target[uintp(write) + q] = source[uintp(read) + q + q]
    else:
        for q in range(uintp(count)):
            target[uintp(write) + q] = source[uintp(read) + q * uintp(step)]


@njit(cache=True)
def _add(source, read, target, write, step, count):
    """target[write + q * step] += source[read + q]."""
    if step == 1:
        for q in range(uintp(count)):
            target[uintp(write) + q] += source[uintp(read) + q]
    else:
        for q in range(uintp(count)):
            target[uintp(write) + q * uintp(step)] += source[uintp(read) + q]


@njit(cache=True)
def _edges(cells, start, lines, ow, left, right):
    """Zeros at the positions 0 .. left - 1 and right .. ow - 1 of every line."""
    if left > 0:
        for line in range(lines):
            _fill(cells, start + line * ow, left)
    if right < ow:
        for line in range(lines):
            _fill(cells, start + line * ow + right, ow - right)


@njit(cache=True)
def _gather(x, channel0, window, start, cols):
    """cols[(channel, i, j), t] = the pixel under tap (i, j) at the tile's output position t."""
    _, c, h, w = x.shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw), (oh, ow) = window
    depth, width = cols.shape
    pixels, cells = x.reshape(-1), cols.reshape(-1)
    unbroken = sh == 1 and sw == 1 and ow == w
    for k in range(depth):
        channel, above, across = channel0 + k // (kh * kw), k // kw % kh * dh - ph, k % kw * dw - pw
        top, bottom = _first(above, sh, oh), _last(above, sh, h, oh)
        left, right = _first(across, sw, ow), _last(across, sw, w, ow)
        image, p, cell = start // oh, start % oh, k * width
        while cell < (k + 1) * width:
            run = min(oh - p, ((k + 1) * width - cell) // ow)
            begin, end = min(max(top, p), p + run), min(max(bottom, p), p + run)
            if begin >= end or left >= right:
                _fill(cells, cell, run * ow)
            else:
                _fill(cells, cell, (begin - p) * ow)
                _fill(cells, cell + (end - p) * ow, (p + run - end) * ow)
                here = cell + (begin - p) * ow
                there = ((image * c + channel) * h + begin * sh + above) * w + left * sw + across
                if unbroken:
                    # A line's end meets the next one's beginning in the image as in the column,
                    # so all lines move at once; what comes from the wrong line lies at the edges.
                    count = (end - begin) * ow - left - ow + right
                    _copy(pixels, there, 1, cells, here + left, count)
                else:
                    for q in range(end - begin):
                        source, target = there + q * sh * w, here + q * ow + left
                        _copy(pixels, source, sw, cells, target, right - left)
                _edges(cells, here, end - begin, ow, left, right)
            image, p, cell = image + 1, 0, cell + run * ow


@njit(cache=True)
def _scatter(cols, channel0, window, start, dx):
    """The way back from `_gather`: every cell is added to its pixel. Edges of cols are cleared."""
    _, c, h, w = dx.shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw), (oh, ow) = window
    depth, width = cols.shape
    pixels, cells = dx.reshape(-1), cols.reshape(-1)
    unbroken = sh == 1 and sw == 1 and ow == w
    for k in range(depth):
        channel, above, across = channel0 + k // (kh * kw), k // kw % kh * dh - ph, k % kw * dw - pw
        top, bottom = _first(above, sh, oh), _last(above, sh, h, oh)
        left, right = _first(across, sw, ow), _last(across, sw, w, ow)
        image, p, cell = start // oh, start % oh, k * width
        while cell < (k + 1) * width:
            run = min(oh - p, ((k + 1) * width - cell) // ow)
            begin, end = min(max(top, p), p + run), min(max(bottom, p), p + run)
            if begin < end and left < right:
                here = cell + (begin - p) * ow
                there = ((image * c + channel) * h + begin * sh + above) * w + left * sw + across
                if unbroken:
                    _edges(cells, here, end - begin, ow, left, right)
                    count = (end - begin) * ow - left - ow + right
                    _add(cells, here + left, pixels, there, 1, count)
                else:
                    for q in range(end - begin):
                        source, target = here + q * ow + left, there + q * sh * w
                        _add(cells, source, pixels, target, sw, right - left)
            image, p, cell = image + 1, 0, cell + run * ow


@njit(cache=True)
def _put(out, channel0, start, y):
    """y[image, channel0 + a, p] = out[a, line], the lines of the tile beginning at start."""
    _, o, oh, ow = y.shape
    outputs, width = out.shape
    values, cells = y.reshape(-1), out.reshape(-1)
    for a in range(outputs):
        image, p, cell = start // oh, start % oh, a * width
        while cell < (a + 1) * width:
            count = min((oh - p) * ow, (a + 1) * width - cell)
            there = ((image * o + channel0 + a) * oh + p) * ow
            _copy(cells, cell, 1, values, there, count)
            image, p, cell = image + 1, 0, cell + count


@njit(cache=True)
def _take(dy, channel0, start, out):
    """out[a, line] = dy[image, channel0 + a, p], the way back from `_put`."""
    _, o, oh, ow = dy.shape
    outputs, width = out.shape
    values, cells = dy.reshape(-1), out.reshape(-1)
    for a in range(outputs):
        image, p, cell = start // oh, start % oh, a * width
        while cell < (a + 1) * width:
            count = min((oh - p) * ow, (a + 1) * width - cell)
            there = ((image * o + channel0 + a) * oh + p) * ow
            _copy(values, there, 1, cells, cell, count)
            image, p, cell = image + 1, 0, cell + count


def forward(x, weight, bias, stride, padding, dilation, groups):
    """y = x convolved with weight, plus bias; see conv2d_numpy.forward."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    oh = (h + 2 * padding[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (w + 2 * padding[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    window = (kh, kw), tuple(stride), tuple(padding), tuple(dilation), (oh, ow)
    rows = weight.reshape(groups, o // groups, c // groups * kh * kw)
    y = np.empty((n, o, oh, ow), x.dtype)
    for group, start, cols, out, apart in _tiles(y, rows):
        _gather(x, group * (c // groups), window, start, cols)
        np.matmul(rows[group], cols, out=out)
        if bias is not None:
            out += bias[group * len(out) : (group + 1) * len(out), None]
        if apart:
            _put(out, group * len(out), start, y)
    return y


def backward_input(dy, weight, x_shape, stride, padding, dilation, groups):
    """dx, the gradient by x; see conv2d_numpy.backward_input."""
    _, c, _, _ = x_shape
    o, _, kh, kw = weight.shape
    _, _, oh, ow = dy.shape
    window = (kh, kw), tuple(stride), tuple(padding), tuple(dilation), (oh, ow)
    rows = weight.reshape(groups, o // groups, c // groups * kh * kw)
    dx = np.zeros(x_shape, dy.dtype)
    for group, start, cols, out, apart in _tiles(dy, rows):
        if apart:
            _take(dy, group * len(out), start, out)
        np.matmul(rows[group].T, out, out=cols)
        _scatter(cols, group * (c // groups), window, start, dx)
    return dx


@njit(cache=True)
def backward_bias(dy):
    """dbias, the gradient by bias; see conv2d_numpy.backward_bias."""
    n, o, oh, ow = dy.shape
    size = oh * ow
    planes, dbias, total = dy.reshape(n, o, size), np.zeros(o, dy.dtype), np.empty(size, dy.dtype)
    for c in range(o):
        _fill(total, 0, size)
        for image in range(n):
            _add(planes[image, c], 0, total, 0, 1, size)
        part = np.float64(0)
        for t in range(size):
            part += total[t]
        dbias[c] = part
    return dbias


def backward_weight(dy, x, weight_shape, stride, padding, dilation, groups):
    """dweight, the gradient by weight; see conv2d_numpy.backward_weight."""
    _, c, _, _ = x.shape
    o, _, kh, kw = weight_shape
    _, _, oh, ow = dy.shape
    window = (kh, kw), tuple(stride), tuple(padding), tuple(dilation), (oh, ow)
    rows = np.zeros((groups, o // groups, c // groups * kh * kw), dy.dtype)
    for group, start, cols, out, apart in _tiles(dy, rows):
        if apart:
            _take(dy, group * len(out), start, out)
        _gather(x, group * (c // groups), window, start, cols)
        rows[group] += out @ cols.T
    return rows.reshape(weight_shape)
