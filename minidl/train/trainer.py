"""The training loop's machine room: steps, epochs, and a state that can be saved at any step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import numpy as np
from rich.console import Console

from minidl.tensor import Tensor
from minidl import optim
from minidl.data import DataLoader
from minidl.errors import ArgumentError, MinidlError, ShapeError, expected
from minidl.nn import Module
from minidl.train.batches import parted
from minidl.train.callback import Callback, name_of
from minidl.train.evaluation import Loss, Metrics, Running, evaluate
from minidl.train.history import Epoch, History
from minidl.train.interrupt import INTERRUPTED, Interrupt
from minidl.train.progress import TrainingProgress


class Optimizer(Protocol):
    """What training asks of an optimizer."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self) -> None:
        """Change the parameters."""


class Schedule(Protocol):
    """What training asks of a schedule: DropBlockSchedule, say. A plateau's `step` takes a loss."""

    @property
    def step(self) -> Callable[..., Any]:
        """Move on by one step or epoch."""


class Projection(Protocol):
    """What training asks of a constraint that is kept after a step: MaxNorm, say."""

    def project_(self, params: Module) -> None:
        """Move the weights to where they may be."""


class DivergenceError(MinidlError, ArithmeticError):
    """The loss or a gradient became NaN or infinite; `history` holds the epochs before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


@dataclass
class Trainer:
    """What `fit` makes of its arguments, and what callbacks are given; see `fit` for the options.

    Attributes
    ----------
    history : the epochs so far
    epoch, steps : whole epochs and steps of the optimizer so far
    step_loss : the mean loss over the samples of the latest step
    stopped : why training ends before its last epoch; empty while it goes on
    train, validation : the loaders; validation is None where there is none
    epochs : how many there will be
    """

    model: Module
    optimizer: Optimizer
    loss: Loss
    metrics: Metrics = ()
    schedules: Sequence[Schedule] = ()
    epoch_schedules: Sequence[Schedule] = ()
    regularizers: Sequence[optim.Penalty | Projection] = ()
    clip_norm: float | None = None
    accumulate: int = 1
    callbacks: Sequence[Callback] = ()
    measure_train: bool = False

    history: History = field(default_factory=History)
    epoch: int = 0
    steps: int = 0
    step_loss: float = float("nan")
    stopped: str = ""
    running: Running | None = None  # of an epoch that has begun
    epochs: int = 0

    def __post_init__(self) -> None:
        self.train: DataLoader
        self.validation: DataLoader | None = None
        if self.clip_norm is not None and hasattr(self.optimizer, "clip_norm"):
            hint = "distributed.Optimizer(..., clip_norm=) cuts what all processes have averaged"
            raise ArgumentError(expected("fit", "clip_norm in the optimizer", "fit's", hint))
        for schedule in self.schedules:
            if _wants_value(schedule):
                name, hint = type(schedule).__name__, "give it as one of epoch_schedules"
                wanted = "schedules whose step() takes no loss"
                raise ArgumentError(expected("fit", wanted, name, hint))

    def stop(self, reason: str) -> None:
        """End the training after this step, which also ends its epoch."""
        self.stopped = reason

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimizer in a whole epoch."""
        return -(-len(self.train) // self.accumulate)

    def run(
        self,
        train: DataLoader,
        validation: DataLoader | None,
        epochs: int,
        progress: bool | Console,
    ) -> History:
        """Train up to `epochs` epochs; those of a run that is resumed are counted."""
        self.train, self.validation, self.epochs = train, validation, epochs
        with Interrupt() as interrupt:
            self.call("on_train_begin")
            done = self.epoch * self.steps_per_epoch
            done += -(-self.running.batches // self.accumulate) if self.running else 0
            with TrainingProgress(progress, epochs, self.steps_per_epoch, done) as shown:
                while self.epoch < epochs and not self.stopped:
                    self._run_epoch(shown, interrupt)
                    if interrupt.requested:
                        self.call("on_interrupt")
                        self.stopped = INTERRUPTED
                self.history.stopped = self.stopped
                if self.stopped:
                    shown.say(f"stopped after {self.epoch} epochs: {self.stopped}")
            self.call("on_train_end")
        return self.history

    def call(self, event: str) -> None:
        """Tell every callback; what one raises is given a note of its name."""
        for callback in self.callbacks:
            try:
                getattr(callback, event)(self)
            except Exception as error:
                where = f"after {self.epoch} epochs and {self.steps} steps"
                error.add_note(f"fit: raised by the callback {name_of(callback)}.{event}, {where}")
                raise

    def _run_epoch(self, shown: TrainingProgress, interrupt: Interrupt) -> None:
        self.model.train()
        if self.running is None:
            self.running = Running()
            self.call("on_epoch_begin")
        running, batches = self.running, iter(self.train)
        watched = _Watched(self.model)
        while not (interrupt.requested or self.stopped):
            # Never one more than there are: the loader stands where the last step left it.
            count = min(self.accumulate, len(self.train) - running.batches)
            group = list(islice(batches, count))
            if not group:
                next(batches, None)
                break
            self._learn(group, watched)
            shown.step(self.epoch + 1, running.values, running.speed)
            self.call("on_step_end")
        if not interrupt.requested or running.batches == len(self.train):
            self._close_epoch(shown)

    def _learn(self, group: list[tuple[Tensor, ...]], watched: _Watched) -> None:
        """Take one step of the optimizer, on the mean loss over the samples of all batches."""
        assert self.running is not None
        buffers = watched.copied()
        samples = sum(len(batch[-1].data) for batch in group)
        self.optimizer.zero_grad()
        step_loss = 0.0
        try:
            with self._where_gradients_belong():
                for batch in group:
                    inputs, targets = parted(batch)
                    outputs = self.model(*inputs)
                    value = self.loss(outputs, targets)
                    if value.size != 1:
                        hint = 'use reduction="mean"'
                        got = value.shape
                        raise ShapeError(expected("fit", "a loss of one element", got, hint))
                    self._check_loss(value.item(), inputs)
                    share = len(targets.data) / samples
                    value.backward(np.full(value.shape, share, value.dtype))
                    self.running.add(value.item(), outputs.data, targets.data)
                    step_loss += value.item() * share
                for regularizer in self.regularizers:
                    if isinstance(regularizer, optim.Penalty):
                        regularizer.add_gradient(self.model)
            self._check_gradients(watched)
        except DivergenceError:
            self.optimizer.zero_grad()
            watched.put_back(buffers)
            raise
        if self.clip_norm is not None:
            optim.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        for regularizer in self.regularizers:
            if not isinstance(regularizer, optim.Penalty):
                regularizer.project_(self.model)
        self.steps, self.step_loss = self.steps + 1, step_loss
        for schedule in self.schedules:
            schedule.step()

    def _where_gradients_belong(self) -> AbstractContextManager[None]:
        """Be where the optimizer wants gradients: ahead of the parameters, where it looks ahead."""
        ahead: Callable[[], AbstractContextManager[None]]
        ahead = getattr(self.optimizer, "ahead", nullcontext)
        return ahead()

    def _check_loss(self, loss: float, inputs: tuple[Tensor, ...]) -> None:
        if np.isfinite(loss):
            return
        hint = "lower the learning rate, or look for a division by zero or a logarithm of zero"
        if not all(np.isfinite(x.data).all() for x in inputs):
            hint = "the inputs of this batch hold NaN or infinity: clean the data"
        self._diverged("a finite loss", f"{loss} in {self._place()}", hint)

    def _check_gradients(self, watched: _Watched) -> None:
        for name, p in watched.parameters:
            # One pass without a temporary array; only a sum that overflows needs a second look.
            if p.grad is None or np.isfinite(np.vdot(p.grad, p.grad)):
                continue
            if not np.isfinite(p.grad).all():
                hint = "lower the learning rate, or look for the square root of zero or its like"
                wanted = f"a finite gradient of {name}"
                self._diverged(wanted, f"NaN or infinity in {self._place()}", hint)

    def _place(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.steps % self.steps_per_epoch + 1}"

    def _diverged(self, wanted: str, got: str, hint: str) -> None:
        raise DivergenceError(expected("fit", wanted, got, hint), self.history)

    def _close_epoch(self, shown: TrainingProgress) -> None:
        """Stop the epoch's clock, measure, and move the schedules of epochs on."""
        assert self.running is not None
        running, seconds = self.running, self.running.seconds
        values = running.values
        for name, data in (("train", self.train), ("validation", self.validation)):
            if data is not None and (name == "validation" or self.measure_train):
                score = evaluate(self.model, data, self.loss, self.metrics)
                values |= {f"{name}_{key}": value for key, value in score.values.items()}
        if isinstance(self.optimizer, optim.Optimizer):
            values["lr"] = float(self.optimizer.param_groups[0]["lr"])
        self.epoch += 1
        self.history.epochs.append(Epoch(self.epoch, values, seconds, running.samples))
        self.running = None
        for schedule in self.epoch_schedules:
            if _wants_value(schedule):
                schedule.step(values.get("validation_loss", values["loss"]))
            else:
                schedule.step()
        shown.epoch(self.history.last)
        self.call("on_epoch_end")


class _Watched:
    """A model's parameters by name, and the places of its buffers, which a batch of NaN spoils."""

    def __init__(self, model: Module) -> None:
        self.parameters = list(model.named_parameters())
        self.places = [
            (module, name)
            for module in model.modules()
            for name in module.buffer_names
            if vars(module)[name] is not None
        ]

    def copied(self) -> list[np.ndarray]:
        """Return copies of the buffers."""
        return [np.copy(vars(module)[name]) for module, name in self.places]

    def put_back(self, copies: list[np.ndarray]) -> None:
        """Give the model the buffers that it had."""
        for (module, name), value in zip(self.places, copies, strict=True):
            setattr(module, name, value)


def _wants_value(schedule: Schedule) -> bool:
    """Whether its `step` must be given a number, as a plateau's must."""
    parameters = inspect.signature(schedule.step).parameters.values()
    return any(p.default is p.empty and p.kind in (0, 1) for p in parameters)
