"""Datasets, preprocessing, augmentation and batches."""

from minidl.data import synthetic
from minidl.data.arrays import read_npz, split
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
from minidl.data.cifar import CIFAR10_CLASSES, cifar10
from minidl.data.colour import ColorJitter, PCALighting
from minidl.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset
from minidl.data.datasets import digits
from minidl.data.folder import ImageFolder, read_image
from minidl.data.geometry import RandomAffine, RandomRotation, Resize, affine, resize
from minidl.data.idx import FASHION_MNIST_CLASSES, fashion_mnist, mnist, read_idx
from minidl.data.loader import DataLoader
from minidl.data.photos import PHOTOS, photo_patches
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
    "CIFAR10_CLASSES",
    "FASHION_MNIST_CLASSES",
    "PHOTOS",
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
    "ImageFolder",
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
    "cifar10",
    "digits",
    "entropy",
    "fashion_mnist",
    "k_fold",
    "mnist",
    "photo_patches",
    "random_shift",
    "random_split",
    "read_idx",
    "read_image",
    "read_npz",
    "read_text",
    "resize",
    "source_text",
    "split",
    "synthetic",
]
