# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""DropConnect in Cython: a sample's mask is drawn row by row where it is used, never stored.

What is computed, and the shapes, stand in drop_connect_numpy.
"""

import numpy as np

from libc.stdint cimport uint64_t
from numpy cimport NPY_FLOAT32, PyArray_DATA, PyArray_TYPE, import_array, ndarray

from minidl.kernels import parallel

import_array()

# Weights times samples that a thread should have, at least, for its start to pay.
LEAST = 2000000

ctypedef void (*single)(
    const float*, const float*, float*, const long*, uint64_t, uint64_t, long, long) noexcept nogil
ctypedef void (*double_)(
    const double*, const double*, double*, const long*, uint64_t, uint64_t, long, long
) noexcept nogil

cdef extern nogil:
    void drop_connect_forward_f32(
        const float*, const float*, float*, const long*, uint64_t, uint64_t, long, long)
    void drop_connect_forward_f64(
        const double*, const double*, double*, const long*, uint64_t, uint64_t, long, long)
    void drop_connect_backward_input_f32(
        const float*, const float*, float*, const long*, uint64_t, uint64_t, long, long)
    void drop_connect_backward_input_f64(
        const double*, const double*, double*, const long*, uint64_t, uint64_t, long, long)
    void drop_connect_backward_weight_f32(
        const float*, const float*, float*, const long*, uint64_t, uint64_t, long, long)
    void drop_connect_backward_weight_f64(
        const double*, const double*, double*, const long*, uint64_t, uint64_t, long, long)

cdef enum:
    FORWARD
    INPUT
    WEIGHT

cdef single[3] SINGLE = [
    drop_connect_forward_f32, drop_connect_backward_input_f32, drop_connect_backward_weight_f32]
cdef double_[3] DOUBLE = [
    drop_connect_forward_f64, drop_connect_backward_input_f64, drop_connect_backward_weight_f64]


cdef _part(
    int which, ndarray a, ndarray b, ndarray out, tuple shape, uint64_t seed, uint64_t threshold,
    long start, long stop,
):
    cdef long[3] sizes = [shape[0], shape[1], shape[2]]
    cdef const void* first = PyArray_DATA(a)
    cdef const void* second = PyArray_DATA(b)
    cdef void* target = PyArray_DATA(out)
    cdef bint narrow = PyArray_TYPE(a) == NPY_FLOAT32
    with nogil:
        if narrow:
            SINGLE[which](<const float*>first, <const float*>second, <float*>target, sizes, seed,
                          threshold, start, stop)
        else:
            DOUBLE[which](<const double*>first, <const double*>second, <double*>target, sizes, seed,
                          threshold, start, stop)


def _run(int which, a, b, out, shape, seed, p):
    """Cut the samples, or for the gradient of the weight the outputs, for the threads."""
    n, k, d = shape
    items = k if which == WEIGHT else n
    threshold, each = round(p * 2**32), n * k * d // max(items, 1)
    parallel.run(
        lambda start, stop: _part(which, a, b, out, shape, seed, threshold, start, stop),
        items, LEAST // max(each, 1) + 1)
    return out


def forward(x, weight, seed, p):
    """y[i] = (keep[i] * weight) x[i]; see drop_connect_numpy.forward."""
    (n, d), k = x.shape, len(weight)
    return _run(FORWARD, x, weight, np.empty((n, k), x.dtype), (n, k, d), seed, p)


def backward_input(dy, weight, seed, p):
    """dx[i] = (keep[i] * weight)^T dy[i]; see drop_connect_numpy.backward_input."""
    n, (k, d) = len(dy), weight.shape
    return _run(INPUT, dy, weight, np.zeros((n, d), dy.dtype), (n, k, d), seed, p)


def backward_weight(dy, x, seed, p):
    """dweight, summed over samples; see drop_connect_numpy.backward_weight."""
    (n, k), d = dy.shape, x.shape[1]
    return _run(WEIGHT, dy, x, np.zeros((k, d), dy.dtype), (n, k, d), seed, p)
