"""Local response normalization in Numba: strips of pixels, channel after channel.

A strip is short enough for the rows of all the channels in the window to stay in the cache. What
is computed, and the shapes, stand in lrn_numpy.
"""

import numpy as np
from numba import njit

STRIP = 256


@njit(cache=True)
def _inverse_power(s, beta, result):
    """result = s^-beta; for the literature's beta = 3/4 by two square roots."""
    if beta == 0.75:
        for j in range(s.size):
            root = np.sqrt(s[j])
            result[j] = 1 / (root * np.sqrt(root))
    else:
        for j in range(s.size):
            result[j] = s[j] ** -beta


@njit(cache=True)
def _forward(x, size, alpha, beta, k, y, s):
    n, c, pixels = x.shape
    before, after = size // 2, (size - 1) // 2
    for image in range(n):
        for start in range(0, pixels, STRIP):
            end = min(start + STRIP, pixels)
            total = np.empty(end - start, x.dtype)
            for channel in range(c):
                for j in range(total.size):
                    total[j] = 0
                for other in range(max(channel - before, 0), min(channel + after + 1, c)):
                    row = x[image, other, start:end]
                    for j in range(row.size):
                        total[j] += row[j] * row[j]
                row, norm = x[image, channel, start:end], s[image, channel, start:end]
                target = y[image, channel, start:end]
                for j in range(row.size):
                    norm[j] = k + alpha * total[j]
                _inverse_power(norm, beta, target)
                for j in range(row.size):
                    target[j] *= row[j]


@njit(cache=True)
def _backward(dy, x, s, size, factor, beta, dx):
    n, c, pixels = x.shape
    before, after = (size - 1) // 2, size // 2
    for image in range(n):
        for start in range(0, pixels, STRIP):
            end = min(start + STRIP, pixels)
            total = np.empty(end - start, x.dtype)
            terms = np.empty((c, end - start), x.dtype)
            for channel in range(c):
                row, norm = x[image, channel, start:end], s[image, channel, start:end]
                grad, direct = dy[image, channel, start:end], dx[image, channel, start:end]
                term = terms[channel]
                _inverse_power(norm, beta, direct)
                for j in range(row.size):
                    direct[j] *= grad[j]
                for j in range(row.size):
                    term[j] = direct[j] * row[j] / norm[j]
            for channel in range(c):
                for j in range(total.size):
                    total[j] = 0
                for other in range(max(channel - before, 0), min(channel + after + 1, c)):
                    term = terms[other]
                    for j in range(term.size):
                        total[j] += term[j]
                row, direct = x[image, channel, start:end], dx[image, channel, start:end]
                for j in range(row.size):
                    direct[j] -= factor * row[j] * total[j]


def forward(x, size, alpha, beta, k):
    """y, s; see lrn_numpy.forward."""
    y, s = np.empty_like(x), np.empty_like(x)
    _forward(x, size, x.dtype.type(alpha), float(beta), x.dtype.type(k), y, s)
    return y, s


def backward(dy, x, s, size, alpha, beta):
    """dx, the gradient by x; see lrn_numpy.backward."""
    dx = np.empty_like(dy)
    _backward(dy, x, s, size, x.dtype.type(2 * alpha * beta), float(beta), dx)
    return dx
