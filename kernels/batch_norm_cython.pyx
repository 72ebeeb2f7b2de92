# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Batch normalization in Cython: channel by channel, exact variance in two passes.

x is seen as n rows of c * s columns. A strip of columns holds one channel, or several where they
are short, and is swept row by row: the inner loops are long, run over contiguous values and keep
one partial sum for each column, so they become vector code without reordering any sum.
"""

import numpy as np

from cython cimport floating
from libc.math cimport sqrt

cdef Py_ssize_t STRIP = 64


cdef void _add_rows(
    const floating[:, ::1] x, Py_ssize_t start, floating* total, Py_ssize_t width
) noexcept nogil:
    """total[j] = sum over the rows of x[i, start + j]."""
    cdef Py_ssize_t i, j
    cdef const floating* row
    for j in range(width):
        total[j] = 0
    for i in range(x.shape[0]):
        row = &x[i, start]
        for j in range(width):
            total[j] += row[j]


cdef void _add_products(
    const floating[:, ::1] x, const floating[:, ::1] y,
    Py_ssize_t start, floating* total, Py_ssize_t width,
) noexcept nogil:
    """total[j] = sum over the rows of x[i, start + j] * y[i, start + j]."""
    cdef Py_ssize_t i, j
    cdef const floating* row
    cdef const floating* other
    for j in range(width):
        total[j] = 0
    for i in range(x.shape[0]):
        row, other = &x[i, start], &y[i, start]
        for j in range(width):
            total[j] += row[j] * other[j]


cdef void _add_squares(
    const floating[:, ::1] x, const floating* centre,
    Py_ssize_t start, floating* total, Py_ssize_t width,
) noexcept nogil:
    """total[j] = sum over the rows of (x[i, start + j] - centre[j])^2."""
    cdef Py_ssize_t i, j
    cdef const floating* row
    cdef floating difference
    for j in range(width):
        total[j] = 0
    for i in range(x.shape[0]):
        row = &x[i, start]
        for j in range(width):
            difference = row[j] - centre[j]
            total[j] += difference * difference


cdef void _channel_sums(
    const floating* total, Py_ssize_t s, double divisor, floating* sums, Py_ssize_t channels
) noexcept nogil:
    """sums[ch] = the sum of a channel's s columns, over divisor."""
    cdef Py_ssize_t ch, j
    cdef double part
    for ch in range(channels):
        part = 0
        for j in range(ch * s, (ch + 1) * s):
            part += total[j]
        sums[ch] = <floating>(part / divisor)


cdef void _spread(
    const floating* values, Py_ssize_t s, floating* columns, Py_ssize_t channels
) noexcept nogil:
    """columns[j] = the value of the channel that column j belongs to."""
    cdef Py_ssize_t ch, j
    for ch in range(channels):
        for j in range(ch * s, (ch + 1) * s):
            columns[j] = values[ch]


cdef void _normalize(
    const floating[:, ::1] x, const floating* centre, const floating* factor,
    Py_ssize_t start, floating[:, ::1] x_hat, Py_ssize_t width,
) noexcept nogil:
    """x_hat = (x - centre) * factor in the strip."""
    cdef Py_ssize_t i, j
    cdef const floating* row
    cdef floating* target
    for i in range(x.shape[0]):
        row, target = &x[i, start], &x_hat[i, start]
        for j in range(width):
            target[j] = (row[j] - centre[j]) * factor[j]


cdef void _affine(
    const floating[:, ::1] x, const floating* factor, const floating* shift,
    Py_ssize_t start, floating[:, ::1] y, Py_ssize_t width,
) noexcept nogil:
    """y = factor * x + shift in the strip."""
    cdef Py_ssize_t i, j
    cdef const floating* row
    cdef floating* target
    for i in range(x.shape[0]):
        row, target = &x[i, start], &y[i, start]
        for j in range(width):
            target[j] = factor[j] * row[j] + shift[j]


