"""`Tensor`: an array, its gradient, and the operations people expect on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import autograd
from minidl.autograd import Operand, as_array
from minidl.errors import ArgumentError, AutogradError, ShapeError, expected
from minidl.functional import arithmetic, reduction, shape
from minidl.functional.linear import matmul

if TYPE_CHECKING:
    from minidl.autograd import Hook

Axes = int | tuple[int, ...] | None


class Tensor(Operand):
    """An n-dimensional array that remembers how it was computed.

    Parameters
    ----------
    data : array, number or nested list
        float64 arrays stay float64; Python floats become float32
    requires_grad : bool
        whether `backward` should leave a gradient in `.grad`; floating types only

    Attributes
    ----------
    data : ndarray
    grad : ndarray of the same shape, or None
    grad_fn : the Function that computed it, or None for a leaf
    """

    __slots__ = ("__weakref__",)
    __array_ufunc__ = None  # so that array + tensor asks the tensor
    __hash__ = object.__hash__

    # -- the array ------------------------------------------------------------------------------

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return self.transpose()

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation computed this tensor."""
        return self.grad_fn is None

    def numpy(self) -> np.ndarray:
        """Return the array (not a copy)."""
        return self._data

    def item(self) -> float | int | bool:
        """Return the only element as a Python number."""
        if self.size != 1:
            raise ShapeError(expected("item", "a tensor of one element", self.shape))
        return self._data.item()

    def detach(self) -> Tensor:
        """Return a tensor on the same memory that is not on the tape."""
        out = Tensor(self._data)
        out.share_version(self)
        return out

    def clone(self) -> Tensor:
        """Return a differentiable copy."""
        return arithmetic.Copy.apply(self)

    def astype(self, dtype: Any) -> Tensor:
        """Return the tensor converted to `dtype`, differentiable between floating types."""
        return arithmetic.Cast.apply(self, dtype=np.dtype(dtype))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._data, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise ShapeError(expected("len", "a tensor with at least one axis", self.shape))
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __repr__(self) -> str:
        text = np.array2string(
            self._data, precision=4, separator=", ", threshold=100, prefix="Tensor("
        )
        if self.grad_fn is not None:
            return f"Tensor({text}, grad_fn={type(self.grad_fn).__name__})"
        return f"Tensor({text}, requires_grad=True)" if self.requires_grad else f"Tensor({text})"

    # -- the tape -------------------------------------------------------------------------------

    def backward(self, grad: Any = None, retain_graph: bool = False) -> None:
        """Add d loss / d leaf to the `.grad` of every leaf this tensor was computed from.

        `grad` is the gradient of the loss with respect to this tensor; it may be left out for a
        tensor of one element (then it is 1).
        """
        if not self.requires_grad:
            raise AutogradError(
                "backward: expected a tensor computed from something with requires_grad, got a "
                "constant; set requires_grad=True on an input, and do not use no_grad"
            )
        if grad is None:
            if self.size != 1:
                raise AutogradError(
                    expected(
                        "backward",
                        "a scalar, or the gradient as an argument",
                        f"a tensor of shape {self.shape}",
                        "reduce it first, for example with .sum()",
                    )
                )
            grad = np.ones_like(self._data)
        grad = np.asarray(as_array(grad), dtype=self.dtype)
        if grad.shape != self.shape:
            raise ShapeError(expected("backward", f"grad of shape {self.shape}", grad.shape))
        autograd.walk_back(self, grad, retain_graph)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def register_hook(self, hook: Hook) -> Hook:
        """Call `hook(grad)` when the gradient is known; an array it returns replaces it."""
        if not self.requires_grad:
            raise AutogradError(
                expected("register_hook", "a tensor with requires_grad", "a constant")
            )
        owner: Any = self if self.grad_fn is None else self.grad_fn
        owner.hooks = [*(owner.hooks or ()), hook]
        return hook

    def retain_grad(self) -> None:
        """Keep `.grad` after backward although this tensor is not a leaf."""

        def keep(grad: np.ndarray) -> None:
            self.grad = grad.copy() if self.grad is None else self.grad + grad

        if self.grad_fn is not None:
            self.register_hook(keep)

    # -- arithmetic -----------------------------------------------------------------------------

    def __pow__(self, other: Any) -> Tensor:
        return arithmetic.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return arithmetic.power(other, self)

    def __abs__(self) -> Tensor:
        return arithmetic.absolute(self)

    def __matmul__(self, other: Any) -> Tensor:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return matmul(other, self)

    def exp(self) -> Tensor:
        """e^x, element by element."""
        return arithmetic.exp(self)

    def log(self) -> Tensor:
        """Natural logarithm, element by element."""
        return arithmetic.log(self)

    def sqrt(self) -> Tensor:
        """Square root, element by element."""
        return arithmetic.sqrt(self)

    def abs(self) -> Tensor:
        """|x|, element by element."""
        return arithmetic.absolute(self)

    def clip(self, low: float | None = None, high: float | None = None) -> Tensor:
        """min(max(x, low), high), element by element."""
        return arithmetic.clip(self, low, high)

    # -- comparisons (never differentiable) -----------------------------------------------------

    def __eq__(self, other: object) -> Any:
        return Tensor(np.asarray(self._data == as_array(other)))

    def __ne__(self, other: object) -> Any:
        return Tensor(np.asarray(self._data != as_array(other)))

    def __lt__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._data < as_array(other)))

    def __le__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._data <= as_array(other)))

    def __gt__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._data > as_array(other)))

    def __ge__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._data >= as_array(other)))

    def argmax(self, axis: int | None = None) -> Tensor:
        """Index of the largest element along `axis` (of the flattened tensor when None)."""
        return Tensor(np.asarray(self._data.argmax(axis)))

    # -- reductions -----------------------------------------------------------------------------

    def sum(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Sum over `axis` (all axes when None)."""
        return reduction.total(self, axis, keepdims)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Mean over `axis` (all axes when None)."""
        return reduction.mean(self, axis, keepdims)

    def var(self, axis: Axes = None, keepdims: bool = False, correction: int = 0) -> Tensor:
        """Variance over `axis`: the squared deviations divided by count - correction."""
        return reduction.var(self, axis, keepdims, correction)

    def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Maximum over `axis`; the gradient is shared equally among equal maxima."""
        return reduction.maximum(self, axis, keepdims)

    def min(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Minimum over `axis`; the gradient is shared equally among equal minima."""
        return reduction.minimum(self, axis, keepdims)

    # -- shape ----------------------------------------------------------------------------------

    def reshape(self, *sizes: Any) -> Tensor:
        """Return the same elements in another shape; one size may be -1."""
        return shape.reshape(self, _sizes(sizes))

    def transpose(self, *axes: Any) -> Tensor:
        """Reorder the axes (reverse them when none are given)."""
        return shape.transpose(self, _sizes(axes) or None)

    def flatten(self, start: int = 1) -> Tensor:
        """Join all axes from `start` on into one."""
        return shape.flatten(self, start)

    def squeeze(self, axis: Axes = None) -> Tensor:
        """Drop axes of size one."""
        return shape.reshape(self, np.squeeze(self._data, axis).shape)

    def unsqueeze(self, axis: int) -> Tensor:
        """Insert an axis of size one."""
        return shape.reshape(self, np.expand_dims(self._data, axis).shape)

    def broadcast_to(self, *sizes: Any) -> Tensor:
        """Repeat the tensor to `sizes` by NumPy's rules."""
        return shape.broadcast_to(self, _sizes(sizes))

    def __getitem__(self, index: Any) -> Tensor:
        return shape.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.requires_grad and autograd.is_grad_enabled():
            raise AutogradError(
                "setitem: expected a tensor outside the tape, got one that requires a gradient; "
                "write under no_grad, or use minidl.functional.where or concatenate"
            )
        self._data[shape.plain_index(index)] = as_array(value)
        self.written()


autograd.make_results(Tensor)


def _sizes(sizes: Sequence[Any]) -> tuple[int, ...]:
    """Accept f(2, 3) as well as f((2, 3))."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = sizes[0]
    if not all(isinstance(s, int | np.integer) for s in sizes):
        raise ArgumentError(expected("shape", "integers", tuple(sizes)))
    return tuple(int(s) for s in sizes)


def zeros(*sizes: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Return a Tensor of zeros."""
    return Tensor(np.zeros(_sizes(sizes), dtype), requires_grad)


def ones(*sizes: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Return a Tensor of ones."""
    return Tensor(np.ones(_sizes(sizes), dtype), requires_grad)
