"""Initial values of parameters, under PyTorch's names.

Every function ending in _ fills the weight it is given and returns it; the tape notices. n is the
fan of a weight: `fan_in`, the inputs that one output sums over, or `fan_out`, the outputs that one
input goes to; see `fans`. `apply` does it for a whole network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from minidl.tensor import Tensor
from minidl import random
from minidl.errors import ArgumentError, DTypeError, ShapeError, check_range, expected
from minidl.nn.module import Module, Parameter

Initialized = TypeVar("Initialized", bound=Tensor)
Network = TypeVar("Network", bound=Module)

LINEAR = ("linear", *(f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3)))
NONLINEARITIES = (*LINEAR, "sigmoid", "tanh", "relu", "leaky_relu", "selu")


def default(
    shape: tuple[int, ...], fan_in: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draw float32 from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of Linear and Conv2d."""
    bound = 1 / math.sqrt(fan_in)
    return random.generator(rng).uniform(-bound, bound, shape).astype(np.float32)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight (out, in, *kernel): in and out times the kernel's size.

    Raises
    ------
    ShapeError
        for fewer than two axes
    """
    if len(shape) < 2:
        raise ShapeError(expected("init", "a weight with at least two axes (out, in, ...)", shape))
    space = math.prod(shape[2:])
    return shape[1] * space, shape[0] * space


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the size of values through a nonlinearity.

    Linear, convolutions and sigmoid 1; tanh 5/3; relu sqrt(2); leaky_relu sqrt(2 / (1 + a^2)) with
    a = param, 0.01 unless given; selu 3/4.

    Raises
    ------
    ArgumentError
        for another nonlinearity, and a slope that is no number
    """
    if nonlinearity not in NONLINEARITIES:
        wanted = f"a nonlinearity among {', '.join(NONLINEARITIES)}"
        raise ArgumentError(expected("calculate_gain", wanted, repr(nonlinearity)))
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if not isinstance(slope, Real) or isinstance(slope, bool) or not math.isfinite(slope):
            raise ArgumentError(expected("calculate_gain", "a slope as a number", repr(param)))
        return math.sqrt(2 / (1 + float(slope) ** 2))
    return {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}.get(nonlinearity, 1.0)


# -- values that no other depends on ---------------------------------------------------------------


def zeros_(weight: Initialized) -> Initialized:
    """Fill `weight` with zeros: neurons that start equal get equal gradients, for ever."""
    return constant_(weight, 0.0)


def ones_(weight: Initialized) -> Initialized:
    """Fill `weight` with ones."""
    return constant_(weight, 1.0)


def constant_(weight: Initialized, val: float) -> Initialized:
    """Fill `weight` with a number."""
    _check(weight, "constant_")
    weight.data = np.full_like(weight.data, val)
    return weight


def uniform_(
    weight: Initialized,
    a: float = 0.0,
    b: float = 1.0,
    rng: np.random.Generator | None = None,
) -> Initialized:
    """Draw U(a, b) into `weight`."""
    _check(weight, "uniform_")
    if not -math.inf < a <= b < math.inf:
        raise ArgumentError(expected("uniform_", "finite bounds a <= b", (a, b)))
    weight.data = random.generator(rng).uniform(a, b, weight.shape).astype(weight.dtype)
    return weight


def normal_(
    weight: Initialized,
    mean: float = 0.0,
    std: float = 1.0,
    rng: np.random.Generator | None = None,
) -> Initialized:
    """Draw N(mean, std^2) into `weight`; std = 0.01 is the naive choice that deep networks lose."""
    _check(weight, "normal_")
    check_range("normal_", "std", std, 0.0, math.inf)
    weight.data = random.generator(rng).normal(mean, std, weight.shape).astype(weight.dtype)
    return weight


# -- values by the size of the layer ---------------------------------------------------------------


def naive_uniform_(
    weight: Initialized, root: bool = False, rng: np.random.Generator | None = None
) -> Initialized:
    """Draw U(-1/n, 1/n) into `weight`, or U(-1/sqrt(n), 1/sqrt(n)) with `root`; n its fan_in.

    In a linear network without biases each layer multiplies the standard deviation of what goes
    through by 1/sqrt(3 n), or with `root` by 1/sqrt(3) = 0.577: both vanish with depth.
    """
    n = _fan(weight, "naive_uniform_", "fan_in")
    bound = 1 / math.sqrt(n) if root else 1 / n
    return uniform_(weight, -bound, bound, rng)


def xavier_uniform_(
    weight: Initialized, gain: float = 1.0, rng: np.random.Generator | None = None
) -> Initialized:
    """Draw U(-b, b) into `weight`, b = gain sqrt(6 / (fan_in + fan_out)).

    References
    ----------
    Glorot & Bengio 2010, equation 16.
    """
    bound = math.sqrt(3) * _xavier("xavier_uniform_", weight, gain)
    return uniform_(weight, -bound, bound, rng)


