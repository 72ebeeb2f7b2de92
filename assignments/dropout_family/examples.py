"""Calls in which nothing is left to chance: none is dropped, or all."""

import numpy as np

from minidl.grading.example import example
from minidl.grading.protocol import Rng


@example("draw_mask")
def all_and_nothing():
    """With 0 every value is kept, with 1 none."""
    yield (3,), 0.0, Rng(0)
    yield (3,), 1.0, Rng(0)


@example("gaussian")
def no_noise():
    """With 0 the noise has no variance."""
    yield np.array([1.0, 2.0]), 0.0, Rng(0)


@example("spatial")
def all_channels_and_none():
    """With 0 every channel is kept, with 1 none."""
    yield np.array([[[[1.0, 2.0]]]]), 0.0, Rng(0)
    yield np.array([[[[1.0, 2.0]]]]), 1.0, Rng(0)


@example("variational")
def all_units():
    """With 0 every unit is kept."""
    yield np.array([[[1.0, 2.0]]]), 0.0, Rng(0)
