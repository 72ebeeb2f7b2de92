"""Step 3: the same network on a student's own kernels, timed beside minidl's.

All runners go on from the network of step 1 and train on the same batches with the same masks, one
batch each in turn, so that whatever else the machine does falls on all of them alike.
"""

from __future__ import annotations

import importlib.util
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

import minidl
from minidl.tensor import Tensor
from minidl import backend, optim
from minidl import functional as F
from minidl.data import DataLoader
from minidl.demo.failure import require
from minidl.demo.network import Training, batches, build, optimizer_for
from minidl.nn import BatchNorm2d, Module
from minidl.terminal import cells, table
from minidl.train import evaluate

STUDENT = "your batch_norm.py"
TELLINGS = {"numpy": "NumPy", "numba": "Numba", "cython": "Cython"}
REPEATS = 15
# Float differences may change the mean loss, and turn a part of the held-out images, by this much.
MOST_SPREAD = 0.01


@dataclass
class Runner:
    """One network on one choice of kernels.

    Parameters
    ----------
    name : as shown
    use : makes the context in which its kernels serve
    model, optimizer : its own, equal to everybody's at the start
    losses, seconds : of each training step
    calls : (family, function) -> how often the chosen kernels ran
    missing : what they lack
    accuracy : on the held-out images after the epoch
    logits : of the held-out images after the epoch
    """

    name: str
    use: Any
    model: Module
    optimizer: optim.Optimizer
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    calls: Counter = field(default_factory=Counter)
    missing: set = field(default_factory=set)
    accuracy: float = 0.0
    logits: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def loss(self) -> float:
        """Mean over the steps."""
        return float(np.mean(self.losses))

    def step(self, images: Tensor, labels: Tensor) -> None:
        """Train on one batch and keep the time."""
        with self.use() as used:
            start = time.perf_counter()
            value = F.cross_entropy(self.model(images), labels)
            self.optimizer.zero_grad()
            value.backward()
            self.optimizer.step()
            self.seconds.append(time.perf_counter() - start)
        self.losses.append(value.item())
        self.count(used)

    def count(self, used: backend.Use) -> None:
        """Add what ran in one `use` block."""
        self.calls.update(used.calls)
        self.missing |= used.missing


class Row(NamedTuple):
    """A runner's line in a table; milliseconds are those of batch normalization in one step."""

    name: str
    milliseconds: float
    speed: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Race:
    """What step 3 measured.

    Parameters
    ----------
    batch_norm : runners that differ in batch normalization's kernels alone; the student's first
    everything : runners in which all kernels are of one telling
    kernel_ms : name -> milliseconds in batch-normalization kernels per training step, repeated
    expected : (family, function) -> how often the student's code had to run
    batch_size, steps : of the epoch; the first step warms up and is not timed
    largest_difference : between any two runners' logits, relative to the largest logit
    missing : tellings that are not built here
    """

    batch_norm: list[Runner]
    everything: list[Runner]
    kernel_ms: dict[str, list[float]]
    expected: dict[tuple[str, str], int]
    batch_size: int
    steps: int
    largest_difference: float
    missing: list[str]

    @property
    def student(self) -> Runner:
        """The runner on the student's kernels."""
        return self.batch_norm[0]

    def rows(self, runners: Sequence[Runner]) -> list[Row]:
        """Return what tables show of each runner."""
        speeds = self.speeds(runners)
        return [
            Row(
                runner.name,
                float(np.median(self.kernel_ms.get(runner.name, [np.nan]))),
                float(np.median(speeds[runner.name])),
                runner.loss,
                runner.accuracy,
            )
            for runner in runners
        ]

    def speeds(self, runners: Sequence[Runner]) -> dict[str, list[float]]:
        """Return name -> images per second of each timed step."""
        return {r.name: [self.batch_size / s for s in r.seconds[1:]] for r in runners}


