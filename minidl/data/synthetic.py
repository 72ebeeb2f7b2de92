"""Small sets made on the spot: points in classes, and noisy curves.

Points are (n, 2) float32 and labels (n,) int64, in random order; `rng` is the source of randomness,
the library's own when None.
"""

from __future__ import annotations

import numpy as np

from minidl import random
from minidl.errors import check_range, check_sizes

Points = tuple[np.ndarray, np.ndarray]
Rng = np.random.Generator | None


def spirals(
    n: int = 300, classes: int = 3, noise: float = 0.2, turns: float = 0.65, rng: Rng = None
) -> Points:
    """Return one arm of a spiral for each class: r = s, angle = 2 pi (k / classes + turns s) + e.

    Parameters
    ----------
    n : points in all, as equal between classes as can be
    noise : deviation of e, in radians
    turns : of an arm about the middle

    References
    ----------
    The toy data of CS231n's "Putting it together" (turns = 4 / (2 pi)).

    Examples
    --------
    >>> points, labels = spirals(6, rng=np.random.default_rng(0))
    >>> points.shape, np.bincount(labels).tolist()
    ((6, 2), [2, 2, 2])
    """
    rng, labels = _labels("spirals", n, classes, noise, rng)
    along = rng.uniform(0, 1, n)
    angle = 2 * np.pi * (labels / classes + turns * along) + rng.normal(0, noise, n)
    return _points(along * np.sin(angle), along * np.cos(angle)), labels


def blobs(n: int = 300, classes: int = 3, noise: float = 0.3, rng: Rng = None) -> Points:
    """Return normal clouds of deviation `noise`, their middles evenly on the unit circle."""
    rng, labels = _labels("blobs", n, classes, noise, rng)
    angle = 2 * np.pi * labels / classes
    e = rng.normal(0, noise, (2, n))
    return _points(np.cos(angle) + e[0], np.sin(angle) + e[1]), labels


def moons(n: int = 300, noise: float = 0.1, rng: Rng = None) -> Points:
    """Return two half circles that reach into each other, and normal noise (scikit-learn's)."""
    rng, labels = _labels("moons", n, 2, noise, rng)
    angle, side = rng.uniform(0, np.pi, n), 1 - 2 * labels
    e = rng.normal(0, noise, (2, n))
    x, y = labels + side * np.cos(angle), 0.5 * labels + side * np.sin(angle)
    return _points(x + e[0], y + e[1]), labels


def noisy_sine(n: int = 10, noise: float = 0.3, rng: Rng = None) -> Points:
    """Return x evenly in [0, 1] and y = sin(2 pi x) + N(0, noise^2), both (n,) float64.

    The set of polynomial regression: a polynomial of degree M is `np.vander(x, M + 1)` times its
    coefficients. In float64, because those of a high degree are large and of both signs.

    References
    ----------
    Bishop 2006, Pattern Recognition and Machine Learning, section 1.1 and appendix A.

    Examples
    --------
    >>> x, y = noisy_sine(5, noise=0)
    >>> x.tolist(), np.round(y, 3).tolist()
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 1.0, 0.0, -1.0, -0.0])
    """
    check_sizes("noisy_sine", n=n)
    check_range("noisy_sine", "noise", noise, 0, np.inf)
    x = np.linspace(0, 1, n)
    return x, np.sin(2 * np.pi * x) + random.generator(rng).normal(0, noise, n)


def _labels(
    op: str, n: int, classes: int, noise: float, rng: Rng
) -> tuple[np.random.Generator, np.ndarray]:
    """Return the generator and n labels in random order, as many of each class as can be."""
    check_sizes(op, n=n, classes=classes)
    check_range(op, "noise", noise, 0, np.inf)
    rng = random.generator(rng)
    return rng, rng.permutation(np.arange(n) % classes)


def _points(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y], axis=1).astype(np.float32)
