"""Matrix products and the fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.autograd import Function, Variable
from minidl.errors import ShapeError, check_floating, check_rank, check_size, expected
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
    """y = x W^T + b."""

    def forward(self, x, weight, bias):
        """Return x W^T + b."""
        self.x, self.weight = x, weight
        y = product(x, weight.T)
        if bias is None:
            return y
        return np.add(y, bias, out=y if y.dtype == bias.dtype else None)

    def backward(self, grad):
        """Return grad W, grad^T x and the sum of grad over all rows."""
        rows = grad.reshape(-1, grad.shape[-1])
        return (
            product(grad, self.weight) if self.needs[0] else None,
            product(rows.T, self.x.reshape(-1, self.x.shape[-1])) if self.needs[1] else None,
            rows.sum(axis=0) if self.needs[2] else None,
        )


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


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x W^T + b.

    Parameters
    ----------
    x : (..., d) float
    weight : (k, d) float
    bias : (k,) float, or None

    Returns
    -------
    Tensor (..., k)

    Raises
    ------
    ShapeError
        when the last axis of x is not d, or bias is not (k,)
    """
    fits = (
        isinstance(x, Variable)
        and isinstance(weight, Variable)
        and weight.ndim == 2
        and x.ndim > 0
        and x.shape[-1] == weight.shape[1]
        and x.dtype.kind == weight.dtype.kind == "f"
        and (
            bias is None
            or (
                (isinstance(bias, Variable) and bias.dtype.kind == "f")
                and bias.shape == weight.shape[:1]
            )
        )
    )
    if not fits:
        _check(x, weight, bias)
    return Linear.apply(x, weight, bias)


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
