"""Measuring a model: loss, accuracy, metrics of one's own, outputs, confusion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.autograd import no_grad
from minidl.errors import ArgumentError, DTypeError, expected
from minidl.nn import Module
from minidl.train.batches import Data, as_loader, parted
from minidl.train.history import written

Loss = Callable[[Tensor, Tensor], Tensor]
# (outputs, targets) of a whole set -> number.
Metric = Callable[[np.ndarray, np.ndarray], float]
Metrics = Mapping[str, Metric] | Sequence[Metric]


@dataclass(frozen=True)
class Score:
    """What `evaluate` measured.

    Parameters
    ----------
    values : "loss", "accuracy" where the targets are classes, and each metric by its name
    """

    values: dict[str, float]

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            raise ArgumentError(expected("Score", f"a name among {list(self.values)}", repr(name)))
        return self.values[name]

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self["loss"]

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1; ArgumentError where targets are no classes."""
        return self["accuracy"]

    def __str__(self) -> str:
        return "   ".join(written(name, value) for name, value in self.values.items())


def evaluate(
    model: Module,
    data: Data,
    loss: Loss = F.cross_entropy,
    metrics: Metrics = (),
    batch_size: int = 256,
) -> Score:
    """Measure a model in evaluation mode, on the samples as they are.

    Parameters
    ----------
    model : called with the inputs of a batch; its mode is put back afterwards
    data : (inputs, targets), a dataset or a loader, whose shuffling and augmentation are left out
    loss : (outputs, targets) -> mean loss of the batch
    metrics : functions (outputs, targets) -> number, of the whole set as arrays; in a list they go
        by their own names, in a dict by its keys
    batch_size : where data is no loader

    Returns
    -------
    Score, with the accuracy where targets are class indices; negative ones are not counted

    Raises
    ------
    ArgumentError
        where there is nothing to measure on
    """
    loader = as_loader(data, batch_size).as_is()
    if loader.samples == 0:
        raise ArgumentError(expected("evaluate", "at least one sample", "none"))
    named = named_metrics(metrics)
    running, collected = Running(), []
    with evaluating(model):
        for batch in loader:
            inputs, targets = parted(batch)
            outputs = model(*inputs)
            running.add(loss(outputs, targets).item(), outputs.data, targets.data)
            if named:
                collected.append((outputs.data, targets.data))
    values = running.values
    if named:
        whole = [np.concatenate(arrays) for arrays in zip(*collected, strict=True)]
        values |= {name: float(metric(*whole)) for name, metric in named.items()}
    return Score(values)


def predict(model: Module, data: Data, batch_size: int = 256) -> np.ndarray:
    """Return the model's outputs (n, ...) in evaluation mode.

    Parameters
    ----------
    model : Module
    data : inputs (n, ...); or inputs with targets, which are left out: a tuple, dataset or loader
    batch_size : where data is no loader
    """
    loader = as_loader(data, batch_size).as_is()
    if loader.samples == 0:
        raise ArgumentError(expected("predict", "at least one sample", "none"))
    with evaluating(model):
        return np.concatenate([model(*parted(batch)[0]).data for batch in loader])


def confusion_matrix(model: Module, data: Data, batch_size: int = 256) -> np.ndarray:
    """Return how often class j was answered where class i is right: (k, k) integers.

    Parameters
    ----------
    model : (n, ...) -> (n, k) logits
    data : (inputs, labels), a dataset or a loader

    Raises
    ------
    DTypeError
        unless the targets are class indices
    """
    loader = as_loader(data, batch_size).as_is()
    counts = np.zeros(0, np.int64)
    with evaluating(model):
        for batch in loader:
            inputs, targets = parted(batch)
            outputs, labels = model(*inputs).data, targets.data
            if not are_classes(outputs, labels):
                wanted = "logits (n, k) and labels (n,) of integers"
                got = f"{outputs.shape} and {labels.shape} of {labels.dtype}"
                raise DTypeError(expected("confusion_matrix", wanted, got))
            k, seen = outputs.shape[1], labels >= 0
            cells = labels[seen] * k + outputs.argmax(1)[seen]
            counts = counts if counts.size else np.zeros(k * k, np.int64)
            counts += np.bincount(cells, minlength=k * k)
    if not counts.size:
        raise ArgumentError(expected("confusion_matrix", "at least one sample", "none"))
    k = round(np.sqrt(counts.size))
    return counts.reshape(k, k)


def named_metrics(metrics: Metrics) -> dict[str, Metric]:
    """Return metrics by name; in a list each has its function's name."""
    if not isinstance(metrics, Mapping):
        metrics = {getattr(m, "__name__", type(m).__name__): m for m in metrics}
    for name, metric in metrics.items():
        if not callable(metric):
            wanted = f"a function (outputs, targets) -> number under {name!r}"
            raise DTypeError(expected("metrics", wanted, type(metric).__name__))
    return dict(metrics)


def are_classes(outputs: np.ndarray, targets: np.ndarray) -> bool:
    """Whether `targets` are class indices of `outputs`, whose axis 1 holds the classes' scores."""
    integers = targets.dtype.kind in "iu" and outputs.ndim == targets.ndim + 1
    return integers and (outputs.shape[0], *outputs.shape[2:]) == targets.shape


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Evaluation mode and no tape inside the block; every module's own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


@dataclass
class Running:
    """Means over the samples seen so far, and the clock."""

    samples: int = 0
    total_loss: float = 0.0
    right: int = 0
    answers: int = 0
    batches: int = 0
    earlier: float = 0.0
    start: float = field(default_factory=lambda: time.perf_counter())

    def add(self, loss: float, outputs: np.ndarray, targets: np.ndarray) -> None:
        """Count a batch whose mean loss is `loss`."""
        self.samples += len(targets)
        self.batches += 1
        self.total_loss += loss * len(targets)
        if are_classes(outputs, targets):
            self.right += int((outputs.argmax(1) == targets).sum())
            self.answers += int((targets >= 0).sum())

    @property
    def values(self) -> dict[str, float]:
        """The mean loss, and the accuracy where the targets are classes."""
        values = {"loss": self.total_loss / self.samples}
        if self.answers:
            values["accuracy"] = self.right / self.answers
        return values

    @property
    def seconds(self) -> float:
        """Since the start, and before it where this was resumed."""
        return self.earlier + time.perf_counter() - self.start

    @property
    def speed(self) -> float:
        """Samples per second."""
        return self.samples / max(self.seconds, 1e-9)

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and the seconds so far."""
        state = {**asdict(self), "earlier": self.seconds}
        del state["start"]
        return state
