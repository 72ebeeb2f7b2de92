"""Convolution of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import (
    ArgumentError,
    ShapeError,
    check_floating,
    check_rank,
    check_size,
    check_sizes,
    expected,
)

if TYPE_CHECKING:
    from minidl.tensor import Tensor

Pair = int | tuple[int, int]

# Strides, paddings and extents beyond this lead out of any memory.
FARTHEST = 2**40


def pair(op: str, name: str, value: Pair, least: int) -> tuple[int, int]:
    """Return a number, or two of them (vertical, horizontal), as a pair of integers >= `least`."""
    values = tuple(value) if isinstance(value, tuple | list) else (value, value)
    integers = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in values)
    if len(values) != 2 or not integers or min(values) < least:
        raise ArgumentError(
            expected(op, f"{name} as an integer of at least {least}, or two of them", repr(value))
        )
    if max(values) > FARTHEST:
        raise ArgumentError(expected(op, f"{name} of at most {FARTHEST}", repr(value)))
    return int(values[0]), int(values[1])


class Conv2d(Function):
    """y[o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[c, i + u, j + v]."""

    def forward(self, x, weight, bias, *, geometry):
        """Return y."""
        self.x, self.weight, self.geometry = x, weight, geometry
        return backend.call("conv2d", "forward", x, weight, bias, *geometry)

    def backward(self, grad):
        """Return dx, dweight and dbias."""
        x, weight = self.x, self.weight
        dx = dweight = dbias = None
        if self.needs[0]:
            dx = backend.call("conv2d", "backward_input", grad, weight, x.shape, *self.geometry)
        if self.needs[1]:
            dweight = backend.call(
                "conv2d", "backward_weight", grad, x, weight.shape, *self.geometry
            )
        if self.needs[2]:
            dbias = grad.sum(axis=(0, 2, 3))
        return dx, dweight, dbias


def resolve_padding(
    op: str,
    padding: Pair | str,
    kernel: Sequence[int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """Return padding as a pair; "valid" is none, "same" keeps the size (odd extents only)."""
    if padding == "valid":
        return 0, 0
    if not isinstance(padding, str):
        return pair(op, "padding", padding, 0)
    if padding != "same":
        raise ArgumentError(expected(op, 'padding as numbers, "same" or "valid"', repr(padding)))
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if stride != (1, 1) or any(r % 2 for r in reach):
        raise ArgumentError(
            expected(
                op,
                'stride 1 and an odd kernel for padding="same"',
                f"stride {stride}, kernel {kernel}",
                "give the padding as a number, or pad the image first",
            )
        )
    return reach[0] // 2, reach[1] // 2


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlate images with kernels, channel group by channel group.

    Parameters
    ----------
    x : (n, c, h, w) float
    weight : (o, c / groups, kh, kw) float
    bias : (o,) float, or None
    stride, padding, dilation : int or (vertical, horizontal); padding also "same" or "valid"
    groups : int, a divisor of c and of o

    Returns
    -------
    Tensor (n, o, oh, ow),  oh = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1

    Raises
    ------
    ShapeError
        for wrong ranks or channels, and for a kernel larger than the padded image

    References
    ----------
    Dumoulin & Visin 2016, A guide to convolution arithmetic.
    """
    check_images("conv2d", x)
    _check_weight(x, weight, bias, groups)
    stride, dilation = pair("conv2d", "stride", stride, 1), pair("conv2d", "dilation", dilation, 1)
    kernel = weight.shape[2:]
    pad = resolve_padding("conv2d", padding, kernel, stride, dilation)
    check_fits("conv2d", x.shape, kernel, pad, dilation)
    sizes = zip(x.shape[2:], kernel, stride, pad, dilation, strict=True)
    out_size = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
    check_room("conv2d", (x.shape[0], weight.shape[0], *out_size))
    return Conv2d.apply(x, weight, bias, geometry=(stride, pad, dilation, groups))


def _check_weight(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    """Raise an error unless weight and bias fit the images and the groups."""
    check_floating("conv2d", "weight", weight)
    check_rank("conv2d", "weight", weight.shape, "o c kh kw")
    check_sizes("conv2d", groups=groups)
    outputs, channels = weight.shape[0], weight.shape[1] * groups
    if outputs % groups:
        raise ArgumentError(expected("conv2d", f"groups that divide the {outputs} outputs", groups))
    if x.shape[1] != channels:
        hint = f"the weight is {weight.shape} for {groups} groups" if groups > 1 else ""
        raise ShapeError(expected("conv2d", f"x with {channels} channels (axis 1)", x.shape, hint))
    if bias is not None:
        check_floating("conv2d", "bias", bias)
        check_size("conv2d", "bias", bias.shape, weight.shape[:1])


def check_images(op: str, x: Tensor) -> None:
    """Raise an error unless x is a floating (n, c, h, w)."""
    check_floating(op, "x", x)
    hints = {3: "add a channel axis with x[:, None]", 2: "add batch and channel with x[None, None]"}
    check_rank(op, "x", x.shape, "n c h w", hints.get(x.ndim, ""))


def check_fits(op: str, shape, kernel, padding, dilation=(1, 1)) -> None:
    """Raise ShapeError when a kernel is larger than the padded image."""
    padded = [n + 2 * p for n, p in zip(shape[2:], padding, strict=True)]
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(e > n for e, n in zip(extent, padded, strict=True)) or min(kernel) < 1:
        raise ShapeError(
            expected(
                op,
                f"an image at least as large as the kernel's {extent[0]} x {extent[1]}",
                f"{padded[0]} x {padded[1]} with padding",
                "use a smaller kernel or more padding",
            )
        )


def check_room(op: str, shape: tuple[int, ...]) -> None:
    """Raise ShapeError when an output has more values than any memory can be asked for."""
    if math.prod(shape) >= 2**60:
        raise ShapeError(
            expected(
                op, "an output that fits in memory", shape, "use less padding or larger strides"
            )
        )
