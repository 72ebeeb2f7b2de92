"""Population statistics of batch normalization, from a second pass over the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import backend
from minidl.autograd import no_grad
from minidl.errors import ArgumentError, expected
from minidl.nn.batch_norm import BatchNorm
from minidl.nn.module import Module

Moments = dict[int, list[tuple[np.ndarray, np.ndarray]]]


def population_statistics(model: Module, data: Iterable[Any]) -> None:
    """Replace the running statistics by those of the population: E[mean_B], m / (m - 1) E[var_B].

    The trained network sees all batches once more, each normalized with its own statistics (the
    rest of the network in evaluation: no dropout), and the means and variances of the batches are
    averaged. Batches of different sizes weigh by their number of values m. Running averages follow
    the last batches instead, while the weights were still moving. (Layers that share their
    statistics among processes do so here, each process with its part of the batches.)

    Parameters
    ----------
    model : Module with batch normalizations that keep running statistics; its modes are put back
    data : batches, each a Tensor or array, or a tuple whose first entry is the model's input

    Raises
    ------
    ArgumentError
        without such a layer, or without a batch
    ShapeError
        for a batch of one value per channel; the statistics are then as they were

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 2, lines 7 to 10.
    """
    op = "population_statistics"
    layers = [m for m in model.modules() if isinstance(m, BatchNorm) and m.track_running_stats]
    if not layers:
        wanted = "a model with batch normalizations that keep running statistics"
        raise ArgumentError(expected(op, wanted, type(model).__name__))
    seen = _watched(model, layers, data)
    if not any(seen.values()):
        raise ArgumentError(expected(op, "at least one batch", "none"))
    for layer in layers:
        batches = seen[id(layer)]
        if batches:
            mean, var = _averaged(batches)
            count = sum(map(len, batches.values()))
            names = "running_mean", "running_var", "num_batches_tracked"
            values = dict(zip(names, (mean, var, np.array(count)), strict=True))
            layer.load_state_dict({**layer.state_dict(), **values})


def _watched(model: Module, layers: list[BatchNorm], data: Iterable[Any]) -> dict[int, Moments]:
    """Return, for each layer by id, the moments of every batch that reached it, by its size."""
    seen: dict[int, Moments] = {id(layer): defaultdict(list) for layer in layers}

    def note(layer: Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, BatchNorm)
        mean, var, m = layer.moments(inputs[0].data)
        if m:
            seen[id(layer)][m].append((mean, var))

    modes = [(module, module.training) for module in model.modules()]
    before = [(layer, layer.state_dict()) for layer in layers]
    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    model.eval()
    for layer in layers:
        layer.training = True
    try:
        with no_grad():
            for batch in data:
                x = batch[0] if isinstance(batch, tuple | list) else batch
                model(x if isinstance(x, Tensor) else Tensor(x))
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
        for layer, state in before:
            layer.load_state_dict(state)
    return seen


def _averaged(batches: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Return the population's mean and variance, each size of batch by itself, then by weight."""
    parts, weights = [], []
    for m, moments in batches.items():
        means, variances = (np.stack(rows) for rows in zip(*moments, strict=True))
        parts.append(backend.call("batch_norm", "population", means, variances, m))
        weights.append(m * len(moments))
    mean, var = (np.average(part, axis=0, weights=weights) for part in zip(*parts, strict=True))
    return mean, var
