"""Augmentation: the change asked for, to the samples it should, and nothing else."""

import numpy as np
import pytest

from minidl import data
from minidl.errors import ArgumentError, ShapeError


def test_shift_moves_whole_images_by_at_most_the_given_pixels():
    images = np.random.default_rng(0).uniform(1, 2, (40, 2, 5, 7)).astype(np.float32)
    moved = data.random_shift(images, 1, np.random.default_rng(1))
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = {(i, j): padded[:, :, i : i + 5, j : j + 7] for i in range(3) for j in range(3)}
    used = set()
    for k in range(40):
        fits = [s for s, window in windows.items() if np.array_equal(moved[k], window[k])]
        assert len(fits) == 1
        used.update(fits)
    assert used == set(windows)
    assert moved.dtype == np.float32
    assert moved.flags.c_contiguous


def test_shift_by_nothing_and_of_nothing():
    images = np.random.default_rng(0).standard_normal((3, 1, 4, 4))
    assert np.array_equal(data.random_shift(images, 0), images)
    assert data.random_shift(images[:0]).shape == (0, 1, 4, 4)


def test_shift_says_what_is_wrong():
    with pytest.raises(ShapeError, match=r"random_shift: expected images of shape \(n, c, h, w\)"):
        data.random_shift(np.zeros((8, 8)))
    with pytest.raises(ArgumentError, match="pixels of at least 0, got -1"):
        data.random_shift(np.zeros((1, 1, 8, 8)), -1)
