"""What is measured beyond single layers: the optimizer, the tape, and whole training steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minidl.bench.rows import BOTH, PEERS, Row

Call = Callable[[], object]
Start = Callable[[Any, np.random.Generator], Call]
CHAIN = 100


def adam(lib: Any, rng: np.random.Generator) -> Call:
    """Adam over 10 million parameters in ten matrices."""
    weights = [lib.nn.Parameter(lib.tensor(array(rng, 1000, 1000))) for _ in range(10)]
    for weight in weights:
        lib.set_gradient(weight, array(rng, 1000, 1000))
    return lib.fused_adam(weights).step


def array(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return normal float32 numbers."""
    return rng.standard_normal(shape, dtype=np.float32)


def tape(both: bool, lib: Any, rng: np.random.Generator) -> Call:
    """A chain of products of 8 floats; on plain NumPy the same products without a tape."""
    start, factor, dy = (array(rng, 8) for _ in range(3))
    factor = np.sign(factor)
    if lib.name == "numpy":

        def bare() -> object:
            y = start
            for _ in range(CHAIN):
                y = y * factor
            for _ in range(CHAIN if both else 0):
                y = y * factor
            return y

        return bare
    x, w, upstream = lib.tensor(start, True), lib.tensor(factor), lib.tensor(dy)

    def chain() -> object:
        y = x
        for _ in range(CHAIN):
            y = y * w
        if both:
            y.backward(upstream)
            x.grad = None
        return y

    return chain


def training(
    make: Callable[[Any], Any],
    optimize: Callable[[Any, Any], Any],
    shape: tuple[int, ...],
    lib: Any,
    rng: np.random.Generator,
) -> Call:
    """Forward, loss, backward and optimizer of one batch."""
    x, targets = array(rng, *shape), rng.integers(0, 10, shape[0])
    if lib.name == "dezero":
        return lib.lenet(x, targets)
    model = make(lib)
    criterion = lib.nn.CrossEntropyLoss()
    optimizer = optimize(lib.optim, list(model.parameters()))
    x = lib.images(x) if len(shape) == 4 else lib.tensor(x)
    targets = lib.tensor(targets)

    def step() -> object:
        optimizer.zero_grad()
        loss = criterion(model(x), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def lenet(lib: Any) -> Any:
    """LeNet, written once for both libraries."""
    nn = lib.nn
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def mlp(width: int, lib: Any) -> Any:
    """784 inputs, two hidden layers, 10 classes."""
    nn = lib.nn
    return nn.Sequential(
        *(nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, 10),
    )


def recurrent(lib: Any, rng: np.random.Generator) -> Call:
    """An LSTM over 64 time steps, and a class for each sequence."""
    cell, head = lib.nn.LSTM(64, 256), lib.nn.Linear(256, 10)
    optimizer = lib.optim.Adam([*cell.parameters(), *head.parameters()])
    criterion = lib.nn.CrossEntropyLoss()
    x, targets = lib.tensor(array(rng, 64, 32, 64)), lib.tensor(rng.integers(0, 10, 32))

    def step() -> object:
        optimizer.zero_grad()
        loss = criterion(head(cell(x)[0][-1]), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def sgd(optim: Any, parameters: Any) -> Any:
    """Momentum, as ResNets are trained."""
    return optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4)


def default_adam(optim: Any, parameters: Any) -> Any:
    """Adam as one writes it."""
    return optim.Adam(parameters)


def resnet20(lib: Any) -> Any:
    """The CIFAR ResNet of 20 layers."""
    return lib.resnet20()


def step(name: str, start: Start, target: float | None, moonshot: float | None, **more: Any) -> Row:
    """Return the row of a training step."""
    return Row(
        *(name, "step", "step"),
        start=start,
        target=target,
        moonshot=moonshot,
        kind="step",
        **more,
    )


RESNET = partial(training, resnet20, sgd, (64, 3, 32, 32))
LENET = partial(training, lenet, sgd, (64, 1, 28, 28))
LARGE = partial(training, partial(mlp, 512), default_adam, (128, 784))
LITTLE = partial(training, partial(mlp, 32), default_adam, (32, 784))

ROWS = (
    Row(
        "Adam, 10 M parameters",
        "step, PyTorch fused",
        "optimizer",
        start=adam,
        flops=10e6 * 12,
        bytes=4 * 10e6 * 7,
        target=0.95,
        moonshot=0.85,
    ),
    Row(
        "tape, product of 8 floats",
        "forward",
        "tape",
        start=partial(tape, False),
        calls=CHAIN,
        kind="tape",
    ),
    Row(
        "tape, product of 8 floats",
        BOTH,
        "tape",
        start=partial(tape, True),
        calls=CHAIN,
        kind="tape",
    ),
    step("ResNet-20, batch 64, 32x32", RESNET, 0.78, 0.5),
    step("ResNet-20, against channels-last", RESNET, 0.98, 0.65, sides=("minidl", "torch_last")),
    step("LeNet, batch 64", LENET, 0.65, 0.45, sides=(*PEERS, "dezero")),
    step("MLP 784-512-512-10, batch 128, Adam", LARGE, 0.9, 0.75),
    step("MLP 784-32-32-10, batch 32, Adam", LITTLE, 0.25, 0.15),
    step("LSTM 64-256-10, 64 steps, batch 32, Adam", recurrent, None, None, needs="LSTM"),
)
