# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""DropBlock in Cython: few blocks are dropped, so each seed paints its block.

What is computed, and the shapes, stand in drop_block_numpy.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from minidl.kernels import parallel

# Values a thread should have, at least, for its start to pay.
LEAST = 262144



cdef extern nogil:
    void drop_block_scale_f32(const float*, const uint8_t*, float, float*, long)
    void drop_block_scale_f64(const double*, const uint8_t*, double, double*, long)


def _expand(const int64_t[::1] places, Py_ssize_t columns, Py_ssize_t block_size,
            uint8_t[:, :, ::1] keep):
    """Clear a block at each place; places count the seeds of all planes in the order of memory."""
    cdef Py_ssize_t w = keep.shape[2], rows = keep.shape[1] - block_size + 1, k, i, place
    cdef uint8_t* corner
    with nogil:
        for k in range(places.shape[0]):
            place = places[k]
            corner = &keep[place // (rows * columns), place // columns % rows, place % columns]
            for i in range(block_size):
                memset(corner + i * w, 0, block_size)


def _scaled(
    const floating[:, ::1] x, const uint8_t[:, ::1] keep, floating scale, floating[:, ::1] y,
    Py_ssize_t start, Py_ssize_t stop,
):
    """Planes start .. stop; one plane of keep serves x.shape[0] // keep.shape[0] planes of x."""
    cdef Py_ssize_t shared = x.shape[0] // max(keep.shape[0], 1), plane
    with nogil:
        for plane in range(start, stop):
            if floating is float:
                drop_block_scale_f32(
                    &x[plane, 0], &keep[plane // shared, 0], scale, &y[plane, 0], x.shape[1])
            else:
                drop_block_scale_f64(
                    &x[plane, 0], &keep[plane // shared, 0], scale, &y[plane, 0], x.shape[1])


def _product(x, mask, scale):
    """x * mask * scale, its planes spread over the threads."""
    n, c, h, w = x.shape
    y = np.empty_like(x)
    if x.size:
        planes, results = x.reshape(n * c, h * w), y.reshape(n * c, h * w)
        part = lambda start, stop: _scaled(planes, mask, scale, results, start, stop)
        parallel.run(part, n * c, LEAST // (h * w) + 1)
    return y


def expand(seeds, block_size):
    """keep, False inside every block; see drop_block_numpy.expand."""
    n, c, rows, columns = seeds.shape
    h, w = rows + block_size - 1, columns + block_size - 1
    keep = np.ones((n * c, h, w), np.bool_)
    places = np.flatnonzero(seeds).astype(np.int64, copy=False)
    _expand(places, columns, block_size, keep.view(np.uint8))
    return keep.reshape(n, c, h, w)


def forward(x, keep):
    """y, scale; see drop_block_numpy.forward."""
    mask = _planes(keep)
    kept = int(np.count_nonzero(keep))
    scale = keep.size / kept if kept else 0.0
    return _product(x, mask, scale), scale


def backward(dy, keep, scale):
    """dx = dy * keep * scale; see drop_block_numpy.backward."""
    return _product(dy, _planes(keep), scale)


def _planes(keep):
    """The mask as bytes, a row for each plane."""
    n, c, h, w = keep.shape
    return keep.reshape(n * c, h * w).view(np.uint8)
