"""How far float32 results are from float64: single convolutions, and a whole network's gradient.

Every side computes with the same numbers; whoever runs the benchmark compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl import models
from minidl.bench.rows import CONVOLUTIONS, Convolution

BATCH = 64
RELU = re.compile(r"(.*\.)?bn1|layer\d\.\d")  # what ReLU follows, and blocks, in a ResNet-20
NEAR = 0.05


def convolution(lib: Any, which: Convolution, dtype: str) -> list[np.ndarray]:
    """Return y, dx and dweight of one convolution, in the given type."""
    rng = np.random.default_rng(1)
    nn = lib.nn
    module = nn.Conv2d(
        *(which.c, which.o, which.kernel, which.stride, which.padding),
        groups=which.groups,
        bias=False,
    )
    weight = rng.standard_normal(tuple(module.weight.shape)) / np.sqrt(which.c * which.kernel**2)
    x = rng.standard_normal((which.n, which.c, which.size, which.size))
    x, weight = (a.astype(np.float32).astype(dtype) for a in (x, weight))
    parameter = lib.tensor(weight, True)
    module.weight = nn.Parameter(parameter)
    x = lib.tensor(x, True)
    y = module(x)
    dy = rng.standard_normal(tuple(y.shape)).astype(np.float32).astype(dtype)
    dx, dweight = lib.gradients(y, [x, module.weight], lib.tensor(dy))
    return [lib.array(y), np.asarray(dx), np.asarray(dweight)]


def convolutions(lib: Any) -> dict[str, np.ndarray]:
    """Return {row: errors of the three directions}, relative to the largest float64 value."""
    errors = {}
    for which in CONVOLUTIONS:
        exact = convolution(lib, which, "float64")
        got = convolution(lib, which, "float32")
        name = next(which.rows()).name
        errors[name] = np.array(
            [np.abs(g - e).max() / np.abs(e).max() for g, e in zip(got, exact, strict=True)]
        )
    return errors


@dataclass
class Network:
    """What a ResNet-20 with fixed weights computes on one batch, by names of its parts."""

    gradients: dict[str, np.ndarray]
    relus: dict[str, np.ndarray]


def resnet(lib: Any, seed: int, dtype: str, precise: bool) -> Network:
    """Return the gradient by each parameter of a ResNet-20, and what its ReLUs return."""
    source = models.ResNet(rng=np.random.default_rng(seed))
    network = lib.resnet20()
    lib.load(network, source.state_dict())
    rng = np.random.default_rng([seed, 1])
    x = rng.standard_normal((BATCH, 3, 32, 32)).astype(np.float32).astype(dtype)
    targets = rng.integers(0, 10, BATCH)
    if lib.name == "torch":
        network.to(getattr(lib.torch, dtype))
    else:
        network.astype(dtype)
    if precise:
        lib.set_precise(True)
    loss = lib.nn.CrossEntropyLoss()(network(lib.tensor(x)), lib.tensor(targets))
    loss.backward()
    gradients = {n: np.asarray(p.grad).astype(np.float64) for n, p in network.named_parameters()}
    relus = _relus(lib, network, lib.tensor(x))
    if precise:
        lib.set_precise(False)
    return Network(gradients, relus)


def _relus(lib: Any, network: Any, x: Any) -> dict[str, np.ndarray]:
    """Return what ReLUs return, of another pass: a layer that is watched is not fused with ReLU."""
    outputs: dict[str, Any] = {}

    def keep(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            outputs[name] = output

        return hook

    for name, module in network.named_modules():
        if RELU.fullmatch(name):
            module.register_forward_hook(keep(name))
    network(x)
    return {name: np.maximum(lib.array(y), 0) for name, y in outputs.items()}


def apart(got: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> float:
    """Return the Euclidean distance of two gradients, all parameters together, over the length."""
    distance = sum(float(((got[k] - exact[k]) ** 2).sum()) for k in exact)
    return float(np.sqrt(distance / sum(float((g**2).sum()) for g in exact.values())))


def flips(got: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> float:
    """Return how many ReLUs are to be expected on the other side of zero than in float64.

    So many inputs lie within NEAR of zero, divided by NEAR, times how far the positive ones are
    from float64 on average: without the luck of which of them do fall to the other side.
    """
    expected = 0.0
    for name, y in exact.items():
        both = (y > 0) & (got[name] > 0)
        away = float(np.abs(got[name][both] - y[both]).mean())
        expected += away * np.count_nonzero((y > 0) & (y < NEAR)) / NEAR
    return expected
