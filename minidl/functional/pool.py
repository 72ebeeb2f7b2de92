"""Pooling: the maximum or the mean over windows of a sequence or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ArgumentError, expected
from minidl.functional.conv import (
    Numbers,
    as_images,
    as_pair,
    check_fits,
    check_input,
    check_room,
    numbers,
)

if TYPE_CHECKING:
    from minidl.tensor import Tensor


def _like(images: np.ndarray, ndim: int) -> np.ndarray:
    """Undo `as_images` for an array that had `ndim` axes."""
    return images if ndim == 4 else images[:, :, 0]


class MaxPool(Function):
    """The largest value of each window; the first of equal ones gets the gradient."""

    def forward(self, x, *, window, out_size):
        """Return the maxima."""
        images = as_images(x)
        self.shape, self.window = images.shape, window
        # Places inside a window take a byte; a module that somebody brings has those in the image.
        self.local = window[0][0] * window[0][1] < 255 and not backend.brought("pool")
        function = "max_forward_local" if self.local else "max_forward"
        y, self.argmax = backend.call("pool", function, images, *window, out_size)
        return _like(y, x.ndim)

    def backward(self, grad):
        """Bring each gradient back to where its maximum stood."""
        dy = as_images(grad)
        if self.local:
            dx = backend.call(
                "pool", "max_backward_local", dy, self.argmax, self.shape, *self.window
            )
        else:
            dx = backend.call("pool", "max_backward", dy, self.argmax, self.shape)
        return _like(dx, grad.ndim)


class Maxima(Function):
    """Maxima already found, at known places of the input."""

    def forward(self, x, *, y, argmax):
        """Return the maxima."""
        self.shape, self.argmax = as_images(x).shape, argmax
        return _like(y, x.ndim)

    def backward(self, grad):
        """Bring each gradient back to where its maximum stood."""
        dx = backend.call("pool", "max_backward", as_images(grad), self.argmax, self.shape)
        return _like(dx, grad.ndim)


class AvgPool(Function):
    """The mean of each window."""

    def forward(self, x, *, window, out_size, count_include_pad):
        """Return the means."""
        images = as_images(x)
        self.shape, self.options = images.shape, (*window, count_include_pad)
        y = backend.call("pool", "avg_forward", images, *window, out_size, count_include_pad)
        return _like(y, x.ndim)

    def backward(self, grad):
        """Spread each gradient evenly over its window."""
        dx = backend.call("pool", "avg_backward", as_images(grad), self.shape, *self.options)
        return _like(dx, grad.ndim)


class AdaptiveAvgPool(Function):
    """The mean of windows that divide the input into a given number of places."""

    def forward(self, x, *, out_size):
        """Return the means."""
        images = as_images(x)
        self.shape = images.shape
        return _like(backend.call("pool", "adaptive_avg_forward", images, out_size), x.ndim)

    def backward(self, grad):
        """Spread each gradient evenly over its window."""
        dx = backend.call("pool", "adaptive_avg_backward", as_images(grad), self.shape)
        return _like(dx, grad.ndim)


Window = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]


def _geometry(
    op: str,
    x: Tensor,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Numbers,
    dilation: Numbers,
    ceil_mode: bool,
) -> tuple[Window, tuple[int, int]]:
    """Check the arguments; return (kernel, stride, padding, dilation) and output size as pairs."""
    space = int(op[-2])
    check_input(op, x, space)
    kernel = numbers(op, "kernel_size", kernel_size, 1, space)
    steps = kernel if stride is None else numbers(op, "stride", stride, 1, space)
    edge = numbers(op, "padding", padding, 0, space)
    spread = numbers(op, "dilation", dilation, 1, space)
    if any(2 * p > k for p, k in zip(edge, kernel, strict=True)):
        wanted = f"padding of at most half the kernel {_shown(kernel)}"
        raise ArgumentError(expected(op, wanted, _shown(edge)))
    check_fits(op, x.shape, kernel, edge, spread)
    sizes = zip(x.shape[2:], kernel, steps, edge, spread, strict=True)
    out_size = tuple(_out(*size, ceil_mode) for size in sizes)
    check_room(op, (*x.shape[:2], *out_size))
    window = as_pair(kernel, 1), as_pair(steps, 1), as_pair(edge, 0), as_pair(spread, 1)
    return window, as_pair(out_size, 1)


def _shown(values: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return a single number without its brackets."""
    return values[0] if len(values) == 1 else values


