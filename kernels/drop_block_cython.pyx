# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""DropBlock in Cython: few blocks are dropped, so each seed paints its block.

What is computed, and the shapes, stand in drop_block_numpy.
"""

import math

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

from minidl.kernels import parallel

# Values a thread should have, at least, for its start to pay.
LEAST = 262144

# Bytes of x and y from which on y goes around the cache (as measured for group_norm; here it pays on
# Intel's processors as well).
LARGE = 22 << 20

cdef extern nogil:
    void drop_block_seeds_f32(uint8_t*, uint64_t, uint64_t, long, long)
    void drop_block_mask_f32(
        uint8_t*, const long*, uint64_t, uint64_t, long, long, long*)
    void drop_block_product_f32(
        const float*, const uint8_t*, double, float*, long, long, long, long, long)
    void drop_block_product_f64(
        const double*, const uint8_t*, double, double*, long, long, long, long, long)


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


def _product(
    const floating[:, ::1] x, const uint8_t[:, ::1] keep, double scale, floating[:, ::1] y,
    bint stream, long start, long stop,
):
    """Planes start .. stop; one plane of keep serves x.shape[0] // keep.shape[0] planes of x."""
    cdef long shared = x.shape[0] // max(keep.shape[0], 1), count = x.shape[1]
    with nogil:
        if floating is float:
            drop_block_product_f32(
                &x[0, 0], &keep[0, 0], scale, &y[0, 0], count, shared, start, stop, stream)
        else:
            drop_block_product_f64(
                &x[0, 0], &keep[0, 0], scale, &y[0, 0], count, shared, start, stop, stream)


def _seeds(uint8_t[::1] below, uint64_t seed, uint64_t threshold, long start, long stop):
    with nogil:
        drop_block_seeds_f32(&below[0], seed, threshold, start, stop)


def _mask(
    uint8_t[:, :, ::1] keep, long block_size, uint64_t seed, uint64_t threshold,
    long start, long stop,
):
    """Draw planes start .. stop; return how much of them is kept."""
    cdef long[3] sizes = [keep.shape[1], keep.shape[2], block_size]
    cdef long kept
    with nogil:
        drop_block_mask_f32(&keep[0, 0, 0], sizes, seed, threshold, start, stop, &kept)
    return kept


def seeds(shape, seed, gamma):
    """Where blocks begin; see drop_block_numpy.seeds."""
    below, threshold = np.empty(math.prod(shape), bool), round(gamma * 2**32)
    if below.size:
        part = lambda start, stop: _seeds(below.view(np.uint8), seed, threshold, start, stop)
        parallel.run(part, below.size, LEAST)
    return below.reshape(shape)


def mask(shape, seed, gamma, block_size):
    """keep, scale; see drop_block_numpy.mask."""
    n, c, h, w = shape
    keep, kept, threshold = np.empty(shape, bool), 0, round(gamma * 2**32)
    if keep.size:
        planes = keep.reshape(n * c, h, w).view(np.uint8)
        part = lambda start, stop: _mask(planes, block_size, seed, threshold, start, stop)
        kept = sum(parallel.run(part, n * c, LEAST // (h * w) + 1))
    return keep, keep.size / kept if kept else 0.0


def product(x, keep, scale):
    """y = x * keep * scale, its planes spread over the threads; see drop_block_numpy.product."""
    n, c, h, w = x.shape
    y = np.empty_like(x)
    if x.size:
        planes, results = x.reshape(n * c, h * w), y.reshape(n * c, h * w)
        mask = keep.reshape(n * keep.shape[1], h * w).view(np.uint8)
        stream = 2 * x.nbytes >= LARGE
        part = lambda start, stop: _product(planes, mask, scale, results, stream, start, stop)
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
    kept = int(np.count_nonzero(keep))
    scale = keep.size / kept if kept else 0.0
    return product(x, keep, scale), scale


def backward(dy, keep, scale):
    """dx = dy * keep * scale; see drop_block_numpy.backward."""
    return product(dy, keep, scale)
