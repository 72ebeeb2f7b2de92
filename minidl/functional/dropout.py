"""Dropout and DropBlock. What is random, a seed or a mask, is drawn here and given to kernels."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from minidl import backend, random
from minidl.autograd import Function
from minidl.errors import check_floating, check_range, check_sizes
from minidl.functional.conv import check_images

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class Dropout(Function):
    """y = x * keep / (1 - p), keep being a hash of the seed and of each value's place."""

    def forward(self, x, *, seed, p):
        """Return y."""
        self.seed, self.p, self.keep = seed, p, None
        if backend.brought("dropout"):
            # A module that somebody brings is given the mask that the library's kernels compute.
            self.keep = backend.call("dropout", "mask", x.shape, seed, p)
            return backend.call("dropout", "forward", x, self.keep, p)
        return backend.call("dropout", "seeded_forward", x, seed, p)

    def backward(self, grad):
        """Return grad * keep / (1 - p)."""
        if self.keep is not None:
            return backend.call("dropout", "backward", grad, self.keep, self.p)
        return backend.call("dropout", "seeded_backward", grad, self.seed, self.p)


class DropBlock(Function):
    """y = x * keep * count / count_ones."""

    def forward(self, x, keep):
        """Return y."""
        self.keep = keep
        y, self.scale = backend.call("drop_block", "forward", x, keep)
        return y

    def backward(self, grad):
        """Return grad * keep * count / count_ones."""
        return backend.call("drop_block", "backward", grad, self.keep, self.scale), None


def dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Inverted dropout: y = x * keep / (1 - p) in training, x itself otherwise.

    Parameters
    ----------
    x : float tensor of any shape
    p : probability that a value is dropped, in [0, 1]
    training : bool
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Srivastava et al. 2014, section 4 and 10.
    """
    check_floating("dropout", "x", x)
    check_range("dropout", "p", p, 0.0, 1.0)
    if not training or p == 0:
        return x
    seed = int(random.generator(rng).integers(2**64, dtype=np.uint64))
    return Dropout.apply(x, seed=seed, p=float(p))


def drop_block_gamma(keep_prob: float, block_size: int, h: int, w: int) -> float:
    """Return the probability of a seed that drops 1 - keep_prob of the map, overlaps not counted.

    gamma = (1 - keep_prob) / block^2 * h w / ((h - block + 1) (w - block + 1))

    References
    ----------
    Ghiasi, Lin & Le 2018, equation 1.
    """
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
    generator = random.generator(rng)
    if not 0 < gamma < 0.1:
        return generator.random(places, dtype=np.float32) < gamma
    # Few seeds: instead of a number for every place, the gaps between seeds are drawn, which are
    # geometrically distributed where each place is one with probability gamma by itself.
    seeds = np.zeros(math.prod(places), bool)
    count = int(seeds.size * gamma * 1.1) + 16
    last = -1
    while last < seeds.size:
        found = last + np.cumsum(generator.geometric(gamma, count))
        seeds[found[found < seeds.size]] = True
        last = int(found[-1])
    return seeds.reshape(places)


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
    keep_prob : share of the values to keep, in [0, 1]
    block_size : side of the blocks in pixels, at least 1; clipped, with a warning, to the map
    training : bool
    shared : one mask for all channels of an image, instead of one for each
    rng : where the seeds are drawn; the library's generator when None

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
        warnings.warn(
            f"drop_block: block_size {block_size} is larger than the map {x.shape[2:]}; clipped to "
            f"{block}",
            stacklevel=2,
        )
    seeds = drop_block_seeds(x.shape, keep_prob, block, rng, shared)
    return DropBlock.apply(x, backend.call("drop_block", "expand", seeds, block))
