"""Early stopping, and both ways of learning from the validation data afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import functional as F
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.nn import Module
from minidl.optim.optimizer import check_rate
from minidl.train.batches import Data, as_loader, join
from minidl.train.callback import Callback
from minidl.train.evaluation import evaluate
from minidl.train.history import History
from minidl.train.loop import fit
from minidl.train.trainer import Trainer


class EarlyStopping(Callback):
    """Ends training after `patience` epochs without a better value, with the best weights put back.

    Parameters
    ----------
    patience : epochs to wait for a better value, at least 1
    min_delta : by how much a value must be better to count
    monitor : the name of the value in the history; "validation_accuracy", say
    mode : "min", "max", or "auto": "max" where the name ends in "accuracy"
    restore_best : whether the model ends with the weights of its best epoch, also after Ctrl-C

    Attributes
    ----------
    best : the best value so far; None before the first
    best_epoch, best_steps : epochs and steps that led there: i* of the algorithm
    best_state : the model's state then, or None
    waited : epochs since

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.8, algorithm 7.1.

    Examples
    --------
    >>> from minidl import data, models
    >>> images, labels = data.digits()
    >>> pair, stopping = (images.reshape(-1, 64), labels), EarlyStopping(patience=1)
    >>> model = models.MLP([64, 10])
    >>> history = fit(model, pair, 0.3, epochs=99, lr=0.1, callbacks=[stopping], progress=False)
    >>> len(history) - stopping.best_epoch, min(history.validation_loss) == stopping.best
    (1, True)
    """

    def __init__(
        self,
        patience: int = 5,
        min_delta: float = 0.0,
        monitor: str = "validation_loss",
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        check_sizes("EarlyStopping", patience=patience)
        check_rate("EarlyStopping", "min_delta", min_delta)
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(expected("EarlyStopping", '"auto", "min" or "max"', repr(mode)))
        largest = mode == "max" or (mode == "auto" and monitor.endswith("accuracy"))
        self.patience, self.min_delta, self.monitor = patience, min_delta, monitor
        self.sign = -1.0 if largest else 1.0
        self.restore_best = restore_best
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch = self.best_steps = self.waited = 0
        self.best_state: dict[str, np.ndarray] | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        """Forget an earlier run."""
        self._forget()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Compare; NaN is never better."""
        value = monitored("EarlyStopping", trainer.history, self.monitor)
        limit = math.inf if self.best is None else self.sign * self.best - self.min_delta
        if self.sign * value < limit:
            self.best, self.best_state = value, trainer.model.state_dict()
            self.best_epoch, self.best_steps, self.waited = trainer.epoch, trainer.steps, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            best = "NaN" if self.best is None else f"{self.best:.4g}"
            trainer.stop(f"the best {self.monitor} was {best} in epoch {self.best_epoch}")

    def on_train_end(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        if self.restore_best and self.best_state is not None:
            trainer.model.load_state_dict(self.best_state)

    def state_dict(self) -> dict[str, Any]:
        """Return the best so far."""
        names = ("best", "best_epoch", "best_steps", "waited", "best_state")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        for name in self.state_dict():
            setattr(self, name, state[name])


def monitored(op: str, history: History, name: str) -> float:
    """Return the last epoch's value of this name.

    Raises
    ------
    ArgumentError
        where it has none
    """
    values = history.last.values
    if name not in values:
        hint = "give fit validation data" if name.startswith("validation") else "choose another"
        raise ArgumentError(expected(op, f"{name!r} in the history", list(values), hint))
    return values[name]


class _StopAfter(Callback):
    """Ends training after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, trainer: Trainer) -> None:
        """Count."""
        if trainer.steps >= self.steps:
            trainer.stop(f"after {self.steps} steps")


class _StopBelow(Callback):
    """Ends training when the validation loss is as low as `limit`."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Compare."""
        if trainer.history.last.validation_loss <= self.limit:
            trainer.stop(f"the validation loss is below {self.limit:.4g}")


def retrain(
    build: Callable[[], Module],
    train: Data,
    validation: Data,
    stopping: EarlyStopping,
    *,
    unit: str = "epochs",
    batch_size: int = 32,
    **options: Any,
) -> tuple[Module, History]:
    """Train anew on all data for as long as early stopping found best.

    As many epochs see each sample as often as the first run did; as many steps move the
    parameters as often, though the set is larger. Neither is known to be better.

    Parameters
    ----------
    build : () -> the model, initialized anew
    train, validation : what the first run learned from and was stopped by
    stopping : that run's
    unit : "epochs" or "steps"
    batch_size : where `train` is no loader
    **options : of `fit`; an optimizer by name or function, since the model is another

    Returns
    -------
    the model, and its history

    Raises
    ------
    ArgumentError
        for a `stopping` that has seen no epoch, or an optimizer of the first model

    References
    ----------
    Goodfellow, Bengio & Courville 2016, algorithm 7.2.
    """
    if unit not in ("epochs", "steps"):
        raise ArgumentError(expected("retrain", 'unit "epochs" or "steps"', repr(unit)))
    if stopping.best is None:
        hint = "train with it first: fit(..., callbacks=[stopping])"
        raise ArgumentError(expected("retrain", "early stopping that found a best", "none", hint))
    if "optimizer" in options and not isinstance(options["optimizer"], str | Callable):
        got, hint = "an optimizer of another model", 'use "adam", or lambda params: Adam(params)'
        raise ArgumentError(expected("retrain", "an optimizer's name or maker", got, hint))
    model, data, epochs = build(), join(train, validation, batch_size), stopping.best_epoch
    if unit == "steps":
        steps = -(-len(data) // options.get("accumulate", 1))
        epochs = -(-stopping.best_steps // steps)
        callbacks = [*options.pop("callbacks", ()), _StopAfter(stopping.best_steps)]
        options["callbacks"] = callbacks
    return model, fit(model, data, epochs=epochs, **options)


def continue_training(
    model: Module,
    train: Data,
    validation: Data,
    *,
    epochs: int,
    batch_size: int = 32,
    **options: Any,
) -> History:
    """Go on with all data until the validation loss is down at what the training loss was.

    The limit is the loss on the training data in evaluation mode as the model stands, stopped
    early. It need not be reached: `epochs` bounds the way, and `history.stopped` tells.

    Parameters
    ----------
    model : trained on `train` and stopped early, with its best weights
    train, validation : what it learned from and was stopped by
    epochs : at most
    batch_size : where `train` is no loader
    **options : of `fit`

    Returns
    -------
    History of the second run; empty where the validation loss is already as low

    References
    ----------
    Goodfellow, Bengio & Courville 2016, algorithm 7.3.
    """
    loss = options.get("loss", F.cross_entropy)
    held = as_loader(validation, max(batch_size, 256))
    limit = evaluate(model, train, loss).loss
    if evaluate(model, held, loss).loss <= limit:
        return History(stopped=f"the validation loss was below {limit:.4g} already")
    callbacks = [*options.pop("callbacks", ()), _StopBelow(limit)]
    joined = join(train, validation, batch_size)
    return fit(model, joined, held, epochs=epochs, callbacks=callbacks, **options)
