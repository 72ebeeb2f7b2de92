"""Activation layers; where each saturates is told by its function in `minidl.functional`."""

from __future__ import annotations

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import check_sizes
from minidl.functional.activation import (
    check_approximate,
    check_bounds,
    check_numbers,
    check_softplus,
)
from minidl.nn.module import Module, Parameter


class ReLU(Module):
    """max(x, 0). Saturated: the derivative is 0 for x <= 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0)."""
        return F.relu(x)


class Sigmoid(Module):
    """1 / (1 + e^-x). Saturated: the derivative is below 0.01 for |x| > 4.6."""

    def forward(self, x: Tensor) -> Tensor:
        """Return 1 / (1 + e^-x)."""
        return F.sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent. Saturated: the derivative is below 0.01 for |x| > 3."""

    def forward(self, x: Tensor) -> Tensor:
        """Return tanh x."""
        return F.tanh(x)


class LeakyReLU(Module):
    """max(x, 0) + negative_slope min(x, 0).

    Never saturated: the derivative is 1 for x > 0 and negative_slope for x <= 0.

    Parameters
    ----------
    negative_slope : finite number
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        check_numbers("LeakyReLU", negative_slope=negative_slope)
        self.negative_slope = negative_slope

    def extra_repr(self) -> str:
        """Return the slope."""
        return f"negative_slope={self.negative_slope}"

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0) + negative_slope min(x, 0)."""
        return F.leaky_relu(x, self.negative_slope)


class PReLU(Module):
    """max(x, 0) + weight_c min(x, 0), the slope learned for each channel or, by default, shared.

    Never saturated while no weight is 0: the derivative is 1 for x > 0 and weight_c for x <= 0.
    Weight decay would draw the weight towards the ReLU: better none on it.

    Parameters
    ----------
    num_parameters : the channels of x (n, c, ...), or 1
    init : the slopes to begin with

    Attributes
    ----------
    weight : (num_parameters,)

    References
    ----------
    He et al. 2015, Delving deep into rectifiers, section 2.1.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        check_sizes("PReLU", num_parameters=num_parameters)
        check_numbers("PReLU", init=init)
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(np.full(num_parameters, init, np.float32))

    def extra_repr(self) -> str:
        """Return the number of parameters."""
        return f"num_parameters={self.num_parameters}"

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0) + weight_c min(x, 0)."""
        return F.prelu(x, self.weight)


class ELU(Module):
    """x where x > 0, else alpha (e^x - 1).

    Saturated: with alpha = 1 the derivative is below 0.01 for x < -4.61.

    Parameters
    ----------
    alpha : finite number
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        check_numbers("ELU", alpha=alpha)
        self.alpha = alpha

    def extra_repr(self) -> str:
        """Return alpha."""
        return f"alpha={self.alpha}"

    def forward(self, x: Tensor) -> Tensor:
        """Return x where x > 0, else alpha (e^x - 1)."""
        return F.elu(x, self.alpha)


class SELU(Module):
    """1.0507 x where x > 0, else 1.7581 (e^x - 1).

    Saturated: the derivative is below 0.01 for x < -5.17.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled ELU."""
        return F.selu(x)


class GELU(Module):
    """x Phi(x), or the form with a hyperbolic tangent; see `minidl.functional.gelu`.

    Saturated: the derivative is within 0.01 of 0 for x < -3.07.

    Parameters
    ----------
    approximate : "none" or "tanh"
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        check_approximate("GELU", approximate)
        self.approximate = approximate

    def extra_repr(self) -> str:
        """Return the form."""
        return f"approximate={self.approximate!r}"

    def forward(self, x: Tensor) -> Tensor:
        """Return x Phi(x)."""
        return F.gelu(x, self.approximate)


class Softplus(Module):
    """log(1 + e^(beta x)) / beta, and x itself where beta x > threshold.

    Saturated: with beta = 1 the derivative is below 0.01 for x < -4.6.

    Parameters
    ----------
    beta : number above 0
    threshold : finite number
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        check_softplus("Softplus", beta, threshold)
        self.beta, self.threshold = beta, threshold

    def extra_repr(self) -> str:
        """Return beta and the threshold."""
        return f"beta={self.beta}, threshold={self.threshold}"

    def forward(self, x: Tensor) -> Tensor:
        """Return log(1 + e^(beta x)) / beta."""
        return F.softplus(x, self.beta, self.threshold)


class SiLU(Module):
    """x / (1 + e^-x). Saturated: the derivative is within 0.01 of 0 for x < -6.27."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x / (1 + e^-x)."""
        return F.silu(x)


class Hardsigmoid(Module):
    """x / 6 + 1 / 2, cut to [0, 1]. Saturated: the derivative is 0 for |x| >= 3."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x / 6 + 1 / 2, cut to [0, 1]."""
        return F.hardsigmoid(x)


class Hardtanh(Module):
    """x, cut to [min_val, max_val].

    Saturated: the derivative is 0 for x <= min_val and x >= max_val.

    Parameters
    ----------
    min_val, max_val : numbers, min_val < max_val
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        check_bounds("Hardtanh", min_val, max_val)
        self.min_val, self.max_val = min_val, max_val

    def extra_repr(self) -> str:
        """Return the bounds."""
        return f"min_val={self.min_val}, max_val={self.max_val}"

    def forward(self, x: Tensor) -> Tensor:
        """Return x, cut to [min_val, max_val]."""
        return F.hardtanh(x, self.min_val, self.max_val)


class Softmax(Module):
    """exp(x_i) / sum_j exp(x_j) along an axis.

    Saturated: dy_i / dx_i is below 0.01 where y_i > 0.99 or y_i < 0.01.

    Parameters
    ----------
    dim : int, the axis
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"

    def forward(self, x: Tensor) -> Tensor:
        """Return the softmax."""
        return F.softmax(x, self.dim)


class LogSoftmax(Module):
    """x_i - log sum_j exp(x_j) along an axis.

    Saturated: d log y_i / dx_i is below 0.01 where y_i > 0.99, and never where y_i is small.

    Parameters
    ----------
    dim : int, the axis
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithm of the softmax."""
        return F.log_softmax(x, self.dim)
