"""What `fit` accepts as data, as loaders: arrays, datasets, or a loader itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl.data import ConcatDataset, DataLoader, Subset, TensorDataset, random_split
from minidl.errors import ArgumentError, expected

# A DataLoader; an array or Tensor; several side by side in a tuple; or a Dataset.
Data = Any


def as_loader(data: Data, batch_size: int, shuffle: bool = False) -> DataLoader:
    """Return a loader of `data`; a loader stays as it is."""
    if isinstance(data, DataLoader):
        return data
    arrays = data if isinstance(data, tuple | list) else (data,)
    return DataLoader(*arrays, batch_size=batch_size, shuffle=shuffle)


def hold_out(data: Data, fraction: float) -> tuple[Subset, Subset]:
    """Return a random 1 - fraction of the samples to learn from, and the others, held out.

    The choice follows from the number of samples alone, so a run that is resumed or repeated does
    not learn from what it held out before.

    Raises
    ------
    ArgumentError
        unless 0 < fraction < 1 and each side gets a sample; for a loader, whose owner splits
    """
    if isinstance(data, DataLoader):
        hint = "split with minidl.data.random_split and make a loader of each part"
        raise ArgumentError(
            expected("fit", "arrays or a dataset to hold out from", "a loader", hint)
        )
    if not 0 < fraction < 1:
        raise ArgumentError(expected("fit", "a validation fraction between 0 and 1", fraction))
    whole = TensorDataset(*data) if isinstance(data, tuple | list) else as_loader(data, 1).dataset
    count = round(fraction * len(whole))
    if not 0 < count < len(whole):
        got = f"{count} of {len(whole)}"
        raise ArgumentError(expected("fit", "at least one sample on either side", got))
    learned, held = random_split(whole, [len(whole) - count, count], np.random.default_rng(0))
    return learned, held


def join(train: Data, validation: Data, batch_size: int = 32) -> DataLoader:
    """Return a loader of the samples of both, with the options of `train` where it is a loader.

    Raises
    ------
    ArgumentError
        where `train` has a sampler, which knows its own samples only
    """
    first = as_loader(train, batch_size, shuffle=True)
    if first.sampler is not None:
        hint = "make a loader of both with a sampler of both"
        raise ArgumentError(expected("join", "a loader without a sampler", "one", hint))
    return DataLoader(
        ConcatDataset([first.dataset, as_loader(validation, batch_size).dataset]),
        batch_size=first.batch_size,
        shuffle=first.shuffle,
        transform=first.transform,
        rng=first.rng,
        drop_last=first.drop_last,
        num_workers=first.num_workers,
        prefetch_factor=first.prefetch_factor,
        collate_fn=first.collate_fn,
        processes=first.processes,
    )


def parted(batch: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return a batch's inputs and its target: the last array, or the only one (auto-encoders)."""
    return (batch[:-1] or batch), batch[-1]
