"""Max and average pooling in Numba: a maximum window by window, a mean tap by tap over rows.

Adaptive pooling is left to NumPy: its windows differ in size, and it is called on small maps.
What is computed, and the shapes, stand in pool_numpy. Indices into a row are unsigned: Numba then
adds no test for negative ones.
"""

import numpy as np
from numba import njit, uintp


@njit(cache=True)
def _first(offset, step, out):
    """The first position whose pixel, q * step + offset, is not before the image."""
    return 0 if offset >= 0 else min((step - 1 - offset) // step, out)


@njit(cache=True)
def _last(offset, step, length, out):
    """One more than the last position whose pixel is not behind the image."""
    return 0 if offset >= length else min((length - 1 - offset) // step + 1, out)


@njit(cache=True)
def _counts(length, kernel, stride, padding, count_include_pad, counts):
    """What each window is divided by, along one axis."""
    for p in range(counts.size):
        start, end = p * stride - padding, min(p * stride - padding + kernel, length + padding)
        if not count_include_pad:
            start, end = max(start, 0), min(end, length)
        counts[p] = max(end - start, 1)


@njit(cache=True)
def _max_forward(x, kernel, stride, padding, dilation, y, argmax):
    planes, h, w = x.shape
    _, oh, ow = y.shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = kernel, stride, padding, dilation
    for plane in range(planes):
        for p in range(oh):
            for q in range(ow):
                best, place = x.dtype.type(-np.inf), -1
                for i in range(kh):
                    row = p * sh - ph + i * dh
                    if row < 0 or row >= h:
                        continue
                    for j in range(kw):
                        column = q * sw - pw + j * dw
                        if column < 0 or column >= w:
                            continue
                        value = x[plane, row, uintp(column)]
                        if value > best or value != value or place < 0:
                            best, place = value, row * w + column
                y[plane, p, q], argmax[plane, p, q] = best, place


@njit(cache=True)
def _max_backward(dy, argmax, dx):
    planes, outputs = dy.shape
    for plane in range(planes):
        for q in range(outputs):
            place = argmax[plane, q]
            if place >= dx.shape[1]:
                raise IndexError("max_backward: expected argmax inside the image")
            if place >= 0:
                dx[plane, place] += dy[plane, q]


@njit(cache=True)
def _avg_forward(x, kernel, stride, padding, count_include_pad, y):
    planes, h, w = x.shape
    _, oh, ow = y.shape
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    tall, wide = np.empty(oh, x.dtype), np.empty(ow, x.dtype)
    _counts(h, kh, sh, ph, count_include_pad, tall)
    _counts(w, kw, sw, pw, count_include_pad, wide)
    for plane in range(planes):
        for p in range(oh):
            total = y[plane, p]
            for q in range(ow):
                total[q] = 0
            for row in range(max(p * sh - ph, 0), min(p * sh - ph + kh, h)):
                for j in range(kw):
                    offset = j - pw
                    for q in range(_first(offset, sw, ow), _last(offset, sw, w, ow)):
                        total[q] += x[plane, row, uintp(q * sw + offset)]
            for q in range(ow):
                total[q] /= tall[p] * wide[q]


@njit(cache=True)
def _avg_backward(dy, kernel, stride, padding, count_include_pad, dx):
    planes, h, w = dx.shape
    _, oh, ow = dy.shape
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    tall, wide = np.empty(oh, dx.dtype), np.empty(ow, dx.dtype)
    share = np.empty(ow, dx.dtype)
    _counts(h, kh, sh, ph, count_include_pad, tall)
    _counts(w, kw, sw, pw, count_include_pad, wide)
    for plane in range(planes):
        for p in range(oh):
            for q in range(ow):
                share[q] = dy[plane, p, q] / (tall[p] * wide[q])
            for row in range(max(p * sh - ph, 0), min(p * sh - ph + kh, h)):
                for j in range(kw):
                    offset = j - pw
                    for q in range(_first(offset, sw, ow), _last(offset, sw, w, ow)):
                        dx[plane, row, uintp(q * sw + offset)] += share[q]


def max_forward(x, kernel, stride, padding, dilation, out_size):
    """y, argmax of each window; see pool_numpy.max_forward."""
    n, c, h, w = x.shape
    oh, ow = out_size
    y, argmax = np.empty((n * c, oh, ow), x.dtype), np.empty((n * c, oh, ow), np.int64)
    window = tuple(kernel), tuple(stride), tuple(padding), tuple(dilation)
    _max_forward(x.reshape(n * c, h, w), *window, y, argmax)
    return y.reshape(n, c, oh, ow), argmax.reshape(n, c, oh, ow)


def max_backward(dy, argmax, x_shape):
    """dx, each gradient at its maximum; see pool_numpy.max_backward."""
    n, c, oh, ow = dy.shape
    dx = np.zeros((n * c, x_shape[2] * x_shape[3]), dy.dtype)
    _max_backward(dy.reshape(n * c, oh * ow), argmax.reshape(n * c, oh * ow), dx)
    return dx.reshape(x_shape)


def avg_forward(x, kernel, stride, padding, out_size, count_include_pad):
    """y, the mean of each window; see pool_numpy.avg_forward."""
    n, c, h, w = x.shape
    oh, ow = out_size
    y = np.empty((n * c, oh, ow), x.dtype)
    window = tuple(kernel), tuple(stride), tuple(padding), bool(count_include_pad)
    _avg_forward(x.reshape(n * c, h, w), *window, y)
    return y.reshape(n, c, oh, ow)


def avg_backward(dy, x_shape, kernel, stride, padding, count_include_pad):
    """dx, each gradient shared by its window; see pool_numpy.avg_backward."""
    n, c, h, w = x_shape
    _, _, oh, ow = dy.shape
    dx = np.zeros((n * c, h, w), dy.dtype)
    window = tuple(kernel), tuple(stride), tuple(padding), bool(count_include_pad)
    _avg_backward(dy.reshape(n * c, oh, ow), *window, dx)
    return dx.reshape(n, c, h, w)


def max_forward_local(x, kernel, stride, padding, dilation, out_size):
    """y and places inside the window; see pool_numpy.max_forward_local."""
    if kernel[0] * kernel[1] >= 255:
        raise ValueError(f"max pooling by places: expected windows below 255 values, got {kernel}")
    (_, kw), (sh, sw), (ph, pw), (dh, dw), (oh, ow) = kernel, stride, padding, dilation, out_size
    y, argmax = max_forward(x, kernel, stride, padding, dilation, out_size)
    row, column = np.divmod(argmax, x.shape[3])
    i = (row - (np.arange(oh)[:, None] * sh - ph)) // dh
    j = (column - (np.arange(ow) * sw - pw)) // dw
    return y, np.where(argmax < 0, 255, i * kw + j).astype(np.uint8)


def max_backward_local(dy, where, x_shape, kernel, stride, padding, dilation):
    """dx; see pool_numpy.max_backward_local."""
    _, _, h, w = x_shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = kernel, stride, padding, dilation
    i, j = np.divmod(where.astype(np.int64), kw)
    row = np.arange(dy.shape[2])[:, None] * sh - ph + i * dh
    column = np.arange(dy.shape[3]) * sw - pw + j * dw
    inside = (where < kh * kw) & (row >= 0) & (row < h) & (column >= 0) & (column < w)
    return max_backward(dy, np.where(inside, row * w + column, -1), x_shape)
