# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Two-dimensional convolution in Cython: im2col in tiles that stay in the cache, and BLAS.

A tile is a run of whole output rows ("lines"), taken over all images. The patches under it become
the columns of a small matrix, and one matrix product serves them all. What is computed, and the
shapes, stand in conv2d_numpy.
"""

import numpy as np

from cython cimport floating
from libc.string cimport memcpy, memset


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


cdef Py_ssize_t _first(Py_ssize_t offset, Py_ssize_t step, Py_ssize_t ow) noexcept nogil:
    """The first position on a line whose pixel, q * step + offset, is not before the image."""
    return 0 if offset >= 0 else min((step - 1 - offset) // step, ow)


cdef Py_ssize_t _last(
    Py_ssize_t offset, Py_ssize_t step, Py_ssize_t w, Py_ssize_t ow
) noexcept nogil:
    """One more than the last position on a line whose pixel is not behind the image."""
    return 0 if offset >= w else min((w - 1 - offset) // step + 1, ow)


cdef void _fill(floating* target, Py_ssize_t count) noexcept nogil:
    """target[q] = 0."""
    memset(target, 0, count * sizeof(floating))


cdef void _copy(
    const floating* source, Py_ssize_t step, floating* target, Py_ssize_t count
) noexcept nogil:
    """target[q] = source[q * step]."""
    cdef Py_ssize_t q
    if step == 1:
        memcpy(target, source, count * sizeof(floating))
    elif step == 2:
        for q in range(count):
            target[q] = source[q + q]
    else:
        for q in range(count):
            target[q] = source[q * step]


cdef void _add(
    const floating* source, floating* target, Py_ssize_t step, Py_ssize_t count
) noexcept nogil:
    """target[q * step] += source[q]."""
    cdef Py_ssize_t q
    if step == 1:
        for q in range(count):
            target[q] += source[q]
    else:
        for q in range(count):
            target[q * step] += source[q]


cdef void _edges(
    floating* cells, Py_ssize_t lines, Py_ssize_t ow, Py_ssize_t left, Py_ssize_t right
) noexcept nogil:
    """Zeros at the positions 0 .. left - 1 and right .. ow - 1 of every line."""
    cdef Py_ssize_t line
    if left > 0:
        for line in range(lines):
            _fill(cells + line * ow, left)
    if right < ow:
        for line in range(lines):
            _fill(cells + line * ow + right, ow - right)


def _gather(
    const floating[:, :, :, ::1] x, Py_ssize_t channel0, window, Py_ssize_t start,
    floating[:, ::1] cols,
):
    """cols[(channel, i, j), t] = the pixel under tap (i, j) at the tile's output position t."""
    cdef Py_ssize_t kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    (kh, kw), (sh, sw), (ph, pw), (dh, dw), (oh, ow) = window
    cdef Py_ssize_t h = x.shape[2], w = x.shape[3]
    cdef Py_ssize_t depth = cols.shape[0], width = cols.shape[1]
    cdef Py_ssize_t k, channel, above, across, top, bottom, left, right
    cdef Py_ssize_t image, p, cell, run, begin, end, q
    cdef const floating* there
    cdef floating* here
    cdef bint unbroken = sh == 1 and sw == 1 and ow == w
    with nogil:
        for k in range(depth):
            channel = channel0 + k // (kh * kw)
            above, across = k // kw % kh * dh - ph, k % kw * dw - pw
            top, bottom = _first(above, sh, oh), _last(above, sh, h, oh)
            left, right = _first(across, sw, ow), _last(across, sw, w, ow)
            image, p, cell = start // oh, start % oh, 0
            while cell < width:
                run = min(oh - p, (width - cell) // ow)
                begin, end = min(max(top, p), p + run), min(max(bottom, p), p + run)
                if begin >= end or left >= right:
                    _fill(&cols[k, cell], run * ow)
                else:
                    _fill(&cols[k, cell], (begin - p) * ow)
                    _fill(&cols[k, cell] + (end - p) * ow, (p + run - end) * ow)
                    here = &cols[k, cell + (begin - p) * ow]
                    there = &x[image, channel, begin * sh + above, left * sw + across]
                    if unbroken:
                        # A line's end meets the next one's beginning in the image as in the
                        # column, so all lines move at once; what comes from the wrong line lies
                        # at the edges.
                        _copy(there, 1, here + left, (end - begin) * ow - left - ow + right)
                    else:
                        for q in range(end - begin):
                            _copy(there + q * sh * w, sw, here + q * ow + left, right - left)
                    _edges(here, end - begin, ow, left, right)
                image, p, cell = image + 1, 0, cell + run * ow


def _scatter(
    floating[:, ::1] cols, Py_ssize_t channel0, window, Py_ssize_t start,
    floating[:, :, :, ::1] dx,
):
    """The way back from `_gather`: every cell is added to its pixel. Edges of cols are cleared."""
    cdef Py_ssize_t kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    (kh, kw), (sh, sw), (ph, pw), (dh, dw), (oh, ow) = window
    cdef Py_ssize_t h = dx.shape[2], w = dx.shape[3]
    cdef Py_ssize_t depth = cols.shape[0], width = cols.shape[1]
    cdef Py_ssize_t k, channel, above, across, top, bottom, left, right
    cdef Py_ssize_t image, p, cell, run, begin, end, q
    cdef floating* there
    cdef floating* here
    cdef bint unbroken = sh == 1 and sw == 1 and ow == w
    with nogil:
        for k in range(depth):
            channel = channel0 + k // (kh * kw)
            above, across = k // kw % kh * dh - ph, k % kw * dw - pw
            top, bottom = _first(above, sh, oh), _last(above, sh, h, oh)
            left, right = _first(across, sw, ow), _last(across, sw, w, ow)
            image, p, cell = start // oh, start % oh, 0
            while cell < width:
                run = min(oh - p, (width - cell) // ow)
                begin, end = min(max(top, p), p + run), min(max(bottom, p), p + run)
                if begin < end and left < right:
                    here = &cols[k, cell + (begin - p) * ow]
                    there = &dx[image, channel, begin * sh + above, left * sw + across]
                    if unbroken:
                        _edges(here, end - begin, ow, left, right)
                        _add(here + left, there, 1, (end - begin) * ow - left - ow + right)
                    else:
                        for q in range(end - begin):
                            _add(here + q * ow + left, there + q * sh * w, sw, right - left)
                image, p, cell = image + 1, 0, cell + run * ow


def _put(
    const floating[:, ::1] out, Py_ssize_t channel0, Py_ssize_t start, floating[:, :, :, ::1] y
):
    """y[image, channel0 + a, p] = out[a, line], the lines of the tile beginning at start."""
    cdef Py_ssize_t oh = y.shape[2], ow = y.shape[3]
    cdef Py_ssize_t outputs = out.shape[0], width = out.shape[1]
    cdef Py_ssize_t a, image, p, cell, count
    with nogil:
        for a in range(outputs):
            image, p, cell = start // oh, start % oh, 0
            while cell < width:
                count = min((oh - p) * ow, width - cell)
                _copy(&out[a, cell], 1, &y[image, channel0 + a, p, 0], count)
                image, p, cell = image + 1, 0, cell + count


def _take(
    const floating[:, :, :, ::1] dy, Py_ssize_t channel0, Py_ssize_t start, floating[:, ::1] out
):
    """out[a, line] = dy[image, channel0 + a, p], the way back from `_put`."""
    cdef Py_ssize_t oh = dy.shape[2], ow = dy.shape[3]
    cdef Py_ssize_t outputs = out.shape[0], width = out.shape[1]
    cdef Py_ssize_t a, image, p, cell, count
    with nogil:
        for a in range(outputs):
            image, p, cell = start // oh, start % oh, 0
            while cell < width:
                count = min((oh - p) * ow, width - cell)
                _copy(&dy[image, channel0 + a, p, 0], 1, &out[a, cell], count)
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
