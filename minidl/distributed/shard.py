"""Every process its part of every batch."""

from __future__ import annotations

import numpy as np

from minidl import random
from minidl.data.loader import DataLoader
from minidl.distributed.world import world
from minidl.errors import ArgumentError, expected


class ShardSampler:
    """The samples of this process: of each batch, in the order that rank 0 draws, one part.

    Parameters
    ----------
    loader : whose batches are divided
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        whole, rest = divmod(loader.samples, loader.batch_size)
        self.sizes = [loader.batch_size] * whole
        if rest and not loader.drop_last:
            self.sizes.append(rest)

    def __len__(self) -> int:
        return sum(part(size).stop - part(size).start for size in self.sizes)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers of this process's samples of one pass."""
        loader, total = self.loader, self.loader.samples
        if loader.sampler is not None:
            order = np.asarray(loader.sampler.draw(rng), np.int64)
        else:
            order = rng.permutation(total) if loader.shuffle else np.arange(total)
        order = world().broadcast(order.astype(np.int64))
        starts = np.cumsum([0, *self.sizes]).tolist()
        batches = (order[start:][:size] for start, size in zip(starts, self.sizes, strict=False))
        return np.concatenate([batch[part(len(batch))] for batch in batches])


def part(count: int) -> slice:
    """Return which of `count` samples are this process's: the first ranks have one more."""
    here, (least, more) = world().rank, divmod(count, world().size)
    start = here * least + min(here, more)
    return slice(start, start + least + (here < more))


def shard(loader: DataLoader) -> DataLoader:
    """Return a loader of this process's part of every batch of `loader`.

    Its batches are as many on all processes, and together they are those of `loader`: the order is
    rank 0's. Parts differ by at most one sample; `DataParallel` weighs them. Numbers drawn in
    transforms are other ones on every process.

    Parameters
    ----------
    loader : made alike on all processes

    Raises
    ------
    ArgumentError
        where a batch (the last, say) has fewer samples than there are processes
    """
    processes = world().size
    sampler = ShardSampler(loader)
    if not sampler.sizes or min(sampler.sizes) < processes:
        wanted = f"at least {processes} samples in every batch, one for each process"
        hint = "choose another batch_size, or drop_last=True"
        raise ArgumentError(expected("shard", wanted, sampler.sizes[-1:] or "none", hint))
    seed = world().broadcast(random.generator(loader.rng).integers(2**63, size=1))
    size = part(loader.batch_size) if len(sampler.sizes) > 1 else part(sampler.sizes[0])
    return DataLoader(
        loader.dataset,
        batch_size=size.stop - size.start,
        transform=loader.transform,
        rng=np.random.default_rng([int(seed[0]), world().rank]),
        sampler=sampler,
        num_workers=loader.num_workers,
        prefetch_factor=loader.prefetch_factor,
        collate_fn=loader.collate_fn,
        processes=loader.processes,
    )
