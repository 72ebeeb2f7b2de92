"""Group normalization, and its two ends: layer and instance normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import (
    ArgumentError,
    ShapeError,
    check_floating,
    check_range,
    check_size,
    check_sizes,
    expected,
)
from minidl.functional.batch_norm import batch_norm
from minidl.functional.norm import as_ncs, check_eps, check_running, check_vectors, shaped

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class GroupNorm(Function):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, over each group of each example."""

    def forward(self, x, gamma, beta, *, groups, eps, view):
        """Return y; the kernel sees x as `view`, an (n, c, s)."""
        self.x, self.gamma, self.groups = x.reshape(view), gamma, groups
        y, self.mean, self.inv_std = backend.call(
            "group_norm", "forward", self.x, gamma.reshape(-1), beta.reshape(-1), groups, eps
        )
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma and dbeta."""
        dx, dgamma, dbeta = backend.call(
            "group_norm",
            "backward",
            grad.reshape(self.x.shape),
            self.x,
            self.mean,
            self.inv_std,
            self.gamma.reshape(-1),
            self.groups,
        )
        shape = self.gamma.shape
        gradients = (dx, grad.shape), (dgamma, shape), (dbeta, shape)
        return tuple(shaped(g, s, "group_norm") for g, s in gradients)


def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the channels of a group and space.

    Parameters
    ----------
    x : (n, c) or (n, c, *space) float
    num_groups : int, a divisor of c
    weight, bias : (c,), or None for 1 and 0
    eps : added to the biased variance, inside the root, at least 0

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError, ArgumentError
        for x of rank below 2, vectors that are not (c,), or groups that do not divide c

    References
    ----------
    Wu & He 2018, section 3.
    """
    c = _check("group_norm", x, eps, 2, weight=weight, bias=bias)
    check_sizes("group_norm", num_groups=num_groups)
    if c % num_groups:
        raise ArgumentError(
            expected("group_norm", f"num_groups that divides the {c} channels", num_groups)
        )
    return _apply(x, weight, bias, num_groups, eps)


def instance_norm(
    x: Tensor,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the space of each channel alone.

    With `use_input_stats` mean and var are each example's own, and running statistics, where there
    are any, are moved in place towards their average over the batch, by `momentum` and with the
    unbiased variance. Without it mean and var are the running statistics.

    Parameters
    ----------
    x : (n, c, *space) float, more than one value in space where it gives the statistics
    running_mean, running_var : (c,) arrays, or None
    weight, bias : (c,), or None for 1 and 0
    use_input_stats : bool
    momentum : weight of the new value, in [0, 1]
    eps : added to the biased variance, inside the root, at least 0

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError, ArgumentError
        for x without space, space of one value, vectors that are not (c,), or no statistics to use

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky 2016.
    """
    op = "instance_norm"
    c = _check(op, x, eps, 3, weight=weight, bias=bias)
    statistics = {"running_mean": running_mean, "running_var": running_var}
    check_vectors(op, c, **statistics)
    check_running(op, use_input_stats, **statistics)
    check_range(op, "momentum", momentum, 0.0, 1.0)
    if not use_input_stats:
        if running_mean is None:
            wanted = "running statistics where use_input_stats is False"
            raise ArgumentError(expected(op, wanted, "none"))
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    if math.prod(x.shape[2:]) == 1:
        raise ShapeError(expected(op, "more than one value per channel and example", x.shape))
    if running_mean is not None and running_var is not None and x.size:
        values = as_ncs(x.data)
        m = values.shape[2]
        moments = values.mean(axis=2).mean(axis=0), values.var(axis=2).mean(axis=0)
        new = backend.call(
            "batch_norm", "update_running", running_mean, running_var, *moments, m, momentum
        )
        running_mean[...], running_var[...] = new
    return _apply(x, weight, bias, c, eps)


def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the last axes, example by example.

    Parameters
    ----------
    x : (..., *normalized_shape) float
    normalized_shape : sizes of the axes to normalize over, the last ones of x
    weight, bias : of normalized_shape, or None for 1 and 0
    eps : added to the biased variance, inside the root, at least 0

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError
        when x does not end in normalized_shape, or weight or bias have another shape

    References
    ----------
    Ba, Kiros & Hinton 2016, section 3.
    """
    op = "layer_norm"
    check_floating(op, "x", x)
    check_eps(op, eps)
    last = normalized_axes(op, normalized_shape)
    if x.shape[len(x.shape) - len(last) :] != last or x.ndim < len(last):
        wanted = f"x of shape (..., {', '.join(map(str, last))})"
        raise ShapeError(expected(op, wanted, x.shape))
    for name, vector in (("weight", weight), ("bias", bias)):
        if vector is not None:
            check_floating(op, name, vector)
            check_size(op, name, vector.shape, last)
    gamma = np.ones(last, x.dtype) if weight is None else weight
    beta = np.zeros(last, x.dtype) if bias is None else bias
    d = math.prod(last)
    return GroupNorm.apply(x, gamma, beta, groups=1, eps=eps, view=(x.size // d, d, 1))


def normalized_axes(op: str, sizes: int | Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of the axes to normalize over, each at least 1, as a tuple."""
    listed = tuple(sizes) if isinstance(sizes, Sequence) else (sizes,)
    if not listed or not all(isinstance(s, int | np.integer) and s > 0 for s in listed):
        wanted = "normalized_shape as one or more sizes of at least 1"
        raise ArgumentError(expected(op, wanted, listed))
    return tuple(int(s) for s in listed)


def _check(op: str, x: Tensor, eps: float, least: int, **vectors: Tensor | None) -> int:
    """Raise an error unless x has `least` axes and the vectors are (c,); return c."""
    check_floating(op, "x", x)
    check_eps(op, eps)
    if x.ndim < least:
        wanted = "x of shape (n, c) or (n, c, ...)" if least == 2 else "x of shape (n, c, ...)"
        raise ShapeError(expected(op, wanted, x.shape))
    for name, vector in vectors.items():
        if vector is not None:
            check_floating(op, name, vector)
            check_size(op, name, vector.shape, x.shape[1:2])
    return x.shape[1]


def _apply(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float
) -> Tensor:
    n, c = x.shape[:2]
    gamma = np.ones(c, x.dtype) if weight is None else weight
    beta = np.zeros(c, x.dtype) if bias is None else bias
    view = n, c, math.prod(x.shape[2:])
    return GroupNorm.apply(x, gamma, beta, groups=groups, eps=eps, view=view)
