"""Sums, means, variances and extremes over axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from minidl.autograd import Function
from minidl.errors import ShapeError, expected

if TYPE_CHECKING:
    from minidl.tensor import Axes, Tensor


def normalize_axes(op: str, axis: Axes, ndim: int) -> tuple[int, ...]:
    """Return `axis` as a tuple of distinct non-negative integers; None means all axes."""
    axes = tuple(range(ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if any(not -ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) < len(axes):
        wanted = f"distinct axes between {-ndim} and {ndim - 1}" if ndim else "a tensor with axes"
        raise ShapeError(expected(op, wanted, axes if ndim else "a single number"))
    return tuple(a % ndim for a in axes)


class Reduction(Function):
    """A value for each group of elements along `axis`."""

    def forward(self, x, *, axis, keepdims):
        """Remember how to bring the gradient back to x's shape, and reduce."""
        self.shape = x.shape
        self.kept = tuple(1 if i in axis else n for i, n in enumerate(x.shape))
        self.count = math.prod([x.shape[a] for a in axis])
        y = np.asarray(self.reduce(x, axis))
        return y if keepdims else y.reshape([n for i, n in enumerate(x.shape) if i not in axis])

    def reduce(self, x, axis):
        """Return the reduction with the axes kept at size one."""
        raise NotImplementedError

    def spread(self, grad):
        """Return the gradient with the reduced axes back at size one."""
        return grad.reshape(self.kept)


class Sum(Reduction):
    """Sum over the axes."""

    def reduce(self, x, axis):
        """Return sum x."""
        return x.sum(axis=axis, keepdims=True)

    def backward(self, grad):
        """Repeat the gradient over the axes."""
        return np.broadcast_to(self.spread(grad), self.shape)


class Mean(Reduction):
    """Mean over the axes."""

    def reduce(self, x, axis):
        """Return sum x / count."""
        return x.mean(axis=axis, keepdims=True)

    def backward(self, grad):
        """Repeat grad / count over the axes."""
        return np.broadcast_to(self.spread(grad) / self.count, self.shape)


class Var(Reduction):
    """sum (x - mean)^2 / (count - correction)."""

    correction = 0

    def forward(self, x, *, axis, keepdims, correction):
        """Return the variance over the axes."""
        self.correction = correction
        return super().forward(x, axis=axis, keepdims=keepdims)

    def reduce(self, x, axis):
        """Return the variance in two passes: the mean first."""
        self.deviation = x - x.mean(axis=axis, keepdims=True)
        return (self.deviation**2).sum(axis=axis, keepdims=True) / (self.count - self.correction)

    def backward(self, grad):
        """Return 2 grad (x - mean) / (count - correction); the mean's own gradient sums to zero."""
        return 2 * self.spread(grad) * self.deviation / (self.count - self.correction)


class Extreme(Reduction):
    """The largest (sign 1) or smallest (sign -1) element; equal ones share the gradient."""

    def forward(self, x, *, axis, keepdims, largest):
        """Return the extreme along the axes."""
        self.pick = np.max if largest else np.min
        return super().forward(x, axis=axis, keepdims=keepdims)

    def reduce(self, x, axis):
        """Return the extreme and remember where it stands."""
        y = self.pick(x, axis=axis, keepdims=True)
        self.where = x == y
        self.ties = self.where.sum(axis=axis, keepdims=True)
        return y

    def backward(self, grad):
        """Share the gradient among the elements equal to the extreme."""
        return self.where * (self.spread(grad) / np.maximum(self.ties, 1))


def total(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Return the sum over `axis`."""
    return Sum.apply(x, axis=normalize_axes("sum", axis, x.ndim), keepdims=keepdims)


def _nonempty(op: str, x: Tensor, axis: Axes, least: int = 1) -> tuple[int, ...]:
    axes = normalize_axes(op, axis, x.ndim)
    count = math.prod([x.shape[a] for a in axes])
    if count < least:
        raise ShapeError(expected(op, f"at least {least} elements along axes {axes}", x.shape))
    return axes


def mean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Return the mean over `axis`."""
    return Mean.apply(x, axis=_nonempty("mean", x, axis), keepdims=keepdims)


def var(x: Tensor, axis: Axes = None, keepdims: bool = False, correction: int = 0) -> Tensor:
    """Return the variance over `axis`, with divisor count - correction."""
    axes = _nonempty("var", x, axis, correction + 1)
    return Var.apply(x, axis=axes, keepdims=keepdims, correction=correction)


def maximum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Return the largest element over `axis`."""
    return Extreme.apply(x, axis=_nonempty("max", x, axis), keepdims=keepdims, largest=True)


def minimum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element over `axis`."""
    return Extreme.apply(x, axis=_nonempty("min", x, axis), keepdims=keepdims, largest=False)
