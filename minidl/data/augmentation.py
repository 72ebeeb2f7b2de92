"""Small changes to images that leave their meaning alone, drawn anew for each image.

An augmentation is called with a batch (n, c, h, w), or one image (c, h, w), and returns new arrays
of the same type. It fits `DataLoader(..., transform=)`, which hands each batch a generator of its
own: the same seed then gives the same images for any number of workers. Geometry is in
`minidl.data.geometry`, colours are in `minidl.data.colour`.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minidl import random
from minidl.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    check_range,
    check_rank,
    check_sizes,
    expected,
)

Size = int | Sequence[int]


class Augmentation(ABC):
    """What every kind has: a call that checks the images and passes the generator on."""

    def __call__(self, images: Any, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return changed copies.

        Parameters
        ----------
        images : (n, c, h, w) or (c, h, w), floating
        rng : the source of randomness; the library's own when None

        Raises
        ------
        ShapeError, DTypeError
            where images are of another rank, or are not floating
        """
        name = type(self).__name__
        images = np.asarray(images)
        if images.dtype.kind != "f":
            hint = "convert with images.astype(np.float32) / 255"
            raise DTypeError(expected(name, "floating images", images.dtype, hint))
        if images.ndim == 3:
            return self._apply(images[None], random.generator(rng))[0]
        check_rank(name, "images", images.shape, "n c h w")
        return self._apply(images, random.generator(rng))

    @abstractmethod
    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return changed copies of images (n, c, h, w)."""

    def __repr__(self) -> str:
        names = inspect.signature(type(self)).parameters
        options = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({options})"


class Transform(Protocol):
    """What can be composed, and what `DataLoader` takes: an Augmentation or a function."""

    def __call__(self, images: np.ndarray, rng: np.random.Generator, /) -> np.ndarray:
        """Return the images, changed."""


class Compose(Augmentation):
    """One change after another, all drawing from the same generator.

    Parameters
    ----------
    transforms : callables (images, rng) -> images

    Examples
    --------
    >>> augment = Compose([RandomHorizontalFlip(), RandomCrop(32, padding=4)])
    >>> augment(np.zeros((64, 3, 32, 32), np.float32), np.random.default_rng(0)).shape
    (64, 3, 32, 32)
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        wrong = [transform for transform in transforms if not callable(transform)]
        if wrong:
            raise DTypeError(expected("Compose", "callables (images, rng) -> images", wrong[0]))
        self.transforms = list(transforms)

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for transform in self.transforms:
            images = transform(images, rng)
        return images


class RandomHorizontalFlip(Augmentation):
    """Mirror each image left to right with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        check_range("RandomHorizontalFlip", "p", p, 0, 1)
        self.p = p

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _flipped(images, rng.random(len(images)) < self.p, slice(None), _BACK)


class RandomVerticalFlip(Augmentation):
    """Turn each image upside down with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        check_range("RandomVerticalFlip", "p", p, 0, 1)
        self.p = p

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _flipped(images, rng.random(len(images)) < self.p, _BACK, slice(None))


_BACK = slice(None, None, -1)


