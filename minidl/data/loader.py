"""`DataLoader`: samples in, shuffled batches out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from minidl.tensor import Tensor
from minidl import random
from minidl.data.arrays import check_aligned
from minidl.data.augmentation import Transform
from minidl.data.dataset import Dataset, TensorDataset, are_arrays, as_dataset, check_indices
from minidl.data.sampler import Sampler
from minidl.data.workers import Workers
from minidl.errors import ArgumentError, check_sizes, expected

Collate = Callable[[list], tuple]


@runtime_checkable
class SupportsArray(Protocol):
    """Whatever NumPy can make an array of, Tensors included."""

    def __array__(self) -> np.ndarray:
        """Return the array."""


class DataLoader:
    """Yields batches of samples as tuples of Tensors.

    Each pass draws one number from `rng`, and everything random in it follows from that number:
    the order, and for each batch a generator of its own, from which `transform` and whatever
    draws from the library's generator while the batch is made get their numbers. So a pass is the
    same for any number of workers, and `state_dict` is a few numbers.

    Parameters
    ----------
    *data : one dataset (anything with __len__ and __getitem__), or arrays (n, ...) side by side,
        in a tuple or not;
        row i of each array belongs to sample i: images and labels, say
    batch_size : int, at least 1
    shuffle : bool
        draw a new order for every pass
    transform : callable (batch of the first array, rng) -> batch, optional
        augmentation, applied to every batch as it is drawn
    rng : the source of randomness; the library's own when None
    drop_last : bool
        leave out a last batch that is smaller than the others
    sampler : draws which samples a pass has, in place of shuffle; `WeightedRandomSampler`, say
    num_workers : threads (or processes) that make batches ahead; 0 makes each when it is asked for
    prefetch_factor : batches that each worker may be ahead
    collate_fn : callable (list of samples) -> tuple of arrays, optional
        in place of stacking, for samples of different shapes
    processes : bool
        workers are spawned processes: for transforms that are heavy in pure Python. Dataset and
        transform are sent there once, so each must be picklable.

    Raises
    ------
    WorkerError
        while iterating, where a worker died. What a dataset or transform raises arrives as it is,
        with its own traceback and a note of the batch.

    Examples
    --------
    >>> loader = DataLoader(np.zeros((5, 3)), np.arange(5), batch_size=2)
    >>> [labels.data.tolist() for _, labels in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        *data: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        transform: Transform | None = None,
        rng: np.random.Generator | None = None,
        drop_last: bool = False,
        sampler: Sampler | None = None,
        num_workers: int = 0,
        prefetch_factor: int = 2,
        collate_fn: Collate | None = None,
        processes: bool = False,
    ) -> None:
        self.dataset = _dataset(data)
        check_sizes("DataLoader", batch_size=batch_size, prefetch_factor=prefetch_factor)
        if num_workers or processes:
            check_sizes("DataLoader", num_workers=num_workers)
        if sampler is not None and shuffle:
            got, hint = "both", "a sampler draws its own order"
            raise ArgumentError(expected("DataLoader", "shuffle or a sampler", got, hint))
        self.batch_size, self.drop_last = int(batch_size), drop_last
        self.shuffle, self.sampler = shuffle, sampler
        self.transform, self.collate_fn = transform, collate_fn
        self.rng = rng
        self.num_workers, self.prefetch_factor = int(num_workers), int(prefetch_factor)
        self.processes = processes
        self._workers: Workers | None = None
        self._seed: int | None = None  # of the latest pass, while it has not ended
        self._given = 0  # batches of it that were handed out
        self._resuming = False

    @property
    def samples(self) -> int:
        """The number of samples in one pass, before drop_last."""
        return len(self.dataset) if self.sampler is None else len(self.sampler)

    def __len__(self) -> int:
        """Return the number of batches in one pass."""
        whole, rest = divmod(self.samples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of one pass; after load_state_dict, those that were left of it."""
        if not self._resuming:
            self._seed, self._given = self._draw_seed(), 0
        self._resuming = False
        seed, first = self._seed, self._given
        order = self._order(np.random.default_rng(seed))
        numbers = range(first, len(self))
        size = self.batch_size
        calls = ((order[n * size : (n + 1) * size], seed, n) for n in numbers)
        for number, batch in zip(numbers, self._made(calls), strict=True):
            self._seed, self._given = seed, number + 1
            yield tuple(_as_tensor(field) for field in batch)
        self._seed, self._given = None, 0

    def _draw_seed(self) -> int:
        """Draw what a pass follows from; a pass without anything random leaves the source alone."""
        plain = isinstance(self.dataset, TensorDataset) and self.transform is None
        if plain and not self.shuffle and self.sampler is None:
            return 0
        return int(random.generator(self.rng).integers(2**63))

    def _order(self, rng: np.random.Generator) -> np.ndarray:
        samples = len(self.dataset)
        if self.sampler is not None:
            return check_indices("DataLoader", self.sampler.draw(rng), samples)
        return rng.permutation(samples) if self.shuffle else np.arange(samples)

    def _made(self, calls: Iterator[tuple]) -> Iterator[tuple]:
        """Return an iterator over the batches, made here or by workers."""
        make = _Make(self.dataset, self.transform, self.collate_fn)
        if self.num_workers == 0:
            return (make(*call) for call in calls)
        if self._workers is None or self._workers.broken or self._workers.work != make:
            ahead = self.num_workers * self.prefetch_factor
            self._workers = Workers(make, self.num_workers, ahead, self.processes)
        return self._workers.map(calls)

    def state_dict(self) -> dict[str, Any]:
        """Return where the latest pass stands: after `load_state_dict`, iteration goes on there.

        Batches that workers made ahead but that were not handed out are made again.

        Returns
        -------
        dict of numbers, strings and dicts of them
            seed : of the pass; None before the first, and after a pass that came to its end
            batch : how many batches were handed out
            samples, batch_size, shuffle, drop_last : what must be equal where it is loaded
            rng : the state of the loader's own generator; None where it draws from the library's,
                whose state is then the caller's to save
        """
        return {
            "seed": self._seed,
            "batch": self._given,
            "samples": self.samples,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "rng": None if self.rng is None else self.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iteration go on where `state_dict` was taken.

        Raises
        ------
        ArgumentError
            where the state is of a loader of other samples, options or another kind of generator
        """
        mine = self.state_dict()
        if state.keys() != mine.keys():
            raise ArgumentError(expected("DataLoader", f"a state of {list(mine)}", list(state)))
        for name in ("samples", "batch_size", "shuffle", "drop_last"):
            if state[name] != mine[name]:
                hint = "resume with the loader that was saved"
                wanted = f"{name} {state[name]} as in the state"
                raise ArgumentError(expected("DataLoader", wanted, mine[name], hint))
        kinds = [rng and rng["bit_generator"] for rng in (state["rng"], mine["rng"])]
        if kinds[0] != kinds[1]:
            wanted = f"rng {kinds[0]} as in the state"
            raise ArgumentError(expected("DataLoader", wanted, kinds[1]))
        if self.rng is not None:
            self.rng.bit_generator.state = state["rng"]
        self._seed, self._given = state["seed"], state["batch"]
        self._resuming = self._seed is not None

    def as_is(self) -> DataLoader:
        """Return a loader of the same samples in their own order, whole and unaugmented."""
        return DataLoader(
            self.dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            prefetch_factor=self.prefetch_factor,
            collate_fn=self.collate_fn,
            processes=self.processes,
            rng=np.random.default_rng(0),
        )


@dataclass
class _Make:
    """Makes one batch: what a worker does."""

    dataset: Dataset
    transform: Transform | None
    collate_fn: Collate | None

    def __call__(self, rows: np.ndarray, seed: int, number: int) -> tuple:
        rng = np.random.default_rng((seed, number + 1))  # seed alone, the order's, equals (seed, 0)
        try:
            with random.drawing_from(rng):
                return self._batch(rows, rng)
        except Exception as error:
            error.add_note(f"DataLoader: in batch {number} of the pass, samples {rows}")
            raise

    def _batch(self, rows: np.ndarray, rng: np.random.Generator) -> tuple:
        if self.collate_fn is None:
            first, *others = self.dataset.batch(rows)
        else:
            first, *others = self.collate_fn([self.dataset[row] for row in rows.tolist()])
        if self.transform is not None:
            first = self.transform(first, rng)
        return first, *others


def _dataset(data: tuple[Any, ...]) -> Dataset:
    """Return the one dataset in `data`, or one of the arrays in it."""
    if len(data) == 1 and are_arrays(data[0]):
        return TensorDataset(*data[0])
    arrays = [isinstance(given, list | tuple | float | int | SupportsArray) for given in data]
    if all(arrays):
        check_aligned("DataLoader", data)
        return TensorDataset(*data)
    if len(data) == 1:
        return as_dataset("DataLoader", data[0])
    hint = "give options by name: DataLoader(dataset, batch_size=64)"
    got = ", ".join(type(given).__name__ for given in data)
    raise ArgumentError(expected("DataLoader", "one dataset, or arrays", got, hint))


def _as_tensor(field: Any) -> Tensor:
    return field if isinstance(field, Tensor) else Tensor(field)
