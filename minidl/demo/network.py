"""Step 1: a small ResNet with batch normalization and scheduled DropBlock learns to read digits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from rich.console import Console

import minidl
from minidl.tensor import Tensor
from minidl import data, optim
from minidl.data import DataLoader
from minidl.demo.failure import require
from minidl.models import ResNet
from minidl.nn import DropBlock2d, DropBlockSchedule
from minidl.train import History, Schedule, fit


@dataclass(frozen=True)
class Settings:
    """What the demo is run with.

    Parameters
    ----------
    epochs, batch_size : of the training
    learning_rate : at its start; it falls to zero along half a cosine
    race_rate : the learning rate of step 3, which goes on with the trained network
    momentum, weight_decay : of SGD, with Nesterov's look-ahead
    depths, widths : residual blocks in each group, and their channels
    drop_groups : the groups with DropBlock; the paper, too, drops in the last ones
    keep_prob, block_size : DropBlock's, at the end of its schedule
    target : the held-out accuracy below which the demo fails
    seed : of weights, split, order, shifts and masks
    """

    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 0.1
    race_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-3
    depths: tuple[int, ...] = (1, 1)
    widths: tuple[int, ...] = (24, 48)
    drop_groups: tuple[int, ...] = (2,)
    keep_prob: float = 0.85
    block_size: int = 3
    target: float = 0.97
    seed: int = 0


@dataclass
class Training:
    """What step 1 measured.

    Parameters
    ----------
    settings : it was run with
    history : epoch by epoch
    keep_prob : DropBlock's at the end of each epoch
    description : of the network, one sentence
    images, held_out_images : how many there are of each
    state : the trained network's parameters and running statistics
    activation : (8, 8), one channel of the trained network's first layer for one held-out image
    """

    settings: Settings
    history: History
    description: str
    images: int
    held_out_images: int
    state: dict[str, np.ndarray]
    activation: np.ndarray
    keep_prob: list[float] = field(default_factory=list)


class KeepProbs:
    """Notes DropBlock's keep probability at the end of every epoch of so many steps."""

    def __init__(self, model: ResNet, steps: int) -> None:
        self.layers = [m for m in model.modules() if isinstance(m, DropBlock2d)]
        self.steps, self.taken = steps, 0
        self.values: list[float] = []

    def step(self) -> None:
        """Count a step."""
        self.taken += 1
        if self.taken % self.steps == 0:
            self.values.append(self.layers[0].keep_prob)


def build(settings: Settings) -> ResNet:
    """Return the network, with the weights that belong to the seed."""
    minidl.manual_seed(settings.seed)
    groups = settings.drop_groups
    return ResNet(
        in_channels=1,
        num_classes=10,
        depths=settings.depths,
        widths=settings.widths,
        drop_groups=groups,
        keep_prob=settings.keep_prob,
        block_size=settings.block_size,
    )


def optimizer_for(model: ResNet, settings: Settings) -> optim.SGD:
    """Return the optimizer of the demo's networks."""
    return optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.momentum > 0,
    )


def batches(settings: Settings, drop_last: bool = False) -> tuple[DataLoader, DataLoader]:
    """Return loaders of the digits to learn from, shifted at random, and of a held-out fifth."""
    rng = np.random.default_rng(settings.seed)
    learn, held_out = data.split(*data.digits(), 0.2, rng)
    train = DataLoader(
        *learn,
        batch_size=settings.batch_size,
        shuffle=True,
        transform=lambda images, rng: data.random_shift(images, 1, rng),
        rng=rng,
        drop_last=drop_last,
    )
    return train, DataLoader(*held_out, batch_size=256)


def train(settings: Settings, console: Console | None = None) -> Training:
    """Train the network.

    Raises
    ------
    DemoFailure
        where the accuracy on the held-out fifth stays below the target
    """
    model = build(settings)
    learn, held_out = batches(settings)
    optimizer = optimizer_for(model, settings)
    steps = settings.epochs * len(learn)
    noted = KeepProbs(model, len(learn))
    schedules: list[Schedule]
    falling = optim.CosineAnnealingLR(optimizer, T_max=steps)
    schedules = [DropBlockSchedule(model, steps), falling, noted]
    history = fit(
        model,
        learn,
        held_out,
        epochs=settings.epochs,
        optimizer=optimizer,
        schedules=schedules,
        measure_train=True,
        progress=console or False,
    )
    accuracy = history.last.validation_accuracy
    require(
        accuracy >= settings.target,
        f"expected a held-out accuracy of at least {settings.target:.2%}, got {accuracy:.2%}",
    )
    return Training(
        settings=settings,
        history=history,
        keep_prob=noted.values,
        description=_describe(model, settings),
        images=learn.samples,
        held_out_images=held_out.samples,
        state=model.state_dict(),
        activation=_activation(model, next(iter(held_out))[0][:1]),
    )


def _describe(model: ResNet, settings: Settings) -> str:
    parameters = sum(p.size for p in model.parameters())
    blocks = sum(settings.depths)
    channels = " and ".join(map(str, settings.widths))
    groups = " and ".join(map(str, settings.drop_groups))
    return (
        f"{blocks} residual blocks of {channels} channels, {parameters:,} parameters, batch "
        "normalization after every convolution, and DropBlock after the normalizations and on the "
        f"skip connections of group {groups}."
    )


def _activation(model: ResNet, image: Tensor) -> np.ndarray:
    """Return the channel that reacts most to an image, after the first layer."""
    model.eval()
    with minidl.no_grad():
        maps = model.bn1(model.conv1(image)).data[0]
    maps = np.maximum(maps, 0)
    return maps[maps.reshape(len(maps), -1).std(axis=1).argmax()]
