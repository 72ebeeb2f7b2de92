"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from minidl import nn
from minidl.errors import ArgumentError, expected


class MLP(nn.Sequential):
    """Linear layers with an activation (and batch normalization before it, if asked) between them.

    Parameters
    ----------
    sizes : features of the input, of each hidden layer, and of the output
    activation : makes the activation layer
    batch_norm : whether each hidden layer is normalized
    rng : where the weights are drawn
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[], nn.Module] = nn.ReLU,
        batch_norm: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        if len(sizes) < 2:
            raise ArgumentError(expected("MLP", "at least an input and an output size", sizes))
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers.append(nn.Linear(inputs, outputs, rng=rng))
            if batch_norm:
                layers.append(nn.BatchNorm1d(outputs))
            layers.append(activation())
        # The output layer is plain.
        super().__init__(*layers[: -2 if batch_norm else -1])
