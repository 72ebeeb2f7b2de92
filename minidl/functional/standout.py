"""Standout: dropout whose keep probability depends on the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minidl import backend, random
from minidl.autograd import Function
from minidl.errors import check_floating, check_size
from minidl.functional.activation import sigmoid

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class Standout(Function):
    """y = x * keep, keep = 1 with probability sigmoid(logits)."""

    def forward(self, x, logits, *, uniform):
        """Return y, from uniform numbers in [0, 1)."""
        self.probability = backend.call("activation", "sigmoid_forward", logits)
        self.x, self.keep = x, np.asarray(uniform < self.probability)
        return x * self.keep

    def backward(self, grad):
        """Return grad * keep, and grad * x * sigmoid'(logits): what x * E[keep] would give."""
        dx = grad * self.keep if self.needs[0] else None
        if not self.needs[1]:
            return dx, None
        return dx, backend.call(
            "activation", "sigmoid_backward", np.asarray(grad * self.x), self.probability
        )


def standout(
    x: Tensor, logits: Tensor, training: bool = True, rng: np.random.Generator | None = None
) -> Tensor:
    """y = x * keep, keep = 1 with probability g = sigmoid(logits) and else 0, in training.

    Otherwise y = x * g, the expected value. The gradient of x passes where x was kept. That of the
    logits, which a draw has none of, is the gradient of the local expectation x * g.

    Parameters
    ----------
    x : float tensor of any shape, the units
    logits : float tensor of x's shape, before the sigmoid
    training : bool
    rng : where the mask is drawn; the library's generator when None

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError
        when the shapes differ

    References
    ----------
    Ba & Frey 2013, Adaptive dropout for training deep neural networks, sections 3 and 4.
    """
    check_floating("standout", "x", x)
    check_floating("standout", "logits", logits)
    check_size("standout", "logits", logits.shape, x.shape)
    if not training:
        return x * sigmoid(logits)
    uniform = random.generator(rng).random(x.shape)
    return Standout.apply(x, logits, uniform=uniform)
