"""DropConnect: the specification. Every sample has a mask of its own over the weights.

A bias is the weight of one more input that is always 1: the caller appends both.
"""

import numpy as np
from minidl.kernels import hashing


def mask(n, k, d, seed, p):
    """keep[i, o, j] = number(seed, place of i, o, j) >= p 2^32, in the order of memory.

    Parameters
    ----------
    n, k, d : int, how many samples, outputs and inputs
    seed : int in [0, 2^64); the numbers are those of `hashing`
    p : float in [0, 1], the probability of dropping a weight, to the nearest 2^-32

    Returns
    -------
    keep : (n, k, d) bool

    References
    ----------
    Wan et al. 2013, section 3.
    """
    return (hashing.numbers(n * k * d, seed) >= round(p * 2**32)).reshape(n, k, d)


def forward(x, weight, seed, p):
    """y[i] = (keep[i] * weight) x[i],  keep = mask(n, k, d, seed, p).

    Parameters
    ----------
    x : (n, d) float32 or float64
    weight : (k, d), of the dtype of x
    seed, p : as in `mask`

    Returns
    -------
    y : (n, k), of the dtype of x

    References
    ----------
    Wan et al. 2013, equation 3.
    """
    (n, d), k = x.shape, len(weight)
    kept = np.where(mask(n, k, d, seed, p), weight, 0)
    return np.einsum("iod,id->io", kept, x)


def backward_input(dy, weight, seed, p):
    """dx[i] = (keep[i] * weight)^T dy[i].

    Parameters
    ----------
    dy : (n, k) float32 or float64
    weight : (k, d), of the dtype of dy
    seed, p : as in `mask`

    Returns
    -------
    dx : (n, d), of the dtype of dy
    """
    n, (k, d) = len(dy), weight.shape
    kept = np.where(mask(n, k, d, seed, p), weight, 0)
    return np.einsum("iod,io->id", kept, dy)


def backward_weight(dy, x, seed, p):
    """dweight = sum over samples i of keep[i] * (dy[i] x[i]^T).

    Parameters
    ----------
    dy : (n, k) float32 or float64
    x : (n, d), of the dtype of dy
    seed, p : as in `mask`

    Returns
    -------
    dweight : (k, d), of the dtype of dy
    """
    (n, k), d = dy.shape, x.shape[1]
    kept = np.where(mask(n, k, d, seed, p), dy[:, :, None], 0)
    return np.einsum("iod,id->od", kept, x)
