"""Dropout in Numba. What is computed stands in dropout_numpy, the numbers in hashing."""

import math

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
def _hashed(index, seed):
    low, high = np.uint32(index & 0xFFFFFFFF), np.uint32(index >> 32)
    first, second = np.uint32(seed & np.uint64(0xFFFFFFFF)), np.uint32(seed >> np.uint64(32))
    h = _mixed(np.uint32(np.uint32(low * np.uint32(0x9E3779B9)) + first))
    return np.int64(_mixed(np.uint32(h + np.uint32(high ^ second))))


@njit(cache=True)
def _dropped(j, fours, other, threshold):
    """Whether place j's number is below the threshold; `fours` is the hash of four places.

    Where its byte does not decide, the place has a hash of its own, of another seed.
    """
    highest, rest = threshold >> 24, threshold & 0xFFFFFF
    byte = fours >> 8 * (j % 4) & 0xFF
    if byte == highest and rest:
        return _hashed(j, other) & 0xFFFFFF < rest
    return byte < highest


@njit(cache=True)
def _mask(seed, other, threshold, keep):
    for j in range(keep.size):
        if j % 4 == 0:
            fours = _hashed(j // 4, seed)
        keep[j] = not _dropped(j, fours, other, threshold)


@njit(cache=True)
def _seeded(x, seed, other, threshold, scale, zero, y):
    for j in range(x.size):
        if j % 4 == 0:
            fours = _hashed(j // 4, seed)
        y[j] = x[j] * (zero if _dropped(j, fours, other, threshold) else scale)


def mask(shape, seed, p):
    """keep, drawn by seed; see dropout_numpy.mask."""
    keep = np.empty(math.prod(shape), np.bool_)
    with np.errstate(over="ignore"):  # as plain Python, where the wrap-around of scalars warns
        _mask(np.uint64(seed), np.uint64(seed ^ 2**63), np.int64(round(p * 2**32)), keep)
    return keep.reshape(shape)


def seeded(x, seed, p, scale):
    """y = x * keep * scale; see dropout_numpy.seeded."""
    y = np.empty_like(x)
    seeds = np.uint64(seed), np.uint64(seed ^ 2**63)
    kept, zero = x.dtype.type(scale), x.dtype.type(0)
    with np.errstate(over="ignore"):
        _seeded(x.reshape(-1), *seeds, np.int64(round(p * 2**32)), kept, zero, y.reshape(-1))
    return y
