"""`fit`: the training loop in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from minidl import functional as F
from minidl import optim
from minidl.data import DataLoader
from minidl.errors import ArgumentError, DTypeError, check_sizes, expected
from minidl.nn import Module
from minidl.train.batches import Data, as_loader, hold_out
from minidl.train.callback import as_callbacks
from minidl.train.evaluation import Loss, Metrics, named_metrics
from minidl.train.history import History
from minidl.train.trainer import Optimizer, Projection, Schedule, Trainer

MakeOptimizer = Callable[[Any], Optimizer]


def fit(
    model: Module,
    data: Data,
    validation: Data | float | None = None,
    *,
    epochs: int,
    optimizer: str | Optimizer | MakeOptimizer = "adam",
    lr: float | None = None,
    loss: Loss = F.cross_entropy,
    metrics: Metrics = (),
    batch_size: int = 32,
    schedules: Sequence[Schedule] = (),
    epoch_schedules: Sequence[Schedule] = (),
    regularizers: Sequence[optim.Penalty | Projection] = (),
    clip_norm: float | None = None,
    accumulate: int = 1,
    callbacks: Sequence[Any] = (),
    measure_train: bool = False,
    progress: bool | Console = True,
) -> History:
    """Train a model and measure it after every epoch.

    Parameters
    ----------
    model : called with the inputs of a batch; its outputs go to the loss
    data : (inputs, targets) as arrays, shuffled; a dataset, shuffled; or a DataLoader, as it is.
        Inputs alone are their own targets (auto-encoders).
    validation : measured on after every epoch, never learned from: data likewise, or the fraction
        of `data` to hold out (the same samples in every run)
    epochs : passes over the training data, at least 1; those of a resumed run count
    optimizer : one that holds the model's parameters; or what makes it: a name ("sgd", "adam", ...)
        or a function of the parameters
    lr : the learning rate of an optimizer given by name
    loss : (outputs, targets) -> mean loss of the batch
    metrics : functions (outputs, targets) -> number of whole sets; accuracy needs no mention
    batch_size : where data is no loader
    schedules, epoch_schedules : move on by one step after every step of the optimizer, or after
        every epoch; a plateau's is given the validation loss (without one, the training loss)
    regularizers : penalties (L1, L2, ...), whose gradients are added though the loss is shown
        without them, and constraints (MaxNorm, ...), kept after every step
    clip_norm : the largest norm of the gradient; a longer one is shortened
    accumulate : batches whose gradients make one step, as if they were one batch (but for what
        looks at a batch as a whole, as batch normalization does)
    callbacks : `Callback`s (EarlyStopping, Checkpoint, EMA, ...), or functions of the Trainer that
        are called after each epoch
    measure_train : measure on the training data too after every epoch, as on validation data; this
        costs another forward pass
    progress : whether to show it; or a rich Console to show it on

    Returns
    -------
    History; Ctrl-C ends training after its step with the epochs so far, a second one at once

    Raises
    ------
    ArgumentError, DTypeError
        when there is nothing to do (no epoch, not one batch), or arguments do not fit together
    DivergenceError
        at the first loss or gradient that is NaN or infinite; parameters and running statistics
        are as they were before that step

    Examples
    --------
    >>> from minidl import data, models
    >>> model = models.MLP([64, 32, 10])
    >>> images, labels = data.digits()
    >>> pair = images.reshape(-1, 64), labels
    >>> history = fit(model, pair, 0.2, epochs=2, lr=0.01, progress=False)
    >>> history.validation_accuracy[-1] > 0.8
    True
    """
    check_sizes("fit", epochs=epochs, accumulate=accumulate)
    train, held = _loaders(data, validation, batch_size)
    trainer = Trainer(
        model=model,
        optimizer=made_optimizer(optimizer, model, lr),
        loss=loss,
        metrics=named_metrics(metrics),
        schedules=schedules,
        epoch_schedules=epoch_schedules,
        regularizers=regularizers,
        clip_norm=clip_norm,
        accumulate=accumulate,
        callbacks=as_callbacks(callbacks),
        measure_train=measure_train,
    )
    return trainer.run(train, held, epochs, progress)


def _loaders(
    data: Data, validation: Data | float | None, batch_size: int
) -> tuple[DataLoader, DataLoader | None]:
    """Return what to learn from, and what to measure on."""
    if isinstance(validation, float):
        data, validation = hold_out(data, validation)
    train = as_loader(data, batch_size, shuffle=True)
    if len(train) == 0:
        hint = "use smaller batches or drop_last=False"
        raise ArgumentError(expected("fit", "at least one batch in an epoch", "none", hint))
    if validation is None:
        return train, None
    held = as_loader(validation, max(batch_size, 256))
    if held.samples == 0:
        raise ArgumentError(expected("fit", "validation data", "no sample", "leave it out"))
    return train, held


def made_optimizer(
    given: str | Optimizer | MakeOptimizer, model: Module, lr: float | None
) -> Optimizer:
    """Return the optimizer that a name, a function or an optimizer stands for."""
    named = {n.lower(): getattr(optim, n) for n in optim.__all__}
    named = {n: made for n, made in named.items() if _is_optimizer(made)}
    if isinstance(given, str):
        if given.lower() not in named:
            raise ArgumentError(expected("fit", f"an optimizer among {sorted(named)}", repr(given)))
        options = {} if lr is None else {"lr": lr}
        return named[given.lower()](model.parameters(), **options)
    if lr is not None:
        hint = "set the rate where the optimizer is made"
        raise ArgumentError(expected("fit", "lr with an optimizer's name", "an optimizer", hint))
    if isinstance(given, type) or (not isinstance(given, optim.Optimizer) and callable(given)):
        return given(model.parameters())
    for name in ("step", "zero_grad"):
        if not callable(getattr(given, name, None)):
            got, hint = type(given).__name__, 'an optimizer, or its name: "adam"'
            raise DTypeError(expected("fit", f"an optimizer with {name}()", got, hint))
    return given


def _is_optimizer(made: Any) -> bool:
    """Whether it is an optimizer that a name is enough for: Newton's step wants a closure."""
    inherits = isinstance(made, type) and issubclass(made, optim.Optimizer)
    return inherits and made not in (optim.Optimizer, optim.Newton)
