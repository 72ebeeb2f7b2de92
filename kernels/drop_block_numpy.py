"""DropBlock: the specification. Whole squares of a feature map are dropped at once.

`seeds` says where blocks begin: (n, c or 1, h - b + 1, w - b + 1) bool for blocks of b x b, True
where a block has its upper left corner, so that every block fits into the map. An even block's
middle, the paper's seed, is its upper left one.
"""

import math

import numpy as np
from minidl.kernels import hashing


def expand(seeds, block_size):
    """keep[row, column] = no block covers it.

    Parameters
    ----------
    seeds : (n, c or 1, h - b + 1, w - b + 1) bool, True where a block has its upper left corner
    block_size : int, b

    Returns
    -------
    keep : (n, c or 1, h, w) bool, False inside every block

    References
    ----------
    Ghiasi et al. 2018, algorithm 1.
    """
    n, c, rows, columns = seeds.shape
    keep = np.ones((n, c, rows + block_size - 1, columns + block_size - 1), bool)
    for i in range(block_size):
        for j in range(block_size):
            keep[:, :, i : i + rows, j : j + columns] &= ~seeds
    return keep


def forward(x, keep):
    """y = x * keep * scale,  scale = count(keep) / count_ones(keep).

    The scale makes up for what is dropped. It is taken over the whole mask, and is 0 where
    nothing is kept.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    keep : (n, c or 1, h, w) bool

    Returns
    -------
    y : (n, c, h, w), of the dtype of x
    scale : float

    References
    ----------
    Ghiasi et al. 2018, algorithm 1, lines 7 and 8.
    """
    kept = int(np.count_nonzero(keep))
    scale = keep.size / kept if kept else 0.0
    y = x * keep * scale
    return y, scale


def backward(dy, keep, scale):
    """dx = dy * keep * scale.

    Parameters
    ----------
    dy : (n, c, h, w) float32 or float64
    keep : (n, c or 1, h, w) bool
    scale : float, as returned by `forward`

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy
    """
    return dy * keep * scale


def seeds(shape, seed, gamma):
    """seeds[i] = number(seed, i) < gamma 2^32, i counting the places in the order of memory.

    The numbers are those of `hashing`, so every backend drops the same blocks.

    Parameters
    ----------
    shape : tuple of int, (n, c or 1, h - b + 1, w - b + 1)
    seed : int in [0, 2^64)
    gamma : float in [0, 1], the probability that a block begins at a place, to the nearest 2^-32

    Returns
    -------
    seeds : bool, of that shape
    """
    return (hashing.numbers(math.prod(shape), seed) < round(gamma * 2**32)).reshape(shape)


def mask(shape, seed, gamma, block_size):
    """keep = expand(seeds(...), block_size), and its scale = count(keep) / count_ones(keep).

    Parameters
    ----------
    shape : tuple of int, (n, c or 1, h, w)
    seed, gamma : as in `seeds`
    block_size : int, at most h and w

    Returns
    -------
    keep : bool, of that shape
    scale : float, 0 where nothing is kept
    """
    n, c, h, w = shape
    places = n, c, h - block_size + 1, w - block_size + 1
    keep = expand(seeds(places, seed, gamma), block_size)
    kept = int(np.count_nonzero(keep))
    return keep, keep.size / kept if kept else 0.0


def product(x, keep, scale):
    """y = x * keep * scale: what `forward` does once the scale is known.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    keep : (n, c or 1, h, w) bool
    scale : float

    Returns
    -------
    y : (n, c, h, w), of the dtype of x
    """
    return x * keep * scale
