"""Weight normalization: a weight as a direction times a length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minidl.autograd import Function
from minidl.errors import ArgumentError, check_floating, check_size, expected

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class WeightNorm(Function):
    """w = g v / ||v||, the norm taken over `axes`."""

    def forward(self, v, g, *, axes):
        """Return w."""
        self.v, self.g, self.axes = v, g, axes
        self.norm = lengths(v, axes)
        return v * (g / self.norm)

    def backward(self, grad):
        """Return dv = g / ||v|| dw - g dg / ||v||^2 v, and dg = (dw . v) / ||v||."""
        dg = (grad * self.v).sum(axis=self.axes, keepdims=True) / self.norm
        dv = self.g / self.norm * (grad - self.v * (dg / self.norm)) if self.needs[0] else None
        return dv, dg.reshape(self.g.shape)


def lengths(v: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Return the Euclidean norm of v over `axes`, which stay as axes of size 1."""
    # Scaled, so that the squares of very small and very large values stay numbers.
    largest = np.abs(v).max(axis=axes, keepdims=True, initial=0)
    if not largest.all():
        wanted = "vectors v of which none is all 0"
        hint = "draw them anew: a zero vector has no direction"
        raise ArgumentError(expected("weight_norm", wanted, "one that is", hint))
    return largest * np.sqrt(np.square(v / largest).sum(axis=axes, keepdims=True))


def weight_norm(v: Tensor, g: Tensor, dim: int | None = 0) -> Tensor:
    """w = g v / ||v||: one length g for each slice of v along `dim`.

    dL/dg = (dL/dw . v) / ||v||,  dL/dv = g / ||v|| dL/dw - g / ||v||^2 dL/dg v: orthogonal to v.

    Parameters
    ----------
    v : (...) float, the directions
    g : the lengths: v's shape with every axis but `dim` of size 1, or () where dim is None
    dim : the axis of the slices, output features first; None for one length of the whole array

    Returns
    -------
    Tensor of v's shape

    Raises
    ------
    ArgumentError, ShapeError
        for an axis that v has not, another shape of g, or a slice of zeros

    References
    ----------
    Salimans & Kingma 2016, equations 2 and 3.
    """
    check_floating("weight_norm", "v", v)
    check_floating("weight_norm", "g", g)
    axes = other_axes("weight_norm", v.ndim, dim)
    shape = tuple(1 if i in axes else n for i, n in enumerate(v.shape))
    check_size("weight_norm", "g", g.shape, () if dim is None else shape)
    return WeightNorm.apply(v, g, axes=axes)


def other_axes(op: str, ndim: int, dim: int | None) -> tuple[int, ...]:
    """Return all axes but `dim`."""
    if dim is None:
        return tuple(range(ndim))
    if not isinstance(dim, int) or not -ndim <= dim < ndim:
        wanted = f"dim as an axis of {ndim}, or None for one length in all"
        raise ArgumentError(expected(op, wanted, repr(dim)))
    return tuple(i for i in range(ndim) if i != dim % ndim)
