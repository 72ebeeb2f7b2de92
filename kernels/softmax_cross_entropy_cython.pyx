# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Softmax and cross-entropy in C: row by row, with an exponential of vectors.

What is computed, and the shapes, stand in softmax_cross_entropy_numpy; how, in simd/softmax.h.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t

from minidl.kernels import parallel

# Values a thread should have, at least, for its start to pay.
LEAST = 20000

cdef extern nogil:
    void softmax_cross_entropy_forward_f32(
        const float*, const int64_t*, double, float*, float*, long, long, long)
    void softmax_cross_entropy_forward_f64(
        const double*, const int64_t*, double, double*, double*, long, long, long)
    void softmax_cross_entropy_backward_f32(
        const float*, const float*, const int64_t*, double, float*, long, long, long)
    void softmax_cross_entropy_backward_f64(
        const double*, const double*, const int64_t*, double, double*, long, long, long)


cdef void _check(const int64_t[::1] targets, long k) except *:
    cdef Py_ssize_t i
    for i in range(targets.shape[0]):
        if targets[i] < 0 or targets[i] >= k:
            raise IndexError("softmax_cross_entropy: expected targets in 0 .. k - 1")


def _forward(
    const floating[:, ::1] logits, const int64_t[::1] targets, double eps,
    floating[::1] losses, floating[:, ::1] probabilities, long start, long stop,
):
    cdef long k = logits.shape[1]
    with nogil:
        if floating is float:
            softmax_cross_entropy_forward_f32(
                &logits[0, 0], &targets[0], eps, &losses[0], &probabilities[0, 0], k, start, stop)
        else:
            softmax_cross_entropy_forward_f64(
                &logits[0, 0], &targets[0], eps, &losses[0], &probabilities[0, 0], k, start, stop)


def _backward(
    const floating[::1] dlosses, const floating[:, ::1] probabilities,
    const int64_t[::1] targets, double eps, floating[:, ::1] dlogits, long start, long stop,
):
    cdef long k = probabilities.shape[1]
    with nogil:
        if floating is float:
            softmax_cross_entropy_backward_f32(
                &dlosses[0], &probabilities[0, 0], &targets[0], eps, &dlogits[0, 0],
                k, start, stop)
        else:
            softmax_cross_entropy_backward_f64(
                &dlosses[0], &probabilities[0, 0], &targets[0], eps, &dlogits[0, 0],
                k, start, stop)


def smoothed_forward(logits, targets, eps):
    """losses, probabilities; see softmax_cross_entropy_numpy.smoothed_forward."""
    n, k = logits.shape
    losses, probabilities = np.empty(n, logits.dtype), np.empty_like(logits)
    _check(targets, k)
    if n * k > LEAST:
        parallel.run(
            lambda start, stop: _forward(
                logits, targets, eps, losses, probabilities, start, stop
            ),
            n,
            LEAST // k + 1,
        )
    elif n:
        _forward(logits, targets, eps, losses, probabilities, 0, n)
    return losses, probabilities


def smoothed_backward(dlosses, probabilities, targets, eps, out=None):
    """dlogits; see softmax_cross_entropy_numpy.smoothed_backward."""
    n, k = probabilities.shape
    dlogits = np.empty_like(probabilities) if out is None else out
    _check(targets, k)
    if n * k > LEAST:
        parallel.run(
            lambda start, stop: _backward(
                dlosses, probabilities, targets, eps, dlogits, start, stop
            ),
            n,
            LEAST // k + 1,
        )
    elif n:
        _backward(dlosses, probabilities, targets, eps, dlogits, 0, n)
    return dlogits


def forward(logits, targets):
    """losses, probabilities; see softmax_cross_entropy_numpy.forward."""
    return smoothed_forward(logits, targets, 0.0)


def backward(dlosses, probabilities, targets):
    """dlogits; see softmax_cross_entropy_numpy.backward."""
    return smoothed_backward(dlosses, probabilities, targets, 0.0)
