"""Inverted dropout in Numba. What is computed stands in dropout_numpy."""

import numpy as np
from numba import njit


@njit(cache=True)
def _scaled(x, keep, scale, y):
    for j in range(x.size):
        y[j] = x[j] * keep[j] * scale


def forward(x, keep, p):
    """y = x * keep / (1 - p); see dropout_numpy.forward."""
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    y = np.empty_like(x)
    _scaled(x.reshape(-1), keep.reshape(-1), x.dtype.type(scale), y.reshape(-1))
    return y


def backward(dy, keep, p):
    """dx = dy * keep / (1 - p); see dropout_numpy.backward."""
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    dx = np.empty_like(dy)
    _scaled(dy.reshape(-1), keep.reshape(-1), dy.dtype.type(scale), dx.reshape(-1))
    return dx
