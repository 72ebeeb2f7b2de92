"""DropBlock: squares of feature maps are dropped. Here a seed is drawn, in the kernels the mask."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import check_range, check_sizes
from minidl.functional.conv import check_images
from minidl.functional.dropout import draw_seed

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class DropBlock(Function):
    """y = x * keep * count / count_ones."""

    def forward(self, x, *, keep, scale):
        """Return y; a module that somebody brings computes the scale itself."""
        self.keep, self.scale = keep, scale
        if not backend.brought("drop_block"):
            return backend.call("drop_block", "product", x, keep, scale)
        y, self.scale = backend.call("drop_block", "forward", x, keep)
        return y

    def backward(self, grad):
        """Return grad * keep * count / count_ones."""
        return backend.call("drop_block", "backward", grad, self.keep, self.scale)


def drop_block_gamma(keep_prob: float, block_size: int, h: int, w: int) -> float:
    """Return the probability of a seed that drops 1 - keep_prob of the map, overlaps not counted.

    gamma = (1 - keep_prob) / block^2 * h w / ((h - block + 1) (w - block + 1)), at most 1, and 1
    where keep_prob is 0: nothing is kept.

    Parameters
    ----------
    keep_prob : in [0, 1], the share of the map to keep
    block_size : side of the blocks in pixels, at most h and w
    h, w : height and width of the map in pixels

    References
    ----------
    Ghiasi, Lin & Le 2018, equation 1.
    """
    if keep_prob == 0:
        return 1.0
    places = (h - block_size + 1) * (w - block_size + 1)
    return min((1.0 - keep_prob) / block_size**2 * (h * w) / places, 1.0)


def drop_block_seeds(
    shape: tuple[int, ...],
    keep_prob: float,
    block_size: int,
    rng: np.random.Generator | None = None,
    shared: bool = False,
) -> np.ndarray:
    """Draw where blocks are dropped: bool (n, c or 1, h - block + 1, w - block + 1).

    A seed at (i, j) drops rows i .. i + block - 1 and columns j .. j + block - 1, so that blocks
    lie wholly inside the map; its centre (an even block's upper-left middle) is the paper's seed.
    """
    n, c, h, w = shape
    gamma = drop_block_gamma(keep_prob, block_size, h, w)
    places = (n, 1 if shared else c, h - block_size + 1, w - block_size + 1)
    return backend.call("drop_block", "seeds", places, draw_seed(rng), gamma)


def drop_block_mask(
    shape: tuple[int, ...],
    keep_prob: float,
    block_size: int,
    rng: np.random.Generator | None = None,
    shared: bool = False,
) -> tuple[np.ndarray, float]:
    """Draw a mask for maps of `shape`: keep, bool (n, c or 1, h, w), and its count / count_ones.

    1 / (count / count_ones) is the realized keep rate. Blocks overlap, which gamma does not count,
    so its expectation lies between keep_prob and keep_prob + (1 - keep_prob)^2.
    """
    n, c, h, w = shape
    if backend.brought("drop_block"):
        seeds = drop_block_seeds(shape, keep_prob, block_size, rng, shared)
        keep = backend.call("drop_block", "expand", seeds, block_size)
        return keep, keep.size / max(np.count_nonzero(keep), 1)
    gamma = drop_block_gamma(keep_prob, block_size, h, w)
    maps = (n, 1 if shared else c, h, w)
    return backend.call("drop_block", "mask", maps, draw_seed(rng), gamma, block_size)


def drop_block(
    x: Tensor,
    keep_prob: float = 0.9,
    block_size: int = 7,
    training: bool = True,
    shared: bool = False,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Drop square blocks of feature maps: y = x * keep * count / count_ones in training.

    count / count_ones, over the whole mask, makes up for what is dropped; a mask that drops
    everything gives zeros.

    Parameters
    ----------
    x : (n, c, h, w) float
    keep_prob : share of the values to keep (not, as dropout's p, to drop), in [0, 1]; more are
        kept where blocks overlap, so that 0 drops everything only with blocks of 1
    block_size : side of the blocks in pixels, at least 1; clipped, with a warning, to the map
    training : bool
    shared : one mask for all channels of an image, instead of one for each
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    Tensor (n, c, h, w)

    References
    ----------
    Ghiasi, Lin & Le 2018, algorithm 1.
    """
    check_images("drop_block", x)
    check_range("drop_block", "keep_prob", keep_prob, 0.0, 1.0)
    check_sizes("drop_block", block_size=block_size)
    if not training or keep_prob == 1 or x.size == 0:
        return x
    block = min(int(block_size), *x.shape[2:])
    if block < block_size:
        warnings.warn(clipping("drop_block", block_size, x.shape), stacklevel=2)
    keep, scale = drop_block_mask(x.shape, keep_prob, block, rng, shared)
    return DropBlock.apply(x, keep=keep, scale=scale)


def clipping(op: str, block_size: int, shape: tuple[int, ...]) -> str:
    """Return what a warning says of blocks that are larger than the map."""
    h, w = shape[2:]
    return (
        f"{op}: block_size {block_size} is larger than the map {(h, w)}; clipped to "
        f"{min(block_size, h, w)}"
    )
