"""Activation functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ShapeError, check_floating, expected
from minidl.functional.reduction import normalize_axes

if TYPE_CHECKING:
    from minidl.tensor import Tensor


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
        e = np.exp(-np.abs(x))
        self.y = np.asarray(np.where(x >= 0, 1 / (1 + e), e / (1 + e)))
        return self.y

    def backward(self, grad):
        """Return grad * y (1 - y)."""
        return grad * self.y * (1 - self.y)


class Tanh(Function):
    """Hyperbolic tangent."""

    def forward(self, x):
        """Return tanh x."""
        self.y = np.asarray(np.tanh(x))
        return self.y

    def backward(self, grad):
        """Return grad * (1 - y^2)."""
        return grad * (1 - self.y * self.y)


class Softmax(Function):
    """y_i = exp(x_i) / sum_j exp(x_j) along an axis."""

    def forward(self, x, *, axis):
        """Return the softmax, with the largest x subtracted first."""
        self.axis = axis
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        self.y = e / e.sum(axis=axis, keepdims=True)
        return self.y

    def backward(self, grad):
        """Return y * (grad - sum_j grad_j y_j)."""
        return self.y * (grad - (grad * self.y).sum(axis=self.axis, keepdims=True))


class LogSoftmax(Function):
    """log y_i = x_i - log sum_j exp(x_j) along an axis."""

    def forward(self, x, *, axis):
        """Return the logarithm of the softmax."""
        self.axis = axis
        centred = x - x.max(axis=axis, keepdims=True)
        self.log_y = centred - np.log(np.exp(centred).sum(axis=axis, keepdims=True))
        return self.log_y

    def backward(self, grad):
        """Return grad - y sum_j grad_j."""
        return grad - np.exp(self.log_y) * grad.sum(axis=self.axis, keepdims=True)


def relu(x: Tensor) -> Tensor:
    """Return max(x, 0)."""
    check_floating("relu", "x", x)
    return ReLU.apply(x)


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + e^-x)."""
    check_floating("sigmoid", "x", x)
    return Sigmoid.apply(x)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    check_floating("tanh", "x", x)
    return Tanh.apply(x)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Return exp(x_i) / sum_j exp(x_j) along `axis`."""
    return Softmax.apply(x, axis=_classes_axis("softmax", x, axis))


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Return x_i - log sum_j exp(x_j) along `axis`."""
    return LogSoftmax.apply(x, axis=_classes_axis("log_softmax", x, axis))


def _classes_axis(op: str, x: Tensor, axis: int) -> int:
    """Return `axis` counted from the front; it must hold at least one element."""
    check_floating(op, "x", x)
    (axis,) = normalize_axes(op, axis, x.ndim)
    if x.shape[axis] == 0:
        raise ShapeError(expected(op, f"at least one element along axis {axis}", x.shape))
    return axis
