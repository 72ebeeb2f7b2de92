"""Datasets and transforms that a spawned worker can import."""

import os
from functools import partial

import numpy as np

from minidl import random
from minidl.data import Dataset


class Numbers(Dataset):
    """A float and an array for each number."""

    def __len__(self):
        return 11

    def __getitem__(self, index):
        return float(index), np.array([index**2, index**3])


class Drawing(Dataset):
    """A number and a draw from the library's generator."""

    def __len__(self):
        return 11

    def __getitem__(self, index):
        return float(index), random.generator().normal()


class Raises(Dataset):
    """Has no sample 3."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index == 3:
            raise KeyError("sample 3")
        return index


class Exits(Dataset):
    """Ends its worker."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        raise SystemExit(3)


def noisy(x, rng):
    """A transform that draws."""
    return x + rng.standard_normal(len(x), dtype=x.dtype)


def raises(x, rng):
    """A transform that fails on a batch that holds 5."""
    if 5 in x:
        raise ZeroDivisionError("no number 5")
    return x


def dies(path):
    """A transform that kills its process, once."""
    return partial(_die_once, path)


def _die_once(path, x, rng):
    if not path.exists():
        path.touch()
        os._exit(1)
    return x
