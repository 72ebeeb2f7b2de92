"""Padding: borders of a constant, or of the elements' own mirror image, edge or other end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.autograd import Function
from minidl.errors import ArgumentError, ShapeError, expected

if TYPE_CHECKING:
    from minidl.tensor import Tensor

Widths = Sequence[tuple[int, int]]
# PyTorch's names and NumPy's.
MODES: dict[str, Any] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


class Pad(Function):
    """x inside a border of a constant."""

    def forward(self, x, *, widths, value):
        """Return x with widths[i] = (before, after) elements of `value` along axis i."""
        self.inside = tuple(slice(b, b + n) for (b, _), n in zip(widths, x.shape, strict=True))
        return np.pad(x, widths, constant_values=value)

    def backward(self, grad):
        """Return the gradient without the border."""
        return grad[self.inside]


class PadByItself(Function):
    """x inside a border of its own elements."""

    def forward(self, x, *, widths, mode):
        """Return x with widths[i] = (before, after) of its elements along axis i."""
        self.shape, self.widths, self.mode = x.shape, widths, MODES[mode]
        return np.pad(x, widths, mode=self.mode)

    def backward(self, grad):
        """Add the border's gradients to those of the elements it repeats, axis by axis."""
        for axis, (before, after) in enumerate(self.widths):
            if before == after == 0:
                continue
            length = self.shape[axis]
            source = np.pad(np.arange(length), (before, after), mode=self.mode)
            lines = np.moveaxis(grad, axis, 0)
            inside = lines[before : before + length].copy()
            for border in (*range(before), *range(before + length, len(source))):
                inside[source[border]] += lines[border]
            grad = np.moveaxis(inside, 0, axis)
        return grad


def pad(x: Tensor, widths: Widths, value: float = 0.0, mode: str = "constant") -> Tensor:
    """Add widths[i] = (before, after) elements along each axis i.

    Parameters
    ----------
    x : Tensor
    widths : a pair for each axis of x, at least 0
    value : what a constant border is filled with
    mode : "constant", "reflect" (c b | a b c | b a), "replicate" (a a | a b c | c c) or
        "circular" (b c | a b c | a b)

    Raises
    ------
    ShapeError
        unless there is a pair for each axis, and enough elements to fill the border with:
        "reflect" takes at most one less than there are, "circular" as many, "replicate" one
    """
    if mode not in MODES:
        raise ArgumentError(expected("pad", f"a mode among {', '.join(MODES)}", repr(mode)))
    if len(widths) != x.ndim or any(b < 0 or a < 0 for b, a in widths):
        raise ShapeError(
            expected("pad", f"{x.ndim} pairs of non-negative widths for {x.shape}", list(widths))
        )
    widths = tuple((int(b), int(a)) for b, a in widths)
    if mode == "constant":
        return Pad.apply(x, widths=widths, value=value)
    for axis, (length, width) in enumerate(zip(x.shape, widths, strict=True)):
        most = {"reflect": length - 1, "circular": length}.get(mode, np.inf if length else 0)
        if max(width) > max(most, 0):
            raise ShapeError(
                expected(
                    "pad",
                    f"{mode} borders of at most {max(most, 0)} along axis {axis} of {x.shape}",
                    width,
                )
            )
    return PadByItself.apply(x, widths=widths, mode=mode)
