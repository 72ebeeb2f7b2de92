"""Datasets and batches."""

from minidl.data.arrays import split
from minidl.data.augmentation import random_shift
from minidl.data.datasets import digits
from minidl.data.loader import DataLoader

__all__ = ["DataLoader", "digits", "random_shift", "split"]
