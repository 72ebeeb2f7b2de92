# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The rectified linear unit in C; what is computed stands in relu_numpy."""

import numpy as np

from numpy cimport NPY_FLOAT32, PyArray_DATA, PyArray_SIZE, PyArray_TYPE, import_array, ndarray

from minidl.kernels import parallel

import_array()

# Values a thread should have, at least, for its start to pay.
LEAST = 65536

cdef extern nogil:
    void relu_forward_f32(const float*, float*, long, long)
    void relu_forward_f64(const double*, double*, long, long)
    void relu_backward_f32(const float*, const float*, float*, long, long)
    void relu_backward_f64(const double*, const double*, double*, long, long)


cdef _forward(ndarray x, ndarray y, long start, long stop):
    cdef const void* source = PyArray_DATA(x)
    cdef void* target = PyArray_DATA(y)
    cdef bint single = PyArray_TYPE(x) == NPY_FLOAT32
    with nogil:
        if single:
            relu_forward_f32(<const float*>source, <float*>target, start, stop)
        else:
            relu_forward_f64(<const double*>source, <double*>target, start, stop)


cdef _backward(ndarray dy, ndarray y, ndarray dx, long start, long stop):
    cdef const void* source = PyArray_DATA(dy)
    cdef const void* result = PyArray_DATA(y)
    cdef void* target = PyArray_DATA(dx)
    cdef bint single = PyArray_TYPE(dy) == NPY_FLOAT32
    with nogil:
        if single:
            relu_backward_f32(
                <const float*>source, <const float*>result, <float*>target, start, stop)
        else:
            relu_backward_f64(
                <const double*>source, <const double*>result, <double*>target, start, stop)


def forward(x):
    """y = max(x, 0); see relu_numpy.forward."""
    cdef long size = PyArray_SIZE(x)
    y = np.empty_like(x)
    if size < LEAST:
        _forward(x, y, 0, size)
    else:
        parallel.run(lambda start, stop: _forward(x, y, start, stop), size, LEAST)
    return y


def backward(dy, y):
    """dx = dy where y > 0; see relu_numpy.backward."""
    cdef long size = PyArray_SIZE(dy)
    dx = np.empty_like(dy)
    if size < LEAST:
        _backward(dy, y, dx, 0, size)
    else:
        parallel.run(lambda start, stop: _backward(dy, y, dx, start, stop), size, LEAST)
    return dx
