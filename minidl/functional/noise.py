"""Noise: Gaussian noise added to values, and binary stochastic units."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend, random
from minidl.autograd import Function
from minidl.errors import ArgumentError, check_floating, expected
from minidl.functional.activation import sigmoid

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class BinaryStochastic(Function):
    """y = 1 with probability sigmoid(x), else 0."""

    def forward(self, x, *, uniform, slope):
        """Return the units, from uniform numbers in [0, 1)."""
        probability = backend.call("activation", "sigmoid_forward", x)
        self.probability = probability if slope else None
        return np.asarray(uniform < probability, x.dtype)

    def backward(self, grad):
        """Return grad, or grad * probability (1 - probability)."""
        if self.probability is None:
            return grad
        return backend.call("activation", "sigmoid_backward", grad, self.probability)


def gaussian_noise(
    x: Tensor, std: float = 0.1, training: bool = True, rng: np.random.Generator | None = None
) -> Tensor:
    """y = x + std * e with e ~ N(0, 1) in training, x itself otherwise.

    On the inputs of a linear model with squared error, noise N(0, lambda I) is, in expectation, the
    weight decay lambda ||w||^2.

    Parameters
    ----------
    x : float tensor of any shape
    std : standard deviation of the noise, at least 0
    training : bool
    rng : where the noise is drawn; the library's generator when None

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Bishop 1995, Training with noise is equivalent to Tikhonov regularization.
    """
    check_floating("gaussian_noise", "x", x)
    check_std("gaussian_noise", std)
    if not training or std == 0:
        return x
    noise = standard_normal(x, rng)
    noise *= noise.dtype.type(std)
    return x + noise


def binary_stochastic(
    x: Tensor,
    training: bool = True,
    slope: bool = False,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Units that are 1 with probability sigmoid(x) and else 0; outside training that probability.

    The gradient in training is the straight-through estimate: the step is passed back through as
    if it had been the identity (dx = dy), or, with `slope`, as if it had been the sigmoid (dx = dy
    sigmoid'(x)). Outside training the gradient is the sigmoid's own.

    Parameters
    ----------
    x : float tensor of any shape, the logit of each unit's probability
    training : bool
    slope : whether the estimate is multiplied by the derivative of the sigmoid
    rng : where the units are drawn; the library's generator when None

    Returns
    -------
    Tensor of x's shape, of zeros and ones in training

    References
    ----------
    Bengio, Leonard & Courville 2013, Estimating or propagating gradients through stochastic neurons
    for conditional computation, section 4.
    """
    check_floating("binary_stochastic", "x", x)
    if not training:
        return sigmoid(x)
    uniform = random.generator(rng).random(x.shape)
    return BinaryStochastic.apply(x, uniform=uniform, slope=slope)


def standard_normal(x: Any, rng: np.random.Generator | None) -> np.ndarray:
    """Draw N(0, 1) in the shape and type of a tensor or array; the same numbers in every type."""
    return np.asarray(random.generator(rng).standard_normal(x.shape), x.dtype)


def check_std(op: str, std: float) -> None:
    """Raise ArgumentError unless std is a finite number of at least 0."""
    if not isinstance(std, Real) or not 0 <= std < math.inf:
        raise ArgumentError(expected(op, "std as a finite number of at least 0", std))
