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


def _rows(x: np.ndarray, axis: int) -> np.ndarray:
    """View or copy x as rows along `axis`."""
    return np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])


def _from_rows(rows: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Undo `_rows`, for an array of that shape."""
    others = (*shape[:axis], *shape[axis + 1 :])
    return np.moveaxis(rows.reshape(*others, shape[axis]), -1, axis)


class Softmax(Function):
    """y_i = exp(x_i) / sum_j exp(x_j) along an axis."""

    def forward(self, x, *, axis):
        """Return the softmax, with the largest x subtracted first."""
        self.axis = axis
        self.y = backend.call("activation", "softmax_forward", _rows(x, axis))
        return _from_rows(self.y, x.shape, axis)

    def backward(self, grad):
        """Return y * (grad - sum_j grad_j y_j)."""
        dx = backend.call("activation", "softmax_backward", _rows(grad, self.axis), self.y)
        return _from_rows(dx, grad.shape, self.axis)


class LogSoftmax(Function):
    """log y_i = x_i - log sum_j exp(x_j) along an axis."""

    def forward(self, x, *, axis):
        """Return the logarithm of the softmax."""
        self.axis = axis
        self.log_y = backend.call("activation", "log_softmax_forward", _rows(x, axis))
        return _from_rows(self.log_y, x.shape, axis)

    def backward(self, grad):
        """Return grad - y sum_j grad_j."""
        rows = _rows(grad, self.axis)
        dx = backend.call("activation", "log_softmax_backward", rows, self.log_y)
        return _from_rows(dx, grad.shape, self.axis)


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
