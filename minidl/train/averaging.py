"""Averages of the weights along the way: SWA and EMA."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import nn
from minidl.errors import ArgumentError, check_range, check_sizes, expected
from minidl.nn import Module
from minidl.nn.batch_norm import BatchNorm
from minidl.train.callback import Callback
from minidl.train.trainer import Trainer

State = dict[str, np.ndarray]


class _Average(Callback):
    """Keeps an average of the parameters; abstract.

    Attributes
    ----------
    average : parameters by path, in float64; empty before the first
    taken : how many weights it is of
    """

    def __init__(self, apply: bool) -> None:
        self.apply = apply
        self.average: State = {}
        self.taken = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Forget an earlier run."""
        self.average, self.taken = {}, 0

    def on_train_end(self, trainer: Trainer) -> None:
        """Load the average, if asked to."""
        if self.apply and self.taken:
            self.load_into(trainer.model, trainer.train)

    def add(self, model: Module, share: float) -> None:
        """Move the average towards the weights by this share of the way; the first one is it."""
        self.taken += 1
        for name, p in model.named_parameters():
            if self.taken == 1:
                self.average[name] = p.data.astype(np.float64)
            else:
                self.average[name] += share * (p.data - self.average[name])

    def load_into(self, model: Module, data: Any) -> None:
        """Give a model the average, and batch normalizations the statistics that belong to it.

        Parameters
        ----------
        model : of the same architecture
        data : batches to recompute running statistics on (the training data): those of the path's
            last weights fit no average

        Raises
        ------
        ArgumentError
            before there is an average
        """
        if not self.taken:
            op = type(self).__name__
            raise ArgumentError(expected(op, "an average", "none", "train longer, or begin before"))
        model.load_state_dict({**model.state_dict(), **self.average})
        layers = (m for m in model.modules() if isinstance(m, BatchNorm) and m.track_running_stats)
        if next(layers, None) is not None:
            nn.population_statistics(model, data)

    def state_dict(self) -> dict[str, Any]:
        """Return the average."""
        average = {name: array.copy() for name, array in self.average.items()}
        return {"average": average, "taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.average, self.taken = dict(state["average"]), state["taken"]


class SWA(_Average):
    """Stochastic weight averaging: the mean of the weights at the ends of epochs from `start` on.

    The model ends with the mean, its batch-normalization statistics computed anew.

    Parameters
    ----------
    start : the first epoch that counts
    every : epochs between two weights of the mean: the length of a cycle of the learning rate
    apply : whether the model ends with the mean

    References
    ----------
    Izmailov et al. 2018, algorithm 1.
    """

    def __init__(self, start: int, every: int = 1, apply: bool = True) -> None:
        check_sizes("SWA", start=start, every=every)
        super().__init__(apply)
        self.start, self.every = start, every

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Add the weights of this epoch."""
        since = trainer.epoch - self.start
        if since >= 0 and since % self.every == 0:
            self.add(trainer.model, 1 / (self.taken + 1))


class EMA(_Average):
    """Exponential moving average, a <- decay a + (1 - decay) w after every step.

    It begins as the weights after the first step. The model ends with the average, its
    batch-normalization statistics computed anew.

    Parameters
    ----------
    decay : in [0, 1]; weights count for about 1 / (1 - decay) steps
    apply : whether the model ends with the average

    References
    ----------
    Polyak & Juditsky 1992; Kingma & Ba 2015, section 7.2.
    """

    def __init__(self, decay: float = 0.999, apply: bool = True) -> None:
        check_range("EMA", "decay", decay, 0.0, 1.0)
        super().__init__(apply)
        self.decay = decay

    def on_step_end(self, trainer: Trainer) -> None:
        """Add the weights of this step."""
        self.add(trainer.model, 1 - self.decay)
