"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from minidl.errors import ArgumentError, DTypeError, expected
from minidl.optim.optimizer import Optimizer
from minidl.optim.plateau import ReduceLROnPlateau
from minidl.optim.schedule import LRScheduler


class SequentialLR(LRScheduler):
    """One schedule after the other: number i begins anew at t = milestones[i - 1].

    Parameters
    ----------
    schedulers : schedules of this optimizer
    milestones : increasing numbers of steps, one less than there are schedules

    Examples
    --------
    >>> from minidl import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> warm_up = optim.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = optim.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule = optim.SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> for _ in range(6):
    ...     print(optimizer.param_groups[0]["lr"])
    ...     optimizer.step()
    ...     schedule.step()
    0.25
    0.5
    0.75
    1.0
    0.5
    0.25
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self.schedulers = _listed("SequentialLR", schedulers, optimizer)
        self.milestones = list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1 or self.milestones != sorted(
            set(self.milestones)
        ):
            wanted = f"{len(self.schedulers) - 1} increasing milestones"
            raise ArgumentError(expected("SequentialLR", wanted, self.milestones))
        super().__init__(optimizer, last_epoch)

    def advance(self) -> None:
        """Move the schedule whose turn it is; it begins at its milestone."""
        self._follow_groups()
        self.last_epoch += 1
        turn = bisect_right(self.milestones, self.last_epoch)
        starts = self.last_epoch in (0, *self.milestones)
        chosen = self.schedulers[turn]
        if starts:
            chosen.begin()
        else:
            chosen.advance()
        self._last_lr = chosen.get_last_lr()


class ChainedScheduler(LRScheduler):
    """All schedules at once: their factors multiply.

    Parameters
    ----------
    schedulers : schedules of one optimizer
    optimizer : that optimizer; may be left out
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        self.schedulers = _listed("ChainedScheduler", schedulers, optimizer)
        super().__init__(self.schedulers[0].optimizer)

    def advance(self) -> None:
        """Move all schedules on; they were at t = 0 when they were made."""
        self._follow_groups()
        self.last_epoch += 1
        for schedule in self.schedulers if self.last_epoch else ():
            schedule.advance()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def begin(self) -> None:
        """Start all schedules anew from the rates the groups began with."""
        self.last_epoch = 0
        self.write(self.base_lrs)
        for schedule in self.schedulers:
            schedule.last_epoch = -1
            schedule.advance()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def _listed(op: str, schedulers: Any, optimizer: Optimizer | None) -> list[LRScheduler]:
    """Return the schedules as a list, if they are schedules of this optimizer."""
    listed = list(schedulers) if isinstance(schedulers, Sequence) else []
    kinds = [type(s).__name__ for s in listed]
    if not listed or not all(isinstance(s, LRScheduler) for s in listed):
        raise DTypeError(expected(op, "a list of schedules", kinds or type(schedulers).__name__))
    owner = listed[0].optimizer if optimizer is None else optimizer
    for schedule in listed:
        if schedule.optimizer is not owner or isinstance(schedule, ReduceLROnPlateau):
            wanted = "schedules of one optimizer that need no measurements"
            raise ArgumentError(expected(op, wanted, kinds))
    return listed
