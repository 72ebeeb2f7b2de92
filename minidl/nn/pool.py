"""Pooling layers."""

from __future__ import annotations

from typing import Any, ClassVar

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.functional.conv import Numbers, numbers
from minidl.nn.module import Module


class Windows(Module):
    """Something of each window of a sequence or an image; abstract.

    Subclasses set `space`, how many axes the windows have.
    """

    space: ClassVar[int]

    def __init__(self, kernel_size: Numbers, stride: Numbers | None, padding: Numbers) -> None:
        super().__init__()
        self.kernel_size = self._numbers("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else self._numbers("stride", stride, 1)
        self.padding = self._numbers("padding", padding, 0)

    def _numbers(self, name: str, value: Numbers, least: int) -> tuple[int, ...]:
        return numbers(type(self).__name__, name, value, least, self.space)

    def extra_repr(self) -> str:
        """Return the geometry."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool1d(Windows):
    """Maximum over windows of a sequence; see `minidl.functional.max_pool1d`."""

    space = 1

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        dilation: Numbers = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.dilation = self._numbers("dilation", dilation, 1)
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Tensor) -> Any:
        """(n, c, l) to (n, c, ol), or (maxima, places)."""
        geometry = self.kernel_size, self.stride, self.padding, self.dilation
        return F.max_pool1d(x, *geometry, self.ceil_mode, self.return_indices)


class MaxPool2d(Windows):
    """Maximum over windows of an image; see `minidl.functional.max_pool2d`."""

    space = 2

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        dilation: Numbers = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.dilation = self._numbers("dilation", dilation, 1)
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Tensor) -> Any:
        """(n, c, h, w) to (n, c, oh, ow), or (maxima, places)."""
        geometry = self.kernel_size, self.stride, self.padding, self.dilation
        return F.max_pool2d(x, *geometry, self.ceil_mode, self.return_indices)


class AvgPool1d(Windows):
    """Mean over windows of a sequence; see `minidl.functional.avg_pool1d`."""

    space = 1

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, l) to (n, c, ol)."""
        geometry = self.kernel_size, self.stride, self.padding
        return F.avg_pool1d(x, *geometry, self.ceil_mode, self.count_include_pad)


class AvgPool2d(Windows):
    """Mean over windows of an image; see `minidl.functional.avg_pool2d`."""

    space = 2

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c, oh, ow)."""
        geometry = self.kernel_size, self.stride, self.padding
        return F.avg_pool2d(x, *geometry, self.ceil_mode, self.count_include_pad)


class Adaptive(Module):
    """Something of as many windows as asked for; abstract."""

    space: ClassVar[int]

    def __init__(self, output_size: Numbers) -> None:
        super().__init__()
        self.output_size = numbers(type(self).__name__, "output_size", output_size, 1, self.space)

    def extra_repr(self) -> str:
        """Return the output size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(Adaptive):
    """Mean over as many windows as asked for; see `minidl.functional.adaptive_avg_pool1d`."""

    space = 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, l) to (n, c, output_size)."""
        return F.adaptive_avg_pool1d(x, self.output_size)


class AdaptiveAvgPool2d(Adaptive):
    """Mean over as many windows as asked for; see `minidl.functional.adaptive_avg_pool2d`."""

    space = 2

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c, *output_size)."""
        return F.adaptive_avg_pool2d(x, self.output_size)


class AdaptiveMax(Adaptive):
    """The largest value of as many windows as asked for; abstract."""

    def __init__(self, output_size: Numbers, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(AdaptiveMax):
    """Maximum over as many windows as asked for; see `minidl.functional.adaptive_max_pool1d`."""

    space = 1

    def forward(self, x: Tensor) -> Any:
        """(n, c, l) to (n, c, output_size), or (maxima, places)."""
        return F.adaptive_max_pool1d(x, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(AdaptiveMax):
    """Maximum over as many windows as asked for; see `minidl.functional.adaptive_max_pool2d`."""

    space = 2

    def forward(self, x: Tensor) -> Any:
        """(n, c, h, w) to (n, c, *output_size), or (maxima, places)."""
        return F.adaptive_max_pool2d(x, self.output_size, self.return_indices)


class GlobalAvgPool1d(Module):
    """Mean of each channel over the whole sequence, as vectors."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, l) to (n, c)."""
        return F.adaptive_avg_pool1d(x, 1).flatten()


class GlobalMaxPool1d(Module):
    """Maximum of each channel over the whole sequence, as vectors."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, l) to (n, c)."""
        return F.adaptive_max_pool1d(x, 1).flatten()


class GlobalAvgPool2d(Module):
    """Mean of each channel over the whole image, as vectors: AdaptiveAvgPool2d(1) and Flatten.

    References
    ----------
    Lin, Chen & Yan 2014, Network in network, section 3.2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c)."""
        return F.adaptive_avg_pool2d(x, 1).flatten()


class GlobalMaxPool2d(Module):
    """Maximum of each channel over the whole image, as vectors."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c)."""
        return F.adaptive_max_pool2d(x, 1).flatten()