def _flipped(images: np.ndarray, chosen: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    out = images.copy()
    out[chosen] = images[chosen, :, rows, columns]
    return out


class RandomCrop(Augmentation):
    """A window at a random place, each place equally likely.

    Parameters
    ----------
    size : of the window, one number or (h, w)
    padding : pixels added at each border first
    fill : the value of those pixels
    """

    def __init__(self, size: Size, padding: int = 0, fill: float = 0.0) -> None:
        self.size = _pair("RandomCrop", size)
        if not isinstance(padding, int | np.integer) or padding < 0:
            raise ArgumentError(expected("RandomCrop", "padding of at least 0", padding))
        self.padding, self.fill = padding, fill

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        padded = pad(images, self.padding, self.fill)
        spare = _spare("RandomCrop", padded, self.size)
        top, left = (rng.integers(0, room + 1, len(images)) for room in spare)
        return windows(padded, top, left, self.size)


class CenterCrop(Augmentation):
    """The window in the middle; half a pixel up and to the left where that is between pixels.

    Parameters
    ----------
    size : of the window, one number or (h, w)
    """

    def __init__(self, size: Size) -> None:
        self.size = _pair("CenterCrop", size)

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        top, left = (room // 2 for room in _spare("CenterCrop", images, self.size))
        height, width = self.size
        return images[:, :, top : top + height, left : left + width].copy()


class Cutout(Augmentation):
    """A square of each image filled with one value, centred at any pixel and cut at the border.

    Parameters
    ----------
    size : side of the square in pixels
    p : probability for an image to lose one
    fill : its value

    References
    ----------
    DeVries & Taylor 2017, Improved regularization of convolutional neural networks with cutout.
    """

    def __init__(self, size: int, p: float = 1.0, fill: float = 0.0) -> None:
        check_sizes("Cutout", size=size)
        check_range("Cutout", "p", p, 0, 1)
        self.size, self.p, self.fill = size, p, fill

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n, _, height, width = images.shape
        chosen = rng.random((n, 1, 1)) < self.p
        down, right = self._covered(n, height, rng), self._covered(n, width, rng)
        square = chosen & down[:, :, None] & right[:, None, :]
        return np.where(square[:, None], images.dtype.type(self.fill), images)

    def _covered(self, n: int, length: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n middles along one axis; return (n, length): which places the squares cover."""
        first = rng.integers(0, length, (n, 1)) - self.size // 2
        places = np.arange(length)
        return (first <= places) & (places < first + self.size)


class GaussianNoise(Augmentation):
    """x + N(mean, sigma^2), drawn for every value.

    Parameters
    ----------
    mean, sigma : of the noise; sigma at least 0
    clip : whether the result is kept in [0, 1]: False for standardized images
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        check_range("GaussianNoise", "sigma", sigma, 0, np.inf)
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        dtype = images.dtype if images.dtype == np.float32 else np.float64
        noise = rng.standard_normal(images.shape, dtype=dtype).astype(images.dtype, copy=False)
        noise *= images.dtype.type(self.sigma)
        noise += images + images.dtype.type(self.mean)
        return np.clip(noise, 0, 1, out=noise) if self.clip else noise


def random_shift(
    images: np.ndarray, pixels: int = 1, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Move each image by up to `pixels` in both directions; zeros come in at the border.

    Parameters
    ----------
    images : (n, c, h, w)
    pixels : the largest shift, at least 0
    rng : the source of randomness; the library's own when None

    Returns
    -------
    A new array of the same shape and dtype.
    """
    check_rank("random_shift", "images", images.shape, "n c h w")
    if pixels < 0:
        raise ArgumentError(expected("random_shift", "pixels of at least 0", pixels))
    down, right = random.generator(rng).integers(0, 2 * pixels + 1, (2, len(images)))
    return windows(pad(images, pixels), down, right, images.shape[2:])


def pad(images: np.ndarray, pixels: int, fill: float = 0.0) -> np.ndarray:
    """Return images (n, c, h, w) with `pixels` of value `fill` around each (NumPy's is slower)."""
    n, c, height, width = images.shape
    out = np.full((n, c, height + 2 * pixels, width + 2 * pixels), fill, images.dtype)
    out[:, :, pixels : pixels + height, pixels : pixels + width] = images
    return out


def windows(
    images: np.ndarray, top: np.ndarray, left: np.ndarray, size: Sequence[int]
) -> np.ndarray:
    """Return window (h, w) = size of each of the images (n, c, ...), at (top, left), both (n,)."""
    every = sliding_window_view(images, tuple(size), axis=(2, 3))
    return every[np.arange(len(images)), :, top, left]


def interval(
    op: str,
    name: str,
    given: float | Sequence[float],
    middle: float = 0.0,
    least: float = -np.inf,
    most: float = np.inf,
) -> tuple[float, float]:
    """Return (low, high): the two given, or middle - given and middle + given.

    Raises
    ------
    ArgumentError
        where one number is negative, two are not in order, or any is not finite or out of bounds
    """
    values = np.asarray(given, dtype=np.float64)
    if values.ndim == 0 and values >= 0:
        values = middle + np.array([-1, 1]) * values
    ordered = values.shape == (2,) and least <= values[0] <= values[1] <= most
    if not ordered or not np.isfinite(values).all():
        wanted = f"{name} as one number of at least 0, or (low, high)"
        bounds = "" if np.isinf([least, most]).all() else f", between {least} and {most}"
        raise ArgumentError(expected(op, wanted + bounds, given))
    return float(values[0]), float(values[1])


def _pair(op: str, size: Size) -> tuple[int, int]:
    """Return (h, w) of a size given as one number or two."""
    sizes = (size, size) if isinstance(size, int | np.integer) else tuple(size)
    if len(sizes) != 2:
        raise ArgumentError(expected(op, "size as one number or (h, w)", size))
    check_sizes(op, height=sizes[0], width=sizes[1])
    return sizes


def _spare(op: str, images: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
    """Return the places there are for a window beyond the first, down and to the right."""
    spare = images.shape[2] - size[0], images.shape[3] - size[1]
    if min(spare) < 0:
        hint = "use a smaller size, padding or Resize"
        raise ShapeError(
            expected(op, f"images of at least {size[0]} x {size[1]}", images.shape, hint)
        )
    return spare
