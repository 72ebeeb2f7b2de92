# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inverted dropout in Cython. What is computed stands in dropout_numpy."""

import numpy as np

from cython cimport floating
from libc.stdint cimport uint8_t


def _scaled(const floating[::1] x, const uint8_t[::1] keep, floating scale, floating[::1] y):
    cdef Py_ssize_t j
    with nogil:
        for j in range(x.shape[0]):
            y[j] = x[j] * keep[j] * scale


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
