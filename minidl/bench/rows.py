"""What is measured: every operation of the table of targets, as data.

A row names a layer that minidl and PyTorch both have, its inputs, and which way it is walked.
`forward` is forward as in training, with the tape recording; a gradient row keeps one tape and
walks back over it again and again; forward + backward drops its tape, as training does. flops and
bytes are what the operation needs at least: the multiplications and additions of the direct
method, and each input and output moved once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minidl import nn

Arrays = Callable[[np.random.Generator], np.ndarray]
PEERS = ("minidl", "torch", "torch_kept", "numpy")


def normal(*shape: int) -> Arrays:
    """Return a maker of normal float32 numbers."""
    return lambda rng: rng.standard_normal(shape, dtype=np.float32)


def classes(n: int, k: int) -> Arrays:
    """Return a maker of n class indices below k."""
    return lambda rng: rng.integers(0, k, n)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name, part : what is measured, and which way: forward, input gradient, step, ...
    family : what it is grouped by
    layer : makes the layer, from a namespace of layers
    inputs : make the layer's inputs; the first gets a gradient
    flops, bytes : what one call needs at least
    target, moonshot : ratios to PyTorch to reach, where there are any
    easy : won by the allocator or the random numbers: left out of the page-keeping mean
    sides : which libraries take part; the one named torch... is the rival
    start : makes the call to be timed instead of `layer`, for what is more than a layer
    calls : operations within one call
    needs : the name of a layer without which the row is not there yet
    """

    name: str
    part: str
    family: str
    layer: Callable[[Any], Any] | None = None
    inputs: tuple[Arrays, ...] = ()
    flops: float = 0.0
    bytes: float = 0.0
    target: float | None = None
    moonshot: float | None = None
    easy: bool = False
    sides: tuple[str, ...] = PEERS
    start: Callable[[Any, np.random.Generator], Callable[[], object]] | None = None
    calls: int = 1
    needs: str = ""
    kind: str = "operation"
    peer: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The row's name across runs."""
        return f"{self.name}: {self.part}"

    @property
    def there(self) -> bool:
        """Whether minidl has the layer."""
        return not self.needs or self.needs in nn.__all__


