"""Greedy layer-wise pre-training: each layer first learns to describe what reaches it."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from rich.console import Console

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, random
from minidl.errors import ArgumentError, DTypeError, check_sizes, expected
from minidl.train.batches import Data
from minidl.train.evaluation import predict
from minidl.train.history import History
from minidl.train.loop import fit

Network = TypeVar("Network", bound=nn.Sequential)


def greedy_pretrain(
    model: Network,
    data: Data,
    *,
    epochs: int = 10,
    lr: float = 1e-3,
    noise: float | nn.Module = 0.0,
    batch_size: int = 32,
    histories: list[History] | None = None,
    progress: bool | Console = False,
    rng: np.random.Generator | None = None,
) -> Network:
    """Initialize the hidden layers of a network as a stack of auto-encoders; return the network.

    Layer after layer, for all but the last: with h = f(x W^T + b) what the layer and its activation
    make of their input, W and b (and a decoder V, c that is thrown away) are trained to minimize

        mean (h V^T + c - x)^2,

    then h is what the next layer learns to give back. No labels are used, so `data` may be all
    there is of which few have one. Fine-tuning follows, with `fit`.

    Parameters
    ----------
    model : Sequential of Linear layers with activations, dropout or normalization between: an MLP
    data : inputs (n, ...), or (inputs, targets), a dataset or a loader, whose targets are left out
    epochs : passes over the data for each layer, with Adam
    lr : Adam's learning rate
    noise : what spoils each layer's input while it learns, as in `models.AutoEncoder`
    batch_size : samples in a step
    histories : a list that is given the History of each layer
    progress : whether to show it; or a rich Console to show it on
    rng : where decoders, order and noise are drawn; the library's generator when None

    Raises
    ------
    ArgumentError
        unless there are two Linear layers at least

    References
    ----------
    Bengio, Lamblin, Popovici & Larochelle 2007, section 4, with squared errors for real-valued
    inputs and separate weights of the decoder; Vincent et al. 2008 for the noise.
    """
    check_sizes("greedy_pretrain", epochs=epochs, batch_size=batch_size)
    before, layers = _stages(model)
    with nullcontext() if rng is None else random.drawing_from(rng):
        values = predict(before, data).astype(np.float32, copy=False)
        values = values.reshape(len(values), -1)
        for layer in layers:
            pair = _AutoEncoder(layer, noise)
            history = fit(
                pair,
                values,
                epochs=epochs,
                lr=lr,
                loss=F.mse_loss,
                batch_size=batch_size,
                progress=progress,
            )
            if histories is not None:
                histories.append(history)
            values = predict(layer, values)
    return model


def _stages(model: nn.Sequential) -> tuple[nn.Sequential, list[nn.Sequential]]:
    """Return what is before the first Linear, and each but the last with what follows it."""
    if not isinstance(model, nn.Sequential):
        hint = "an MLP, or the Sequential inside your model"
        got = type(model).__name__
        raise DTypeError(expected("greedy_pretrain", "a Sequential", got, hint))
    modules: list[Any] = list(model)
    starts = [i for i, module in enumerate(modules) if isinstance(module, nn.Linear)]
    if len(starts) < 2:
        wanted = "a hidden and an output layer (Linear)"
        raise ArgumentError(expected("greedy_pretrain", wanted, f"{len(starts)} Linear layers"))
    layers = [nn.Sequential(*modules[a:b]) for a, b in pairwise(starts)]
    return nn.Sequential(*modules[: starts[0]]), layers


class _AutoEncoder(nn.Module):
    """A layer of the network and the decoder that goes with it while the layer learns."""

    def __init__(self, layer: nn.Sequential, noise: float | nn.Module) -> None:
        super().__init__()
        first = layer[0]
        self.noise = noise if isinstance(noise, nn.Module) else nn.GaussianNoise(noise)
        self.layer = layer
        self.decoder = nn.Linear(first.out_features, first.in_features)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) as the decoder gives it back."""
        return self.decoder(self.layer(self.noise(x)))
