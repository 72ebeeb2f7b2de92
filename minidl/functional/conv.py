"""Convolution of sequences and images, and its transpose."""

from __future__ import annotations

import functools
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
from minidl.functional.padding import pad

if TYPE_CHECKING:
    from minidl.tensor import Tensor

Numbers = int | tuple[int, ...]

# Strides, paddings and extents beyond this lead out of any memory.
FARTHEST = 2**40
AXES = {1: "n c l", 2: "n c h w"}


def numbers(op: str, name: str, value: Numbers, least: int, space: int) -> tuple[int, ...]:
    """Return a number, or one for each of `space` axes, as a tuple of integers >= `least`."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * space
    for v in values:  # the quick answer, for the usual values
        if type(v) is not int or not least <= v <= FARTHEST:
            break
    else:
        if len(values) == space:
            return values
    integers = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in values)
    if len(values) != space or not integers or min(values) < least:
        more = ", or two of them" if space == 2 else ""
        raise ArgumentError(
            expected(op, f"{name} as an integer of at least {least}{more}", repr(value))
        )
    if max(values) > FARTHEST:
        raise ArgumentError(expected(op, f"{name} of at most {FARTHEST}", repr(value)))
    return tuple(int(v) for v in values)


def as_images(array: np.ndarray) -> np.ndarray:
    """View sequences (n, c, l) as images of one row, (n, c, 1, l); images stay as they are."""
    return array if array.ndim == 4 else array[:, :, None]


def as_pair(values: tuple[int, ...], along: int) -> tuple[int, int]:
    """Return one number for each axis of an image; `along` for the row that a sequence is."""
    return (values[0], values[1]) if len(values) == 2 else (along, values[0])


class Convolution(Function):
    """y[o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[c, i + u, j + v]."""

    def forward(self, x, weight, bias, *, geometry):
        """Return y, for images or sequences."""
        self.shapes, self.geometry = (x.shape, weight.shape), geometry
        self.x, self.weight = as_images(x), as_images(weight)
        y = backend.call("conv2d", "forward", self.x, self.weight, bias, *geometry)
        return y if x.ndim == 4 else y[:, :, 0]

    def backward(self, grad):
        """Return dx, dweight and dbias."""
        x, weight, dy = self.x, self.weight, as_images(grad)
        dx = dweight = dbias = None
        if self.needs[0]:
            dx = backend.call("conv2d", "backward_input", dy, weight, x.shape, *self.geometry)
        if self.needs[1]:
            dweight = backend.call("conv2d", "backward_weight", dy, x, weight.shape, *self.geometry)
        if self.needs[2]:
            dbias = backend.call("conv2d", "backward_bias", dy)
        if grad.ndim == 3:
            dx, dweight = (d if d is None else d[:, :, 0] for d in (dx, dweight))
        return dx, dweight, dbias


class TransposedConvolution(Function):
    """The gradient of a convolution with respect to its input, as an operation of its own."""

    def forward(self, x, weight, bias, *, out_size, geometry):
        """Return y: every value of x hands weight * x on to the patch of y it stands for."""
        self.x, self.weight, self.geometry = x, weight, geometry
        shape = (x.shape[0], weight.shape[1] * geometry[-1], *out_size)
        y = backend.call("conv2d", "backward_input", x, weight, shape, *geometry)
        return y if bias is None else y + bias[:, None, None]

    def backward(self, grad):
        """Return dx, a convolution of the gradient, dweight and dbias."""
        x, weight = self.x, self.weight
        dx = dweight = dbias = None
        if self.needs[0]:
            dx = backend.call("conv2d", "forward", grad, weight, None, *self.geometry)
        if self.needs[1]:
            dweight = backend.call(
                "conv2d", "backward_weight", x, grad, weight.shape, *self.geometry
            )
        if self.needs[2]:
            dbias = backend.call("conv2d", "backward_bias", grad)
        return dx, dweight, dbias


def resolve_padding(
    op: str,
    padding: Numbers | str,
    kernel: Sequence[int],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[tuple[int, int]]:
    """Return padding as (before, after) for each axis; "valid" is none, "same" keeps the size.

    An odd number of places is divided as PyTorch does it, with one more after.
    """
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if not isinstance(padding, str):
        return [(p, p) for p in numbers(op, "padding", padding, 0, len(kernel))]
    if padding != "same":
        raise ArgumentError(expected(op, 'padding as numbers, "same" or "valid"', repr(padding)))
    if max(stride) > 1:
        hint = "give the padding as a number"
        raise ArgumentError(expected(op, 'stride 1 for padding="same"', f"stride {stride}", hint))
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return [(r // 2, r - r // 2) for r in reach]


def _convolve(
    op: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Numbers,
    padding: Numbers | str,
    dilation: Numbers,
    groups: int,
) -> Tensor:
    """Check the arguments of a convolution over sequences or images, and run it."""
    space = int(op[-2])
    for name, array in (("x", x), ("weight", weight), ("bias", bias)):
        if array is not None:
            check_floating(op, name, array)
    check_sizes(op, groups=groups)
    shapes = x.shape, weight.shape, None if bias is None else bias.shape
    check_rank(op, "weight", shapes[1], "o c k" if space == 1 else "o c kh kw")
    stride = numbers(op, "stride", stride, 1, space)
    dilation = numbers(op, "dilation", dilation, 1, space)
    edges = resolve_padding(op, padding, shapes[1][2:], stride, dilation)
    behind, geometry = _plan(op, *shapes, stride, tuple(edges), dilation, int(groups))
    if behind is not None:
        x = pad(x, behind)
    return Convolution.apply(x, weight, bias, geometry=geometry)


@functools.lru_cache(maxsize=4096)
def _plan(op, x_shape, weight_shape, bias_shape, stride, edges, dilation, groups):
    """Check that all shapes fit; return what to pad first, or None, and the kernels' geometry.

    A network meets the same shapes again and again: a plan is made once.
    """
    check_axes(op, x_shape, len(stride))
    outputs, channels, kernel = weight_shape[0], weight_shape[1] * groups, weight_shape[2:]
    if outputs % groups:
        raise ArgumentError(expected(op, f"groups that divide the {outputs} outputs", groups))
    if x_shape[1] != channels:
        hint = f"the weight is {weight_shape} for {groups} groups" if groups > 1 else ""
        raise ShapeError(expected(op, f"x with {channels} channels (axis 1)", x_shape, hint))
    if bias_shape is not None:
        check_size(op, "bias", bias_shape, weight_shape[:1])
    before = tuple(b for b, _ in edges)
    behind = tuple(after - b for b, after in edges)
    size = [n + more for n, more in zip(x_shape[2:], behind, strict=True)]
    check_fits(op, (*x_shape[:2], *size), kernel, before, dilation)
    sizes = zip(size, kernel, stride, before, dilation, strict=True)
    out_size = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
    check_room(op, (x_shape[0], outputs, *out_size))
    first = [(0, 0), (0, 0), *((0, more) for more in behind)] if any(behind) else None
    return first, (as_pair(stride, 1), as_pair(before, 0), as_pair(dilation, 1), groups)


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlate sequences with kernels, channel group by channel group.

    Parameters
    ----------
    x : (n, c, l) float
    weight : (o, c / groups, k) float
    bias : (o,) float, or None
    stride, padding, dilation : int; padding also "same" or "valid"
    groups : int, a divisor of c and of o

    Returns
    -------
    Tensor (n, o, ol),  ol = (l + 2 padding - dilation (k - 1) - 1) // stride + 1

    Raises
    ------
    ShapeError
        for wrong ranks or channels, and for a kernel longer than the padded sequence

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998, section II.A; Waibel et al. 1989 for sequences.
    """
    return _convolve("conv1d", x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
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
    return _convolve("conv2d", x, weight, bias, stride, padding, dilation, groups)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Tensor:
    """Return what `conv2d` with this weight would send back as dx for dy = x; plus a bias.

    Parameters
    ----------
    x : (n, c, h, w) float
    weight : (c, o / groups, kh, kw) float
    bias : (o,) float, or None
    stride, padding, dilation : int or (vertical, horizontal), those of that convolution
    output_padding : int or (vertical, horizontal), below the stride
        which of the sizes that the convolution brings to (h, w) the result has
    groups : int, a divisor of c and of o

    Returns
    -------
    Tensor (n, o, oh, ow),
        oh = (h - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1

    Raises
    ------
    ShapeError
        for wrong ranks or channels, and where nothing is left of the result

    References
    ----------
    Dumoulin & Visin 2016, A guide to convolution arithmetic, chapter 4.
    """
    op = "conv_transpose2d"
    check_input(op, x, 2)
    check_floating(op, "weight", weight)
    check_rank(op, "weight", weight.shape, "c o kh kw")
    check_sizes(op, groups=groups)
    if x.shape[1] != weight.shape[0]:
        raise ShapeError(expected(op, f"x with {weight.shape[0]} channels (axis 1)", x.shape))
    if weight.shape[0] % groups:
        wanted = f"groups that divide the {weight.shape[0]} channels"
        raise ArgumentError(expected(op, wanted, groups))
    if bias is not None:
        check_floating(op, "bias", bias)
        check_size(op, "bias", bias.shape, (weight.shape[1] * groups,))
    steps, spread = numbers(op, "stride", stride, 1, 2), numbers(op, "dilation", dilation, 1, 2)
    edge = numbers(op, "padding", padding, 0, 2)
    extra = numbers(op, "output_padding", output_padding, 0, 2)
    if any(e >= s for e, s in zip(extra, steps, strict=True)):
        raise ArgumentError(expected(op, f"output_padding below the stride {steps}", extra))
    sizes = zip(x.shape[2:], weight.shape[2:], steps, edge, spread, extra, strict=True)
    out_size = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, d, e in sizes)
    if min(*x.shape[2:], *weight.shape[2:]) < 1:
        got = f"{x.shape} and {weight.shape}"
        raise ShapeError(expected(op, "x and weight of at least one pixel", got))
    if min(out_size) < 1:
        raise ShapeError(expected(op, "a result of at least one pixel", out_size, "pad less"))
    check_room(op, (x.shape[0], weight.shape[1] * groups, *out_size))
    return TransposedConvolution.apply(
        x, weight, bias, out_size=out_size, geometry=(steps, edge, spread, groups)
    )


def check_input(op: str, x: Tensor, space: int) -> None:
    """Raise an error unless x is a floating (n, c, l) or (n, c, h, w), by its axes of space."""
    check_floating(op, "x", x)
    check_axes(op, x.shape, space)


def check_axes(op: str, shape: Sequence[int], space: int) -> None:
    """Raise ShapeError unless `shape` is (n, c, l) or (n, c, h, w), by its axes of space."""
    hints = {
        space + 1: "add a channel axis with x[:, None]",
        space: "add batch and channel with x[None, None]",
    }
    check_rank(op, "x", shape, AXES[space], hints.get(len(shape), ""))


def check_images(op: str, x: Tensor) -> None:
    """Raise an error unless x is a floating (n, c, h, w)."""
    check_input(op, x, 2)


def check_fits(op: str, shape, kernel, padding, dilation=(1, 1)) -> None:
    """Raise ShapeError when a kernel is larger than the padded input."""
    padded = [n + 2 * p for n, p in zip(shape[2:], padding, strict=True)]
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(e > n for e, n in zip(extent, padded, strict=True)) or min(kernel) < 1:
        what = "an image" if len(padded) == 2 else "a sequence"
        raise ShapeError(
            expected(
                op,
                f"{what} at least as large as the kernel's {' x '.join(map(str, extent))}",
                f"{' x '.join(map(str, padded))} with padding",
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
