"""Small colour images that need no network: patches of the photos that come with scikit-image."""

from __future__ import annotations

import numpy as np

from minidl.errors import ArgumentError, check_sizes, expected

# Which of scikit-image's are in colour, installed with it, and large enough.
PHOTOS = (
    "astronaut",
    "chelsea",
    "coffee",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
    "rocket",
    "stereo_motorcycle",
)
# The share of a photo's width that is trained on.
LEFT = 0.7


def photo_patches(
    train: bool = True, per_class: int = 250, size: int = 32, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return square patches of eight photos; the class is the photo, `PHOTOS` names them.

    Patches to train on lie within the left 70 % of a photo, those to test on within the rest, so
    that no pixel is in both. Patches of one part may overlap.

    Parameters
    ----------
    train : from the left part, or from the right
    per_class : patches of each photo
    size : of their sides in pixels, at most 135
    seed : of the places, which are the same for everybody

    Returns
    -------
    images : (8 per_class, 3, size, size) float32 in [0, 1]
    labels : (8 per_class,) int64, class after class

    Raises
    ------
    ArgumentError
        where scikit-image is not installed, or size is larger than a part
    """
    check_sizes("photo_patches", per_class=per_class, size=size)
    images = np.empty((len(PHOTOS), per_class, 3, size, size), np.float32)
    for label, name in enumerate(PHOTOS):
        photo = _photo(name)
        cut = int(LEFT * photo.shape[1])
        part = photo[:, :cut] if train else photo[:, cut:]
        height, width = part.shape[:2]
        if size > min(height, width):
            wanted = f"size of at most {min(height, width)}, as much as there is of {name}"
            raise ArgumentError(expected("photo_patches", wanted, size))
        rng = np.random.default_rng((seed, label, train))
        tops = rng.integers(0, height - size + 1, per_class).tolist()
        lefts = rng.integers(0, width - size + 1, per_class).tolist()
        for number, (top, left) in enumerate(zip(tops, lefts, strict=True)):
            patch = part[top : top + size, left : left + size]
            images[label, number] = np.moveaxis(patch, -1, 0) / np.float32(255)
    labels = np.repeat(np.arange(len(PHOTOS)), per_class)
    return images.reshape(-1, 3, size, size), labels


def _photo(name: str) -> np.ndarray:
    """Return a photo (h, w, 3) uint8."""
    try:
        from skimage import data
    except ImportError as error:
        hint = "pip install 'minidl[photos]'"
        raise ArgumentError(expected("photo_patches", "scikit-image", error, hint)) from None
    try:
        photo = getattr(data, name)()
    except (AttributeError, OSError, ValueError) as error:
        hint = "install another version of scikit-image"
        wanted = f"the photo {name} in scikit-image"
        raise ArgumentError(expected("photo_patches", wanted, error, hint)) from None
    return photo[0] if isinstance(photo, tuple) else photo  # the left one of two
