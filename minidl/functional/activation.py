"""Activation functions."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ArgumentError, ShapeError, check_floating, expected

if TYPE_CHECKING:
    from minidl.tensor import Tensor

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


class ReLU(Function):
    """max(x, 0), with derivative 0 at 0; NaN passes through."""

    def forward(self, x):
        """Return 0 where x <= 0, else x."""
        self.y = backend.call("relu", "forward", x)
        return self.y

    def backward(self, grad):
        """Return the gradient where x was positive."""
        return backend.call("relu", "backward", grad, self.y)


class Sigmoid(Function):
    """1 / (1 + e^-x)."""

    def forward(self, x):
        """Return the sigmoid, from exponentials that never overflow."""
        self.y = backend.call("activation", "sigmoid_forward", x)
        return self.y

    def backward(self, grad):
        """Return grad * y (1 - y)."""
        return backend.call("activation", "sigmoid_backward", grad, self.y)


class Tanh(Function):
    """Hyperbolic tangent."""

    def forward(self, x):
        """Return tanh x."""
        self.y = backend.call("activation", "tanh_forward", x)
        return self.y

    def backward(self, grad):
        """Return grad * (1 - y^2)."""
        return backend.call("activation", "tanh_backward", grad, self.y)


class Elementwise(Function):
    """An activation of each value by itself; `kernel` names its pair of kernels."""

    kernel = ""

    def forward(self, x, *, numbers=()):
        """Return f(x); `numbers` are what f takes besides."""
        self.x, self.numbers = x, numbers
        return backend.call("activation", f"{self.kernel}_forward", x, *numbers)

    def backward(self, grad):
        """Return grad * f'(x)."""
        return backend.call("activation", f"{self.kernel}_backward", grad, self.x, *self.numbers)


class LeakyReLU(Elementwise):
    """max(x, 0) + slope min(x, 0)."""

    kernel = "leaky_relu"


class ELU(Elementwise):
    """scale x where x > 0, else scale alpha (e^x - 1)."""

    kernel = "elu"


class GELU(Elementwise):
    """x Phi(x)."""

    kernel = "gelu"


class TanhGELU(Elementwise):
    """x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""

    kernel = "gelu_tanh"


class Softplus(Elementwise):
    """log(1 + e^(beta x)) / beta."""

    kernel = "softplus"


class SiLU(Elementwise):
    """x / (1 + e^-x)."""

    kernel = "silu"


class HardSigmoid(Elementwise):
    """x / 6 + 1 / 2, cut to [0, 1]."""

    kernel = "hard_sigmoid"


class HardTanh(Elementwise):
    """x, cut to [low, high]."""

    kernel = "hard_tanh"


class PReLU(Function):
    """max(x, 0) + weight_c min(x, 0), with channels on the middle axis of (n, c, s)."""

    def forward(self, x, weight, *, shape):
        """Return y; `shape` is x's as (n, c, s)."""
        self.x, self.weight = x.reshape(shape), weight
        return backend.call("activation", "prelu_forward", self.x, weight).reshape(x.shape)

    def backward(self, grad):
        """Return the gradients of x and of weight."""
        dy = grad.reshape(self.x.shape)
        dx, dweight = backend.call("activation", "prelu_backward", dy, self.x, self.weight)
        return dx.reshape(grad.shape), dweight


def relu(x: Tensor) -> Tensor:
    """y = max(x, 0).

    Saturates: the derivative is 0 for x <= 0. A unit that is negative for every example is dead: no
    gradient reaches its weights.

    Parameters
    ----------
    x : float tensor of any shape

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Nair & Hinton 2010; Glorot, Bordes & Bengio 2011.
    """
    check_floating("relu", "x", x)
    return ReLU.apply(x)


def sigmoid(x: Tensor) -> Tensor:
    """y = 1 / (1 + e^-x).

    Saturates: the derivative y (1 - y), at most 1/4, is below 0.01 for |x| > 4.6.

    Parameters
    ----------
    x : float tensor of any shape

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.3.2.
    """
    check_floating("sigmoid", "x", x)
    return Sigmoid.apply(x)