def _out(n: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    """Return the number of windows; with ceil_mode one may hang over, if it starts inside."""
    room = n + 2 * p - d * (k - 1) - 1
    if not ceil_mode:
        return room // s + 1
    count = -(-room // s) + 1
    return count - 1 if (count - 1) * s >= n + p else count


def _max_pool(op: str, x: Tensor, return_indices: bool, *geometry: Any) -> Any:
    window, out_size = _geometry(op, x, *geometry)
    if not return_indices:
        return MaxPool.apply(x, window=window, out_size=out_size)
    found = backend.call("pool", "max_forward", as_images(x.data), *window, out_size)
    return _with_places(x, *found)


def _with_places(x: Tensor, y: np.ndarray, argmax: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return maxima, on the tape, and the places where they stand."""
    return Maxima.apply(x, y=y, argmax=argmax), type(x)(_like(argmax, x.ndim))


def max_pool1d(
    x: Tensor,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[i] = max over the window at i; NaN wins.

    Parameters
    ----------
    x : (n, c, l) float
    kernel_size, stride, padding, dilation : int; stride None = kernel_size
    ceil_mode : bool
        keep a last window that hangs over the end
    return_indices : bool
        return (y, places) with the places of the maxima, counted along l

    Returns
    -------
    Tensor (n, c, ol), or two of them

    Raises
    ------
    ShapeError
        for a wrong rank or a kernel longer than the padded sequence

    References
    ----------
    Riesenhuber & Poggio 1999; Scherer, Mueller & Behnke 2010.
    """
    geometry = kernel_size, stride, padding, dilation, ceil_mode
    return _max_pool("max_pool1d", x, return_indices, *geometry)


def max_pool2d(
    x: Tensor,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[i, j] = max over the window at (i, j); NaN wins.

    Parameters
    ----------
    x : (n, c, h, w) float
    kernel_size, stride, padding, dilation : int or (vertical, horizontal); stride None = kernel
    ceil_mode : bool
        keep a last window that hangs over the edge
    return_indices : bool
        return (y, places) with the places of the maxima, row * w + column

    Returns
    -------
    Tensor (n, c, oh, ow), or two of them

    Raises
    ------
    ShapeError
        for a wrong rank or a kernel larger than the padded image

    References
    ----------
    Riesenhuber & Poggio 1999; Scherer, Mueller & Behnke 2010.
    """
    geometry = kernel_size, stride, padding, dilation, ceil_mode
    return _max_pool("max_pool2d", x, return_indices, *geometry)


def _avg_pool(op: str, x: Tensor, *geometry: Any, count_include_pad: bool) -> Tensor:
    kernel, stride, padding, ceil_mode = geometry
    window, out_size = _geometry(op, x, kernel, stride, padding, 1, ceil_mode)
    return AvgPool.apply(
        x, window=window[:3], out_size=out_size, count_include_pad=count_include_pad
    )


def avg_pool1d(
    x: Tensor,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """y[i] = mean over the window at i.

    Parameters
    ----------
    x : (n, c, l) float
    kernel_size, stride, padding : int; stride None = kernel_size
    ceil_mode : bool
        keep a last window that hangs over the end
    count_include_pad : bool
        divide by the window's size with its padding, or by the values inside the sequence alone

    Returns
    -------
    Tensor (n, c, ol)

    Raises
    ------
    ShapeError
        for a wrong rank or a kernel longer than the padded sequence

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998, section II.B (sub-sampling).
    """
    geometry = kernel_size, stride, padding, ceil_mode
    return _avg_pool("avg_pool1d", x, *geometry, count_include_pad=count_include_pad)


def avg_pool2d(
    x: Tensor,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
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

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998, section II.B (sub-sampling).
    """
    geometry = kernel_size, stride, padding, ceil_mode
    return _avg_pool("avg_pool2d", x, *geometry, count_include_pad=count_include_pad)


def _adaptive_size(op: str, x: Tensor, output_size: Numbers) -> tuple[int, int]:
    """Check the arguments; return the output size as a pair."""
    space = int(op[-2])
    check_input(op, x, space)
    out_size = numbers(op, "output_size", output_size, 1, space)
    check_fits(op, x.shape, (1,) * space, (0,) * space, (1,) * space)
    check_room(op, (*x.shape[:2], *out_size))
    return as_pair(out_size, 1)


def adaptive_avg_pool1d(x: Tensor, output_size: Numbers) -> Tensor:
    """y[i] = mean over the values floor(i l / ol) .. ceil((i + 1) l / ol).

    Parameters
    ----------
    x : (n, c, l) float
    output_size : int

    Returns
    -------
    Tensor (n, c, ol)

    Raises
    ------
    ShapeError
        for a wrong rank or an empty sequence

    References
    ----------
    Lin, Chen & Yan 2014, section 3.2 (one mean for each channel).
    """
    out_size = _adaptive_size("adaptive_avg_pool1d", x, output_size)
    return AdaptiveAvgPool.apply(x, out_size=out_size)


def adaptive_avg_pool2d(x: Tensor, output_size: Numbers) -> Tensor:
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

    References
    ----------
    Lin, Chen & Yan 2014, section 3.2 (one mean for each channel).
    """
    out_size = _adaptive_size("adaptive_avg_pool2d", x, output_size)
    return AdaptiveAvgPool.apply(x, out_size=out_size)


def adaptive_max_pool1d(x: Tensor, output_size: Numbers, return_indices: bool = False) -> Any:
    """y[i] = max over the values floor(i l / ol) .. ceil((i + 1) l / ol).

    Parameters
    ----------
    x : (n, c, l) float
    output_size : int
    return_indices : bool
        return (y, places) with the places of the maxima, counted along l

    Returns
    -------
    Tensor (n, c, ol), or two of them; NaN wins

    Raises
    ------
    ShapeError
        for a wrong rank or an empty sequence

    References
    ----------
    He, Zhang, Ren & Sun 2015, section 2.2 (bins of one pyramid level).
    """
    return _adaptive_max("adaptive_max_pool1d", x, output_size, return_indices)


def adaptive_max_pool2d(x: Tensor, output_size: Numbers, return_indices: bool = False) -> Any:
    """y[i, j] = max over rows floor(i h / oh) .. ceil((i + 1) h / oh), and columns likewise.

    Parameters
    ----------
    x : (n, c, h, w) float
    output_size : int or (oh, ow)
    return_indices : bool
        return (y, places) with the places of the maxima, row * w + column

    Returns
    -------
    Tensor (n, c, oh, ow), or two of them; NaN wins

    Raises
    ------
    ShapeError
        for a wrong rank or an empty image

    References
    ----------
    He, Zhang, Ren & Sun 2015, section 2.2 (bins of one pyramid level).
    """
    return _adaptive_max("adaptive_max_pool2d", x, output_size, return_indices)


def _adaptive_max(op: str, x: Tensor, output_size: Numbers, return_indices: bool) -> Any:
    """Check the arguments and pool."""
    out_size = _adaptive_size(op, x, output_size)
    found = backend.call("pool", "adaptive_max_forward", as_images(x.data), out_size)
    pooled = _with_places(x, *found)
    return pooled if return_indices else pooled[0]
