"""Dropout: the specification. The mask, or the seed of one, is drawn by the caller."""

import math

from minidl.kernels import hashing


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
    keep : bool, of the shape of dy, the mask of the way forward
    p : float in [0, 1], the probability of dropping a value

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return dy * keep * scale


def mask(shape, seed, p):
    """keep[i] = number(seed, i) >= p 2^32, i counting the values in the order of memory.

    The numbers are those of `hashing`: any part of a mask can be computed without the rest.

    Parameters
    ----------
    shape : tuple of int
    seed : int in [0, 2^64)
    p : float in [0, 1], the probability of dropping a value, to the nearest 2^-32

    Returns
    -------
    keep : bool, of that shape
    """
    return (hashing.numbers(math.prod(shape), seed) >= round(p * 2**32)).reshape(shape)


def seeded(x, seed, p, scale):
    """y = x * keep * scale, with keep = mask(x.shape, seed, p).

    The gradient of x is the same function of the gradient of y.

    Parameters
    ----------
    x : float32 or float64, any shape
    seed, p : as in `mask`
    scale : float, 1 / (1 - p) in the inverted form, 1 in the standard one

    Returns
    -------
    y : of the shape and dtype of x
    """
    return x * mask(x.shape, seed, p) * scale
