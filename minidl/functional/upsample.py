"""Images and sequences in another size."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ArgumentError, ShapeError, check_floating, expected
from minidl.functional.conv import FARTHEST, Numbers, as_images, as_pair, check_room, numbers

if TYPE_CHECKING:
    from minidl.tensor import Tensor

# Axes of space that each mode is for.
MODES = {"nearest": (1, 2), "linear": (1,), "bilinear": (2,)}


class Nearest(Function):
    """The pixel each place falls on."""

    def forward(self, x, *, out_size, step):
        """Return x resized."""
        images = as_images(x)
        self.shape, self.step = images.shape, step
        y = backend.call("upsample", "nearest_forward", images, out_size, step)
        return y if x.ndim == 4 else y[:, :, 0]

    def backward(self, grad):
        """Sum the gradients of the places taken from each pixel."""
        dy = as_images(grad)
        dx = backend.call("upsample", "nearest_backward", dy, self.shape, self.step)
        return dx if grad.ndim == 4 else dx[:, :, 0]


class Bilinear(Function):
    """The lines between pixels."""

    def forward(self, x, *, out_size, step, align_corners):
        """Return x resized."""
        images = as_images(x)
        self.shape, self.options = images.shape, (step, align_corners)
        y = backend.call("upsample", "bilinear_forward", images, out_size, *self.options)
        return y if x.ndim == 4 else y[:, :, 0]

    def backward(self, grad):
        """Share each gradient among the pixels around its place."""
        dy = as_images(grad)
        dx = backend.call("upsample", "bilinear_backward", dy, self.shape, *self.options)
        return dx if grad.ndim == 4 else dx[:, :, 0]


def interpolate(
    x: Tensor,
    size: Numbers | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Resize images or sequences, to a size or by a factor.

    "nearest" takes y[p] = x[floor(p h / oh)]; "bilinear" (for sequences "linear") takes the value
    at (p + 1/2) h / oh - 1/2 of the line between neighbouring pixels, or with align_corners at
    p (h - 1) / (oh - 1). By a factor f, h / oh is 1 / f also where f h is no integer.

    Parameters
    ----------
    x : (n, c, h, w) or (n, c, l) float
    size : int, or one for each axis of space
    scale_factor : positive number, or one for each axis; the size is floor(f h)
    mode : "nearest", "linear" (sequences) or "bilinear" (images)
    align_corners : bool, for the modes with lines

    Returns
    -------
    Tensor (n, c, oh, ow) or (n, c, ol)

    Raises
    ------
    ArgumentError
        unless there is either a size or a factor
    ShapeError
        for a wrong rank, an empty image and an empty result

    References
    ----------
    Odena, Dumoulin & Olah 2016, on resizing before convolution.
    """
    op = "interpolate"
    check_floating(op, "x", x)
    if mode not in MODES:
        raise ArgumentError(expected(op, f"a mode among {', '.join(MODES)}", repr(mode)))
    space = x.ndim - 2
    if space not in MODES[mode] or min(x.shape[2:]) < 1:
        shapes = " or ".join({1: "(n, c, l)", 2: "(n, c, h, w)"}[s] for s in MODES[mode])
        raise ShapeError(expected(op, f"x of shape {shapes} for {mode}, not empty", x.shape))
    if mode == "nearest" and align_corners is not None:
        wanted = "align_corners with linear or bilinear alone"
        raise ArgumentError(expected(op, wanted, align_corners))
    out_size, step = _target(op, x.shape[2:], size, scale_factor)
    check_room(op, (*x.shape[:2], *out_size))
    options = {"out_size": as_pair(out_size, 1), "step": step if space == 2 else (1.0, *step)}
    if mode == "nearest":
        return Nearest.apply(x, **options)
    return Bilinear.apply(x, align_corners=bool(align_corners), **options)


def _target(
    op: str,
    shape: tuple[int, ...],
    size: Numbers | None,
    factor: float | tuple[float, ...] | None,
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the size of the result, and how far one of its pixels goes in the input."""
    if (size is None) == (factor is None):
        got = "neither" if size is None else "both"
        raise ArgumentError(expected(op, "either size or scale_factor", got))
    if size is not None:
        out = numbers(op, "size", size, 1, len(shape))
        return out, tuple(n / o for n, o in zip(shape, out, strict=True))
    factors: tuple[Any, ...] = (
        tuple(factor) if isinstance(factor, tuple | list) else (factor,) * len(shape)
    )
    real = all(isinstance(f, Real) and not isinstance(f, bool) for f in factors)
    if len(factors) != len(shape) or not real or not all(0 < f < FARTHEST for f in factors):
        wanted = "scale_factor as a positive number, or one for each axis of space"
        raise ArgumentError(expected(op, wanted, repr(factor)))
    out = tuple(math.floor(n * f) for n, f in zip(shape, factors, strict=True))
    if min(out) < 1:
        raise ShapeError(expected(op, "a result of at least one pixel", out, "scale down less"))
    return out, tuple(1 / f for f in factors)
