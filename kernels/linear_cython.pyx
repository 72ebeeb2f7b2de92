# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The fully connected layer in C; what is computed stands in linear_numpy.

The largest products are left to BLAS, whose blocking for every level of the caches wins there.
"""

import numpy as np

from libc.stdlib cimport free, malloc
from numpy cimport (
    NPY_FLOAT32, PyArray_DATA, PyArray_DIMS, PyArray_EMPTY, PyArray_TYPE, import_array, ndarray,
    npy_intp,
)

from minidl.kernels import parallel

import_array()

cdef extern from "simd/level.h":
    int simd_level()
    int simd_vectors()
    int SIMD_AVX2

# Multiplications that a thread should have, at least, for its start to pay.
LEAST = 1_500_000

# Multiplications from which on BLAS is faster, or may be: with short vectors and without any.
MANY = 600_000_000 if simd_level() >= SIMD_AVX2 else 60_000_000 if simd_vectors() else 0

cdef extern nogil:
    void linear_product_f32(
        const float*, long, long, const float*, int, const float*, int, float*, long, long, long,
        long, long, float*)
    void linear_product_f64(
        const double*, long, long, const double*, int, const double*, int, double*, long, long,
        long, long, long, double*)
    void linear_room_f32(long, long, long, long*)
    void linear_room_f64(long, long, long, long*)
    void linear_finish_f32(float*, const float*, int, long, long)
    void linear_finish_f64(double*, const double*, int, long, long)
    void linear_bias_f32(const float*, const float*, float*, float*, float*, long, long)
    void linear_bias_f64(const double*, const double*, double*, double*, double*, long, long)


cdef ndarray _empty(long rows, long columns, ndarray like):
    cdef npy_intp sizes[2]
    sizes[0], sizes[1] = rows, columns
    return PyArray_EMPTY(2, sizes, PyArray_TYPE(like), 0)


cdef _fill(
    ndarray c, ndarray a, bint a_turned, ndarray b, bint b_turned, ndarray bias, bint relu,
    long top, long bottom, long start, long stop,
):
    """The rows top .. bottom and columns start .. stop of c = a b; operands may be turned over."""
    cdef long m = bottom - top, n = PyArray_DIMS(c)[1], numbers
    cdef long depth = PyArray_DIMS(b)[1 if b_turned else 0]
    cdef long row = 1 if a_turned else depth, deep = PyArray_DIMS(c)[0] if a_turned else 1
    cdef bint single = PyArray_TYPE(c) == NPY_FLOAT32
    cdef npy_intp size = 4 if single else 8, length
    cdef const void *left = <char*>PyArray_DATA(a) + top * row * size
    cdef const void *right = PyArray_DATA(b)
    cdef const void *shift = NULL if bias is None else PyArray_DATA(bias)
    cdef void *out = <char*>PyArray_DATA(c) + top * n * size
    cdef ndarray memory
    cdef void *room
    if single:
        linear_room_f32(m, depth, stop - start, &numbers)
    else:
        linear_room_f64(m, depth, stop - start, &numbers)
    length = numbers + 16
    memory = PyArray_EMPTY(1, &length, PyArray_TYPE(c), 0)
    room = <void*>((<size_t>PyArray_DATA(memory) + 63) // 64 * 64)
    with nogil:
        if single:
            linear_product_f32(
                <const float*>left, row, deep, <const float*>right, b_turned, <const float*>shift,
                relu, <float*>out, m, depth, n, start, stop, <float*>room)
        else:
            linear_product_f64(
                <const double*>left, row, deep, <const double*>right, b_turned,
                <const double*>shift, relu, <double*>out, m, depth, n, start, stop, <double*>room)


cdef _finish(ndarray y, ndarray bias, bint relu):
    """Add the bias to what BLAS has made, then ReLU."""
    cdef long n = PyArray_DIMS(y)[0], k = PyArray_DIMS(y)[1]
    cdef const void *shift = NULL if bias is None else PyArray_DATA(bias)
    cdef void *out = PyArray_DATA(y)
    cdef bint single = PyArray_TYPE(y) == NPY_FLOAT32
    with nogil:
        if single:
            linear_finish_f32(<float*>out, <const float*>shift, relu, n, k)
        else:
            linear_finish_f64(<double*>out, <const double*>shift, relu, n, k)


cdef ndarray _product(
    ndarray a, bint a_turned, ndarray b, bint b_turned, ndarray bias=None, bint relu=False
):
    cdef long m = PyArray_DIMS(a)[1 if a_turned else 0], n = PyArray_DIMS(b)[0 if b_turned else 1]
    cdef long depth = PyArray_DIMS(b)[1 if b_turned else 0]
    cdef long long work = <long long>m * depth * n
    cdef ndarray c
    if work >= MANY or m < 4:
        c = parallel.product(a.T if a_turned else a, b.T if b_turned else b)
        if bias is not None or relu:
            _finish(c, bias, relu)
        return c
    c = _empty(m, n, b)
    if work < 2 * LEAST:
        _fill(c, a, a_turned, b, b_turned, bias, relu, 0, m, 0, n)
    elif m > n:
        parallel.run(
            lambda top, bottom: _fill(
                c, a, a_turned, b, b_turned, bias, relu, top, bottom, 0, n),
            m, LEAST // (depth * n) + 32, LEAST // (depth * n) + 1)
    else:
        parallel.run(
            lambda start, stop: _fill(
                c, a, a_turned, b, b_turned, bias, relu, 0, m, start, stop),
            n, LEAST // (m * depth) + 32, LEAST // (m * depth) + 1)
    return c


def forward(ndarray x, ndarray weight, ndarray bias, bint relu):
    """y = x W^T + b, then ReLU where it is asked for; see linear_numpy.forward."""
    return _product(x, False, weight, True, bias, relu)


cdef ndarray _bias(ndarray dy, ndarray y, ndarray g):
    """Return the gradient of the bias, and fill g where there is a y."""
    cdef long n = PyArray_DIMS(dy)[0], k = PyArray_DIMS(dy)[1]
    cdef npy_intp size = k
    cdef ndarray dbias = PyArray_EMPTY(1, &size, PyArray_TYPE(dy), 0)
    cdef const void *source = PyArray_DATA(dy)
    cdef const void *result = NULL if y is None else PyArray_DATA(y)
    cdef void *out = NULL if y is None else PyArray_DATA(g)
    cdef void *total = PyArray_DATA(dbias)
    cdef bint single = PyArray_TYPE(dy) == NPY_FLOAT32
    cdef void *part = malloc(k * (4 if single else 8) + 64)
    if part == NULL:
        raise MemoryError("linear: expected room for a sum of rows, got none")
    with nogil:
        if single:
            linear_bias_f32(
                <const float*>source, <const float*>result, <float*>out, <float*>total,
                <float*>part, n, k)
        else:
            linear_bias_f64(
                <const double*>source, <const double*>result, <double*>out, <double*>total,
                <double*>part, n, k)
        free(part)
    return dbias


def backward(ndarray dy, ndarray x, ndarray weight, ndarray y, needs):
    """dx, dweight and dbias; see linear_numpy.backward."""
    cdef ndarray g = dy, dbias = None
    if y is not None:
        g = _empty(PyArray_DIMS(dy)[0], PyArray_DIMS(dy)[1], dy)
    if y is not None or needs[2]:
        dbias = _bias(dy, y, g)
    return (
        _product(g, False, weight, False) if needs[0] else None,
        _product(g, True, x, False) if needs[1] else None,
        dbias if needs[2] else None,
    )
