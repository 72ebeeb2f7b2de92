"""Images in other light and other colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidl.data.augmentation import Augmentation, interval
from minidl.errors import ArgumentError, ShapeError, check_range, check_rank, expected

# Red, green and blue in what the eye calls bright: ITU-R BT.601, as in Pillow and PyTorch.
LUMA = (0.299, 0.587, 0.114)


class ColorJitter(Augmentation):
    """Change brightness, contrast, saturation and hue, in this order, each image by its own amount.

    With f drawn for each of the first three: brightness f x; contrast f x + (1 - f) mean(grey(x));
    saturation f x + (1 - f) grey(x), where grey is 0.299 R + 0.587 G + 0.114 B. Hue is turned by a
    part of the colour circle. Results are kept in [0, 1] after each.

    Parameters
    ----------
    brightness, contrast, saturation : at least 0
        f is uniform between max(0, 1 - amount) and 1 + amount, or between the two given
    hue : in [0, 0.5]
        the part of the circle is uniform between -hue and hue, or between the two given

    Notes
    -----
    Images hold values in [0, 1], in three channels; brightness and contrast work on any number of
    channels but three as well, with the mean of the channels as grey. (PyTorch draws the order of
    the four anew for each call.)
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
    ) -> None:
        self.brightness = _factors("brightness", brightness)
        self.contrast = _factors("contrast", contrast)
        self.saturation = _factors("saturation", saturation)
        self.hue = interval("ColorJitter", "hue", hue, 0.0, -0.5, 0.5)

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n, c = images.shape[:2]
        coloured = self.saturation != (1, 1) or self.hue != (0, 0)
        if coloured and c != 3:
            wanted = "images of three channels for saturation and hue"
            raise ShapeError(expected("ColorJitter", wanted, images.shape))
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        drawn = [rng.uniform(*each, (n, 1, 1, 1)).astype(images.dtype) for each in ranges]
        brightness, contrast, saturation, hue = drawn
        images = np.clip(images * brightness, 0, 1)
        if self.contrast != (1, 1):
            images = _blend(images, grey(images).mean((2, 3), keepdims=True), contrast)
        if self.saturation != (1, 1):
            images = _blend(images, grey(images), saturation)
        return turn_hue(images, hue) if self.hue != (0, 0) else images


class PCALighting(Augmentation):
    """x + P diag(lambda) alpha at every pixel of an image, alpha ~ N(0, sigma^2) drawn for each.

    P and lambda are the eigenvectors and eigenvalues of the covariance of the channels over all
    pixels of the training images: light changes colour and strength as it does in the data.

    Parameters
    ----------
    images : (n, c, h, w), the training images, values in [0, 1]
    sigma : at least 0

    Attributes
    ----------
    eigenvalues : (c,), lambda
    eigenvectors : (c, c), the columns of P

    References
    ----------
    Krizhevsky, Sutskever & Hinton 2012, section 4.1.
    """

    def __init__(self, images: np.ndarray, sigma: float = 0.1) -> None:
        images = np.asarray(images)
        check_rank("PCALighting", "images", images.shape, "n c h w")
        check_range("PCALighting", "sigma", sigma, 0, np.inf)
        if images.size // max(images.shape[1], 1) < 2:
            raise ShapeError(expected("PCALighting", "at least two pixels", images.shape))
        pixels = np.moveaxis(images, 1, 0).reshape(images.shape[1], -1)
        covariance = np.atleast_2d(np.cov(pixels, dtype=np.float64))
        self.eigenvalues, self.eigenvectors = np.linalg.eigh(covariance)
        self.sigma = sigma

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n, c = images.shape[:2]
        if c != len(self.eigenvalues):
            wanted = f"images of {len(self.eigenvalues)} channels as in training"
            raise ShapeError(expected("PCALighting", wanted, images.shape))
        alpha = rng.normal(0, self.sigma, (n, c))
        light = (alpha * self.eigenvalues) @ self.eigenvectors.T
        return images + light.astype(images.dtype)[:, :, None, None]

    def __repr__(self) -> str:
        return f"PCALighting(eigenvalues={self.eigenvalues}, sigma={self.sigma})"


def grey(images: np.ndarray) -> np.ndarray:
    """Return the brightness (n, 1, h, w) of images (n, c, h, w)."""
    if images.shape[1] != 3:
        return images.mean(1, keepdims=True)
    weights = np.array(LUMA, images.dtype)
    return np.tensordot(weights, images, (0, 1))[:, None]


def _blend(images: np.ndarray, other: np.ndarray, factor: np.ndarray) -> np.ndarray:
    return np.clip(factor * images + (1 - factor) * other, 0, 1)


def turn_hue(images: np.ndarray, part: np.ndarray | float) -> np.ndarray:
    """Turn the hue of images (n, 3, h, w) by a part of the colour circle.

    In the hexagon of hues, H = 0 red, 2 green, 4 blue: with V = max(R, G, B), C = V - min(R, G, B),
    a channel is V - C max(0, min(k, 4 - k, 1)), k = (m + H) mod 6, m = 5, 3, 1 for R, G, B.

    References
    ----------
    Smith 1978, Color gamut transform pairs.
    """
    value = images.max(1, keepdims=True)
    chroma = value - images.min(1, keepdims=True)
    red, green, blue = (images[:, i : i + 1] for i in range(3))
    divisor = np.where(chroma == 0, 1, chroma)
    hue = np.where(
        value == red,
        (green - blue) / divisor,
        np.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    starts = np.array([5, 3, 1], images.dtype).reshape(3, 1, 1)
    k = (starts + hue + 6 * np.asarray(part, images.dtype)) % 6
    return value - chroma * np.clip(np.minimum(k, 4 - k), 0, 1)


def _factors(name: str, given: float | Sequence[float]) -> tuple[float, float]:
    low, high = interval("ColorJitter", name, given, 1.0)
    if np.ndim(given) and low < 0:
        raise ArgumentError(expected("ColorJitter", f"{name} of at least 0", given))
    return max(low, 0.0), high
