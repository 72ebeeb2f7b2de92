"""Small changes to images that leave their meaning alone."""

from __future__ import annotations

import numpy as np

from minidl import random
from minidl.errors import ArgumentError, check_rank, expected


def random_shift(
    images: np.ndarray, pixels: int = 1, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Move each image by up to `pixels` in both directions; zeros come in at the border.

    Parameters
    ----------
    images : (n, c, h, w)
    pixels : the largest shift, at least 0
    rng : the source of randomness; the library's own when None

    Returns
    -------
    A new array of the same shape and dtype.
    """
    check_rank("random_shift", "images", images.shape, "n c h w")
    if pixels < 0:
        raise ArgumentError(expected("random_shift", "pixels of at least 0", pixels))
    height, width = images.shape[2:]
    rng = random.generator(rng)
    down, right = rng.integers(0, 2 * pixels + 1, (2, len(images), 1))
    padded = np.pad(images, ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)))
    rows, columns = down + np.arange(height), right + np.arange(width)
    samples = np.arange(len(images))[:, None, None]
    # Two index arrays around a slice put the channel axis last: move it back.
    moved = padded[samples, :, rows[:, :, None], columns[:, None, :]]
    return np.ascontiguousarray(np.moveaxis(moved, -1, 1))