def xavier_normal_(
    weight: Initialized, gain: float = 1.0, rng: np.random.Generator | None = None
) -> Initialized:
    """Draw N(0, gain^2 2 / (fan_in + fan_out)) into `weight`.

    References
    ----------
    Glorot & Bengio 2010, equation 12.
    """
    return normal_(weight, 0.0, _xavier("xavier_normal_", weight, gain), rng)


def kaiming_uniform_(
    weight: Initialized,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    rng: np.random.Generator | None = None,
) -> Initialized:
    """Draw U(-b, b) into `weight`, b = gain sqrt(3 / n): the variance of `kaiming_normal_`.

    Parameters
    ----------
    weight, a, mode, nonlinearity : as in `kaiming_normal_`

    References
    ----------
    He, Zhang, Ren & Sun 2015, section 2.2.
    """
    bound = math.sqrt(3) * _kaiming("kaiming_uniform_", weight, a, mode, nonlinearity)
    return uniform_(weight, -bound, bound, rng)


def kaiming_normal_(
    weight: Initialized,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    rng: np.random.Generator | None = None,
) -> Initialized:
    """Draw N(0, gain^2 / n) into `weight`: 2 / ((1 + a^2) n) for ReLUs of negative slope a.

    Parameters
    ----------
    weight : Tensor (out, in, *kernel)
    a : negative slope of the rectifier that follows, for nonlinearity "leaky_relu"
    mode : n, "fan_in" to keep the size of values forward, "fan_out" that of gradients backward
    nonlinearity : whose gain, see `calculate_gain`

    References
    ----------
    He, Zhang, Ren & Sun 2015, section 2.2.
    """
    return normal_(weight, 0.0, _kaiming("kaiming_normal_", weight, a, mode, nonlinearity), rng)


def orthogonal_(
    weight: Initialized, gain: float = 1.0, rng: np.random.Generator | None = None
) -> Initialized:
    """Fill `weight`, as a matrix (out, in * kernel), with rows (or columns) of length `gain`.

    W W^T = gain^2 I where there are no more rows than columns, else W^T W. Drawn uniformly among
    all such matrices: the Q of a normal matrix, with the signs that make R's diagonal positive.

    References
    ----------
    Saxe, McClelland & Ganguli 2014.
    """
    fan_in, _ = _checked_fans(weight, "orthogonal_")
    shape = (weight.shape[0], fan_in)
    tall, wide = max(shape), min(shape)
    q, r = np.linalg.qr(random.generator(rng).normal(size=(tall, wide)))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    matrix = q if shape == (tall, wide) else q.T
    weight.data = (gain * matrix).reshape(weight.shape).astype(weight.dtype)
    return weight


# -- a whole network -------------------------------------------------------------------------------


def apply(
    model: Network,
    weight: Callable[..., Any] = kaiming_normal_,
    bias: Callable[[Parameter], Any] | None = zeros_,
    layers: type | tuple[type, ...] = Module,
    **options: Any,
) -> Network:
    """Initialize every weight and bias of a network; return the network.

    Weights are parameters with two axes or more; the vectors of normalization keep their ones.

    Parameters
    ----------
    model : Module
    weight : called with each weight and the options: one of the functions above
    bias : called with each vector whose name has "bias" in it; None leaves them
    layers : the classes of layers to initialize, all by default
    **options : for `weight`, such as mode="fan_out" or rng=...

    Examples
    --------
    >>> from minidl import nn
    >>> network = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> nn.init.apply(network, nn.init.xavier_normal_, gain=5 / 3)[0].bias.data.tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    if not isinstance(model, Module):
        raise DTypeError(expected("init.apply", "a Module", type(model).__name__))
    for module in model.modules():
        if not isinstance(module, layers):
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, Parameter) and value.ndim >= 2:
                weight(value, **options)
            elif isinstance(value, Parameter) and "bias" in name and bias is not None:
                bias(value)
    return model


def _check(weight: Any, op: str) -> None:
    if not isinstance(weight, Tensor) or weight.dtype.kind != "f":
        got = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise DTypeError(expected(op, "a floating Tensor to fill", got, "pass layer.weight"))


def _checked_fans(weight: Any, op: str) -> tuple[int, int]:
    """Return fan_in and fan_out of a weight that has any."""
    _check(weight, op)
    if weight.ndim < 2 or 0 in weight.shape:
        wanted = "a weight with at least two axes (out, in, ...), not empty"
        raise ShapeError(expected(op, wanted, weight.shape))
    return fans(weight.shape)


def _fan(weight: Any, op: str, mode: str) -> int:
    """Return the fan that `mode` names."""
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(expected(op, '"fan_in" or "fan_out"', repr(mode)))
    return _checked_fans(weight, op)[mode == "fan_out"]


def _xavier(op: str, weight: Tensor, gain: float) -> float:
    """Return the standard deviation after Glorot and Bengio."""
    check_range(op, "gain", gain, 0.0, math.inf)
    return gain * math.sqrt(2 / sum(_checked_fans(weight, op)))


def _kaiming(op: str, weight: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """Return the standard deviation after He and others."""
    return calculate_gain(nonlinearity, a) / math.sqrt(_fan(weight, op, mode))