def _forward(
    const floating[:, ::1] x, const floating[::1] gamma, const floating[::1] beta, double eps,
    floating[:, ::1] y, floating[:, ::1] x_hat,
    floating[::1] inv_std, floating[::1] mean, floating[::1] var, floating[:, ::1] room,
):
    cdef Py_ssize_t n = x.shape[0], c = gamma.shape[0], s = x.shape[1] // gamma.shape[0]
    cdef double m = max(n * s, 1)
    cdef Py_ssize_t step = max(STRIP // s, 1)
    cdef Py_ssize_t strip, first, channels, start, width, ch
    cdef floating* total = &room[0, 0]
    cdef floating* centre = &room[1, 0]
    cdef floating* factor = &room[2, 0]
    cdef floating* shift = &room[3, 0]
    with nogil:
        for strip in range((c + step - 1) // step):
            first = strip * step
            channels = min(step, c - first)
            start, width = first * s, channels * s
            _add_rows(x, start, total, width)
            _channel_sums(total, s, m, &mean[first], channels)
            _spread(&mean[first], s, centre, channels)
            _add_squares(x, centre, start, total, width)
            _channel_sums(total, s, m, &var[first], channels)
            for ch in range(first, first + channels):
                inv_std[ch] = <floating>(1 / sqrt(var[ch] + eps))
            _spread(&inv_std[first], s, factor, channels)
            _normalize(x, centre, factor, start, x_hat, width)
            _spread(&gamma[first], s, factor, channels)
            _spread(&beta[first], s, shift, channels)
            _affine(x_hat, factor, shift, start, y, width)


def _backward(
    const floating[:, ::1] dy, const floating[:, ::1] x_hat,
    const floating[::1] inv_std, const floating[::1] gamma,
    floating[:, ::1] dx, floating[::1] dgamma, floating[::1] dbeta, floating[:, ::1] room,
):
    cdef Py_ssize_t n = dy.shape[0], c = gamma.shape[0], s = dy.shape[1] // gamma.shape[0]
    cdef floating m = max(n * s, 1)
    cdef Py_ssize_t step = max(STRIP // s, 1)
    cdef Py_ssize_t strip, first, channels, start, width, ch, i, j
    cdef floating* dy_sum = &room[0, 0]
    cdef floating* proj = &room[1, 0]
    cdef floating* factor = &room[2, 0]
    cdef floating ratio
    cdef const floating* row
    cdef const floating* hat
    cdef floating* target
    with nogil:
        for strip in range((c + step - 1) // step):
            first = strip * step
            channels = min(step, c - first)
            start, width = first * s, channels * s
            _add_rows(dy, start, dy_sum, width)
            _channel_sums(dy_sum, s, 1, &dbeta[first], channels)
            _spread(&dbeta[first], s, dy_sum, channels)
            _add_products(dy, x_hat, start, proj, width)
            _channel_sums(proj, s, 1, &dgamma[first], channels)
            _spread(&dgamma[first], s, proj, channels)
            for ch in range(channels):
                ratio = gamma[first + ch] * inv_std[first + ch] / m
                _spread(&ratio, s, factor + ch * s, 1)
            for i in range(n):
                row, hat, target = &dy[i, start], &x_hat[i, start], &dx[i, start]
                for j in range(width):
                    target[j] = factor[j] * (m * row[j] - dy_sum[j] - hat[j] * proj[j])


def _inference(
    const floating[:, ::1] x, const floating[::1] gamma, const floating[::1] beta,
    const floating[::1] mean, const floating[::1] var, double eps,
    floating[:, ::1] y, floating[:, ::1] room,
):
    cdef Py_ssize_t c = gamma.shape[0], s = x.shape[1] // gamma.shape[0]
    cdef Py_ssize_t step = max(STRIP // s, 1)
    cdef Py_ssize_t strip, first, channels, start, width, ch
    cdef floating* centre = &room[0, 0]
    cdef floating* factor = &room[1, 0]
    cdef floating* scale = &room[2, 0]
    cdef floating* shift = &room[3, 0]
    cdef floating inv_std
    with nogil:
        for strip in range((c + step - 1) // step):
            first = strip * step
            channels = min(step, c - first)
            start, width = first * s, channels * s
            _spread(&mean[first], s, centre, channels)
            for ch in range(channels):
                inv_std = <floating>(1 / sqrt(var[first + ch] + eps))
                _spread(&inv_std, s, factor + ch * s, 1)
            _spread(&gamma[first], s, scale, channels)
            _spread(&beta[first], s, shift, channels)
            _normalize(x, centre, factor, start, y, width)
            _affine(y, scale, shift, start, y, width)


def forward(x, gamma, beta, eps):
    """y, x_hat, inv_std, mean, var of a batch; see batch_norm_numpy.forward."""
    n, c, s = x.shape
    rows = n, c * s
    y, x_hat = np.empty_like(x), np.empty_like(x)
    inv_std, mean, var = (np.empty(c, x.dtype) for _ in range(3))
    room = np.empty((4, max(s, STRIP)), x.dtype)
    arrays = y.reshape(rows), x_hat.reshape(rows), inv_std, mean, var
    _forward(x.reshape(rows), gamma, beta, eps, *arrays, room)
    return y, x_hat, inv_std, mean, var


def backward(dy, x_hat, inv_std, gamma):
    """dx, dgamma, dbeta; see batch_norm_numpy.backward."""
    n, c, s = dy.shape
    rows = n, c * s
    dx, dgamma, dbeta = np.empty_like(dy), np.empty(c, dy.dtype), np.empty(c, dy.dtype)
    room = np.empty((3, max(s, STRIP)), dy.dtype)
    arrays = dx.reshape(rows), dgamma, dbeta
    _backward(dy.reshape(rows), x_hat.reshape(rows), inv_std, gamma, *arrays, room)
    return dx, dgamma, dbeta


def inference(x, gamma, beta, mean, var, eps):
    """y with given statistics; see batch_norm_numpy.inference."""
    n, c, s = x.shape
    rows = n, c * s
    y = np.empty_like(x)
    room = np.empty((4, max(s, STRIP)), x.dtype)
    _inference(x.reshape(rows), gamma, beta, mean, var, eps, y.reshape(rows), room)
    return y
