"""Activation layers."""

from __future__ import annotations

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.nn.module import Module


class ReLU(Module):
    """max(x, 0). Saturated, with gradient 0, for every x <= 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0)."""
        return F.relu(x)


class Sigmoid(Module):
    """1 / (1 + e^-x). Saturated, with a gradient below 0.01, for |x| > 4.6."""

    def forward(self, x: Tensor) -> Tensor:
        """Return 1 / (1 + e^-x)."""
        return F.sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent. Saturated, with a gradient below 0.01, for |x| > 3."""

    def forward(self, x: Tensor) -> Tensor:
        """Return tanh x."""
        return F.tanh(x)
