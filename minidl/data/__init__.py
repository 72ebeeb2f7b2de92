"""Datasets and batches."""

from minidl.data.arrays import split
from minidl.data.augmentation import random_shift
from minidl.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset
from minidl.data.datasets import digits
from minidl.data.loader import DataLoader
from minidl.data.preprocessing import (
    MinMaxScaler,
    PCAWhitening,
    Preprocessing,
    StandardScaler,
    ZCAWhitening,
)
from minidl.data.sampler import WeightedRandomSampler
from minidl.data.splits import k_fold, random_split
from minidl.data.text import Alphabet, SequenceLoader, entropy, read_text, source_text
from minidl.data.workers import WorkerError

__all__ = [
    "Alphabet",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "MinMaxScaler",
    "PCAWhitening",
    "Preprocessing",
    "SequenceLoader",
    "StandardScaler",
    "Subset",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerError",
    "ZCAWhitening",
    "digits",
    "entropy",
    "k_fold",
    "random_shift",
    "random_split",
    "read_text",
    "source_text",
    "split",
]
