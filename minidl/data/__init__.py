"""Datasets and batches."""

from minidl.data.arrays import split
from minidl.data.augmentation import (
    Augmentation,
    CenterCrop,
    Compose,
    Cutout,
    GaussianNoise,
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    random_shift,
)
from minidl.data.colour import ColorJitter, PCALighting
from minidl.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset
from minidl.data.datasets import digits
from minidl.data.geometry import RandomAffine, RandomRotation, Resize, affine, resize
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
    "Augmentation",
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConcatDataset",
    "Cutout",
    "DataLoader",
    "Dataset",
    "GaussianNoise",
    "MinMaxScaler",
    "PCALighting",
    "PCAWhitening",
    "Preprocessing",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "SequenceLoader",
    "StandardScaler",
    "Subset",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerError",
    "ZCAWhitening",
    "affine",
    "digits",
    "entropy",
    "k_fold",
    "random_shift",
    "random_split",
    "read_text",
    "resize",
    "source_text",
    "split",
]
