"""The learning-rate range test: one short run whose rate grows from step to step."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import functional as F
from minidl import optim
from minidl.errors import ArgumentError, DTypeError, check_sizes, expected
from minidl.nn import Module
from minidl.train.batches import Data, as_loader
from minidl.train.callback import Callback
from minidl.train.evaluation import Loss
from minidl.train.loop import MakeOptimizer, Optimizer, fit, made_optimizer
from minidl.train.state import restore_run, state_of_run
from minidl.train.trainer import DivergenceError, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The share of the past in the smoothed loss.
SMOOTHING = 0.9
# Where the smoothed loss is so many times its minimum, training diverges.
DIVERGED = 4.0


@dataclass(frozen=True)
class RateCurve:
    """The loss at each learning rate.

    Parameters
    ----------
    rates : (n,) rising
    losses : (n,) of the batch that was trained on with each
    """

    rates: np.ndarray
    losses: np.ndarray

    @property
    def smoothed(self) -> np.ndarray:
        """Exponential averages of the losses, corrected for their start at 0."""
        average, smoothed = 0.0, []
        for t, loss in enumerate(self.losses, 1):
            average = SMOOTHING * average + (1 - SMOOTHING) * float(loss)
            smoothed.append(average / (1 - SMOOTHING**t))
        return np.array(smoothed)

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls fastest over log(rate), before its minimum.

        It is a tenth of the rate at the minimum at most: soon after that, training diverges.

        Raises
        ------
        ArgumentError
            where the loss never falls
        """
        smoothed = self.smoothed
        lowest = int(smoothed.argmin())
        if lowest < 2:
            hint = "begin with a smaller rate, or look whether the model learns at all"
            raise ArgumentError(expected("suggestion", "a loss that falls", "none", hint))
        slope = np.gradient(smoothed[: lowest + 1], np.log(self.rates[: lowest + 1]))
        return float(min(self.rates[int(slope.argmin())], self.rates[lowest] / 10))

    def plot(self) -> Figure:
        """Return a figure of the loss over the rate, with the suggestion."""
        from minidl.viz import rate_curve

        return rate_curve(self)


def find_lr(
    model: Module,
    data: Data,
    *,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
    optimizer: str | Optimizer | MakeOptimizer = "sgd",
    loss: Loss = F.cross_entropy,
    batch_size: int = 32,
) -> RateCurve:
    """Train for a few steps with a rate that grows, and return the loss at each.

    The rate grows by the same factor at every step until the loss is four times its minimum or not
    finite. A good rate is where the loss falls fast: `suggestion`. Afterwards the model, the
    optimizer and the library's random generator are as they were.

    Parameters
    ----------
    model, data, optimizer, loss, batch_size : as for `fit`
    start, end : the first and the last rate, 0 < start < end
    steps : at most, at least 3

    Returns
    -------
    RateCurve

    References
    ----------
    Smith 2017, section 3.3, where the rate grows linearly; a factor covers more magnitudes.

    Examples
    --------
    >>> from minidl import models, data
    >>> images, labels = data.digits()
    >>> model = models.MLP([64, 32, 10], rng=np.random.default_rng(0))
    >>> curve = find_lr(model, (images.reshape(-1, 64), labels))
    >>> 0.001 < curve.suggestion < 1
    True
    """
    check_sizes("find_lr", steps=steps)
    if not 0 < start < end < math.inf:
        raise ArgumentError(expected("find_lr", "0 < start < end", f"{start} and {end}"))
    if steps < 3:
        raise ArgumentError(expected("find_lr", "at least 3 steps", steps))
    made = made_optimizer(optimizer, model, None)
    if not isinstance(made, optim.Optimizer):
        got = type(made).__name__
        raise DTypeError(expected("find_lr", "an optimizer of minidl.optim, with groups", got))
    rates = np.geomspace(start, end, steps)
    loader, rising = as_loader(data, batch_size, shuffle=True), _Rising(made, rates)
    modes = [(module, module.training) for module in model.modules()]
    epochs = -(-steps // max(len(loader), 1))
    try:
        with contextlib.suppress(DivergenceError):
            fit(
                model,
                loader,
                epochs=epochs,
                optimizer=made,
                loss=loss,
                callbacks=[rising],
                progress=False,
            )
    finally:
        rising.put_back()
        for module, training in modes:
            module.training = training
    count = len(rising.losses)
    if count < 3:
        hint = "begin with a smaller rate"
        raise ArgumentError(expected("find_lr", "3 finite losses", count, hint))
    return RateCurve(rates[:count], np.array(rising.losses))


class _Rising(Callback):
    """Gives the optimizer one rate after the other, and keeps the losses and how all was before."""

    def __init__(self, optimizer: optim.Optimizer, rates: np.ndarray) -> None:
        self.optimizer, self.rates = optimizer, rates
        self.losses: list[float] = []
        self.trainer: Trainer | None = None
        self.before: dict[str, Any] = {}

    def on_train_begin(self, trainer: Trainer) -> None:
        """Keep the state, and begin."""
        self.trainer, self.before = trainer, state_of_run(trainer)
        self._set(0)

    def on_step_end(self, trainer: Trainer) -> None:
        """Keep the loss, and go on with the next rate."""
        self.losses.append(trainer.step_loss)
        smoothed = RateCurve(self.rates, np.array(self.losses)).smoothed
        if trainer.steps == len(self.rates) or smoothed[-1] > DIVERGED * smoothed.min():
            trainer.stop("the range of rates is tested")
        else:
            self._set(trainer.steps)

    def _set(self, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.rates[step])

    def put_back(self) -> None:
        """Undo the run."""
        if self.trainer is not None:
            restore_run(self.trainer, self.before)
            self.trainer.model.zero_grad()
