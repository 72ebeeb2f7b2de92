"""Parts of a dataset: at random, and k folds that take turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minidl import random
from minidl.data.dataset import Subset, as_dataset
from minidl.errors import ArgumentError, ShapeError, check_sizes, expected


def random_split(
    dataset: Any, lengths: Sequence[float], rng: np.random.Generator | None = None
) -> list[Subset]:
    """Cut a dataset into parts at random; no sample is in two of them.

    Parameters
    ----------
    dataset : anything with __len__ and __getitem__, or a tuple of arrays: (images, labels)
    lengths : the samples of each part, which sum to all; or fractions, which sum to 1 and are
        rounded down, the samples left over going to the first parts one by one
    rng : the source of randomness; the library's own when None

    Raises
    ------
    ArgumentError
        where lengths or fractions do not fit

    Examples
    --------
    >>> parts = random_split(range(10), [0.7, 0.3], np.random.default_rng(0))
    >>> [len(part) for part in parts]
    [7, 3]
    """
    samples = len(as_dataset("random_split", dataset))
    counts = _counts(lengths, samples)
    order = random.generator(rng).permutation(samples)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(counts)[:-1])]


def _counts(lengths: Sequence[float], samples: int) -> np.ndarray:
    """Return how many samples each part has."""
    given = np.asarray(lengths)
    if given.ndim != 1 or len(given) == 0 or not (given >= 0).all():
        raise ArgumentError(expected("random_split", "lengths of at least 0", lengths))
    if given.dtype.kind in "iu" and given.sum() == samples:
        return given
    if not np.isclose(given.sum(), 1):
        wanted = f"lengths that sum to {samples}, or fractions that sum to 1"
        raise ArgumentError(expected("random_split", wanted, f"{lengths}, a sum of {given.sum()}"))
    counts = np.floor(given * samples + 1e-9).astype(int)  # 0.7 * 10 must be 7
    counts[: samples - counts.sum()] += 1
    return counts


def k_fold(
    dataset: Any,
    k: int = 5,
    labels: np.ndarray | None = None,
    rng: np.random.Generator | None = None,
) -> Iterator[tuple[Subset, Subset]]:
    """Yield k pairs (to train on, to validate on); each sample is validated on exactly once.

    Parameters
    ----------
    dataset : anything with __len__ and __getitem__, or a tuple of arrays: (images, labels)
    k : folds, from 2 to the number of samples
    labels : (n,) of classes; where given, every fold has its share of every class
    rng : the source of randomness; the library's own when None

    Raises
    ------
    ArgumentError, ShapeError
        where k or labels do not fit the dataset, or a class has fewer than k samples

    Examples
    --------
    >>> [len(validation) for _, validation in k_fold(range(10), 3)]
    [4, 3, 3]
    """
    samples = len(as_dataset("k_fold", dataset))
    check_sizes("k_fold", k=k)
    if not 2 <= k <= samples:
        raise ArgumentError(expected("k_fold", f"k from 2 to the {samples} samples", k))
    order = random.generator(rng).permutation(samples)
    dealt = order if labels is None else _by_class(order, np.asarray(labels), k)
    fold = np.empty(samples, dtype=int)
    fold[dealt] = np.arange(samples) % k
    return (
        (Subset(dataset, order[fold[order] != turn]), Subset(dataset, order[fold[order] == turn]))
        for turn in range(k)
    )


def _by_class(order: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Return `order` class after class: dealt out in turn, each fold then has its share of each."""
    if labels.shape != order.shape:
        wanted = f"labels of shape {order.shape}, one for each sample"
        raise ShapeError(expected("k_fold", wanted, labels.shape))
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < k:
        wanted = f"at least k = {k} samples of class {classes[counts.argmin()]}"
        raise ArgumentError(expected("k_fold", wanted, counts.min(), "use fewer folds"))
    return order[np.argsort(labels[order], kind="stable")]