def tanh(x: Tensor) -> Tensor:
    """y = (e^x - e^-x) / (e^x + e^-x).

    Saturates: the derivative 1 - y^2, at most 1, is below 0.01 for |x| > 3.

    Parameters
    ----------
    x : float tensor of any shape

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.3.2.
    """
    check_floating("tanh", "x", x)
    return Tanh.apply(x)


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """y = max(x, 0) + negative_slope min(x, 0).

    Never saturates: the derivative is 1 for x > 0 and negative_slope for x <= 0.

    Parameters
    ----------
    x : float tensor of any shape
    negative_slope : finite number

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Maas, Hannun & Ng 2013, section 2.
    """
    check_floating("leaky_relu", "x", x)
    check_numbers("leaky_relu", negative_slope=negative_slope)
    return LeakyReLU.apply(x, numbers=(float(negative_slope),))


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """y = max(x, 0) + weight_c min(x, 0), with a learned slope for each channel, or one for all.

    Never saturates while no weight is 0: the derivative is 1 for x > 0 and weight_c for x <= 0.

    Parameters
    ----------
    x : (n, c, ...) float tensor; of any shape with one weight
    weight : (c,) or (1,) float tensor

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError
        unless there is one weight or one for each channel

    References
    ----------
    He et al. 2015, Delving deep into rectifiers, section 2.1.
    """
    check_floating("prelu", "x", x)
    check_floating("prelu", "weight", weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.shape not in ((1,), (channels,)):
        wanted = f"weight of shape (1,) or ({channels},), one for each channel of x"
        raise ShapeError(expected("prelu", wanted, weight.shape))
    n = x.shape[0] if x.ndim > 1 else 1
    # Channels that share a slope are one long channel.
    shape = (n, len(weight.data), x.size // max(n * len(weight.data), 1))
    return PReLU.apply(x, weight, shape=shape)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """y = x where x > 0, else alpha (e^x - 1).

    Saturates towards -alpha: with alpha = 1 the derivative is below 0.01 for x < -4.61.

    Parameters
    ----------
    x : float tensor of any shape
    alpha : finite number

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Clevert, Unterthiner & Hochreiter 2016, section 3.
    """
    check_floating("elu", "x", x)
    check_numbers("elu", alpha=alpha)
    return ELU.apply(x, numbers=(float(alpha), 1.0))


def selu(x: Tensor) -> Tensor:
    """y = 1.0507 x where x > 0, else 1.0507 * 1.6733 (e^x - 1).

    The two numbers keep mean 0 and variance 1 from layer to layer, with weights of variance 1/n_in.
    Saturates towards -1.758: the derivative is below 0.01 for x < -5.17.

    Parameters
    ----------
    x : float tensor of any shape

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Klambauer et al. 2017, Self-normalizing neural networks, section 2.
    """
    check_floating("selu", "x", x)
    return ELU.apply(x, numbers=(SELU_ALPHA, SELU_SCALE))


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """y = x Phi(x), Phi the normal distribution function (1 + erf(x / sqrt 2)) / 2.

    With approximate="tanh" y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), at most 0.0005
    away. Saturates: the derivative is within 0.01 of 0 for x < -3.07, and it is 0 at the minimum at
    x = -0.752, below which it is negative. At infinities there stand the limits (in PyTorch NaN).

    Parameters
    ----------
    x : float tensor of any shape
    approximate : "none" or "tanh"

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Hendrycks & Gimpel 2016, Gaussian error linear units, section 2.
    """
    check_floating("gelu", "x", x)
    check_approximate("gelu", approximate)
    return (GELU if approximate == "none" else TanhGELU).apply(x)


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """y = log(1 + e^(beta x)) / beta, and x itself where beta x > threshold.

    Saturates towards 0: with beta = 1 the derivative, the sigmoid of beta x, is below 0.01 for
    x < -4.6.

    Parameters
    ----------
    x : float tensor of any shape
    beta : number above 0
    threshold : finite number

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Dugas et al. 2001; Glorot, Bordes & Bengio 2011.
    """
    check_floating("softplus", "x", x)
    check_softplus("softplus", beta, threshold)
    return Softplus.apply(x, numbers=(float(beta), float(threshold)))


def silu(x: Tensor) -> Tensor:
    """y = x / (1 + e^-x), also called Swish.

    Saturates: the derivative is within 0.01 of 0 for x < -6.27, and it is 0 at the minimum at
    x = -1.278, below which it is negative. At infinities there stand the limits (in PyTorch NaN).

    Parameters
    ----------
    x : float tensor of any shape

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Elfwing, Uchibe & Doya 2018, section 2; Ramachandran, Zoph & Le 2017.
    """
    check_floating("silu", "x", x)
    return SiLU.apply(x)


def hardsigmoid(x: Tensor) -> Tensor:
    """y = x / 6 + 1 / 2, cut to [0, 1].

    Saturates: the derivative is 1/6 inside, and 0 for |x| >= 3.

    Parameters
    ----------
    x : float tensor of any shape

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Howard et al. 2019, Searching for MobileNetV3, section 5.2.
    """
    check_floating("hardsigmoid", "x", x)
    return HardSigmoid.apply(x)


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """y = x, cut to [min_val, max_val].

    Saturates: the derivative is 1 inside, and 0 for x <= min_val and x >= max_val.

    Parameters
    ----------
    x : float tensor of any shape
    min_val, max_val : numbers, min_val < max_val

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Collobert 2004, Large scale machine learning, section 5.2.
    """
    check_floating("hardtanh", "x", x)
    check_bounds("hardtanh", min_val, max_val)
    return HardTanh.apply(x, numbers=(float(min_val), float(max_val)))


def check_numbers(op: str, **numbers: float) -> None:
    """Raise ArgumentError unless every number is finite."""
    for name, number in numbers.items():
        if not isinstance(number, Real) or not math.isfinite(number):
            raise ArgumentError(expected(op, f"{name} as a finite number", repr(number)))


def check_approximate(op: str, approximate: str) -> None:
    """Raise ArgumentError unless it is a form of GELU that there is."""
    if approximate not in ("none", "tanh"):
        raise ArgumentError(expected(op, 'approximate "none" or "tanh"', repr(approximate)))


def check_softplus(op: str, beta: float, threshold: float) -> None:
    """Raise ArgumentError unless beta is finite and above 0, and the threshold finite."""
    check_numbers(op, beta=beta, threshold=threshold)
    if beta <= 0:
        raise ArgumentError(expected(op, "beta above 0", beta))


def check_bounds(op: str, min_val: float, max_val: float) -> None:
    """Raise ArgumentError unless min_val < max_val."""
    if not (isinstance(min_val, Real) and isinstance(max_val, Real) and min_val < max_val):
        raise ArgumentError(expected(op, "min_val < max_val", f"{min_val!r} and {max_val!r}"))
