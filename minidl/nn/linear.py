"""The fully connected layer, and the layers that only reshape."""

from __future__ import annotations

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.nn import init
from minidl.nn.module import Module, Parameter


class Linear(Module):
    """y = x W^T + b.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    rng : where the initial weights are drawn, U(-1/sqrt(in), 1/sqrt(in)); the library's when None

    Attributes
    ----------
    weight : (out_features, in_features);  bias : (out_features,) or None
    """

    fuses_relu = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        self.weight = Parameter(init.default(shape, in_features, rng))
        self.bias = Parameter(init.default((out_features,), in_features, rng)) if bias else None

    def forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """(..., in_features) to (..., out_features); rectified in the same pass where asked for."""
        return F.linear(x, self.weight, self.bias, relu)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class Flatten(Module):
    """(n, c, h, w) to (n, c h w): joins all axes from `start_dim` on."""

    def __init__(self, start_dim: int = 1) -> None:
        super().__init__()
        if not isinstance(start_dim, int) or start_dim < 0:
            raise ArgumentError(
                expected("Flatten", "start_dim as an integer of at least 0", repr(start_dim))
            )
        self.start_dim = start_dim

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its last axes joined."""
        return F.flatten(x, self.start_dim)

    def extra_repr(self) -> str:
        """Return the first axis joined."""
        return f"start_dim={self.start_dim}"


class Identity(Module):
    """y = x."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x
