"""The training loop: `fit` learns, `evaluate` measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from rich.console import Console

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.autograd import no_grad
from minidl.data import DataLoader
from minidl.errors import ArgumentError, MinidlError, expected
from minidl.nn import Module
from minidl.train.history import Epoch, History
from minidl.train.progress import TrainingProgress

Loss = Callable[[Tensor, Tensor], Tensor]


class Optimizer(Protocol):
    """What `fit` asks of an optimizer."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self) -> None:
        """Change the parameters."""


class Schedule(Protocol):
    """What `fit` asks of a schedule: DropBlockSchedule, say."""

    def step(self) -> None:
        """Move on by one training step."""


class DivergenceError(MinidlError, ArithmeticError):
    """The loss became NaN or infinite."""


class Score(NamedTuple):
    """Mean loss and accuracy (0 to 1) over a set."""

    loss: float
    accuracy: float


def evaluate(model: Module, data: DataLoader, loss: Loss = F.cross_entropy) -> Score:
    """Measure a classifier in evaluation mode, on the images as they are.

    Parameters
    ----------
    model : (n, ...) -> (n, k) logits; its mode is put back afterwards
    data : yields (images, labels); shuffling and augmentation are left out
    loss : (logits, labels) -> mean loss of the batch

    Raises
    ------
    ArgumentError
        where there is nothing to measure on
    """
    data = data.as_is()
    if data.samples == 0:
        raise ArgumentError(expected("evaluate", "at least one sample", "none"))
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            running = _Running()
            for images, labels in data:
                logits = model(images)
                running.add(loss(logits, labels).item(), logits, labels)
    finally:
        for module, training in modes:
            module.training = training
    return Score(running.loss, running.accuracy)


def fit(
    model: Module,
    train: DataLoader,
    validation: DataLoader | None = None,
    *,
    epochs: int,
    optimizer: Optimizer,
    loss: Loss = F.cross_entropy,
    schedules: Sequence[Schedule] = (),
    console: Console | None = None,
) -> History:
    """Train a classifier and measure it after every epoch.

    Parameters
    ----------
    model : (n, ...) -> (n, k) logits
    train : yields (images, labels)
    validation : measured on after every epoch, never learned from
    epochs : passes over the training data, at least 1
    optimizer : holds the model's parameters
    loss : (logits, labels) -> mean loss of the batch
    schedules : each moves on by one step after every step of the optimizer
    console : where progress is shown; nowhere when None

    Returns
    -------
    History

    Raises
    ------
    ArgumentError
        when there is nothing to do: no epoch, or not one batch
    DivergenceError
        at the first loss that is NaN or infinite; parameters are as they were before that step
    """
    if epochs < 1:
        raise ArgumentError(expected("fit", "epochs of at least 1", epochs))
    if len(train) == 0:
        hint = "use smaller batches or drop_last=False"
        raise ArgumentError(expected("fit", "at least one batch in an epoch", "none", hint))
    if validation is not None and validation.samples == 0:
        raise ArgumentError(expected("fit", "validation data", "no sample", "leave it out"))
    history = History()
    with TrainingProgress(console, epochs, len(train)) as progress:
        for number in range(1, epochs + 1):
            model.train()
            running = _Running()
            for step, (images, labels) in enumerate(train):
                logits = model(images)
                value = loss(logits, labels)
                _check_finite(value.item(), number, step + 1, images)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                for schedule in schedules:
                    schedule.step()
                running.add(value.item(), logits, labels)
                progress.step(number, running.loss, running.accuracy, running.speed)
            epoch = _measure(model, train, validation, loss, running, number)
            history.epochs.append(epoch)
            progress.epoch(epoch)
    return history


def _measure(
    model: Module,
    train: DataLoader,
    validation: DataLoader | None,
    loss: Loss,
    running: _Running,
    number: int,
) -> Epoch:
    """Close an epoch: stop its clock, then measure on both sets."""
    seconds = running.seconds
    on_train = evaluate(model, train, loss).accuracy
    held_out = None if validation is None else evaluate(model, validation, loss).accuracy
    return Epoch(number, running.loss, on_train, held_out, seconds, running.samples)


def _check_finite(loss: float, epoch: int, step: int, images: Tensor) -> None:
    if np.isfinite(loss):
        return
    hint = "lower the learning rate, or look for a division by zero or a logarithm of zero"
    if not np.isfinite(images.data).all():
        hint = "the images of this batch hold NaN or infinity: clean the data"
    where = f"{loss} in epoch {epoch}, step {step}"
    raise DivergenceError(expected("fit", "a finite loss", where, hint))


class _Running:
    """Means over the samples seen so far, and the clock."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.samples = 0
        self.total_loss = 0.0
        self.right = 0

    def add(self, loss: float, logits: Tensor, labels: Tensor) -> None:
        """Count a batch whose mean loss is `loss`."""
        self.samples += len(labels.data)
        self.total_loss += loss * len(labels.data)
        self.right += int((logits.data.argmax(1) == labels.data).sum())

    @property
    def loss(self) -> float:
        return self.total_loss / self.samples

    @property
    def accuracy(self) -> float:
        return self.right / self.samples

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    @property
    def speed(self) -> float:
        return self.samples / self.seconds
