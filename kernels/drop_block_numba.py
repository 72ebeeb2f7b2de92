"""DropBlock in Numba: few blocks are dropped, so each seed paints its block.

What is computed, and the shapes, stand in drop_block_numpy.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def _expand(seeds, block_size, keep):
    planes, rows, columns = seeds.shape
    for plane in range(planes):
        for row in range(rows):
            for column in range(columns):
                if seeds[plane, row, column]:
                    for i in range(row, row + block_size):
                        for j in range(column, column + block_size):
                            keep[plane, i, j] = False


@njit(cache=True)
def _count(keep):
    kept = 0
    for plane in range(keep.shape[0]):
        row = keep[plane]
        for j in range(row.size):
            kept += row[j]
    return kept


@njit(cache=True)
def _scaled(x, keep, scale, y):
    """y = x * keep * scale; one plane of keep serves x.shape[0] // keep.shape[0] planes of x."""
    shared = x.shape[0] // max(keep.shape[0], 1)
    for plane in range(x.shape[0]):
        row, mask, target = x[plane], keep[plane // shared], y[plane]
        for j in range(row.size):
            target[j] = row[j] * mask[j] * scale


def expand(seeds, block_size):
    """keep, False inside every block; see drop_block_numpy.expand."""
    n, c, rows, columns = seeds.shape
    h, w = rows + block_size - 1, columns + block_size - 1
    keep = np.ones((n * c, h, w), np.bool_)
    _expand(seeds.reshape(n * c, rows, columns), block_size, keep)
    return keep.reshape(n, c, h, w)


def forward(x, keep):
    """y, scale; see drop_block_numpy.forward."""
    n, c, h, w = x.shape
    mask = keep.reshape(n * keep.shape[1], h * w)
    kept = _count(mask)
    scale = keep.size / kept if kept else 0.0
    y = np.empty_like(x)
    _scaled(x.reshape(n * c, h * w), mask, x.dtype.type(scale), y.reshape(n * c, h * w))
    return y, scale


def backward(dy, keep, scale):
    """dx = dy * keep * scale; see drop_block_numpy.backward."""
    n, c, h, w = dy.shape
    mask = keep.reshape(n * keep.shape[1], h * w)
    dx = np.empty_like(dy)
    _scaled(dy.reshape(n * c, h * w), mask, dy.dtype.type(scale), dx.reshape(n * c, h * w))
    return dx
