# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Softmax and cross-entropy in Cython: row by row.

What is computed, and the shapes, stand in softmax_cross_entropy_numpy.
"""

import numpy as np

from cython cimport floating
from libc.math cimport exp, expf, log
from libc.stdint cimport int64_t


def _forward(
    const floating[:, ::1] logits, const int64_t[::1] targets,
    floating[::1] losses, floating[:, ::1] probabilities,
):
    cdef Py_ssize_t n = logits.shape[0], k = logits.shape[1], i, j
    cdef int64_t target
    cdef floating largest, inverse
    cdef double total
    for i in range(n):
        target = targets[i]
        if target < 0 or target >= k:
            raise IndexError("softmax_cross_entropy: expected targets in 0 .. k - 1")
        largest = logits[i, 0]
        for j in range(1, k):
            largest = max(largest, logits[i, j])
        total = 0
        for j in range(k):
            if floating is float:
                probabilities[i, j] = expf(logits[i, j] - largest)
            else:
                probabilities[i, j] = exp(logits[i, j] - largest)
            total += probabilities[i, j]
        losses[i] = <floating>(log(total) - (logits[i, target] - largest))
        inverse = <floating>(1 / total)
        for j in range(k):
            probabilities[i, j] *= inverse


def _backward(
    const floating[::1] dlosses, const floating[:, ::1] probabilities,
    const int64_t[::1] targets, floating[:, ::1] dlogits,
):
    cdef Py_ssize_t n = probabilities.shape[0], k = probabilities.shape[1], i, j
    cdef int64_t target
    for i in range(n):
        target = targets[i]
        if target < 0 or target >= k:
            raise IndexError("softmax_cross_entropy: expected targets in 0 .. k - 1")
        for j in range(k):
            dlogits[i, j] = dlosses[i] * probabilities[i, j]
        dlogits[i, target] = dlosses[i] * (probabilities[i, target] - 1)


def forward(logits, targets):
    """losses, probabilities; see softmax_cross_entropy_numpy.forward."""
    losses, probabilities = np.empty(len(logits), logits.dtype), np.empty_like(logits)
    _forward(logits, targets, losses, probabilities)
    return losses, probabilities


def backward(dlosses, probabilities, targets):
    """dlogits; see softmax_cross_entropy_numpy.backward."""
    dlogits = np.empty_like(probabilities)
    _backward(dlosses, probabilities, targets, dlogits)
    return dlogits
