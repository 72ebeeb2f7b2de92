"""Real data that needs no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidl.data.arrays import read_npz

FOLDER = Path(__file__).parent


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the 1,797 handwritten digits that come with minidl.

    Each pixel counts the ink in a block of 4x4 dots, from 0 (paper) to 16; here it is divided by
    16, which is exact in float32. The values equal those of scikit-learn's `load_digits` (compared
    once with version 1.9.1, image by image and label by label; tests hold their checksum).

    Returns
    -------
    images : (1797, 1, 8, 8) float32 in [0, 1]
    labels : (1797,) int64, 0 to 9

    Raises
    ------
    ArgumentError
        when the file that was installed with minidl is missing or damaged

    References
    ----------
    Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, doi 10.24432/C50P49, CC BY
    4.0; minidl/data/digits/LICENSE has the whole attribution.

    Examples
    --------
    >>> images, labels = digits()
    >>> images.shape, labels[:5].tolist()
    ((1797, 1, 8, 8), [0, 1, 2, 3, 4])
    """
    images, labels = read_npz(FOLDER / "digits" / "digits.npz", "images", "labels")
    return (images[:, None] / np.float32(16)).astype(np.float32), labels.astype(np.int64)
