"""Ensembles: members from several runs or from one, their average, and what it is worth."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, optim, random
from minidl.data import DataLoader, Subset
from minidl.errors import ArgumentError, DTypeError, check_sizes, expected
from minidl.nn import Module
from minidl.train.batches import Data, as_loader, parted
from minidl.train.callback import Callback
from minidl.train.evaluation import are_classes, predict
from minidl.train.interrupt import INTERRUPTED
from minidl.train.loop import fit
from minidl.train.trainer import Trainer


class Ensemble(Module):
    """The average of several models.

    Of classifiers it returns log(1/M sum_m softmax(f_m(x))): logits whose softmax is the mean of
    the members' probabilities, fit for cross-entropy and argmax. Of others, 1/M sum_m f_m(x).

    Parameters
    ----------
    models : at least one, each called with the same inputs
    average : "probabilities" or "outputs"

    Attributes
    ----------
    members : ModuleList

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.11.

    Examples
    --------
    >>> models = [nn.Linear(3, 2) for _ in range(4)]
    >>> y = Ensemble(models)(Tensor(np.ones((5, 3), np.float32)))
    >>> np.allclose(np.exp(y.data).sum(1), 1)
    True
    """

    def __init__(self, models: Sequence[Module], average: str = "probabilities") -> None:
        super().__init__()
        if average not in ("probabilities", "outputs"):
            wanted = '"probabilities" or "outputs"'
            raise ArgumentError(expected("Ensemble", wanted, repr(average)))
        self.members = nn.ModuleList(models)
        if len(self.members) == 0:
            raise ArgumentError(expected("Ensemble", "at least one model", "none"))
        self.average = average

    def __len__(self) -> int:
        return len(self.members)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the average of what the members make of the inputs, in the shape of one."""
        outputs = [member(*inputs) for member in self.members]
        if self.average == "outputs":
            return F.stack(outputs).mean(axis=0)
        logs = F.stack([F.log_softmax(z, axis=1) for z in outputs])
        # log sum_m exp(l_m) = l_1 - log_softmax(l)_1, whose exponentials cannot overflow.
        total = logs[0] - F.log_softmax(logs, axis=0)[0]
        return total - math.log(len(outputs))

    def extra_repr(self) -> str:
        """Return what is averaged."""
        return f"average={self.average!r}"


def fit_ensemble(
    build: Callable[[], Module],
    data: Data,
    members: int = 5,
    *,
    bagging: bool = False,
    seed: int = 0,
    average: str = "probabilities",
    batch_size: int = 32,
    **options: Any,
) -> Ensemble:
    """Train several models that differ in their random numbers, or also in their data.

    Parameters
    ----------
    build : () -> a model, initialized anew
    data : as for `fit`
    members : how many
    bagging : whether each learns from a sample of the data drawn with replacement, as large as
        the data, instead of from all of it
    seed : of initial weights, orders, dropout and samples; member m draws from (seed, m)
    average : of the Ensemble
    batch_size : where `data` is no loader
    **options : of `fit`; an optimizer by name or function

    Returns
    -------
    Ensemble; Ctrl-C raises KeyboardInterrupt after the step

    References
    ----------
    Breiman 1996 (bagging); Lakshminarayanan, Pritzel & Blundell 2017 (random initial weights).
    """
    check_sizes("fit_ensemble", members=members)
    whole = as_loader(data, batch_size, shuffle=True)
    models = []
    for member in range(members):
        rng = np.random.default_rng([seed, member])
        with random.drawing_from(rng):
            model = build()
            history = fit(model, _drawn(whole, rng) if bagging else whole, **options)
        if history.stopped == INTERRUPTED:
            raise KeyboardInterrupt
        models.append(model)
    return Ensemble(models, average)


def _drawn(loader: DataLoader, rng: np.random.Generator) -> DataLoader:
    """Return a loader of as many samples, drawn with replacement."""
    other = copy.copy(loader)
    samples = len(loader.dataset)
    other.dataset = Subset(loader.dataset, rng.integers(0, samples, samples))
    return other


