"""The fully connected layer whose weights are dropped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, check_range, check_sizes, expected
from minidl.nn import init
from minidl.nn.module import Module, Parameter

INFERENCE = ("gaussian", "mean")


class DropConnect(Module):
    """y = a((M * W) x + m * b), every entry of M and m being 0 with probability p in training.

    In evaluation, by `inference`: "gaussian", the average of a(z) over z ~ N(mean, variance) with
    the moments of the masked sum (the paper's algorithm 2), or "mean", a((1 - p) (W x + b)).

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    p : probability that a weight is dropped (not, as in the paper, kept), in [0, 1]
    activation : a, what the layer applies to the sum; None for nothing
    inference : "gaussian" or "mean"
    samples : how many z "gaussian" averages over
    shared : one mask for the whole batch, instead of the paper's one for each sample
    rng : where weights, masks and z are drawn; the library's generator when None

    Attributes
    ----------
    weight : (out_features, in_features);  bias : (out_features,) or None

    References
    ----------
    Wan et al. 2013, Regularization of neural networks using DropConnect.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        p: float = 0.5,
        activation: Callable[[Tensor], Tensor] | None = None,
        inference: str = "gaussian",
        samples: int = 100,
        shared: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes(
            "DropConnect", in_features=in_features, out_features=out_features, samples=samples
        )
        check_range("DropConnect", "p", p, 0.0, 1.0)
        if inference not in INFERENCE:
            wanted = 'inference as "gaussian" or "mean"'
            raise ArgumentError(expected("DropConnect", wanted, repr(inference)))
        self.in_features, self.out_features, self.p = in_features, out_features, p
        self.activation, self.inference, self.samples = activation, inference, samples
        self.shared, self.rng = shared, rng
        shape = (out_features, in_features)
        self.weight = Parameter(init.default(shape, in_features, rng))
        self.bias = Parameter(init.default((out_features,), in_features, rng)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        layer = x, self.weight, self.bias, self.p
        if not self.training and self.inference == "gaussian":
            return F.drop_connect_inference(*layer, self.activation, self.samples, self.rng)
        y = F.drop_connect(*layer, self.training, self.shared, self.rng)
        return y if self.activation is None else self.activation(y)

    def extra_repr(self) -> str:
        """Return the sizes and options."""
        sizes = f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
        return f"{sizes}, p={self.p}, inference={self.inference!r}, shared={self.shared}"