@dataclass(frozen=True)
class Convolution:
    """A convolution's geometry, and its targets for each direction."""

    n: int
    c: int
    size: int
    o: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1
    targets: dict[str, tuple[float, float]] = field(default_factory=dict)
    first: bool = False

    def rows(self) -> Iterator[Row]:
        """Yield forward and both gradients."""
        n, c, size, o, k = self.n, self.c, self.size, self.o, self.kernel
        out = (size + 2 * self.padding - k) // self.stride + 1
        name = f"conv {k}x{k} ({n}, {c}, {size}, {size}) -> {o}"
        name += f", stride {self.stride}" * (self.stride > 1)
        name += ", depthwise" * (self.groups > 1)
        weight = (o, c // self.groups, k, k)
        options = {"padding": self.padding, "groups": self.groups, "bias": False}
        plain = self.groups == 1
        for part in ("forward", "input gradient", "weight gradient"):
            target, moonshot = self.targets.get(part, (None, None))
            geometry = {"part": part, "weight": weight, "stride": self.stride}
            yield Row(
                name,
                part,
                "conv2d",
                lambda nn: nn.Conv2d(c, o, k, self.stride, **options),
                (normal(n, c, size, size),),
                flops=2.0 * n * o * out * out * math.prod(weight[1:]),
                bytes=4.0 * (n * c * size**2 + n * o * out**2 + math.prod(weight)),
                target=target,
                moonshot=moonshot,
                easy=self.first,
                sides=(*PEERS, "dezero") if plain else PEERS,
                peer={**geometry, "padding": self.padding} if plain else {},
            )


LARGE = {
    "forward": (0.45, 0.33),
    "input gradient": (0.5, 0.35),
    "weight gradient": (0.4, 0.28),
}
FIRST = {"forward": (0.4, 0.15), "input gradient": (0.4, 0.15)}

CONVOLUTIONS = (
    Convolution(32, 64, 32, 64, targets={**LARGE, "forward": (0.5, 0.33)}),
    Convolution(32, 128, 16, 128, targets=LARGE),
    Convolution(32, 256, 8, 256, targets=LARGE),
    Convolution(64, 16, 32, 16, targets={"forward": (0.65, 0.45)}),
    Convolution(
        *(32, 64, 32, 128),
        stride=2,
        targets={
            "forward": (1.0, 0.95),
            "weight gradient": (1.0, 0.95),
            "input gradient": (1.0, 0.75),
        },
    ),
    Convolution(32, 256, 16, 64, 1, padding=0, targets={"forward": (0.85, 0.7)}),
    Convolution(64, 1, 28, 6, 5, padding=2, targets=FIRST, first=True),
    Convolution(32, 3, 32, 64, targets=FIRST, first=True),
    Convolution(
        *(8, 3, 227, 96),
        kernel=11,
        stride=4,
        padding=0,
        targets={
            "forward": (1.0, 1.0),
            "weight gradient": (1.0, 0.92),
            "input gradient": (0.35, 0.2),
        },
    ),
    Convolution(32, 64, 32, 64, groups=64, targets={"forward": (0.6, 0.3)}),
)

BOTH = "forward + backward"


class Part(NamedTuple):
    """One way to walk a layer: how many arrays of its input's size move, and what to reach."""

    name: str
    moved: float
    target: float | None = None
    moonshot: float | None = None
    easy: bool = False


@dataclass(frozen=True)
class Layer:
    """A layer of one input, as `Row` describes it; flops are those of one input value, forward."""

    name: str
    family: str
    layer: Callable[[Any], Any]
    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    flops: float = 1.0
    more: tuple[Arrays, ...] = ()
    needs: str = ""
    peer: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> Iterator[Row]:
        """Yield a row for each part."""
        size = math.prod(self.shape)
        for part in self.parts:
            yield Row(
                f"{self.name} {self.shape}",
                part.name,
                self.family,
                self.layer,
                (normal(*self.shape), *self.more),
                flops=self.flops * size * (1.0 if part.name == "forward" else 2.0),
                bytes=4.0 * size * part.moved,
                target=part.target,
                moonshot=part.moonshot,
                easy=part.easy,
                needs=self.needs,
                sides=(*PEERS, "dezero") if self.peer else PEERS,
                peer=self.peer,
            )


def norm(forward: tuple[float, float], backward: tuple[float, float]) -> tuple[Part, ...]:
    """Return the parts of a normalization with their targets."""
    return Part("forward", 2, *forward), Part("backward", 3, *backward)


IMAGES, SMALL = (32, 64, 32, 32), (32, 256, 8, 8)
UNTOLD = (Part("forward", 2), Part("backward", 3))

LAYERS = (
    Layer(
        "batch norm",
        "norm",
        lambda nn: nn.BatchNorm2d(64),
        IMAGES,
        norm((0.2, 0.12), (0.75, 0.5)),
        flops=8,
        peer={"norm": True},
    ),
    Layer(
        "batch norm",
        "norm",
        lambda nn: nn.BatchNorm2d(256),
        SMALL,
        norm((0.2, 0.15), (1.0, 0.7)),
        flops=8,
        peer={"norm": True},
    ),
    Layer("batch norm + ReLU", "norm", lambda nn: nn.NormReLU(64), IMAGES, UNTOLD, 9),
    Layer("batch norm + ReLU", "norm", lambda nn: nn.NormReLU(256), SMALL, UNTOLD, 9),
    Layer(
        "batch norm + add + ReLU",
        "norm",
        lambda nn: nn.NormReLU(64),
        IMAGES,
        (Part("forward", 3), Part("backward", 5)),
        flops=10,
        more=(normal(*IMAGES),),
    ),
    Layer(
        "layer norm",
        "norm",
        lambda nn: nn.LayerNorm(768),
        (4096, 768),
        norm((0.75, 0.55), (0.65, 0.5)),
        flops=8,
        needs="LayerNorm",
    ),
    Layer(
        "group norm, 8 groups",
        "norm",
        lambda nn: nn.GroupNorm(8, 64),
        IMAGES,
        norm((1.0, 0.6), (1.0, 0.6)),
        flops=8,
        needs="GroupNorm",
    ),
    Layer(
        "local response norm, size 5",
        "lrn",
        lambda nn: nn.LocalResponseNorm(5),
        (32, 96, 27, 27),
        (Part(BOTH, 5, 0.08, 0.04, easy=True),),
        flops=14,
    ),
    Layer(
        "DropBlock 7",
        "drop_block",
        lambda nn: nn.DropBlock2d(0.9, 7),
        (32, 256, 28, 28),
        (Part("forward", 2, 0.02, 0.006, easy=True),),
    ),
    Layer(
        "dropout",
        "dropout",
        lambda nn: nn.Dropout(0.5),
        (3200, 2048),
        (Part("forward", 2, 0.04, 0.015, easy=True),),
    ),
    Layer(
        "max pool 2x2",
        "pool",
        lambda nn: nn.MaxPool2d(2),
        IMAGES,
        (
            Part("forward", 1.25, 0.03, 0.012, easy=True),
            Part("backward", 1.25, 1.5, 0.95),
            Part(BOTH, 2.5, 0.12, 0.05),
        ),
    ),
    Layer(
        "average pool 2x2",
        "pool",
        lambda nn: nn.AvgPool2d(2),
        IMAGES,
        (Part("forward", 1.25, 0.07, 0.04, easy=True), Part("backward", 1.25, 0.2, 0.1)),
    ),
    Layer(
        "softmax + cross-entropy",
        "loss",
        lambda nn: nn.CrossEntropyLoss(),
        (4096, 1000),
        (Part(BOTH, 2, 0.3, 0.2),),
        flops=5,
        more=(classes(4096, 1000),),
    ),
    Layer(
        "ReLU", "activation", lambda nn: nn.ReLU(), (2048, 1024), (Part("forward", 2, 0.95, 0.7),)
    ),
)


def operations() -> Iterator[Row]:
    """Yield every row of single layers."""
    for group in (*CONVOLUTIONS, *LAYERS):
        yield from group.rows()
    yield Row(
        "linear (128, 784) -> 512",
        "forward",
        "linear",
        lambda nn: nn.Linear(784, 512),
        (normal(128, 784),),
        flops=2.0 * 128 * 784 * 512,
        bytes=4.0 * (128 * 784 + 512 * 784 + 128 * 512),
        target=0.92,
        moonshot=0.8,
    )
    t, n, h = 64, 32, 256
    for part, walks in (("forward", 1), (BOTH, 3)):
        yield Row(
            "LSTM (64, 32, 256) -> 256",
            part,
            "lstm",
            lambda nn: nn.LSTM(256, 256),
            (normal(t, n, h),),
            flops=walks * 2.0 * t * n * 8 * h * h,
            bytes=walks * 4.0 * (2 * t * n * h + 8 * h * h),
            target=1.0,
            moonshot=0.85,
            needs="LSTM",
        )
