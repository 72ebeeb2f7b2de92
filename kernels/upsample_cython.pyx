# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Resizing in Cython, row by row; the nearest pixels themselves are left to NumPy.

What is computed, and the shapes, stand in upsample_numpy, which also says between which pixels a
place lies.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t

from minidl.kernels import parallel
from minidl.kernels.upsample_numpy import _between, _nearest

# Numbers a thread should have, at least, for its start to pay.
LEAST = 65536

cdef extern from "simd/denormals.h" nogil:
    unsigned flush_denormals(int)
    void keep_denormals(unsigned)


def _nearest_back(
    const floating[:, :, ::1] dy, floating[:, :, ::1] dx, const int64_t[::1] rows,
    const int64_t[::1] columns, Py_ssize_t start, Py_ssize_t stop,
):
    cdef Py_ssize_t plane, p, q
    cdef floating* target
    with nogil:
        for plane in range(start, stop):
            for p in range(dy.shape[1]):
                target = &dx[plane, rows[p], 0]
                for q in range(dy.shape[2]):
                    target[columns[q]] += dy[plane, p, q]


def _bilinear(
    const floating[:, :, ::1] x, floating[:, :, ::1] y, const int64_t[:, ::1] rows,
    const int64_t[:, ::1] columns, const floating[::1] tall, const floating[::1] wide,
    Py_ssize_t start, Py_ssize_t stop,
):
    cdef Py_ssize_t plane, p, q, k
    cdef floating share
    cdef const floating* upper
    cdef const floating* lower
    row = np.empty(x.shape[2], np.float32 if floating is float else np.float64)
    cdef floating[::1] line = row
    cdef unsigned before
    with nogil:
        before = flush_denormals(1)
        for plane in range(start, stop):
            for p in range(y.shape[1]):
                share = tall[p]
                upper, lower = &x[plane, rows[0, p], 0], &x[plane, rows[1, p], 0]
                for k in range(x.shape[2]):
                    line[k] = upper[k] * (1 - share) + lower[k] * share
                for q in range(y.shape[2]):
                    share = wide[q]
                    y[plane, p, q] = (
                        line[columns[0, q]] * (1 - share) + line[columns[1, q]] * share)
        keep_denormals(before)


def _bilinear_back(
    const floating[:, :, ::1] dy, floating[:, :, ::1] dx, const int64_t[:, ::1] rows,
    const int64_t[:, ::1] columns, const floating[::1] tall, const floating[::1] wide,
    Py_ssize_t start, Py_ssize_t stop,
):
    cdef Py_ssize_t plane, p, q, k
    cdef floating share
    cdef floating* upper
    cdef floating* lower
    row = np.empty(dx.shape[2], np.float32 if floating is float else np.float64)
    cdef floating[::1] line = row
    cdef unsigned before
    with nogil:
        before = flush_denormals(1)
        for plane in range(start, stop):
            for p in range(dy.shape[1]):
                for k in range(dx.shape[2]):
                    line[k] = 0
                for q in range(dy.shape[2]):
                    share = wide[q]
                    line[columns[0, q]] += dy[plane, p, q] * (1 - share)
                    line[columns[1, q]] += dy[plane, p, q] * share
                share = tall[p]
                upper, lower = &dx[plane, rows[0, p], 0], &dx[plane, rows[1, p], 0]
                for k in range(dx.shape[2]):
                    upper[k] += line[k] * (1 - share)
                for k in range(dx.shape[2]):
                    lower[k] += line[k] * share
        keep_denormals(before)


def _taps(length, out, step, align_corners, dtype):
    """The two pixels around each place, and the share of the second."""
    first, second, share = _between(length, out, step, align_corners)
    return np.stack([first, second]), share.astype(dtype)


def nearest_backward(dy, x_shape, step):
    """dx, sums over the places taken from each pixel; see upsample_numpy.nearest_backward."""
    n, c, h, w = x_shape
    _, _, oh, ow = dy.shape
    rows, columns = _nearest(h, oh, step[0]), _nearest(w, ow, step[1])
    dx = np.zeros(x_shape, dy.dtype)
    planes, results = dy.reshape(n * c, oh, ow), dx.reshape(n * c, h, w)
    parallel.run(
        lambda start, stop: _nearest_back(planes, results, rows, columns, start, stop),
        n * c, LEAST // (oh * ow) + 1)
    return dx


def bilinear_forward(x, out_size, step, align_corners):
    """y, values of the lines between pixels; see upsample_numpy.bilinear_forward."""
    n, c, h, w = x.shape
    oh, ow = out_size
    rows, tall = _taps(h, oh, step[0], align_corners, x.dtype)
    columns, wide = _taps(w, ow, step[1], align_corners, x.dtype)
    y = np.empty((n * c, oh, ow), x.dtype)
    planes = x.reshape(n * c, h, w)
    parallel.run(
        lambda start, stop: _bilinear(planes, y, rows, columns, tall, wide, start, stop),
        n * c, LEAST // (oh * ow) + 1)
    return y.reshape(n, c, oh, ow)


def bilinear_backward(dy, x_shape, step, align_corners):
    """dx, each gradient shared by the pixels around; see upsample_numpy.bilinear_backward."""
    n, c, h, w = x_shape
    _, _, oh, ow = dy.shape
    rows, tall = _taps(h, oh, step[0], align_corners, dy.dtype)
    columns, wide = _taps(w, ow, step[1], align_corners, dy.dtype)
    dx = np.zeros(x_shape, dy.dtype)
    planes, results = dy.reshape(n * c, oh, ow), dx.reshape(n * c, h, w)
    parallel.run(
        lambda start, stop: _bilinear_back(planes, results, rows, columns, tall, wide, start, stop),
        n * c, LEAST // (oh * ow) + 1)
    return dx
