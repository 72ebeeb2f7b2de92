"""Matrix products and the fully connected layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl.autograd import Function, Variable
from minidl.errors import ShapeError, check_floating, check_rank, check_size, expected
from minidl.functional.activation import relu as rectified
from minidl.functional.arithmetic import operand, sum_to
from minidl.kernels.parallel import product

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class MatMul(Function):
    """a @ b, over leading axes with broadcasting."""

    def forward(self, a, b):
        """Return a @ b."""
        self.a, self.b = a, b
        return np.asarray(product(a, b))

    def backward(self, grad):
        """Return grad @ b^T and a^T @ grad; a vector is a row left, a column right."""
        a = self.a[None, :] if self.a.ndim == 1 else self.a
        b = self.b[:, None] if self.b.ndim == 1 else self.b
        if self.a.ndim == 1:
            grad = np.expand_dims(grad, -1 if self.b.ndim == 1 else -2)
        if self.b.ndim == 1:
            grad = np.expand_dims(grad, -1)
        da = db = None
        if self.needs[0]:
            da = sum_to(product(grad, b.swapaxes(-1, -2)), a.shape).reshape(self.a.shape)
        if self.needs[1]:
            db = sum_to(product(a.swapaxes(-1, -2), grad), b.shape).reshape(self.b.shape)
        return da, db


class Linear(Function):
    """y = x W^T + b, then max(y, 0) where relu is set."""

    def forward(self, x, weight, bias, relu):
        """Return x W^T + b, the last axis of x for rows; the kernel adds the bias and rectifies."""
        rows = x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        y = backend.call("linear", "forward", rows, weight, bias, relu)
        self.shape, self.rows, self.weight = x.shape, rows, weight
        self.y = y if relu else None
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], len(weight))

    def backward(self, grad):
        """Return g W, g^T x and the sum of g over all rows, where g is what passes ReLU."""
        grad = grad if grad.ndim == 2 else grad.reshape(len(self.rows), len(self.weight))
        needs = (True, True, True) if backend.brought("linear") else self.needs[:3]
        dx, dweight, dbias = backend.call(
            "linear", "backward", grad, self.rows, self.weight, self.y, needs
        )
        return None if dx is None else dx.reshape(self.shape), dweight, dbias, None


def matmul(a: Any, b: Any) -> Tensor:
    """Return the matrix product by NumPy's rules: (..., n, m) @ (..., m, k) gives (..., n, k)."""
    a, b = operand(a), operand(b)
    ok = np.ndim(a) > 0 and np.ndim(b) > 0 and a.shape[-1] == b.shape[-2 if b.ndim > 1 else 0]
    if not ok:
        raise ShapeError(
            expected(
                "matmul",
                "inner sizes that agree, (..., n, m) @ (..., m, k)",
                f"{np.shape(a)} @ {np.shape(b)}",
                "transpose one of them with .T",
            )
        )
    return MatMul.apply(a, b)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, relu: bool = False) -> Tensor:
    """y = x W^T + b, and where asked for max(y, 0) in the same pass.

    Parameters
    ----------
    x : (..., d) float
    weight : (k, d) float
    bias : (k,) float, or None
    relu : whether a ReLU follows

    Returns
    -------
    Tensor (..., k)

    Raises
    ------
    ShapeError
        when the last axis of x is not d, or bias is not (k,)

    References
    ----------
    Rosenblatt 1958; Goodfellow, Bengio & Courville 2016, section 6.1.
    """
    if not _fits(x, weight, bias):
        _check(x, weight, bias)
    if relu and (backend.brought("relu") or backend.brought("linear")):
        return rectified(Linear.apply(x, weight, bias, False))
    return Linear.apply(x, weight, bias, relu)


def _fits(x: Any, weight: Any, bias: Any) -> bool:
    """Whether there is nothing to complain of: the quick answer for the usual arguments."""
    if not (isinstance(x, Variable) and isinstance(weight, Variable)):
        return False
    a, w, b = x.data, weight.data, None
    if bias is not None:
        if not isinstance(bias, Variable):
            return False
        b = bias.data
    shape = w.shape
    return (
        len(shape) == 2
        and a.ndim > 0
        and a.shape[-1] == shape[1]
        and a.dtype.kind == w.dtype.kind == "f"
        and (b is None or (b.shape == shape[:1] and b.dtype.kind == "f"))
    )


def _check(x: Any, weight: Any, bias: Any) -> None:
    """Raise the error that says what does not fit."""
    check_floating("linear", "x", x)
    check_floating("linear", "weight", weight)
    check_rank("linear", "weight", weight.shape, "k d")
    if x.ndim == 0 or x.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            expected(
                "linear",
                f"x of shape (..., {weight.shape[-1]})",
                x.shape,
                "flatten images with x.flatten(), or build the layer with that many inputs",
            )
        )
    if bias is not None:
        check_floating("linear", "bias", bias)
        check_size("linear", "bias", bias.shape, weight.shape[:1])
