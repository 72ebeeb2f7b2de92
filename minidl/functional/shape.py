"""Operations that move elements without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import tensor as tensor_module
from minidl.autograd import Function
from minidl.errors import ArgumentError, ShapeError, expected
from minidl.functional.arithmetic import sum_to
from minidl.functional.reduction import normalize_axes

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class Reshape(Function):
    """The same elements in another shape."""

    def forward(self, x, *, shape):
        """Return x in `shape`."""
        self.shape = x.shape
        return x.reshape(shape)

    def backward(self, grad):
        """Return the gradient in x's shape."""
        return grad.reshape(self.shape)


class Transpose(Function):
    """The axes in another order."""

    def forward(self, x, *, axes):
        """Return x with its axes in the order `axes`."""
        self.inverse = np.argsort(axes)
        return x.transpose(axes)

    def backward(self, grad):
        """Put the axes back."""
        return grad.transpose(self.inverse)


class BroadcastTo(Function):
    """x repeated to a larger shape."""

    def forward(self, x, *, shape):
        """Return a copy of x repeated to `shape`."""
        self.shape = x.shape
        return np.broadcast_to(x, shape).copy()

    def backward(self, grad):
        """Sum over the repeated axes."""
        return sum_to(grad, self.shape)


class GetItem(Function):
    """x[index]."""

    def forward(self, x, *, index):
        """Return x[index]."""
        self.shape, self.index = x.shape, index
        return np.asarray(x[index])

    def backward(self, grad):
        """Add the gradient where its elements came from (several times where index repeats)."""
        dx = np.zeros(self.shape, grad.dtype)
        if _is_basic(self.index):
            dx[self.index] = grad
        else:
            np.add.at(dx, self.index, grad)
        return dx


class Concatenate(Function):
    """Arrays joined along an axis."""

    def forward(self, *arrays, axis):
        """Return the arrays joined along `axis`."""
        self.axis, self.ends = axis, np.cumsum([a.shape[axis] for a in arrays])[:-1]
        return np.concatenate(arrays, axis)

    def backward(self, grad):
        """Cut the gradient at the joints."""
        return tuple(np.split(grad, self.ends, self.axis))


def _is_basic(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(p, int | np.integer | slice | type(None) | type(...)) for p in parts)


def plain_index(index: Any) -> Any:
    """Return an index with the Tensors in it replaced by their arrays."""
    if isinstance(index, tuple):
        return tuple(plain_index(part) for part in index)
    return index.data if isinstance(index, tensor_module.Tensor) else index


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the same elements in `shape`; one size may be -1."""
    known = math.prod([s for s in shape if s != -1])
    unknown = list(shape).count(-1)
    fits = x.size == known if unknown == 0 else unknown == 1 and known > 0 and x.size % known == 0
    if not fits or any(s < -1 for s in shape):
        raise ShapeError(
            expected("reshape", f"a shape for {x.size} elements (those of {x.shape})", tuple(shape))
        )
    return Reshape.apply(x, shape=tuple(shape))


def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """Return x with its axes in the order `axes` (reversed when None)."""
    order = (
        tuple(range(x.ndim))[::-1]
        if axes is None
        else normalize_axes("transpose", tuple(axes), x.ndim)
    )
    if len(order) != x.ndim:
        raise ShapeError(expected("transpose", f"all {x.ndim} axes of {x.shape}, each once", axes))
    return Transpose.apply(x, axes=order)


def flatten(x: Tensor, start: int = 1) -> Tensor:
    """Join all axes from `start` on into one: (n, c, h, w) becomes (n, c h w)."""
    if not 0 <= start < max(x.ndim, 1):
        raise ShapeError(
            expected("flatten", f"start between 0 and {x.ndim - 1} for {x.shape}", start)
        )
    return reshape(x, (*x.shape[:start], math.prod(x.shape[start:])))


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Repeat x to `shape` by NumPy's rules."""
    try:
        np.broadcast_shapes(x.shape, tuple(shape))
        fits = len(shape) >= x.ndim and np.broadcast_shapes(x.shape, tuple(shape)) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            expected("broadcast_to", f"a shape that {x.shape} repeats to", tuple(shape))
        )
    return BroadcastTo.apply(x, shape=tuple(shape))


def getitem(x: Tensor, index: Any) -> Tensor:
    """Return x[index]: integers, slices, None, ..., integer arrays or boolean masks."""
    index = plain_index(index)
    try:
        return GetItem.apply(x, index=index)
    except IndexError as error:
        raise ShapeError(
            expected("index", f"an index into shape {x.shape}", repr(index), str(error))
        ) from None


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along an axis; their other sizes must agree."""
    if len(tensors) == 0:
        raise ArgumentError(expected("concatenate", "at least one tensor", "none"))
    first = tensors[0].shape
    (axis,) = normalize_axes("concatenate", axis, len(first))
    for t in tensors:
        if t.ndim != len(first) or any(
            i != axis and a != b for i, (a, b) in enumerate(zip(t.shape, first, strict=True))
        ):
            raise ShapeError(
                expected(
                    "concatenate", f"shapes equal but for axis {axis}", [t.shape for t in tensors]
                )
            )
    return Concatenate.apply(*tensors, axis=axis)


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    if len({t.shape for t in tensors}) > 1:
        raise ShapeError(expected("stack", "tensors of one shape", [t.shape for t in tensors]))
    return concatenate([t.unsqueeze(axis) for t in tensors], axis)
