"""The operators of arithmetic on tensors: what `x * y` means, and its gradient.

They are the operations called most often on arrays so small that calling costs more than computing.
Like `minidl/tape.py` this file is read twice: by Python as it stands, and compiled, under the name
`minidl._compiled_tape_operators`, with the C types of `tape_operators.pxd`, by `setup.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import ShapeError, expected
from minidl.tape import Function, Variable, as_array

if TYPE_CHECKING:
    from minidl.tensor import Tensor

NOTHING: dict = {}


def operand(x: Any) -> Any:
    """Leave tensors and Python numbers (they widen no dtype) alone; make arrays of the rest."""
    if isinstance(x, (Variable, float, int)):
        return x
    return as_array(x)


def sum_to(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum `grad` over the axes along which an operand of that shape was repeated."""
    if grad.shape == shape:
        return grad
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    repeated = tuple([i for i, size in enumerate(shape) if size == 1 and grad.shape[i] != 1])
    return grad.sum(axis=repeated, keepdims=True) if repeated else grad


def check_broadcast(op: str, *operands: Any) -> None:
    """Raise ShapeError unless the shapes broadcast."""
    shapes = [np.shape(x) for x in operands]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            expected(
                op,
                "shapes that broadcast (equal, or 1, counted from the right)",
                " and ".join(map(str, shapes)),
                "reshape or transpose one of them",
            )
        ) from None


class Operator(Function):
    """An operation that keeps nothing of its own, so that it needs no dictionary."""

    def _memory(self):
        return NOTHING

    def _kept(self):
        return ()


class Binary(Operator):
    """z = f(a, b) on operands that are repeated to a common shape; `backward` reads them again.

    It returns gradients of that shape; an operand's own is the sum over its copies.
    """

    def forward(self, a, b):
        """Return f(a, b), a new array."""
        raise NotImplementedError

    def fit(self, grad, shape):
        """Sum a gradient over the axes its operand was repeated along."""
        return sum_to(grad, shape)

    def _compute(self, options):
        try:
            return self.forward(self.argument(0), self.argument(1))
        except ValueError:
            check_broadcast(type(self).__name__.lower(), self.argument(0), self.argument(1))
            raise

    def _kept(self):
        return self.inputs


class Add(Binary):
    """a + b."""

    def forward(self, a, b):
        """Return a + b."""
        return a + b

    def backward(self, grad):
        """The gradient, twice."""
        return grad, grad

    def _kept(self):
        return ()


class Sub(Binary):
    """a - b."""

    def forward(self, a, b):
        """Return a - b."""
        return a - b

    def backward(self, grad):
        """The gradient, and its negative."""
        return grad, -grad if self.needs[1] else None

    def _kept(self):
        return ()


class Mul(Binary):
    """a * b."""

    def forward(self, a, b):
        """Return a * b."""
        return a * b

    def backward(self, grad):
        """Return grad * b and grad * a."""
        to_a, to_b = self.needs
        return grad * self.argument(1) if to_a else None, grad * self.argument(0) if to_b else None


class Div(Binary):
    """a / b."""

    def forward(self, a, b):
        """Return a / b."""
        return a / b

    def backward(self, grad):
        """Return grad / b and -grad * a / b^2."""
        a, b = self.argument(0), self.argument(1)
        to_a, to_b = self.needs
        return grad / b if to_a else None, -grad * a / (b * b) if to_b else None


class Neg(Operator):
    """-x."""

    def forward(self, x):
        """Return -x."""
        return -x

    def backward(self, grad):
        """Return -grad."""
        return -grad

    def _compute(self, options):
        return self.forward(self.argument(0))


class Operand(Variable):
    """A variable with the operators + - * / on it, a tensor's base."""

    __slots__ = ()

    def __add__(self, other: Any) -> Tensor:
        return Add()._run((self, operand(other)))

    def __radd__(self, other: Any) -> Tensor:
        return Add()._run((self, operand(other)))

    def __sub__(self, other: Any) -> Tensor:
        return Sub()._run((self, operand(other)))

    def __rsub__(self, other: Any) -> Tensor:
        return Sub()._run((operand(other), self))

    def __mul__(self, other: Any) -> Tensor:
        return Mul()._run((self, operand(other)))

    def __rmul__(self, other: Any) -> Tensor:
        return Mul()._run((self, operand(other)))

    def __truediv__(self, other: Any) -> Tensor:
        return Div()._run((self, operand(other)))

    def __rtruediv__(self, other: Any) -> Tensor:
        return Div()._run((operand(other), self))

    def __neg__(self) -> Tensor:
        return Neg()._run((self,))
