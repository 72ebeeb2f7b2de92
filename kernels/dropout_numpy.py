"""Inverted dropout: the specification. The mask is drawn by the caller and passed in."""

import math

import numpy as np


def forward(x, keep, p):
    """y = x * keep / (1 - p).

    The division keeps the expected value of y at x; p = 1 gives zeros.

    Parameters
    ----------
    x : float32 or float64, any shape
    keep : bool, of the shape of x, False where a value is dropped
    p : float in [0, 1], the probability of dropping a value

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Srivastava et al. 2014, section 10 (the inverted form).
    """
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return x * keep * scale


def backward(dy, keep, p):
    """dx = dy * keep / (1 - p).

    Parameters
    ----------
    dy : float32 or float64, any shape
    keep, p : as in `forward`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return dy * keep * scale


def _mixed(h):
    """Return 32-bit integers whose every bit depends on every bit of h (arithmetic modulo 2^32)."""
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))


def mask(shape, seed, p):
    """keep[i] = hash(seed, i) >= p 2^32, i counting the values in the order of memory.

    The hash mixes the index, spread by the golden ratio and moved by the seed's low half, once, and
    with the seed's high half once more. Any part of a mask can be computed without the rest.

    Parameters
    ----------
    shape : tuple of int
    seed : int in [0, 2^64)
    p : float in [0, 1], the probability of dropping a value, to the nearest 2^-32

    Returns
    -------
    keep : bool, of that shape

    References
    ----------
    The mixing function is lowbias32 of C. Wellons, Prospecting for Hash Functions, 2018.
    """
    index = np.arange(math.prod(shape), dtype=np.uint64)
    low, high = index.astype(np.uint32), (index >> np.uint64(32)).astype(np.uint32)
    first, second = np.uint32(seed % 2**32), np.uint32(seed >> 32)
    h = _mixed(low * np.uint32(0x9E3779B9) + first)
    h = _mixed(h + (high ^ second))
    return (h >= round(p * 2**32)).reshape(shape)


def seeded_forward(x, seed, p):
    """y = x * keep / (1 - p), with keep = mask(x.shape, seed, p).

    Parameters
    ----------
    x : float32 or float64, any shape
    seed, p : as in `mask`

    Returns
    -------
    y : of the shape and dtype of x
    """
    return forward(x, mask(x.shape, seed, p), p)


def seeded_backward(dy, seed, p):
    """dx = dy * keep / (1 - p), with keep = mask(dy.shape, seed, p).

    Parameters
    ----------
    dy : float32 or float64, any shape
    seed, p : as in `mask`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return backward(dy, mask(dy.shape, seed, p), p)
