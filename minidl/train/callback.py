"""Callbacks: what others may do while `fit` trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from minidl.errors import DTypeError, expected

if TYPE_CHECKING:
    from minidl.train.trainer import Trainer


class Callback:
    """Base of the callbacks: define the events you need; each is given the Trainer.

    A callback reads and changes the trainer's attributes (`model`, `optimizer`, `history`, `epoch`,
    `steps`, ...) and ends the training with `trainer.stop("the reason")`. What it raises ends the
    training and arrives with a note of its name.

    Examples
    --------
    >>> class Gradients(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         print(max(abs(p.grad).max() for p in trainer.model.parameters()))
    """

    # Whether it runs after all others: it looks at what they did.
    last: ClassVar[bool] = False

    def on_train_begin(self, trainer: Trainer) -> None:
        """Before the first step; a run that is resumed is restored afterwards."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the first step of each epoch."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After each step of the optimizer and its schedules."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """After an epoch was measured: it is `trainer.history.last`."""

    def on_interrupt(self, trainer: Trainer) -> None:
        """After Ctrl-C, before `on_train_end`."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last epoch, also of a run that was stopped or interrupted."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep: arrays, numbers, texts, lists and dicts of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""


class EachEpoch(Callback):
    """Calls a function with the trainer after each epoch."""

    def __init__(self, function: Callable[[Trainer], Any]) -> None:
        self.function = function

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Call the function."""
        self.function(trainer)


def as_callbacks(given: Sequence[Any]) -> list[Callback]:
    """Return callbacks in the order in which they run; a function runs after each epoch.

    Raises
    ------
    DTypeError
        for anything else
    """
    made: list[Callback] = []
    for one in given:
        if not isinstance(one, Callback) and (isinstance(one, type) or not callable(one)):
            got = one.__name__ if isinstance(one, type) else type(one).__name__
            hint = "give an instance: EarlyStopping(patience=5)"
            raise DTypeError(expected("fit", "callbacks, or functions of the trainer", got, hint))
        made.append(one if isinstance(one, Callback) else EachEpoch(one))
    return sorted(made, key=lambda callback: callback.last)


def name_of(callback: Callback) -> str:
    """Return what messages call it."""
    if isinstance(callback, EachEpoch):
        return getattr(callback.function, "__name__", "function")
    return type(callback).__name__