class Snapshots(Callback):
    """The members of an ensemble from one run: the weights at the end of each of several cycles.

    In every cycle the learning rate falls along half a cosine, lr(t) = lr0 / 2 (1 +
    cos(pi ((t - 1) mod n) / n)) at step t with n = ceil(T / cycles), into another minimum.

    Parameters
    ----------
    cycles : how many, into which all steps are divided

    Attributes
    ----------
    states : a state_dict for each cycle that has ended

    References
    ----------
    Huang et al. 2017, equation 2.
    """

    def __init__(self, cycles: int = 5) -> None:
        check_sizes("Snapshots", cycles=cycles)
        self.cycles = cycles
        self.states: list[dict[str, np.ndarray]] = []
        self.rates: list[float] = []

    def on_train_begin(self, trainer: Trainer) -> None:
        """Note the rates with which cycles begin."""
        groups = _groups(trainer)
        total = trainer.epochs * trainer.steps_per_epoch
        if total < self.cycles:
            wanted, hint = f"at least {self.cycles} steps", "train longer, or for fewer cycles"
            raise ArgumentError(expected("Snapshots", wanted, total, hint))
        self.states = []
        self.rates = [float(group["lr"]) for group in groups]

    def on_step_end(self, trainer: Trainer) -> None:
        """Keep the weights at the end of a cycle; set the rate of the next step."""
        total = trainer.epochs * trainer.steps_per_epoch
        length = -(-total // self.cycles)
        done = trainer.steps % length
        if done == 0 or trainer.steps == total:
            self.states.append(trainer.model.state_dict())
        share = (1 + math.cos(math.pi * done / length)) / 2
        for group, rate in zip(_groups(trainer), self.rates, strict=True):
            group["lr"] = rate * share

    def ensemble(self, model: Module, last: int | None = None) -> Ensemble:
        """Return an Ensemble of copies of the model with the `last` snapshots (all when None).

        Raises
        ------
        ArgumentError
            where there are not as many
        """
        wanted = len(self.states) if last is None else last
        if not 0 < wanted <= len(self.states):
            what = f"at least {max(wanted, 1)} snapshots"
            hint = "train with it first: fit(..., callbacks=[snapshots])"
            raise ArgumentError(expected("Snapshots", what, len(self.states), hint))
        models = [copy.deepcopy(model) for _ in range(wanted)]
        for one, state in zip(models, self.states[-wanted:], strict=True):
            one.load_state_dict(state)
        return Ensemble(models)

    def state_dict(self) -> dict[str, Any]:
        """Return the snapshots and rates."""
        return {"states": list(self.states), "rates": list(self.rates)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.states, self.rates = list(state["states"]), list(state["rates"])


def _groups(trainer: Trainer) -> list[dict[str, Any]]:
    """Return the optimizer's groups, each with its rate."""
    if not isinstance(trainer.optimizer, optim.Optimizer):
        got = type(trainer.optimizer).__name__
        raise DTypeError(expected("Snapshots", "an optimizer of minidl.optim", got))
    return trainer.optimizer.param_groups


class PickComparison(NamedTuple):
    """Squared errors, summed over outputs, averaged over samples: picked = averaged + between.

    Parameters
    ----------
    picked : of a member picked at random, in expectation
    averaged : of the average of the members
    between : the variance between the members
    """

    picked: float
    averaged: float
    between: float


def compare_with_random_pick(
    models: Ensemble | Sequence[Module], data: Data, batch_size: int = 256
) -> PickComparison:
    """Compare the members' average with picking one of them at random.

    E_m ||f_m - y||^2 = ||mean_m f_m - y||^2 + E_m ||f_m - mean_m f_m||^2, so the average is never
    worse than a random pick, and better by as much as the members differ. f are probabilities and
    y one-hot rows where the targets are classes.

    Parameters
    ----------
    models : an Ensemble, or its members
    data : inputs with targets, as for `evaluate`

    References
    ----------
    Krogh & Vedelsby 1995, equation 4.
    """
    members = list(models.members if isinstance(models, Ensemble) else models)
    if not members:
        raise ArgumentError(expected("compare_with_random_pick", "at least one model", "none"))
    loader = as_loader(data, batch_size).as_is()
    outputs = np.stack([predict(member, loader) for member in members]).astype(np.float64)
    targets = np.concatenate([parted(batch)[1].data for batch in loader])
    if are_classes(outputs[0], targets):
        outputs = F.softmax(Tensor(outputs), axis=2).data
        targets = np.moveaxis(np.eye(outputs.shape[2])[targets], -1, 1)
    samples, mean = len(targets), outputs.mean(0)
    picked = ((outputs - targets) ** 2).sum() / (len(members) * samples)
    between = ((outputs - mean) ** 2).sum() / (len(members) * samples)
    averaged = ((mean - targets) ** 2).sum() / samples
    return PickComparison(float(picked), float(averaged), float(between))
