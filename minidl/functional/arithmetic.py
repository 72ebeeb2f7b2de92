"""Element-by-element operations with NumPy's broadcasting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import tensor as tensor_module
from minidl.autograd import Function, operators

if TYPE_CHECKING:
    from minidl.tensor import Tensor
    from minidl.tape_operators import (
        Add,
        Binary,
        Div,
        Mul,
        Neg,
        Sub,
        check_broadcast,
        operand,
        sum_to,
    )
else:
    Add, Sub, Mul = operators.Add, operators.Sub, operators.Mul
    Div, Neg, Binary = operators.Div, operators.Neg, operators.Binary
    check_broadcast, operand, sum_to = (
        operators.check_broadcast,
        operators.operand,
        operators.sum_to,
    )


class Pow(Binary):
    """a ** b; d/db is taken as 0 where a is 0."""

    def forward(self, a, b):
        """Return a ** b."""
        return a**b

    def backward(self, grad):
        """Return grad * b * a^(b-1) and grad * a^b * log(a)."""
        a, b = self.argument(0), self.argument(1)
        da = db = None
        if self.needs[0]:
            da = np.where(np.equal(b, 0), 0, grad * b * a ** np.where(np.equal(b, 0), 1, b - 1.0))
        if self.needs[1]:
            zero = np.equal(a, 0)
            db = np.where(zero, 0, grad * a**b * np.log(np.where(zero, 1, a)))
        return da, db


class Maximum(Binary):
    """max(a, b), element by element; equal operands share the gradient."""

    def forward(self, a, b):
        """Return max(a, b)."""
        return np.maximum(a, b)

    def backward(self, grad):
        """Give the gradient to the larger operand, half each where they are equal."""
        a, b = self.argument(0), self.argument(1)
        to_a = (a > b) + 0.5 * np.equal(a, b)
        return grad * to_a, grad * (1 - to_a)


class Exp(Function):
    """e^x."""

    def forward(self, x):
        """Return e^x."""
        self.y = np.asarray(np.exp(x))
        return self.y

    def backward(self, grad):
        """Return grad * e^x."""
        return grad * self.y


class Log(Function):
    """Natural logarithm; its argument is not checked: log 0 is -inf, of a negative number NaN."""

    def forward(self, x):
        """Return log x."""
        self.x = x
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(x))

    def backward(self, grad):
        """Return grad / x."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return grad / self.x


class Sqrt(Function):
    """Square root."""

    def forward(self, x):
        """Return sqrt x."""
        with np.errstate(invalid="ignore"):
            self.y = np.asarray(np.sqrt(x))
        return self.y

    def backward(self, grad):
        """Return grad / (2 sqrt x)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return grad / (2 * self.y)


class Abs(Function):
    """|x|, with derivative 0 at 0."""

    def forward(self, x):
        """Return |x|."""
        self.x = x
        return np.asarray(np.abs(x))

    def backward(self, grad):
        """Return grad * sign(x)."""
        return grad * np.sign(self.x)


class Clip(Function):
    """min(max(x, low), high); the gradient passes where low <= x <= high."""

    def forward(self, x, *, low, high):
        """Return x limited to [low, high]."""
        self.x, self.low, self.high = x, low, high
        return np.clip(x, low, high)

    def backward(self, grad):
        """Return the gradient inside the interval, 0 outside."""
        inside = np.ones(self.x.shape, bool)
        if self.low is not None:
            inside &= self.x >= self.low
        if self.high is not None:
            inside &= self.x <= self.high
        return grad * inside


class Where(Function):
    """A where the condition holds, else b."""

    def forward(self, condition, a, b):
        """Return a where condition else b."""
        check_broadcast("where", condition, a, b)
        self.condition = condition
        return np.where(condition, a, b)

    def backward(self, grad):
        """Split the gradient by the condition."""
        return None, np.where(self.condition, grad, 0), np.where(self.condition, 0, grad)

    def fit(self, grad, shape):
        """Sum a gradient over the axes its operand was repeated along."""
        return sum_to(grad, shape)


class Copy(Function):
    """A copy of x."""

    def forward(self, x):
        """Return a copy."""
        return x.copy()

    def backward(self, grad):
        """Pass the gradient on."""
        return grad


class Cast(Function):
    """The same values in another type; the tape brings the gradient back to the input's type."""

    def forward(self, x, *, dtype):
        """Return x converted to dtype."""
        return x.astype(dtype)

    def backward(self, grad):
        """Pass the gradient on."""
        return grad


def add(a: Any, b: Any) -> Tensor:
    """Return a + b with broadcasting."""
    return Add.apply(operand(a), operand(b))


def sub(a: Any, b: Any) -> Tensor:
    """Return a - b with broadcasting."""
    return Sub.apply(operand(a), operand(b))


def mul(a: Any, b: Any) -> Tensor:
    """Return a * b with broadcasting."""
    return Mul.apply(operand(a), operand(b))


def div(a: Any, b: Any) -> Tensor:
    """Return a / b with broadcasting."""
    return Div.apply(operand(a), operand(b))


def power(a: Any, b: Any) -> Tensor:
    """Return a ** b with broadcasting."""
    return Pow.apply(operand(a), operand(b))


def maximum(a: Any, b: Any) -> Tensor:
    """Return the larger of a and b, element by element."""
    return Maximum.apply(operand(a), operand(b))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return a where `condition` holds, b elsewhere."""
    return Where.apply(tensor_module.as_array(condition), operand(a), operand(b))


def neg(x: Tensor) -> Tensor:
    """Return -x."""
    return Neg.apply(x)


def exp(x: Tensor) -> Tensor:
    """Return e^x."""
    return Exp.apply(x)


def log(x: Tensor) -> Tensor:
    """Return the natural logarithm."""
    return Log.apply(x)


def sqrt(x: Tensor) -> Tensor:
    """Return the square root."""
    return Sqrt.apply(x)


def absolute(x: Tensor) -> Tensor:
    """Return |x|."""
    return Abs.apply(x)


def clip(x: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    """Return min(max(x, low), high)."""
    return Clip.apply(x, low=low, high=high)
