# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Local response normalization in Cython: strips of pixels, channel after channel.

A strip is short enough for the rows of all the channels in the window to stay in the cache. What
is computed, and the shapes, stand in lrn_numpy.
"""

import numpy as np

from cython cimport floating
from libc.math cimport pow, sqrt, sqrtf

cdef Py_ssize_t STRIP = 256


cdef void _inverse_power(
    const floating* s, double beta, floating* result, Py_ssize_t width
) noexcept nogil:
    """result = s^-beta; for the literature's beta = 3/4 by two square roots."""
    cdef Py_ssize_t j
    cdef floating root
    if beta == 0.75:
        for j in range(width):
            if floating is float:
                root = sqrtf(s[j])
                result[j] = 1 / (root * sqrtf(root))
            else:
                root = sqrt(s[j])
                result[j] = 1 / (root * sqrt(root))
    else:
        for j in range(width):
            result[j] = <floating>pow(s[j], -beta)


def _forward(
    const floating[:, :, ::1] x, Py_ssize_t size, floating alpha, double beta, floating k,
    floating[:, :, ::1] y, floating[:, :, ::1] s, floating[::1] room,
):
    cdef Py_ssize_t n = x.shape[0], c = x.shape[1], pixels = x.shape[2]
    cdef Py_ssize_t before = size // 2, after = (size - 1) // 2
    cdef Py_ssize_t image, strip, start, width, channel, other, j
    cdef floating* total = &room[0]
    cdef const floating* row
    cdef floating* norm
    cdef floating* target
    with nogil:
        for image in range(n):
            for strip in range((pixels + STRIP - 1) // STRIP):
                start = strip * STRIP
                width = min(STRIP, pixels - start)
                for channel in range(c):
                    for j in range(width):
                        total[j] = 0
                    for other in range(max(channel - before, 0), min(channel + after + 1, c)):
                        row = &x[image, other, start]
                        for j in range(width):
                            total[j] += row[j] * row[j]
                    row, norm = &x[image, channel, start], &s[image, channel, start]
                    target = &y[image, channel, start]
                    for j in range(width):
                        norm[j] = k + alpha * total[j]
                    _inverse_power(norm, beta, target, width)
                    for j in range(width):
                        target[j] *= row[j]


def _backward(
    const floating[:, :, ::1] dy, const floating[:, :, ::1] x, const floating[:, :, ::1] s,
    Py_ssize_t size, floating factor, double beta,
    floating[:, :, ::1] dx, floating[::1] room, floating[:, ::1] terms,
):
    cdef Py_ssize_t n = x.shape[0], c = x.shape[1], pixels = x.shape[2]
    cdef Py_ssize_t before = (size - 1) // 2, after = size // 2
    cdef Py_ssize_t image, strip, start, width, channel, other, j
    cdef floating* total = &room[0]
    cdef floating* term
    cdef const floating* row
    cdef const floating* norm
    cdef const floating* grad
    cdef floating* direct
    with nogil:
        for image in range(n):
            for strip in range((pixels + STRIP - 1) // STRIP):
                start = strip * STRIP
                width = min(STRIP, pixels - start)
                for channel in range(c):
                    row, norm = &x[image, channel, start], &s[image, channel, start]
                    grad, direct = &dy[image, channel, start], &dx[image, channel, start]
                    term = &terms[channel, 0]
                    _inverse_power(norm, beta, direct, width)
                    for j in range(width):
                        direct[j] *= grad[j]
                    for j in range(width):
                        term[j] = direct[j] * row[j] / norm[j]
                for channel in range(c):
                    for j in range(width):
                        total[j] = 0
                    for other in range(max(channel - before, 0), min(channel + after + 1, c)):
                        term = &terms[other, 0]
                        for j in range(width):
                            total[j] += term[j]
                    row, direct = &x[image, channel, start], &dx[image, channel, start]
                    for j in range(width):
                        direct[j] -= factor * row[j] * total[j]


def forward(x, size, alpha, beta, k):
    """y, s; see lrn_numpy.forward."""
    y, s = np.empty_like(x), np.empty_like(x)
    room = np.empty(STRIP, x.dtype)
    _forward(x, size, alpha, beta, k, y, s, room)
    return y, s


def backward(dy, x, s, size, alpha, beta):
    """dx, the gradient by x; see lrn_numpy.backward."""
    dx = np.empty_like(dy)
    room, terms = np.empty(STRIP, x.dtype), np.empty((x.shape[1], STRIP), x.dtype)
    _backward(dy, x, s, size, 2 * alpha * beta, beta, dx, room, terms)
    return dx
