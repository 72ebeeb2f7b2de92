# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Max and average pooling in Cython: a maximum window by window, a mean tap by tap over rows.

Maxima with places inside the window, and most means, are written in C (simd/pool*.h).
What is computed, and the shapes, stand in pool_numpy.
"""

import numpy as np

from cython cimport floating
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t
from numpy cimport NPY_FLOAT32, PyArray_DATA, PyArray_TYPE, import_array, ndarray

from minidl.kernels import parallel

import_array()

# Numbers a thread should have, at least, for its start to pay.
LEAST = 150000

cdef extern from "simd/denormals.h" nogil:
    unsigned flush_denormals(int)
    void keep_denormals(unsigned)

cdef extern nogil:
    void pool_tiles_forward_f32(const float*, float*, float*, const long*, long, long)
    void pool_tiles_forward_f64(const double*, double*, double*, const long*, long, long)
    void pool_tiles_backward_f32(const float*, float*, const long*, long, long)
    void pool_tiles_backward_f64(const double*, double*, const long*, long, long)
    void pool_max_forward_f32(const float*, float*, uint8_t*, float*, const long*, long, long)
    void pool_max_forward_f64(const double*, double*, uint8_t*, double*, const long*, long, long)
    void pool_max_backward_f32(const float*, const uint8_t*, float*, const long*, long, long)
    void pool_max_backward_f64(const double*, const uint8_t*, double*, const long*, long, long)
    void pool_adaptive_forward_f32(const float*, float*, long, long, long, long, long, long)
    void pool_adaptive_forward_f64(const double*, double*, long, long, long, long, long, long)
    void pool_adaptive_backward_f32(const float*, float*, long, long, long, long, long, long)
    void pool_adaptive_backward_f64(const double*, double*, long, long, long, long, long, long)


cdef Py_ssize_t _first(Py_ssize_t offset, Py_ssize_t step, Py_ssize_t out) noexcept nogil:
    """The first position whose pixel, q * step + offset, is not before the image."""
    return 0 if offset >= 0 else min((step - 1 - offset) // step, out)


cdef Py_ssize_t _last(
    Py_ssize_t offset, Py_ssize_t step, Py_ssize_t length, Py_ssize_t out
) noexcept nogil:
    """One more than the last position whose pixel is not behind the image."""
    return 0 if offset >= length else min((length - 1 - offset) // step + 1, out)


cdef void _counts(
    Py_ssize_t length, Py_ssize_t kernel, Py_ssize_t stride, Py_ssize_t padding,
    bint count_include_pad, floating[::1] counts,
) noexcept nogil:
    """What each window is divided by, along one axis."""
    cdef Py_ssize_t p, start, end
    for p in range(counts.shape[0]):
        start, end = p * stride - padding, min(p * stride - padding + kernel, length + padding)
        if not count_include_pad:
            start, end = max(start, 0), min(end, length)
        counts[p] = max(end - start, 1)


def _max_forward(
    const floating[:, :, ::1] x, kernel, stride, padding, dilation,
    floating[:, :, ::1] y, int64_t[:, :, ::1] argmax,
):
    cdef Py_ssize_t planes = x.shape[0], h = x.shape[1], w = x.shape[2]
    cdef Py_ssize_t oh = y.shape[1], ow = y.shape[2]
    cdef Py_ssize_t kh, kw, sh, sw, ph, pw, dh, dw
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = kernel, stride, padding, dilation
    cdef Py_ssize_t plane, p, q, i, j, row, column, place
    cdef floating best, value
    with nogil:
        for plane in range(planes):
            for p in range(oh):
                for q in range(ow):
                    best, place = -INFINITY, -1
                    for i in range(kh):
                        row = p * sh - ph + i * dh
                        if row < 0 or row >= h:
                            continue
                        for j in range(kw):
                            column = q * sw - pw + j * dw
                            if column < 0 or column >= w:
                                continue
                            value = x[plane, row, column]
                            if value > best or value != value or place < 0:
                                best, place = value, row * w + column
                    y[plane, p, q], argmax[plane, p, q] = best, place


def _max_backward(
    const floating[:, ::1] dy, const int64_t[:, ::1] argmax, floating[:, ::1] dx
):
    cdef Py_ssize_t planes = dy.shape[0], outputs = dy.shape[1], plane, q
    cdef int64_t place
    for plane in range(planes):
        for q in range(outputs):
            place = argmax[plane, q]
            if place >= dx.shape[1]:
                raise IndexError("max_backward: expected argmax inside the image")
            if place >= 0:
                dx[plane, place] += dy[plane, q]


def _avg_forward(
    const floating[:, :, ::1] x, kernel, stride, padding, bint count_include_pad,
    floating[:, :, ::1] y, floating[::1] tall, floating[::1] wide,
):
    cdef Py_ssize_t planes = x.shape[0], h = x.shape[1], w = x.shape[2]
    cdef Py_ssize_t oh = y.shape[1], ow = y.shape[2]
    cdef Py_ssize_t kh, kw, sh, sw, ph, pw
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    cdef Py_ssize_t plane, p, q, j, row, offset
    cdef floating* total
    cdef unsigned before
    with nogil:
        before = flush_denormals(1)
        _counts(h, kh, sh, ph, count_include_pad, tall)
        _counts(w, kw, sw, pw, count_include_pad, wide)
        for plane in range(planes):
            for p in range(oh):
                total = &y[plane, p, 0]
                for q in range(ow):
                    total[q] = 0
                for row in range(max(p * sh - ph, 0), min(p * sh - ph + kh, h)):
                    for j in range(kw):
                        offset = j - pw
                        for q in range(_first(offset, sw, ow), _last(offset, sw, w, ow)):
                            total[q] += x[plane, row, q * sw + offset]
                for q in range(ow):
                    total[q] /= tall[p] * wide[q]
        keep_denormals(before)


def _avg_backward(
    const floating[:, :, ::1] dy, kernel, stride, padding, bint count_include_pad,
    floating[:, :, ::1] dx, floating[::1] tall, floating[::1] wide, floating[::1] share,
):
    cdef Py_ssize_t planes = dx.shape[0], h = dx.shape[1], w = dx.shape[2]
    cdef Py_ssize_t oh = dy.shape[1], ow = dy.shape[2]
    cdef Py_ssize_t kh, kw, sh, sw, ph, pw
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    cdef Py_ssize_t plane, p, q, j, row, offset
    cdef unsigned before
    with nogil:
        before = flush_denormals(1)
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
                            dx[plane, row, q * sw + offset] += share[q]
        keep_denormals(before)


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
    dx = np.zeros(x_shape, dy.dtype)
    planes = dx.reshape(n * c, x_shape[2] * x_shape[3])
    _max_backward(dy.reshape(n * c, oh * ow), argmax.reshape(n * c, oh * ow), planes)
    return dx


def _tiles_forward(
    const floating[:, :, ::1] x, floating[:, :, ::1] y, kernel, Py_ssize_t start, Py_ssize_t stop
):
    cdef long[6] g
    g[0], g[1], g[2], g[3], (g[4], g[5]) = (
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], kernel)
    row = np.empty(g[1], np.float32 if floating is float else np.float64)
    cdef floating[::1] room = row
    with nogil:
        if floating is float:
            pool_tiles_forward_f32(&x[0, 0, 0], &y[0, 0, 0], &room[0], g, start, stop)
        else:
            pool_tiles_forward_f64(&x[0, 0, 0], &y[0, 0, 0], &room[0], g, start, stop)


def _tiles_backward(
    const floating[:, :, ::1] dy, floating[:, :, ::1] dx, kernel, Py_ssize_t start, Py_ssize_t stop
):
    cdef long[6] g
    g[0], g[1], g[2], g[3], (g[4], g[5]) = (
        dx.shape[1], dx.shape[2], dy.shape[1], dy.shape[2], kernel)
    with nogil:
        if floating is float:
            pool_tiles_backward_f32(&dy[0, 0, 0], &dx[0, 0, 0], g, start, stop)
        else:
            pool_tiles_backward_f64(&dy[0, 0, 0], &dx[0, 0, 0], g, start, stop)


def _side_by_side(kernel, stride, padding, size, out_size):
    """Whether the windows neither overlap nor leave the image, and there is one at least."""
    return (
        tuple(kernel) == tuple(stride) and tuple(padding) == (0, 0) and min(out_size) > 0
        and all(o * k <= n for o, k, n in zip(out_size, kernel, size, strict=True)))


def avg_forward(x, kernel, stride, padding, out_size, count_include_pad):
    """y, the mean of each window; see pool_numpy.avg_forward."""
    n, c, h, w = x.shape
    oh, ow = out_size
    y = np.empty((n * c, oh, ow), x.dtype)
    if n * c and _side_by_side(kernel, stride, padding, (h, w), out_size):
        planes = x.reshape(n * c, h, w)
        part = lambda start, stop: _tiles_forward(planes, y, kernel, start, stop)
        parallel.run(part, n * c, LEAST // (h * w) + 1)
        return y.reshape(n, c, oh, ow)
    window = tuple(kernel), tuple(stride), tuple(padding), bool(count_include_pad)
    room = np.empty(oh, x.dtype), np.empty(ow, x.dtype)
    _avg_forward(x.reshape(n * c, h, w), *window, y, *room)
    return y.reshape(n, c, oh, ow)


def avg_backward(dy, x_shape, kernel, stride, padding, count_include_pad):
    """dx, each gradient shared by its window; see pool_numpy.avg_backward."""
    n, c, h, w = x_shape
    _, _, oh, ow = dy.shape
    if n * c and _side_by_side(kernel, stride, padding, (h, w), (oh, ow)):
        dx = np.empty(x_shape, dy.dtype)
        planes, results = dy.reshape(n * c, oh, ow), dx.reshape(n * c, h, w)
        part = lambda start, stop: _tiles_backward(planes, results, kernel, start, stop)
        parallel.run(part, n * c, LEAST // (h * w) + 1)
        return dx
    dx = np.zeros(x_shape, dy.dtype)
    window = tuple(kernel), tuple(stride), tuple(padding), bool(count_include_pad)
    room = np.empty(oh, dy.dtype), np.empty(ow, dy.dtype), np.empty(ow, dy.dtype)
    _avg_backward(dy.reshape(n * c, oh, ow), *window, dx.reshape(n * c, h, w), *room)
    return dx


cdef void _geometry(long* g, size, out_size, kernel, stride, padding, dilation) except *:
    """Write the numbers pool.h takes; windows have fewer than 255 values."""
    cdef int i = 0
    for pair in (size, out_size, kernel, stride, padding, dilation):
        g[i], g[i + 1] = pair
        i += 2
    if g[4] * g[5] >= 255:
        raise ValueError(f"max pooling by places: expected windows below 255 values, got {kernel}")


cdef _max_forward_part(ndarray x, ndarray y, ndarray where, long[::1] numbers, long start, long stop):
    cdef const long* g = &numbers[0]
    cdef ndarray scratch = np.empty(g[4] * g[7] * (g[1] // g[7] + 1), x.dtype)
    cdef const void* source = PyArray_DATA(x)
    cdef void* target = PyArray_DATA(y)
    cdef void* room = PyArray_DATA(scratch)
    cdef uint8_t* places = <uint8_t*>PyArray_DATA(where)
    cdef bint single = PyArray_TYPE(x) == NPY_FLOAT32
    with nogil:
        if single:
            pool_max_forward_f32(
                <const float*>source, <float*>target, places, <float*>room, g, start, stop)
        else:
            pool_max_forward_f64(
                <const double*>source, <double*>target, places, <double*>room, g, start, stop)


cdef _max_backward_part(
    ndarray dy, ndarray where, ndarray dx, long[::1] numbers, long start, long stop
):
    cdef const long* g = &numbers[0]
    cdef const void* source = PyArray_DATA(dy)
    cdef void* target = PyArray_DATA(dx)
    cdef const uint8_t* places = <const uint8_t*>PyArray_DATA(where)
    cdef bint single = PyArray_TYPE(dy) == NPY_FLOAT32
    with nogil:
        if single:
            pool_max_backward_f32(<const float*>source, places, <float*>target, g, start, stop)
        else:
            pool_max_backward_f64(<const double*>source, places, <double*>target, g, start, stop)


def max_forward_local(x, kernel, stride, padding, dilation, out_size):
    """y and places inside the window; see pool_numpy.max_forward_local."""
    numbers = np.empty(12, np.dtype("l"))
    cdef long[::1] g = numbers
    n, c, h, w = x.shape
    _geometry(&g[0], (h, w), out_size, kernel, stride, padding, dilation)
    y = np.empty((n, c, *out_size), x.dtype)
    where = np.empty(y.shape, np.uint8)
    parallel.run(
        lambda start, stop: _max_forward_part(x, y, where, numbers, start, stop),
        n * c, max(LEAST // max(h * w, 1), 1))
    return y, where


def max_backward_local(dy, where, x_shape, kernel, stride, padding, dilation):
    """dx; see pool_numpy.max_backward_local."""
    numbers = np.empty(12, np.dtype("l"))
    cdef long[::1] g = numbers
    n, c, h, w = x_shape
    _geometry(&g[0], (h, w), dy.shape[2:], kernel, stride, padding, dilation)
    if where.dtype != np.uint8 or where.shape != dy.shape:
        raise ValueError(f"max_backward_local: expected uint8 places {dy.shape}, got {where.shape}")
    dx = np.empty(tuple(x_shape), dy.dtype)
    parallel.run(
        lambda start, stop: _max_backward_part(dy, where, dx, numbers, start, stop),
        n * c, max(LEAST // max(h * w, 1), 1))
    return dx


cdef _adaptive_part(
    ndarray source, ndarray target, bint forward, long h, long w, long oh, long ow, long start,
    long stop,
):
    cdef const void* a = PyArray_DATA(source)
    cdef void* b = PyArray_DATA(target)
    cdef bint single = PyArray_TYPE(source) == NPY_FLOAT32
    with nogil:
        if forward and single:
            pool_adaptive_forward_f32(<const float*>a, <float*>b, h, w, oh, ow, start, stop)
        elif forward:
            pool_adaptive_forward_f64(<const double*>a, <double*>b, h, w, oh, ow, start, stop)
        elif single:
            pool_adaptive_backward_f32(<const float*>a, <float*>b, h, w, oh, ow, start, stop)
        else:
            pool_adaptive_backward_f64(<const double*>a, <double*>b, h, w, oh, ow, start, stop)


def adaptive_avg_forward(x, out_size):
    """y, the means of windows that divide the image; see pool_numpy.adaptive_avg_forward."""
    n, c, h, w = x.shape
    oh, ow = out_size
    y = np.empty((n, c, oh, ow), x.dtype)
    parallel.run(
        lambda start, stop: _adaptive_part(x, y, True, h, w, oh, ow, start, stop),
        n * c, max(LEAST // max(h * w, 1), 1))
    return y


def adaptive_avg_backward(dy, x_shape):
    """dx, each gradient shared by its window; see pool_numpy.adaptive_avg_backward."""
    n, c, h, w = x_shape
    _, _, oh, ow = dy.shape
    dx = np.empty(tuple(x_shape), dy.dtype)
    parallel.run(
        lambda start, stop: _adaptive_part(dy, dx, False, h, w, oh, ow, start, stop),
        n * c, max(LEAST // max(h * w, 1), 1))
    return dx
