# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""DropBlock in Cython: few blocks are dropped, so each seed paints its block.

What is computed, and the shapes, stand in drop_block_numpy.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport uint8_t


def _expand(
    const uint8_t[:, :, ::1] seeds, Py_ssize_t block_size, uint8_t[:, :, ::1] keep
):
    cdef Py_ssize_t planes = seeds.shape[0], rows = seeds.shape[1], columns = seeds.shape[2]
    cdef Py_ssize_t plane, row, column, i, j
    with nogil:
        for plane in range(planes):
            for row in range(rows):
                for column in range(columns):
                    if seeds[plane, row, column]:
                        for i in range(row, row + block_size):
                            for j in range(column, column + block_size):
                                keep[plane, i, j] = False


def _count(const uint8_t[:, ::1] keep):
    cdef Py_ssize_t kept = 0, plane, j
    with nogil:
        for plane in range(keep.shape[0]):
            for j in range(keep.shape[1]):
                kept += keep[plane, j]
    return kept


def _scaled(
    const floating[:, ::1] x, const uint8_t[:, ::1] keep, floating scale, floating[:, ::1] y
):
    """y = x * keep * scale; one plane of keep serves x.shape[0] // keep.shape[0] planes of x."""
    cdef Py_ssize_t shared = x.shape[0] // max(keep.shape[0], 1), plane, j
    cdef const floating* row
    cdef const uint8_t* mask
    cdef floating* target
    with nogil:
        for plane in range(x.shape[0]):
            row, mask, target = &x[plane, 0], &keep[plane // shared, 0], &y[plane, 0]
            for j in range(x.shape[1]):
                target[j] = row[j] * mask[j] * scale


def expand(seeds, block_size):
    """keep, False inside every block; see drop_block_numpy.expand."""
    n, c, rows, columns = seeds.shape
    h, w = rows + block_size - 1, columns + block_size - 1
    keep = np.ones((n * c, h, w), np.bool_)
    _expand(seeds.reshape(n * c, rows, columns).view(np.uint8), block_size, keep.view(np.uint8))
    return keep.reshape(n, c, h, w)


def forward(x, keep):
    """y, scale; see drop_block_numpy.forward."""
    n, c, h, w = x.shape
    mask = keep.reshape(n * keep.shape[1], h * w).view(np.uint8)
    kept = _count(mask)
    scale = keep.size / kept if kept else 0.0
    y = np.empty_like(x)
    _scaled(x.reshape(n * c, h * w), mask, scale, y.reshape(n * c, h * w))
    return y, scale


def backward(dy, keep, scale):
    """dx = dy * keep * scale; see drop_block_numpy.backward."""
    n, c, h, w = dy.shape
    mask = keep.reshape(n * keep.shape[1], h * w).view(np.uint8)
    dx = np.empty_like(dy)
    _scaled(dy.reshape(n * c, h * w), mask, scale, dx.reshape(n * c, h * w))
    return dx