def import_file(path: Path) -> ModuleType:
    """Import a Python file as a module of its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    require(spec is not None and spec.loader is not None, f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def run_race(solution: Path, training: Training) -> Race:
    """Train an epoch on every choice of kernels, interleaved, and compare.

    Raises
    ------
    DemoFailure
        unless the student's code, and nothing in its place, ran as often as the network needs it,
        and every runner ends with the same accuracy up to float differences
    """
    module = import_file(solution)
    ready = [t for t in TELLINGS if not isinstance(backend.load("batch_norm", t), str)]
    every = [t for t in TELLINGS if not isinstance(backend.load("conv2d", t), str)]
    train, held_out = batches(training.settings, drop_last=True)
    start = partial(_runner, training)
    own = [start(STUDENT, partial(backend.use, module))]
    own += [start(TELLINGS[t], partial(backend.use, t, "batch_norm")) for t in ready]
    whole = [start(TELLINGS[t], partial(backend.use, t)) for t in every]
    _train(own + whole, train, training.settings.seed)
    for runner in own + whole:
        _measure(runner, held_out)
    layers = sum(isinstance(m, BatchNorm2d) for m in own[0].model.modules())
    race = Race(
        batch_norm=own,
        everything=whole,
        kernel_ms=_kernel_times(own, next(iter(train))[0]),
        expected={
            ("batch_norm", "forward"): layers * len(train),
            ("batch_norm", "update_running"): layers * len(train),
            ("batch_norm", "backward"): layers * len(train),
            ("batch_norm", "inference"): layers * 2 * len(held_out.as_is()),
        },
        batch_size=train.batch_size,
        steps=len(train),
        largest_difference=_largest_difference(own + whole),
        missing=[name for t, name in TELLINGS.items() if t not in ready or t not in every],
    )
    _judge(race)
    return race


def _runner(training: Training, name: str, use: Any) -> Runner:
    settings = replace(training.settings, learning_rate=training.settings.race_rate)
    model = build(settings)
    model.load_state_dict(training.state)
    return Runner(name, use, model, optimizer_for(model, settings))


def _train(runners: list[Runner], train: DataLoader, seed: int) -> None:
    """Give every batch to every runner in turn, the first one first in turn as well."""
    for step, (images, labels) in enumerate(train):
        first = step % len(runners)
        for runner in runners[first:] + runners[:first]:
            minidl.manual_seed(1000 * seed + step)  # the same DropBlock masks for all
            runner.model.train()
            runner.step(images, labels)


def _measure(runner: Runner, held_out: DataLoader) -> None:
    """Note accuracy and logits on the held-out images, on the runner's own kernels."""
    with runner.use() as used:
        runner.accuracy = evaluate(runner.model, held_out).accuracy
        runner.model.eval()
        with minidl.no_grad():
            outputs = [runner.model(images).data for images, _ in held_out.as_is()]
        runner.logits = np.concatenate(outputs)
    runner.count(used)


def _largest_difference(runners: list[Runner]) -> float:
    logits = np.stack([runner.logits for runner in runners])
    return float(np.ptp(logits, axis=0).max() / np.abs(logits).max())


def _kernel_times(runners: list[Runner], images: Tensor) -> dict[str, list[float]]:
    """Time forward and backward of every batch-normalization layer's own input, in turn."""
    inputs: list[np.ndarray] = []
    model = runners[0].model.train()
    layers = [module for module in model.modules() if isinstance(module, BatchNorm2d)]
    with ExitStack() as stack:
        for layer in layers:
            hook = layer.register_forward_pre_hook(lambda _, x: inputs.append(x[0].data))
            stack.enter_context(hook)
        with minidl.no_grad():
            model(images)
    flat = [x.reshape(*x.shape[:2], -1) for x in inputs]
    times: dict[str, list[float]] = {runner.name: [] for runner in runners}
    for repeat in range(REPEATS + 1):
        for runner in runners:
            with runner.use():
                start = time.perf_counter()
                for x in flat:
                    _forward_and_backward(x)
                if repeat:  # the first one warms up
                    times[runner.name].append(1000 * (time.perf_counter() - start))
    return times


def _forward_and_backward(x: np.ndarray) -> None:
    gamma, beta = np.ones(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    y, x_hat, inv_std, _, _ = backend.call("batch_norm", "forward", x, gamma, beta, 1e-5)
    backend.call("batch_norm", "backward", y, x_hat, inv_std, gamma)


def _judge(race: Race) -> None:
    ran = {key: race.student.calls[key] for key in race.expected}
    require(ran == race.expected, f"the student's kernels ran {ran}, expected {race.expected}")
    require(not race.student.missing, f"the student's file lacks {sorted(race.student.missing)}")
    runners = race.batch_norm + race.everything
    for name in ("loss", "accuracy"):
        values = [getattr(runner, name) for runner in runners]
        spread = max(values) - min(values)
        require(spread <= MOST_SPREAD, f"{name} differs by {spread:.4f} between kernels")


def tell(race: Race, console: Console) -> None:
    """Print the race as two tables."""
    calls = race.student.calls
    counts = ", ".join(f"{f} {calls['batch_norm', f]}" for _, f in race.expected)
    console.print(f"calls of {STUDENT}: {counts}")
    console.print("exactly as many as the network needs; nothing stood in for it")
    numbers = ("images/s", "loss", "held out")
    kernels = "its kernels, ms/step"
    shown = table("batch norm from", kernels, *numbers, right=(kernels, *numbers))
    for row in race.rows(race.batch_norm):
        shown.add_row(*cells(row.name, f"{row.milliseconds:.2f}", *_formatted(row)))
    console.print(shown)
    shown = table("every kernel from", *numbers, right=numbers)
    for row in race.rows(race.everything):
        shown.add_row(*cells(row.name, *_formatted(row)))
    console.print(shown)
    if race.missing:
        console.print(f"not built here, so not in the race: {', '.join(race.missing)}")


def _formatted(row: Row) -> tuple[str, str, str]:
    return f"{row.speed:,.0f}", f"{row.loss:.5f}", f"{row.accuracy:.2%}"
