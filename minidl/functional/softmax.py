"""Softmax and its logarithm along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ShapeError, check_floating, expected
from minidl.functional.reduction import normalize_axes

if TYPE_CHECKING:
    from minidl.tensor import Tensor


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


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """y_i = exp(x_i) / sum_j exp(x_j) along `axis`.

    Saturates: dy_i / dx_i = y_i (1 - y_i) is below 0.01 where y_i > 0.99 or y_i < 0.01; between two
    classes that is a logit 4.6 above or below the other.

    Parameters
    ----------
    x : float tensor, not empty along `axis`
    axis : int

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.3.
    """
    return Softmax.apply(x, axis=_classes_axis("softmax", x, axis))


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """log y_i = x_i - log sum_j exp(x_j) along `axis`, y the softmax.

    Saturates: d log y_i / dx_i = 1 - y_i is below 0.01 where y_i > 0.99, and never where y_i is
    small: a wrong class keeps its gradient, which is why losses take this and not the softmax.

    Parameters
    ----------
    x : float tensor, not empty along `axis`
    axis : int

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.3.
    """
    return LogSoftmax.apply(x, axis=_classes_axis("log_softmax", x, axis))


def _classes_axis(op: str, x: Tensor, axis: int) -> int:
    """Return `axis` counted from the front; it must hold at least one element."""
    check_floating(op, "x", x)
    (axis,) = normalize_axes(op, axis, x.ndim)
    if x.shape[axis] == 0:
        raise ShapeError(expected(op, f"at least one element along axis {axis}", x.shape))
    return axis
