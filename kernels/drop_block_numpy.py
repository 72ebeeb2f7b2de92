"""DropBlock: the specification. Whole squares of a feature map are dropped at once.

`seeds` says where blocks begin: (n, c or 1, h - b + 1, w - b + 1) bool for blocks of b x b, True
where a block has its upper left corner, so that every block fits into the map. Drawing the seeds
is the caller's business, so every backend drops the same blocks.
"""

import numpy as np


def expand(seeds, block_size):
    """keep[row, column] = no block covers it.

    Parameters
    ----------
    seeds : (n, c or 1, h - b + 1, w - b + 1) bool
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
