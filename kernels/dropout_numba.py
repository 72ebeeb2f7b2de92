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


@njit(cache=True)
def _mixed(h):
    # Numba widens products of 32-bit integers to 64 bits: each is cut back.
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(cache=True)
def _seeded(x, first, second, threshold, scale, zero, y):
    for j in range(x.size):
        low, high = np.uint32(j & 0xFFFFFFFF), np.uint32(j >> 32)
        h = _mixed(np.uint32(np.uint32(low * np.uint32(0x9E3779B9)) + first))
        h = _mixed(np.uint32(h + np.uint32(high ^ second)))
        y[j] = x[j] * (scale if np.int64(h) >= threshold else zero)


def _hashed(x, seed, p):
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    halves = np.uint32(seed % 2**32), np.uint32(seed >> 32)
    y = np.empty_like(x)
    kept, zero = x.dtype.type(scale), x.dtype.type(0)
    with np.errstate(over="ignore"):  # as plain Python, where the wrap-around of scalars warns
        _seeded(x.reshape(-1), *halves, np.int64(round(p * 2**32)), kept, zero, y.reshape(-1))
    return y


def seeded_forward(x, seed, p):
    """y = x * keep / (1 - p); see dropout_numpy.seeded_forward."""
    return _hashed(x, seed, p)


def seeded_backward(dy, seed, p):
    """dx = dy * keep / (1 - p); see dropout_numpy.seeded_backward."""
    return _hashed(dy, seed, p)
