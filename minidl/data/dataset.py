"""Sets of samples: arrays side by side, parts of a set, sets one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from minidl.data.arrays import check_aligned
from minidl.errors import ArgumentError, DTypeError, ShapeError, expected

Arrays = tuple[np.ndarray, ...]


@runtime_checkable
class Indexed(Protocol):
    """What a set of samples must have."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, index: Any) -> Any:
        """Return sample `index`."""


class Dataset(ABC):
    """Samples by number. A set of your own defines `__len__` and `__getitem__`.

    Examples
    --------
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, index):
    ...         return float(index), index**2
    >>> Squares().batch(np.array([1, 3]))
    (array([1., 3.], dtype=float32), array([1, 9]))
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def __getitem__(self, index: Any) -> Any:
        """Return sample `index`: an array or number, or a tuple of them."""

    def batch(self, rows: np.ndarray) -> Arrays:
        """Return the samples numbered `rows` as arrays whose first axis is the sample.

        `DataLoader` asks for its batches here: define it where many samples at once are faster.
        """
        return collate([self[row] for row in rows.tolist()])


class TensorDataset(Dataset):
    """Arrays (or Tensors) that belong together row by row.

    Parameters
    ----------
    *arrays : (n, ...) each
        row i of each belongs to sample i: images and labels, say

    Examples
    --------
    >>> points = TensorDataset(np.eye(2), np.array([0, 1]))
    >>> len(points), points[1]
    (2, (array([0., 1.]), np.int64(1)))
    """

    def __init__(self, *arrays: Any) -> None:
        self.samples = check_aligned("TensorDataset", arrays)
        self.arrays = tuple(np.asarray(array) for array in arrays)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: Any) -> Arrays:
        return tuple(array[index] for array in self.arrays)

    def batch(self, rows: np.ndarray) -> Arrays:
        """Return row `rows` of each array."""
        return tuple(array[rows] for array in self.arrays)

    def __repr__(self) -> str:
        held = ", ".join(f"{array.shape} {array.dtype}" for array in self.arrays)
        return f"TensorDataset({held})"


class Subset(Dataset):
    """The samples of another set that are numbered `indices`, in that order.

    Parameters
    ----------
    dataset : anything with __len__ and __getitem__, or a tuple of arrays: (images, labels)
    indices : (m,) integers, each a sample of `dataset`
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset = as_dataset("Subset", dataset)
        self.indices = check_indices("Subset", indices, len(self.dataset))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[self.indices[index]]

    def batch(self, rows: np.ndarray) -> Arrays:
        """Return the samples of the whole set that these rows stand for."""
        return self.dataset.batch(self.indices[rows])

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {self.dataset!r})"


class ConcatDataset(Dataset):
    """Sets of the same kind of samples, one after another.

    Parameters
    ----------
    datasets : at least one, each with __len__ and __getitem__, or a tuple of arrays
    """

    def __init__(self, datasets: Sequence[Any]) -> None:
        if len(datasets) == 0:
            raise ArgumentError(expected("ConcatDataset", "at least one dataset", "none"))
        self.datasets = [as_dataset("ConcatDataset", dataset) for dataset in datasets]
        lengths = [len(dataset) for dataset in self.datasets]
        self.ends = np.cumsum(lengths)
        self.starts = self.ends - lengths

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: Any) -> Any:
        row = range(len(self))[index]
        which = int(np.searchsorted(self.ends, row, side="right"))
        return self.datasets[which][row - int(self.starts[which])]

    def batch(self, rows: np.ndarray) -> Arrays:
        """Return the samples, each set asked once for what it holds."""
        which = np.searchsorted(self.ends, rows, side="right")
        places = [np.flatnonzero(which == part) for part in range(len(self.datasets))]
        used = [(part, place) for part, place in enumerate(places) if len(place)]
        parts = [self.datasets[part].batch(rows[place] - self.starts[part]) for part, place in used]
        back = np.argsort(np.concatenate([place for _, place in used]))
        return tuple(np.concatenate(fields)[back] for fields in zip(*parts, strict=True))

    def __repr__(self) -> str:
        return f"ConcatDataset({', '.join(repr(dataset) for dataset in self.datasets)})"


class Samples(Dataset):
    """Makes a Dataset of any object with __len__ and __getitem__."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, index: Any) -> Any:
        return self.given[index]

    def __repr__(self) -> str:
        return repr(self.given)


def are_arrays(given: Any) -> bool:
    """Whether this is a tuple of arrays, or Tensors, as in (images, labels)."""
    return isinstance(given, tuple) and len(given) > 0 and all(hasattr(x, "ndim") for x in given)


def as_dataset(op: str, given: Any) -> Dataset:
    """Return `given` as a Dataset; a tuple of arrays stands for their rows, side by side.

    Raises
    ------
    DTypeError, ShapeError
        unless it has __len__ and __getitem__, and arrays have as many rows as each other
    """
    if isinstance(given, Dataset):
        return given
    if are_arrays(given):
        return TensorDataset(*given)
    if not isinstance(given, Indexed):
        hint = "define __len__ and __getitem__"
        raise DTypeError(expected(op, "a dataset", type(given).__name__, hint))
    return Samples(given)


def check_indices(op: str, indices: Any, samples: int) -> np.ndarray:
    """Return `indices` as an array of integers, each of 0 ... samples - 1.

    Raises
    ------
    DTypeError, ArgumentError
        where they are no list of integers, or one is out of range
    """
    rows = np.asarray(indices)
    if rows.size == 0:
        rows = rows.astype(np.intp)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        got = f"shape {rows.shape} of {rows.dtype}"
        raise DTypeError(expected(op, "indices of shape (m,), integers", got))
    outside = rows[(rows < 0) | (rows >= samples)]
    if len(outside):
        wanted = f"indices from 0 to {samples - 1}"
        raise ArgumentError(expected(op, wanted, outside[0], f"there are {samples} samples"))
    return rows


def collate(samples: Sequence[Any]) -> Arrays:
    """Stack samples field by field.

    Python's floats become float32; arrays and integers keep their type.

    Parameters
    ----------
    samples : n of them, each an array or number, or a tuple or list of the same number of fields

    Returns
    -------
    one array (n, ...) for each field

    Raises
    ------
    ShapeError
        where samples differ in their number of fields or in a field's shape
    """
    rows = [tuple(sample) if isinstance(sample, tuple | list) else (sample,) for sample in samples]
    counts = {len(row) for row in rows}
    if len(counts) > 1:
        raise ShapeError(expected("collate", "as many fields in each sample", sorted(counts)))
    return tuple(_stacked(number, field) for number, field in enumerate(zip(*rows, strict=True)))


def _stacked(number: int, field: tuple[Any, ...]) -> np.ndarray:
    """Return one field of all samples."""
    arrays = [np.asarray(value) for value in field]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        hint = "crop, resize or pad the samples, or pass collate_fn"
        wanted = f"field {number} of one shape in all samples"
        raise ShapeError(expected("collate", wanted, sorted(shapes), hint))
    stacked = np.stack(arrays)
    return stacked.astype(np.float32) if type(field[0]) is float else stacked
