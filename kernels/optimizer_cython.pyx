# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Steps of optimizers in C; what is computed stands in optimizer_numpy."""

import numpy as np

from libc.math cimport sqrt
from numpy cimport (
    NPY_FLOAT32, NPY_FLOAT64, PyArray_DATA, PyArray_ISCARRAY, PyArray_ISCARRAY_RO, PyArray_SIZE,
    PyArray_TYPE, import_array, ndarray,
)

from minidl.kernels import parallel

import_array()

# Values a thread should have, at least, for its start to pay.
LEAST = 100000

cdef extern nogil:
    void optimizer_adam_f32(float*, const float*, float*, float*, const double*, long, long)
    void optimizer_adam_f64(double*, const double*, double*, double*, const double*, long, long)
    void optimizer_sgd_f32(float*, const float*, float*, const double*, int, long, long)
    void optimizer_sgd_f64(double*, const double*, double*, const double*, int, long, long)


cdef _check(str op, ndarray p, ndarray other, bint written):
    """Refuse what a pointer does not tell: another type, size or layout, or a read-only array."""
    cdef bint fits = PyArray_ISCARRAY(other) if written else PyArray_ISCARRAY_RO(other)
    cdef int kind = PyArray_TYPE(p)
    if (
        not fits or PyArray_SIZE(other) != PyArray_SIZE(p) or PyArray_TYPE(other) != kind
        or (kind != NPY_FLOAT32 and kind != NPY_FLOAT64)
    ):
        raise ValueError(
            f"{op}: expected contiguous arrays of one floating type and size, writable but for the "
            f"gradients, got {np.asarray(other).dtype} {np.shape(other)}")


cdef _adam(
    ndarray p, ndarray g, ndarray m, ndarray v, double rate, double beta1, double beta2,
    double root, double eps, double decay, long start, long stop,
):
    cdef double[6] o
    o[0], o[1], o[2], o[3], o[4], o[5] = rate, beta1, beta2, root, eps, decay
    cdef void* a = PyArray_DATA(p)
    cdef void* b = PyArray_DATA(g)
    cdef void* c = PyArray_DATA(m)
    cdef void* d = PyArray_DATA(v)
    cdef bint single = PyArray_TYPE(p) == NPY_FLOAT32
    with nogil:
        if single:
            optimizer_adam_f32(<float*>a, <float*>b, <float*>c, <float*>d, o, start, stop)
        else:
            optimizer_adam_f64(<double*>a, <double*>b, <double*>c, <double*>d, o, start, stop)


def adam(params, grads, means, squares, steps, lr, beta1, beta2, eps, weight_decay):
    """One step of Adam; see optimizer_numpy.adam."""
    cdef ndarray p, g, m, v
    cdef long size
    if not len(params) == len(grads) == len(means) == len(squares) == len(steps):
        raise ValueError("adam: expected lists of one length")
    for p, g, m, v in zip(params, grads, means, squares):
        _check("adam", p, p, True)
        _check("adam", p, g, False)
        _check("adam", p, m, True)
        _check("adam", p, v, True)
    for p, g, m, v, t in zip(params, grads, means, squares, steps):
        rate, root, size = lr / (1 - beta1**t), sqrt(1 - beta2**t), PyArray_SIZE(p)
        if size < LEAST:
            _adam(p, g, m, v, rate, beta1, beta2, root, eps, weight_decay, 0, size)
        else:
            _large_adam(p, g, m, v, rate, beta1, beta2, root, eps, weight_decay)


def _large_adam(p, g, m, v, rate, beta1, beta2, root, eps, decay):
    parallel.run(
        lambda start, stop: _adam(
            p, g, m, v, rate, beta1, beta2, root, eps, decay, start, stop),
        p.size, LEAST)


cdef _sgd(
    ndarray p, ndarray g, ndarray v, double lr, double momentum, double dampening, double decay,
    bint nesterov, long start, long stop,
):
    cdef double[4] o
    o[0], o[1], o[2], o[3] = lr, momentum, 1 - dampening, decay
    cdef void* a = PyArray_DATA(p)
    cdef void* b = PyArray_DATA(g)
    cdef void* c = PyArray_DATA(v)
    cdef bint single = PyArray_TYPE(p) == NPY_FLOAT32
    with nogil:
        if single:
            optimizer_sgd_f32(<float*>a, <float*>b, <float*>c, o, nesterov, start, stop)
        else:
            optimizer_sgd_f64(<double*>a, <double*>b, <double*>c, o, nesterov, start, stop)


def sgd(params, grads, velocities, lr, momentum, dampening, weight_decay, nesterov):
    """One step of gradient descent; see optimizer_numpy.sgd."""
    cdef ndarray p, g, v
    cdef long size
    # Without momentum no velocity is read: the gradient stands in its place.
    moving = velocities if momentum else grads
    if not len(params) == len(grads) == len(moving):
        raise ValueError("sgd: expected lists of one length")
    for p, g, v in zip(params, grads, moving):
        _check("sgd", p, p, True)
        _check("sgd", p, g, False)
        _check("sgd", p, v, bool(momentum))
    for p, g, v in zip(params, grads, moving):
        size = PyArray_SIZE(p)
        if size < LEAST:
            _sgd(p, g, v, lr, momentum, dampening, weight_decay, nesterov, 0, size)
        else:
            _large_sgd(p, g, v, lr, momentum, dampening, weight_decay, nesterov)


def _large_sgd(p, g, v, lr, momentum, dampening, decay, nesterov):
    parallel.run(
        lambda start, stop: _sgd(
            p, g, v, lr, momentum, dampening, decay, nesterov, start, stop),
        p.size, LEAST)
