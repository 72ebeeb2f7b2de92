"""Which samples a pass draws, where it is not each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from minidl.errors import ArgumentError, ShapeError, check_sizes, expected


class Sampler(Protocol):
    """What `DataLoader` asks of a sampler."""

    def __len__(self) -> int:
        """Return how many samples a pass draws."""

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers of the samples of one pass."""


class WeightedRandomSampler:
    """Draws sample i with probability weights[i] / sum(weights): rare classes more often, say.

    Parameters
    ----------
    weights : (n,) at least 0, one for each sample
    num_samples : drawn in a pass
    replacement : whether a sample may be drawn more than once in a pass

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 1])
    >>> sampler = WeightedRandomSampler(1 / np.bincount(labels)[labels], 6)
    >>> labels[sampler.draw(np.random.default_rng(0))].tolist()
    [1, 0, 0, 0, 1, 1]
    """

    def __init__(
        self, weights: Sequence[float] | np.ndarray, num_samples: int, replacement: bool = True
    ) -> None:
        check_sizes("WeightedRandomSampler", num_samples=num_samples)
        weights = np.asarray(weights, dtype=np.float64)
        if weights.ndim != 1:
            raise ShapeError(expected("WeightedRandomSampler", "weights (n,)", weights.shape))
        total = weights.sum()
        if not (np.isfinite(total) and total > 0 and weights.min() >= 0):
            wanted = "weights of at least 0, not all of them 0"
            raise ArgumentError(expected("WeightedRandomSampler", wanted, weights))
        drawable = np.count_nonzero(weights)
        if not replacement and num_samples > drawable:
            wanted = f"num_samples of at most {drawable} without replacement"
            raise ArgumentError(expected("WeightedRandomSampler", wanted, num_samples))
        self.weights, self.num_samples = weights / total, int(num_samples)
        self.replacement = replacement

    def __len__(self) -> int:
        return self.num_samples

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers of the samples of one pass."""
        samples = len(self.weights)
        return rng.choice(samples, self.num_samples, replace=self.replacement, p=self.weights)
