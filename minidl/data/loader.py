"""`DataLoader`: arrays in, shuffled batches out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from minidl.tensor import Tensor
from minidl import random
from minidl.data.arrays import check_aligned
from minidl.errors import ArgumentError, expected

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class DataLoader:
    """Yields aligned batches of arrays as tuples of Tensors.

    Parameters
    ----------
    *arrays : (n, ...) each
        row i of each belongs to sample i: images and labels, say
    batch_size : int, at least 1
    shuffle : bool
        draw a new order for every pass
    transform : callable (batch of the first array, rng) -> batch, optional
        augmentation, applied to every batch as it is drawn
    rng : the source of randomness; the library's own when None
    drop_last : bool
        leave out a last batch that is smaller than the others

    Examples
    --------
    >>> loader = DataLoader(np.zeros((5, 3)), np.arange(5), batch_size=2)
    >>> [labels.data.tolist() for _, labels in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        *arrays: np.ndarray,
        batch_size: int = 32,
        shuffle: bool = False,
        transform: Transform | None = None,
        rng: np.random.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        self.samples = check_aligned("DataLoader", arrays)
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            wanted = "batch_size, an integer of at least 1"
            raise ArgumentError(expected("DataLoader", wanted, repr(batch_size)))
        self.arrays = tuple(np.asarray(array) for array in arrays)
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.transform = transform
        self.rng = rng
        self.drop_last = drop_last

    def __len__(self) -> int:
        """Return the number of batches in one pass."""
        whole, rest = divmod(self.samples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of one pass."""
        rng = random.generator(self.rng)
        order = rng.permutation(self.samples) if self.shuffle else np.arange(self.samples)
        for batch in range(len(self)):
            rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            first, *others = (array[rows] for array in self.arrays)
            if self.transform is not None:
                first = self.transform(first, rng)
            yield tuple(Tensor(array) for array in (first, *others))

    def as_is(self) -> DataLoader:
        """Return a loader of the same arrays in their own order, whole and unaugmented."""
        return DataLoader(*self.arrays, batch_size=self.batch_size)
