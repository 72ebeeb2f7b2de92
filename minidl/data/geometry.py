"""Images turned, scaled, moved and resized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidl.data.augmentation import Augmentation, Size, interval, pad
from minidl.errors import ArgumentError, check_sizes, expected


class RandomAffine(Augmentation):
    """Turn, scale and move each image by amounts of its own; see `affine`.

    Parameters
    ----------
    degrees : the angle is uniform between -degrees and degrees, or between the two given
    translate : (a, b), each in [0, 1]: the shift to the right is uniform between -a w and a w
        pixels, downwards between -b h and b h
    scale : (low, high): the factor is uniform between them
    fill : the value of what comes in at the border

    Examples
    --------
    >>> augment = RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1))
    >>> augment(np.zeros((8, 1, 28, 28), np.float32), np.random.default_rng(0)).shape
    (8, 1, 28, 28)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        fill: float = 0.0,
    ) -> None:
        self.degrees = interval("RandomAffine", "degrees", degrees)
        self.translate = (0.0, 0.0) if translate is None else tuple(translate)
        if len(self.translate) != 2 or not all(0 <= share <= 1 for share in self.translate):
            wanted = "translate (a, b), each between 0 and 1"
            raise ArgumentError(expected("RandomAffine", wanted, translate))
        self.scale = (1.0, 1.0) if scale is None else interval("RandomAffine", "scale", scale)
        if self.scale[0] <= 0:
            hint = "give (low, high), (0.9, 1.1) say"
            raise ArgumentError(expected("RandomAffine", "scale above 0", scale, hint))
        self.fill = fill

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n, _, height, width = images.shape
        angle = rng.uniform(*self.degrees, n)
        reach = np.array(self.translate) * (width, height)
        shift = rng.uniform(-1, 1, (n, 2)) * reach
        return affine(images, angle, shift, rng.uniform(*self.scale, n), self.fill)


class RandomRotation(Augmentation):
    """Turn each image about its middle by an angle of its own; see `affine`.

    Parameters
    ----------
    degrees : the angle is uniform between -degrees and degrees, or between the two given
    fill : the value of what comes in at the corners
    """

    def __init__(self, degrees: float | Sequence[float], fill: float = 0.0) -> None:
        self.degrees = interval("RandomRotation", "degrees", degrees)
        self.fill = fill

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return affine(images, rng.uniform(*self.degrees, len(images)), fill=self.fill)


class Resize(Augmentation):
    """Bring images to another size; see `resize`.

    Parameters
    ----------
    size : of the shortest side, the other keeping the proportion (rounded down); or (h, w)
    """

    def __init__(self, size: Size) -> None:
        if isinstance(size, int | np.integer):
            check_sizes("Resize", size=size)
        elif len(size) == 2:
            check_sizes("Resize", height=size[0], width=size[1])
        else:
            raise ArgumentError(expected("Resize", "size as one number or (h, w)", size))
        self.size = size

    def _apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = images.shape[2:]
        if not isinstance(self.size, int | np.integer):
            return resize(images, *self.size)
        short = min(height, width)
        return resize(images, self.size * height // short, self.size * width // short)


def affine(
    images: np.ndarray,
    angle: np.ndarray | float = 0.0,
    translate: np.ndarray | Sequence[float] = (0.0, 0.0),
    scale: np.ndarray | float = 1.0,
    fill: float = 0.0,
) -> np.ndarray:
    """Move the point p of each image to s R(angle) (p - m) + m + t, m its middle.

    What is seen at a pixel comes from between four pixels and is interpolated bilinearly; beyond
    the border all is `fill`.

    Parameters
    ----------
    images : (n, c, h, w) floating
    angle : in degrees, clockwise as one looks at the picture; one number or (n,)
    translate : t, pixels to the right and downwards; (2,) or (n, 2)
    scale : s, above 0; one number or (n,)

    Returns
    -------
    (n, c, h, w), of the same type
    """
    n, _, height, width = images.shape
    turn = np.deg2rad(np.broadcast_to(angle, n))[:, None, None]
    right, down = np.moveaxis(np.broadcast_to(translate, (n, 2)), 1, 0)[:, :, None, None]
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y = np.arange(height)[:, None] - middle_y - down
    x = np.arange(width)[None, :] - middle_x - right
    # p = R(-angle) (p' - m - t) / s + m, the place from which pixel p' takes its value.
    cos, sin = (part / np.reshape(scale, (-1, 1, 1)) for part in (np.cos(turn), np.sin(turn)))
    return _bilinear(images, cos * y - sin * x + middle_y, cos * x + sin * y + middle_x, fill)


def _bilinear(images: np.ndarray, y: np.ndarray, x: np.ndarray, fill: float) -> np.ndarray:
    """Return the values of images (n, c, h, w) at the places y, x, both (n, h, w)."""
    n, c, height, width = images.shape
    framed = pad(images, 1, fill)
    # In the frame: beyond it everything is like its outermost pixels.
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    row, column = np.minimum(y.astype(np.intp), height), np.minimum(x.astype(np.intp), width)
    step, pixels = width + 2, (n, 1, height * width)
    first = (row * step + column).reshape(pixels)
    below = (y - row).astype(images.dtype).reshape(pixels)
    beside = (x - column).astype(images.dtype).reshape(pixels)
    flat = framed.reshape(n, c, (height + 2) * step)

    def at(offset: int) -> np.ndarray:
        return np.take_along_axis(flat, first + offset, axis=2)

    above = at(0) * (1 - beside) + at(1) * beside
    under = at(step) * (1 - beside) + at(step + 1) * beside
    return (above + (under - above) * below).reshape(n, c, height, width)


def resize(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return images (n, c, h, w) at another size, interpolated linearly along each side.

    Pixels are squares: the middle of pixel i is at i + 1/2. Towards a smaller size each pixel is a
    mean with triangular weights, as wide as it covers of the original on both sides, so that fine
    patterns do not turn into coarse ones (Pillow's BILINEAR; PyTorch's with antialias=True).

    Returns
    -------
    (n, c, height, width), of the same type
    """
    down = _interpolation(images.shape[2], height).astype(images.dtype)
    across = _interpolation(images.shape[3], width).astype(images.dtype)
    return down @ (images @ across.T)


def _interpolation(length: int, new: int) -> np.ndarray:
    """Return the weights (new, length) that make `new` values of `length`."""
    reach = max(length / new, 1)
    centre = (np.arange(new) + 0.5) * length / new
    distance = np.abs(np.arange(length) + 0.5 - centre[:, None]) / reach
    weights = np.maximum(1 - distance, 0)
    return weights / weights.sum(1, keepdims=True)
