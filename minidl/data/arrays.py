"""Arrays that belong together row by row: reading them, checking them, splitting them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from minidl import random
from minidl.errors import ArgumentError, DTypeError, ShapeError, expected


def read_npz(path: str | Path, *names: str) -> tuple[np.ndarray, ...]:
    """Read arrays by name from a NumPy .npz file, or all in their order where no name is given.

    Pickled objects inside are refused.

    Raises
    ------
    ArgumentError
        naming the file, when it is missing, is not an .npz file, is damaged or lacks an array
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(expected("read_npz", f"a file {path}", "none", "check the path"))
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            missing = [name for name in names if name not in stored.files]
            if not missing:
                return tuple(stored[name] for name in names or stored.files)
            found = f"only {', '.join(stored.files) or 'nothing'}"
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        hint = "the file is damaged or of another kind: copy or install it again"
        raise ArgumentError(expected("read_npz", f"arrays in {path}", error, hint)) from None
    wanted = f"{', '.join(missing)} in {path}"
    raise ArgumentError(expected("read_npz", wanted, found, "is this the right file?"))


def check_aligned(op: str, arrays: tuple[Any, ...]) -> int:
    """Return the common length of `arrays`.

    Raises
    ------
    ArgumentError
        where there is no array
    ShapeError
        where one has no axis, or the lengths differ
    """
    if not arrays:
        raise ArgumentError(expected(op, "at least one array", "none", "pass images and labels"))
    if any(np.ndim(array) == 0 for array in arrays):
        raise ShapeError(expected(op, "arrays with a first axis of samples", "a single number"))
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        hint = "row i of each must belong to sample i"
        raise ShapeError(expected(op, "arrays of one length", lengths, hint))
    return lengths[0]


def split(
    images: np.ndarray,
    labels: np.ndarray,
    fraction: float = 0.2,
    rng: np.random.Generator | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Hold out a random `fraction` of every class.

    Parameters
    ----------
    images : (n, ...)
    labels : (n,) integers
    fraction : the part of each class held out, rounded to whole samples
    rng : the source of randomness; the library's own when None

    Returns
    -------
    (images, labels) to learn from and (images, labels) held out: copies, in random order

    Raises
    ------
    ArgumentError
        unless 0 < fraction < 1 and every class gives at least one sample to either side
    ShapeError, DTypeError
        unless there is one integer label for each image

    Examples
    --------
    >>> images, labels = np.zeros((10, 8, 8)), np.repeat([0, 1], 5)
    >>> train, held_out = split(images, labels, 0.2, np.random.default_rng(0))
    >>> train[0].shape, sorted(held_out[1].tolist())
    ((8, 8, 8), [0, 1])
    """
    check_aligned("split", (images, labels))
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        got = f"shape {labels.shape} of {labels.dtype}"
        raise DTypeError(expected("split", "labels of shape (n,) of integers", got))
    if not 0 < fraction < 1:
        raise ArgumentError(expected("split", "a fraction between 0 and 1", fraction, "try 0.2"))
    rng = random.generator(rng)
    kept, held = [], []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        count = round(fraction * len(rows))
        if not 0 < count < len(rows):
            wanted = f"enough samples of class {label} for both sides"
            hint = "change the fraction or leave the class out"
            raise ArgumentError(expected("split", wanted, len(rows), hint))
        held.append(rows[:count])
        kept.append(rows[count:])
    if not kept:
        raise ArgumentError(expected("split", "at least two samples", "none"))
    train, test = rng.permutation(np.concatenate(kept)), rng.permutation(np.concatenate(held))
    return (images[train], labels[train]), (images[test], labels[test])
