# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Activations built on the exponential, in C.

What is computed, and the shapes, stand in activation_numpy; how, in simd/activation.h.
"""

import numpy as np

from numpy cimport NPY_FLOAT32, PyArray_DATA, PyArray_SIZE, PyArray_TYPE, import_array, ndarray

from minidl.kernels import parallel

import_array()

# Values a thread should have, at least, for its start to pay.
LEAST = 65536

ctypedef void (*Forward32)(const float*, float*, long, long, long) noexcept nogil
ctypedef void (*Forward64)(const double*, double*, long, long, long) noexcept nogil
ctypedef void (*Backward32)(const float*, const float*, float*, long, long, long) noexcept nogil
ctypedef void (*Backward64)(
    const double*, const double*, double*, long, long, long) noexcept nogil

cdef extern nogil:
    void sigmoid_forward_f32(const float*, float*, long, long, long) noexcept
    void sigmoid_forward_f64(const double*, double*, long, long, long) noexcept
    void sigmoid_backward_f32(const float*, const float*, float*, long, long, long) noexcept
    void sigmoid_backward_f64(const double*, const double*, double*, long, long, long) noexcept
    void tanh_forward_f32(const float*, float*, long, long, long) noexcept
    void tanh_forward_f64(const double*, double*, long, long, long) noexcept
    void tanh_backward_f32(const float*, const float*, float*, long, long, long) noexcept
    void tanh_backward_f64(const double*, const double*, double*, long, long, long) noexcept
    void softmax_forward_f32(const float*, float*, long, long, long) noexcept
    void softmax_forward_f64(const double*, double*, long, long, long) noexcept
    void softmax_backward_f32(const float*, const float*, float*, long, long, long) noexcept
    void softmax_backward_f64(const double*, const double*, double*, long, long, long) noexcept
    void log_softmax_forward_f32(const float*, float*, long, long, long) noexcept
    void log_softmax_forward_f64(const double*, double*, long, long, long) noexcept
    void log_softmax_backward_f32(const float*, const float*, float*, long, long, long) noexcept
    void log_softmax_backward_f64(const double*, const double*, double*, long, long, long) noexcept

cdef enum:
    SIGMOID, TANH, SOFTMAX, LOG_SOFTMAX

cdef Forward32[4] forward_f32
forward_f32[:] = [
    sigmoid_forward_f32, tanh_forward_f32, softmax_forward_f32, log_softmax_forward_f32]
cdef Forward64[4] forward_f64
forward_f64[:] = [
    sigmoid_forward_f64, tanh_forward_f64, softmax_forward_f64, log_softmax_forward_f64]
cdef Backward32[4] backward_f32
backward_f32[:] = [
    sigmoid_backward_f32, tanh_backward_f32, softmax_backward_f32, log_softmax_backward_f32]
cdef Backward64[4] backward_f64
backward_f64[:] = [
    sigmoid_backward_f64, tanh_backward_f64, softmax_backward_f64, log_softmax_backward_f64]


cdef _forward_rows(int which, ndarray x, ndarray y, long k, long start, long stop):
    cdef const void* source = PyArray_DATA(x)
    cdef void* target = PyArray_DATA(y)
    cdef bint single = PyArray_TYPE(x) == NPY_FLOAT32
    with nogil:
        if single:
            forward_f32[which](<const float*>source, <float*>target, k, start, stop)
        else:
            forward_f64[which](<const double*>source, <double*>target, k, start, stop)


cdef _backward_rows(int which, ndarray dy, ndarray y, ndarray dx, long k, long start, long stop):
    cdef const void* source = PyArray_DATA(dy)
    cdef const void* result = PyArray_DATA(y)
    cdef void* target = PyArray_DATA(dx)
    cdef bint single = PyArray_TYPE(dy) == NPY_FLOAT32
    with nogil:
        if single:
            backward_f32[which](
                <const float*>source, <const float*>result, <float*>target, k, start, stop)
        else:
            backward_f64[which](
                <const double*>source, <const double*>result, <double*>target, k, start, stop)


def _forward(int which, x, long k):
    """y, of x in rows of k values."""
    cdef long rows = PyArray_SIZE(x) // k if k else 0
    y = np.empty_like(x)
    if rows * k < LEAST:
        _forward_rows(which, x, y, k, 0, rows)
    else:
        parallel.run(
            lambda start, stop: _forward_rows(which, x, y, k, start, stop), rows, LEAST // k + 1
        )
    return y


def _backward(int which, dy, y, long k):
    """dx, of dy and y in rows of k values."""
    cdef long rows = PyArray_SIZE(dy) // k if k else 0
    dx = np.empty_like(dy)
    if rows * k < LEAST:
        _backward_rows(which, dy, y, dx, k, 0, rows)
    else:
        parallel.run(
            lambda start, stop: _backward_rows(which, dy, y, dx, k, start, stop),
            rows,
            LEAST // k + 1,
        )
    return dx


def sigmoid_forward(x):
    """y = 1 / (1 + exp(-x)); see activation_numpy."""
    return _forward(SIGMOID, x, 1)


def sigmoid_backward(dy, y):
    """dx = dy * y * (1 - y); see activation_numpy."""
    return _backward(SIGMOID, dy, y, 1)


def tanh_forward(x):
    """y = tanh x; see activation_numpy."""
    return _forward(TANH, x, 1)


def tanh_backward(dy, y):
    """dx = dy * (1 - y^2); see activation_numpy."""
    return _backward(TANH, dy, y, 1)


def softmax_forward(x):
    """y = exp(x) / sum exp(x), row by row; see activation_numpy."""
    return _forward(SOFTMAX, x, x.shape[1])


def softmax_backward(dy, y):
    """dx = y * (dy - sum dy y); see activation_numpy."""
    return _backward(SOFTMAX, dy, y, y.shape[1])


def log_softmax_forward(x):
    """y = x - log sum exp(x), row by row; see activation_numpy."""
    return _forward(LOG_SOFTMAX, x, x.shape[1])


def log_softmax_backward(dy, y):
    """dx = dy - exp(y) sum dy; see activation_numpy."""
    return _backward(LOG_SOFTMAX, dy, y, y.shape[1])
