# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Activations in C.

What is computed, and the shapes, stand in activation_numpy; how, in simd/activation.h,
simd/activation_elementwise.h and simd/activation_prelu.h.
"""

import numpy as np

from numpy cimport NPY_FLOAT32, PyArray_DATA, PyArray_SIZE, PyArray_TYPE, import_array, ndarray

from minidl.kernels import parallel

import_array()

# Values a thread should have, at least, for its start to pay.
LEAST = 32768

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


ctypedef void (*Map32)(const float*, float*, double, double, long, long) noexcept nogil
ctypedef void (*Map64)(const double*, double*, double, double, long, long) noexcept nogil
ctypedef void (*Chain32)(
    const float*, const float*, float*, double, double, long, long) noexcept nogil
ctypedef void (*Chain64)(
    const double*, const double*, double*, double, double, long, long) noexcept nogil

cdef extern nogil:
    void leaky_relu_forward_f32(const float*, float*, double, double, long, long) noexcept
    void leaky_relu_forward_f64(const double*, double*, double, double, long, long) noexcept
    void leaky_relu_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void leaky_relu_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept
    void elu_forward_f32(const float*, float*, double, double, long, long) noexcept
    void elu_forward_f64(const double*, double*, double, double, long, long) noexcept
    void elu_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void elu_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept
    void gelu_forward_f32(const float*, float*, double, double, long, long) noexcept
    void gelu_forward_f64(const double*, double*, double, double, long, long) noexcept
    void gelu_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void gelu_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept
    void gelu_tanh_forward_f32(const float*, float*, double, double, long, long) noexcept
    void gelu_tanh_forward_f64(const double*, double*, double, double, long, long) noexcept
    void gelu_tanh_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void gelu_tanh_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept
    void softplus_forward_f32(const float*, float*, double, double, long, long) noexcept
    void softplus_forward_f64(const double*, double*, double, double, long, long) noexcept
    void softplus_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void softplus_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept
    void silu_forward_f32(const float*, float*, double, double, long, long) noexcept
    void silu_forward_f64(const double*, double*, double, double, long, long) noexcept
    void silu_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void silu_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept
    void hard_sigmoid_forward_f32(const float*, float*, double, double, long, long) noexcept
    void hard_sigmoid_forward_f64(const double*, double*, double, double, long, long) noexcept
    void hard_sigmoid_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void hard_sigmoid_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept
    void hard_tanh_forward_f32(const float*, float*, double, double, long, long) noexcept
    void hard_tanh_forward_f64(const double*, double*, double, double, long, long) noexcept
    void hard_tanh_backward_f32(
        const float*, const float*, float*, double, double, long, long) noexcept
    void hard_tanh_backward_f64(
        const double*, const double*, double*, double, double, long, long) noexcept

cdef enum:
    LEAKY_RELU, ELU, GELU, GELU_TANH, SOFTPLUS, SILU, HARD_SIGMOID, HARD_TANH

cdef Map32[8] map_f32
map_f32[:] = [
    leaky_relu_forward_f32, elu_forward_f32, gelu_forward_f32, gelu_tanh_forward_f32,
    softplus_forward_f32, silu_forward_f32, hard_sigmoid_forward_f32, hard_tanh_forward_f32]
cdef Map64[8] map_f64
map_f64[:] = [
    leaky_relu_forward_f64, elu_forward_f64, gelu_forward_f64, gelu_tanh_forward_f64,
    softplus_forward_f64, silu_forward_f64, hard_sigmoid_forward_f64, hard_tanh_forward_f64]
cdef Chain32[8] chain_f32
chain_f32[:] = [
    leaky_relu_backward_f32, elu_backward_f32, gelu_backward_f32, gelu_tanh_backward_f32,
    softplus_backward_f32, silu_backward_f32, hard_sigmoid_backward_f32, hard_tanh_backward_f32]
cdef Chain64[8] chain_f64
chain_f64[:] = [
    leaky_relu_backward_f64, elu_backward_f64, gelu_backward_f64, gelu_tanh_backward_f64,
    softplus_backward_f64, silu_backward_f64, hard_sigmoid_backward_f64, hard_tanh_backward_f64]


cdef _map_part(int which, ndarray x, ndarray y, double a, double b, long start, long stop):
    cdef const void* source = PyArray_DATA(x)
    cdef void* target = PyArray_DATA(y)
    cdef bint single = PyArray_TYPE(x) == NPY_FLOAT32
    with nogil:
        if single:
            map_f32[which](<const float*>source, <float*>target, a, b, start, stop)
        else:
            map_f64[which](<const double*>source, <double*>target, a, b, start, stop)


cdef _chain_part(
    int which, ndarray dy, ndarray x, ndarray dx, double a, double b, long start, long stop
):
    cdef const void* upstream = PyArray_DATA(dy)
    cdef const void* source = PyArray_DATA(x)
    cdef void* target = PyArray_DATA(dx)
    cdef bint single = PyArray_TYPE(dy) == NPY_FLOAT32
    with nogil:
        if single:
            chain_f32[which](
                <const float*>upstream, <const float*>source, <float*>target, a, b, start, stop)
        else:
            chain_f64[which](
                <const double*>upstream, <const double*>source, <double*>target, a, b,
                start, stop)


def _map(int which, x, double a=0, double b=0):
    """y, of x value by value."""
    cdef long size = PyArray_SIZE(x)
    y = np.empty_like(x)
    if size < LEAST:
        _map_part(which, x, y, a, b, 0, size)
    else:
        parallel.run(
            lambda start, stop: _map_part(which, x, y, a, b, start, stop), size, LEAST
        )
    return y


def _chain(int which, dy, x, double a=0, double b=0):
    """dx, of dy and x value by value."""
    cdef long size = PyArray_SIZE(dy)
    dx = np.empty_like(dy)
    if size < LEAST:
        _chain_part(which, dy, x, dx, a, b, 0, size)
    else:
        parallel.run(
            lambda start, stop: _chain_part(which, dy, x, dx, a, b, start, stop), size, LEAST
        )
    return dx


def leaky_relu_forward(x, slope):
    """y = max(x, 0) + slope * min(x, 0); see activation_numpy."""
    return _map(LEAKY_RELU, x, slope)


def leaky_relu_backward(dy, x, slope):
    """dx = dy where x > 0, else slope * dy; see activation_numpy."""
    return _chain(LEAKY_RELU, dy, x, slope)


def elu_forward(x, alpha, scale):
    """y = scale * x where x > 0, else scale * alpha * (exp(x) - 1); see activation_numpy."""
    return _map(ELU, x, alpha, scale)


def elu_backward(dy, x, alpha, scale):
    """dx = scale * dy where x > 0, else scale * alpha * exp(x) * dy; see activation_numpy."""
    return _chain(ELU, dy, x, alpha, scale)


def gelu_forward(x):
    """y = x * Phi(x); see activation_numpy."""
    return _map(GELU, x)


def gelu_backward(dy, x):
    """dx = dy * (Phi(x) + x * phi(x)); see activation_numpy."""
    return _chain(GELU, dy, x)


def gelu_tanh_forward(x):
    """y = x / 2 * (1 + tanh u); see activation_numpy."""
    return _map(GELU_TANH, x)


def gelu_tanh_backward(dy, x):
    """dx = dy * the derivative of `gelu_tanh_forward`; see activation_numpy."""
    return _chain(GELU_TANH, dy, x)


def softplus_forward(x, beta, threshold):
    """y = log(1 + exp(beta x)) / beta; see activation_numpy."""
    return _map(SOFTPLUS, x, beta, threshold)


def softplus_backward(dy, x, beta, threshold):
    """dx = dy / (1 + exp(-beta x)); see activation_numpy."""
    return _chain(SOFTPLUS, dy, x, beta, threshold)


def silu_forward(x):
    """y = x / (1 + exp(-x)); see activation_numpy."""
    return _map(SILU, x)


def silu_backward(dy, x):
    """dx = dy * (s + x * s * (1 - s)); see activation_numpy."""
    return _chain(SILU, dy, x)


def hard_sigmoid_forward(x):
    """y = x / 6 + 1 / 2, cut to [0, 1]; see activation_numpy."""
    return _map(HARD_SIGMOID, x)


def hard_sigmoid_backward(dy, x):
    """dx = dy / 6 where -3 < x < 3, else 0; see activation_numpy."""
    return _chain(HARD_SIGMOID, dy, x)


def hard_tanh_forward(x, low, high):
    """y = x, cut to [low, high]; see activation_numpy."""
    return _map(HARD_TANH, x, low, high)


def hard_tanh_backward(dy, x, low, high):
    """dx = dy where low < x < high, else 0; see activation_numpy."""
    return _chain(HARD_TANH, dy, x, low, high)


cdef extern nogil:
    void prelu_forward_f32(const float*, const float*, float*, long, long, long, long) noexcept
    void prelu_forward_f64(
        const double*, const double*, double*, long, long, long, long) noexcept
    void prelu_backward_f32(
        const float*, const float*, const float*, float*, double*, long, long, long,
        long) noexcept
    void prelu_backward_f64(
        const double*, const double*, const double*, double*, double*, long, long, long,
        long) noexcept


cdef _prelu_part(ndarray x, ndarray weight, ndarray y, long c, long s, long start, long stop):
    cdef const void* source = PyArray_DATA(x)
    cdef const void* slopes = PyArray_DATA(weight)
    cdef void* target = PyArray_DATA(y)
    cdef bint single = PyArray_TYPE(x) == NPY_FLOAT32
    with nogil:
        if single:
            prelu_forward_f32(
                <const float*>source, <const float*>slopes, <float*>target, c, s, start, stop)
        else:
            prelu_forward_f64(
                <const double*>source, <const double*>slopes, <double*>target, c, s, start, stop)


cdef _prelu_chain_part(
    ndarray dy, ndarray x, ndarray weight, ndarray dx, long c, long s, long start, long stop
):
    cdef const void* upstream = PyArray_DATA(dy)
    cdef const void* source = PyArray_DATA(x)
    cdef const void* slopes = PyArray_DATA(weight)
    cdef void* target = PyArray_DATA(dx)
    cdef bint single = PyArray_TYPE(x) == NPY_FLOAT32
    dweight = np.zeros(c)
    cdef double* sums = <double*>PyArray_DATA(dweight)
    with nogil:
        if single:
            prelu_backward_f32(
                <const float*>upstream, <const float*>source, <const float*>slopes,
                <float*>target, sums, c, s, start, stop)
        else:
            prelu_backward_f64(
                <const double*>upstream, <const double*>source, <const double*>slopes,
                <double*>target, sums, c, s, start, stop)
    return dweight


def prelu_forward(x, weight):
    """y = x where x > 0, else weight * x, channel by channel; see activation_numpy."""
    n, c, s = x.shape
    y = np.empty_like(x)
    if n * c * s < LEAST:
        _prelu_part(x, weight, y, c, s, 0, n)
    else:
        parallel.run(
            lambda start, stop: _prelu_part(x, weight, y, c, s, start, stop),
            n,
            LEAST // (c * s) + 1,
        )
    return y


def prelu_backward(dy, x, weight):
    """dx and dweight; see activation_numpy."""
    n, c, s = x.shape
    dx = np.empty_like(dy)
    if n * c * s < LEAST:
        dweight = _prelu_chain_part(dy, x, weight, dx, c, s, 0, n)
    else:
        parts = parallel.run(
            lambda start, stop: _prelu_chain_part(dy, x, weight, dx, c, s, start, stop),
            n,
            LEAST // (c * s) + 1,
        )
        dweight = sum(parts)
    return dx, dweight.astype(weight.dtype)
