"""IDX files, and the two sets that come in them: MNIST and Fashion-MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minidl.data.files import Source, locate
from minidl.errors import ArgumentError, expected

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"

FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

MNIST = Source(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    },
    also=("MNIST/raw",),
)
FASHION_MNIST = Source(
    "fashion_mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
    installed=(Path("/usr/share/datasets/fashion-mnist"),),
    also=("fashion-mnist", "FashionMNIST/raw"),
    advice="install Debian's package dataset-fashion-mnist",
)


def mnist(
    root: str | Path | None = None, train: bool = True, download: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST, 60,000 handwritten digits to train on and 10,000 to test on.

    Parameters
    ----------
    root : the folder of the four IDX files, plain or .gz; None looks where the environment
        variable MINIDL_DATA says and in the cache of downloads
    train : the 60,000, or the 10,000
    download : whether to fetch the files, where they are not found

    Returns
    -------
    images : (n, 1, 28, 28) float32 in [0, 1]
    labels : (n,) int64, 0 to 9

    Raises
    ------
    ArgumentError
        where a file is not found, cut short or of another kind

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998.
    """
    return _images_and_labels(MNIST, root, train, download)


def fashion_mnist(
    root: str | Path | None = None, train: bool = True, download: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return Fashion-MNIST, pictures of clothes; `FASHION_MNIST_CLASSES` names their classes.

    Parameters
    ----------
    root : the folder of the four IDX files, plain or .gz; None looks where the environment
        variable MINIDL_DATA says, in that of Debian's package dataset-fashion-mnist, and in the
        cache of downloads
    train : the 60,000 to train on, or the 10,000 to test on
    download : whether to fetch the files, where they are not found

    Returns
    -------
    images : (n, 1, 28, 28) float32 in [0, 1]
    labels : (n,) int64, 0 to 9

    Raises
    ------
    ArgumentError
        where a file is not found, cut short or of another kind

    References
    ----------
    Xiao, Rasul & Vollgraf 2017, MIT licence.
    """
    return _images_and_labels(FASHION_MNIST, root, train, download)


def _images_and_labels(
    source: Source, root: str | Path | None, train: bool, download: bool
) -> tuple[np.ndarray, np.ndarray]:
    part = "train" if train else "t10k"
    names = [f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"]
    paths = [locate(source, f"{name}.gz", root, download, unpacked=name) for name in names]
    images, labels = (read_idx(path) for path in paths)
    if images.ndim != 3 or labels.shape != images.shape[:1] or images.dtype != np.uint8:
        wanted = f"images (n, h, w) in {paths[0]} and labels (n,) in {paths[1]}"
        got = f"{images.shape} of {images.dtype} and {labels.shape}"
        raise ArgumentError(expected(source.name, wanted, got, "put the right files there"))
    return images[:, None] / np.float32(255), labels.astype(np.int64)


def read_idx(path: str | Path) -> np.ndarray:
    """Read an array from an IDX file, plain or compressed by gzip.

    The format: two zero bytes, one for the type of number, one for the number of axes; the length
    of each axis in four bytes; the numbers, the last axis fastest; all of them big-endian.

    Raises
    ------
    ArgumentError
        naming the file, where it is missing, of another kind, damaged or cut short

    References
    ----------
    LeCun's description beside MNIST, yann.lecun.com/exdb/mnist.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            with gzip.open(raw) if packed else raw as file:
                return _parsed(path, file)
    except (OSError, EOFError, zlib.error) as error:
        hint = "check the path, copy the file again, or delete it and download it"
        raise ArgumentError(expected("read_idx", f"a whole file {path}", error, hint)) from None


def _parsed(path: Path, file: BinaryIO | gzip.GzipFile) -> np.ndarray:
    content = file.read()
    head = content[:4]
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES:
        hint = "is this the right file?"
        raise ArgumentError(expected("read_idx", f"an IDX file {path}", f"{head!r} first", hint))
    dtype, start = np.dtype(TYPES[head[2]]), 4 + 4 * head[3]
    lengths = [int.from_bytes(content[i : i + 4]) for i in range(4, start, 4)]
    size = start + math.prod(lengths) * dtype.itemsize
    if len(content) != size or not head[3]:
        hint = "the file was cut short or is damaged: copy it again, or delete it and download it"
        wanted = f"{size:,} bytes in {path}, as its first ones say"
        raise ArgumentError(expected("read_idx", wanted, f"{len(content):,}", hint))
    return (
        np.frombuffer(content, dtype, offset=start).reshape(lengths).astype(dtype.newbyteorder("="))
    )
