# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Dropout in Cython. What is computed stands in dropout_numpy."""

import math

import numpy as np

from cython cimport floating
from libc.stdint cimport uint8_t, uint64_t
from numpy cimport NPY_FLOAT32, PyArray_DATA, PyArray_TYPE, import_array, ndarray

from minidl.kernels import parallel

import_array()

cdef extern from "simd/denormals.h" nogil:
    unsigned flush_denormals(int)
    void keep_denormals(unsigned)

cdef extern from "simd/level.h":
    int simd_streams()

# Values a thread should have, at least, for its start to pay.
LEAST = 65536

# Bytes of x and y from which on y goes around the cache (as measured for group_norm).
LARGE = 22 << 20 if simd_streams() else 1 << 62

cdef extern nogil:
    void dropout_mask_f32(uint8_t*, uint64_t, uint64_t, long, long)
    void dropout_seeded_f32(const float*, float*, uint64_t, uint64_t, double, long, long, long)
    void dropout_seeded_f64(const double*, double*, uint64_t, uint64_t, double, long, long, long)


def _scaled(const floating[::1] x, const uint8_t[::1] keep, floating scale, floating[::1] y):
    cdef Py_ssize_t j
    cdef unsigned before
    with nogil:
        before = flush_denormals(1)
        for j in range(x.shape[0]):
            y[j] = x[j] * keep[j] * scale
        keep_denormals(before)


def forward(x, keep, p):
    """y = x * keep / (1 - p); see dropout_numpy.forward."""
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    y = np.empty_like(x)
    _scaled(x.reshape(-1), keep.reshape(-1).view(np.uint8), scale, y.reshape(-1))
    return y


def backward(dy, keep, p):
    """dx = dy * keep / (1 - p); see dropout_numpy.backward."""
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    dx = np.empty_like(dy)
    _scaled(dy.reshape(-1), keep.reshape(-1).view(np.uint8), scale, dx.reshape(-1))
    return dx


def _seeded_part(
    ndarray x, ndarray y, uint64_t seed, uint64_t threshold, double scale, bint stream,
    long start, long stop,
):
    cdef const void* source = PyArray_DATA(x)
    cdef void* target = PyArray_DATA(y)
    cdef bint single = PyArray_TYPE(x) == NPY_FLOAT32
    with nogil:
        if single:
            dropout_seeded_f32(
                <const float*>source, <float*>target, seed, threshold, scale, start, stop, stream)
        else:
            dropout_seeded_f64(
                <const double*>source, <double*>target, seed, threshold, scale, start, stop, stream)


def _mask_part(uint8_t[::1] keep, uint64_t seed, uint64_t threshold, long start, long stop):
    if start < stop:
        with nogil:
            dropout_mask_f32(&keep[0], seed, threshold, start, stop)


def mask(shape, seed, p):
    """keep, drawn by seed; see dropout_numpy.mask."""
    keep, threshold = np.empty(math.prod(shape), bool), round(p * 2**32)
    values = keep.view(np.uint8)
    parallel.run(
        lambda start, stop: _mask_part(values, seed, threshold, start, stop), keep.size, LEAST)
    return keep.reshape(shape)


def seeded(x, seed, p, scale):
    """y = x * keep * scale; see dropout_numpy.seeded."""
    y = np.empty_like(x)
    how = seed, round(p * 2**32), scale, 2 * x.nbytes >= LARGE
    parallel.run(lambda start, stop: _seeded_part(x, y, *how, start, stop), x.size, LEAST)
    return y
