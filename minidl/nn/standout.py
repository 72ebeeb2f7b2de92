"""Standout: a layer whose units are kept with a probability that depends on the input."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, expected
from minidl.nn.linear import Linear
from minidl.nn.module import Module

SHIFTS = ("weights", "logit")


class Standout(Module):
    """y = a(W x + b) * keep, keep = 1 with probability g, the sigmoid of a standout network's sum.

    In evaluation y = a(W x + b) * g. Without a network of its own, the standout network is a scaled
    copy of the layer: W_s = alpha W + beta, number by number, the bias too (`shift="weights"`, so
    that beta counts once for each input), or W_s = alpha W with the logit moved by beta (`shift=
    "logit"`). The copy is a constant to the gradient: W and b learn through the units that were
    kept. A network of its own learns by the gradient of the local expectation a(W x + b) * g.

    Parameters
    ----------
    layer : Linear, W and b
    alpha, beta : of the scaled copy
    shift : "weights" or "logit", what beta is added to
    network : a module from x to logits of the layer's outputs, in place of the copy
    activation : a; ReLU when None
    rng : where masks are drawn; the library's generator when None

    References
    ----------
    Ba & Frey 2013, Adaptive dropout for training deep neural networks, sections 3 and 4.
    """

    def __init__(
        self,
        layer: Linear,
        alpha: float = 1.0,
        beta: float = 0.0,
        shift: str = "weights",
        network: Module | None = None,
        activation: Callable[[Tensor], Tensor] | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(layer, Linear):
            raise ArgumentError(expected("Standout", "layer as a Linear", type(layer).__name__))
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not isinstance(value, Real) or not np.isfinite(value):
                raise ArgumentError(expected("Standout", f"{name} as a finite number", value))
        if shift not in SHIFTS:
            raise ArgumentError(expected("Standout", 'shift as "weights" or "logit"', repr(shift)))
        self.layer, self.activation = layer, F.relu if activation is None else activation
        self.alpha, self.beta, self.shift = alpha, beta, shift
        self.network, self.rng = network, rng

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        z = self.layer(x)
        logits = self._copied(x, z) if self.network is None else self.network(x)
        return F.standout(self.activation(z), logits, self.training, self.rng)

    def _copied(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the sums of the scaled copy, from those of the layer."""
        moved = z.data * z.dtype.type(self.alpha)
        if self.shift == "logit":
            moved += z.dtype.type(self.beta)
        elif self.beta:
            inputs = x.data.sum(-1, keepdims=True) + (self.layer.bias is not None)
            moved += inputs * z.dtype.type(self.beta)
        return Tensor(moved)

    def extra_repr(self) -> str:
        """Return the options of the copy."""
        if self.network is not None:
            return ""
        return f"alpha={self.alpha}, beta={self.beta}, shift={self.shift!r}"
