"""CIFAR-10 from its python archive, whose pickles are read without running what is in them."""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minidl.data.files import Source, locate
from minidl.errors import ArgumentError, expected

CIFAR10 = Source(
    "cifar10",
    "https://www.cs.toronto.edu/~kriz/",
    {"cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a"},
    also=("cifar-10",),
)
ARCHIVE, FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
TRAIN, TEST = tuple(f"data_batch_{i}" for i in range(1, 6)), ("test_batch",)

# Behind an array in a pickle: the names of NumPy 1 and 2.
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def cifar10(
    root: str | Path | None = None, train: bool = True, download: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return CIFAR-10, small colour photos; `CIFAR10_CLASSES` names their classes.

    Parameters
    ----------
    root : the folder of cifar-10-python.tar.gz, or the unpacked folder cifar-10-batches-py; None
        looks where the environment variable MINIDL_DATA says and in the cache of downloads
    train : the 50,000 to train on (0.6 GB as float32), or the 10,000 to test on
    download : whether to fetch the archive (170 MB), where it is not found

    Returns
    -------
    images : (n, 3, 32, 32) float32 in [0, 1]
    labels : (n,) int64, 0 to 9

    Raises
    ------
    ArgumentError
        where it is not found, cut short, or holds anything but arrays, lists, numbers and strings

    References
    ----------
    Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """
    if root is not None and (Path(root) / TEST[0]).is_file():
        path = Path(root)
    else:
        path = locate(CIFAR10, ARCHIVE, root, download, unpacked=FOLDER)
    images, labels = [], []
    for name, content in _files(path, TRAIN if train else TEST):
        image, label = _batch(name, content)
        images.append(image)
        labels.append(label)
    return np.concatenate(images), np.concatenate(labels)


def _files(path: Path, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield the content of the named files of the archive, packed or unpacked."""
    hint = "copy it again, or delete it and download it"
    try:
        if path.is_dir():
            for name in names:
                yield str(path / name), (path / name).read_bytes()
            return
        with tarfile.open(path) as archive:
            for name in names:
                member = archive.extractfile(f"{FOLDER}/{name}")
                yield f"{path}, {name}", b"" if member is None else member.read()
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        reason = " ".join(str(error).split())  # tarfile's has several lines
        raise ArgumentError(expected("cifar10", f"a whole {path}", reason, hint)) from None


def _batch(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of one file."""
    try:
        stored = _Arrays(io.BytesIO(content), encoding="latin1").load()
        pixels, labels = stored["data"], np.asarray(stored["labels"])
        whole = pixels.dtype == np.uint8 and pixels.shape == (len(labels), 3 * 32 * 32)
    except Exception as error:  # a damaged pickle can end in almost any
        wanted = f"a pickled dict with data and labels in {name}"
        got = f"{type(error).__name__}: {error}"
        raise ArgumentError(expected("cifar10", wanted, got, "copy the archive again")) from None
    if not whole or labels.dtype.kind != "i" or not ((labels >= 0) & (labels < 10)).all():
        wanted = f"data (n, 3072) uint8 and n labels from 0 to 9 in {name}"
        raise ArgumentError(expected("cifar10", wanted, f"data {pixels.shape} {pixels.dtype}"))
    images = pixels.reshape(-1, 3, 32, 32) / np.float32(255)
    return images, labels.astype(np.int64)


class _Arrays(pickle.Unpickler):
    """Reads the archive's arrays, lists, numbers and strings; refuses every other name.

    A pickle may name any function and have it called.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return what is allowed under that name.

        Raises
        ------
        UnpicklingError
            for every other
        """
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name}, which no archive of images needs")
        return ALLOWED[module, name]
