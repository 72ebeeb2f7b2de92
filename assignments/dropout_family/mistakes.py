"""Plausible wrong solutions that are another function, rather than a patch of the right one."""

import numpy as np

from minidl.grading.mistake import mistake


@mistake(
    target="drop_block_mask",
    question="A seed in the first row and column: which pixels does its block cover?",
)
def blocks_end_at_their_seed(seeds, block_size):
    """The blocks extend up and to the left; a seed is the upper left corner of its block."""
    n, c, rows, columns = seeds.shape
    h, w = rows + block_size - 1, columns + block_size - 1
    keep = np.ones((n, c, h, w), bool)
    for i, k, row, column in np.argwhere(seeds):
        up, left = max(row - block_size + 1, 0), max(column - block_size + 1, 0)
        keep[i, k, up : row + 1, left : column + 1] = False
    return keep


@mistake(
    target="drop_block_mask",
    question="A seed in the first row and column: how many pixels does its block drop?",
)
def blocks_centred_on_their_seed(seeds, block_size):
    """The seeds were taken for the middles of their blocks; here they are upper left corners, so
    that every block fits into the map.
    """
    n, c, rows, columns = seeds.shape
    h, w = rows + block_size - 1, columns + block_size - 1
    keep = np.ones((n, c, h, w), bool)
    before, after = (block_size - 1) // 2, block_size // 2
    for i, k, row, column in np.argwhere(seeds):
        top, left = max(row - before, 0), max(column - before, 0)
        keep[i, k, top : row + after + 1, left : column + after + 1] = False
    return keep


@mistake(
    target="drop_block_mask",
    question="Which images and which channels did the seed stand in?",
)
def blocks_of_one_channel_in_all(seeds, block_size):
    """A block of one channel was dropped in all channels of its image."""
    n, c, rows, columns = seeds.shape
    keep = np.ones((n, c, rows + block_size - 1, columns + block_size - 1), bool)
    for i, _, row, column in np.argwhere(seeds):
        keep[i, :, row : row + block_size, column : column + block_size] = False
    return keep


@mistake(
    target="drop_block",
    question="Is there one scale for the batch, or one for each image?",
)
def block_normalized_per_image(x, keep):
    """Every image was scaled by what it keeps itself; the count runs over the whole mask."""
    kept = keep.sum(axis=(1, 2, 3), keepdims=True)
    scale = np.where(kept > 0, keep[0].size / np.maximum(kept, 1), 0.0)
    return (x * keep * scale).astype(x.dtype), scale.mean()


@mistake(
    target="drop_block",
    question="Is there one scale for the batch, or one for each channel?",
)
def block_normalized_per_channel(x, keep):
    """Every channel of every image was scaled by what it keeps itself; the count runs over the
    whole mask.
    """
    kept = keep.sum(axis=(2, 3), keepdims=True)
    scale = np.where(kept > 0, keep[0, 0].size / np.maximum(kept, 1), 0.0)
    return (x * keep * scale).astype(x.dtype), scale.mean()


@mistake(
    target="drop_connect_backward",
    question="In which order does the docstring list what is returned?",
)
def connect_forward_masks_on_the_gradient(dy, x, weight, keep):
    """The masks were applied to dy as whole outputs, by the share that they keep; each weight has
    an entry of its own in the mask.
    """
    share = keep.mean(axis=2).astype(dy.dtype)
    return (dy * share) @ weight, (dy * share).T @ x


@mistake(
    target="gaussian",
    question="How many different values can a normally distributed factor take?",
)
def gaussian_with_a_coin(x, p, rng):
    """The factor is 0 or 1 / (1 - p): mean and variance fit, but this is inverted dropout."""
    return (x * (rng.random(x.shape) >= p) / (1.0 - p)).astype(x.dtype)
