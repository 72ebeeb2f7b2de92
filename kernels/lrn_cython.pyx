# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Local response normalization in C; what is computed, and the shapes, stand in lrn_numpy."""

import numpy as np

from cython cimport floating

from minidl.kernels import parallel

# Values a thread should have, at least, for its start to pay.
LEAST = 32768

# Pixels of a strip; see simd/lrn.h.
STRIP = 256

cdef extern nogil:
    void lrn_forward_f32(
        const float*, long, double, double, double, float*, float*, long, long, long, long)
    void lrn_forward_f64(
        const double*, long, double, double, double, double*, double*, long, long, long, long)
    void lrn_backward_f32(
        const float*, const float*, const float*, double, long, double, double, float*, float*,
        long, long, long, long)
    void lrn_backward_f64(
        const double*, const double*, const double*, double, long, double, double, double*, double*,
        long, long, long, long)


def _forward(
    const floating[:, :, ::1] x, long size, double alpha, double beta, double k,
    floating[:, :, ::1] y, floating[:, :, ::1] s, long start, long stop,
):
    cdef long c = x.shape[1], pixels = x.shape[2]
    with nogil:
        if floating is float:
            lrn_forward_f32(
                &x[0, 0, 0], size, alpha, beta, k, &y[0, 0, 0], &s[0, 0, 0],
                c, pixels, start, stop)
        else:
            lrn_forward_f64(
                &x[0, 0, 0], size, alpha, beta, k, &y[0, 0, 0], &s[0, 0, 0],
                c, pixels, start, stop)


def _backward(
    const floating[:, :, ::1] dy, const floating[:, :, ::1] x, const floating[:, :, ::1] s,
    double smallest, long size, double factor, double beta, floating[:, :, ::1] dx,
    floating[:, ::1] ring, long start, long stop,
):
    cdef long c = x.shape[1], pixels = x.shape[2]
    with nogil:
        if floating is float:
            lrn_backward_f32(
                &dy[0, 0, 0], &x[0, 0, 0], &s[0, 0, 0], smallest, size, factor, beta,
                &dx[0, 0, 0], &ring[0, 0], c, pixels, start, stop)
        else:
            lrn_backward_f64(
                &dy[0, 0, 0], &x[0, 0, 0], &s[0, 0, 0], smallest, size, factor, beta,
                &dx[0, 0, 0], &ring[0, 0], c, pixels, start, stop)


def forward(x, size, alpha, beta, k):
    """y, s; see lrn_numpy.forward."""
    y, s = np.empty_like(x), np.empty_like(x)
    n, c, pixels = x.shape
    if x.size:
        parallel.run(
            lambda start, stop: _forward(x, size, alpha, beta, k, y, s, start, stop),
            n,
            LEAST // (c * pixels) + 1,
        )
    return y, s


def backward(dy, x, s, size, alpha, beta):
    """dx, the gradient by x; see lrn_numpy.backward."""
    dx = np.empty_like(dy)
    n, c, pixels = x.shape
    factor, smallest = 2 * alpha * beta, s.min(initial=np.inf)

    def work(start, stop):
        ring = np.empty((min(size, c), STRIP), x.dtype)
        _backward(dy, x, s, smallest, size, factor, beta, dx, ring, start, stop)

    if x.size:
        parallel.run(work, n, LEAST // (c * pixels) + 1)
    return dx
