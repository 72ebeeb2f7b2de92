"""Pooling: the maximum or the mean over windows of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ArgumentError, expected
from minidl.functional.conv import Pair, check_fits, check_images, check_room, pair

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class MaxPool2d(Function):
    """The largest value of each window; the first of equal ones gets the gradient."""

    def forward(self, x, *, kernel, stride, padding, dilation, out_size):
        """Return the maxima."""
        self.shape, self.window = x.shape, (kernel, stride, padding, dilation)
        # Places inside a window take a byte; a module that somebody brings has those in the image.
        self.local = kernel[0] * kernel[1] < 255 and not backend.brought("pool")
        function = "max_forward_local" if self.local else "max_forward"
        y, self.argmax = backend.call("pool", function, x, *self.window, out_size)
        return y

    def backward(self, grad):
        """Bring each gradient back to where its maximum stood."""
        if self.local:
            return backend.call(
                "pool", "max_backward_local", grad, self.argmax, self.shape, *self.window
            )
        return backend.call("pool", "max_backward", grad, self.argmax, self.shape)


class AvgPool2d(Function):
    """The mean of each window."""

    def forward(self, x, *, kernel, stride, padding, out_size, count_include_pad):
        """Return the means."""
        self.shape, self.options = x.shape, (kernel, stride, padding, count_include_pad)
        return backend.call(
            "pool", "avg_forward", x, kernel, stride, padding, out_size, count_include_pad
        )

    def backward(self, grad):
        """Spread each gradient evenly over its window."""
        return backend.call("pool", "avg_backward", grad, self.shape, *self.options)


class AdaptiveAvgPool2d(Function):
    """The mean of windows that divide the image into a given number of rows and columns."""

    def forward(self, x, *, out_size):
        """Return the means."""
        self.shape = x.shape
        return backend.call("pool", "adaptive_avg_forward", x, out_size)

    def backward(self, grad):
        """Spread each gradient evenly over its window."""
        return backend.call("pool", "adaptive_avg_backward", grad, self.shape)


def _geometry(op, x, kernel_size, stride, padding, dilation, ceil_mode):
    """Check the arguments; return kernel, stride, padding, dilation and output size as pairs."""
    check_images(op, x)
    kernel = pair(op, "kernel_size", kernel_size, 1)
    stride = kernel if stride is None else pair(op, "stride", stride, 1)
    padding, dilation = pair(op, "padding", padding, 0), pair(op, "dilation", dilation, 1)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ArgumentError(expected(op, f"padding of at most half the kernel {kernel}", padding))
    check_fits(op, x.shape, kernel, padding, dilation)
    sizes = zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    out_size = tuple(_out(*size, ceil_mode) for size in sizes)
    check_room(op, (*x.shape[:2], *out_size))
    return kernel, stride, padding, dilation, out_size


def _out(n: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    """Return the number of windows; with ceil_mode one may hang over, if it starts inside."""
    room = n + 2 * p - d * (k - 1) - 1
    if not ceil_mode:
        return room // s + 1
    count = -(-room // s) + 1
    return count - 1 if (count - 1) * s >= n + p else count


def max_pool2d(
    x: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """y[i, j] = max over the window at (i, j); NaN wins.

    Parameters
    ----------
    x : (n, c, h, w) float
    kernel_size, stride, padding, dilation : int or (vertical, horizontal); stride None = kernel
    ceil_mode : bool
        keep a last window that hangs over the edge

    Returns
    -------
    Tensor (n, c, oh, ow)

    Raises
    ------
    ShapeError
        for a wrong rank or a kernel larger than the padded image
    """
    kernel, stride_, pad, dil, out_size = _geometry(
        "max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode
    )
    return MaxPool2d.apply(
        x, kernel=kernel, stride=stride_, padding=pad, dilation=dil, out_size=out_size
    )


def avg_pool2d(
    x: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """y[i, j] = mean over the window at (i, j).

    Parameters
    ----------
    x : (n, c, h, w) float
    kernel_size, stride, padding : int or (vertical, horizontal); stride None = kernel
    ceil_mode : bool
        keep a last window that hangs over the edge
    count_include_pad : bool
        divide by the window's size with its padding, or by the pixels inside the image alone

    Returns
    -------
    Tensor (n, c, oh, ow)

    Raises
    ------
    ShapeError
        for a wrong rank or a kernel larger than the padded image
    """
    kernel, stride_, pad, _, out_size = _geometry(
        "avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode
    )
    return AvgPool2d.apply(
        x,
        kernel=kernel,
        stride=stride_,
        padding=pad,
        out_size=out_size,
        count_include_pad=count_include_pad,
    )


def adaptive_avg_pool2d(x: Tensor, output_size: Pair) -> Tensor:
    """y[i, j] = mean over rows floor(i h / oh) .. ceil((i + 1) h / oh), and columns likewise.

    Parameters
    ----------
    x : (n, c, h, w) float
    output_size : int or (oh, ow)

    Returns
    -------
    Tensor (n, c, oh, ow)

    Raises
    ------
    ShapeError
        for a wrong rank or an empty image
    """
    op = "adaptive_avg_pool2d"
    check_images(op, x)
    out_size = pair(op, "output_size", output_size, 1)
    check_fits(op, x.shape, (1, 1), (0, 0))
    check_room(op, (*x.shape[:2], *out_size))
    return AdaptiveAvgPool2d.apply(x, out_size=out_size)
