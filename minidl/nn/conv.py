"""Convolution layers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.functional.conv import Numbers, numbers, resolve_padding
from minidl.functional.padding import MODES
from minidl.nn import init
from minidl.nn.module import Module, Parameter

PADDING_MODES = ("zeros", *(mode for mode in MODES if mode != "constant"))


def check_channels(op: str, in_channels: int, out_channels: int, groups: int) -> None:
    """Raise ArgumentError unless the channels are sizes that `groups` divides."""
    check_sizes(op, in_channels=in_channels, out_channels=out_channels, groups=groups)
    if in_channels % groups or out_channels % groups:
        wanted = f"channels divisible by groups {groups}"
        raise ArgumentError(expected(op, wanted, (in_channels, out_channels)))


class Convolution(Module):
    """Cross-correlation with learned kernels; abstract.

    Subclasses set `space`, how many axes the kernels have, and write `_convolve`.
    """

    space: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Numbers | str = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        check_channels(op, in_channels, out_channels, groups)
        if padding_mode not in PADDING_MODES:
            wanted = f"padding_mode among {', '.join(PADDING_MODES)}"
            raise ArgumentError(expected(op, wanted, repr(padding_mode)))
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = numbers(op, "kernel_size", kernel_size, 1, self.space)
        self.stride = numbers(op, "stride", stride, 1, self.space)
        self.dilation = numbers(op, "dilation", dilation, 1, self.space)
        self.edges = resolve_padding(op, padding, self.kernel_size, self.stride, self.dilation)
        named = isinstance(padding, str)
        self.padding = padding if named else tuple(before for before, _ in self.edges)
        self.padding_mode = padding_mode
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        fan_in = init.fans(shape)[0]
        self.weight = Parameter(init.default(shape, fan_in, rng))
        self.bias = Parameter(init.default((out_channels,), fan_in, rng)) if bias else None

    def _padded(self, x: Tensor) -> tuple[Tensor, Numbers | str]:
        """Return x with the borders that are no zeros, and the padding that is left to do."""
        if self.padding_mode == "zeros" or x.ndim != self.space + 2:
            return x, self.padding
        return F.pad(x, [(0, 0), (0, 0), *self.edges], mode=self.padding_mode), 0

    def extra_repr(self) -> str:
        """Return the geometry; what is left at its default is left out."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        one, none = (1,) * self.space, (0,) * self.space
        defaults = {"stride": one, "padding": none, "dilation": one, "groups": 1}
        defaults["padding_mode"] = "zeros"
        parts += [f"{k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v]
        return ", ".join(parts + (["bias=False"] if self.bias is None else []))


class Conv1d(Convolution):
    """Cross-correlation of sequences with learned kernels; see `minidl.functional.conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int, multiples of `groups`
    kernel_size, stride, padding, dilation : int
    padding : also "same" or "valid"
    groups : int
    bias : bool
    padding_mode : "zeros", "reflect", "replicate" or "circular": what the border is made of
    rng : where the initial weights are drawn, U(-1/sqrt(n), 1/sqrt(n)), n the inputs of one output

    Attributes
    ----------
    weight : (out_channels, in_channels / groups, k);  bias : (out_channels,) or None
    """

    space = 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, l) to (n, out_channels, ol)."""
        x, padding = self._padded(x)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(Convolution):
    """Cross-correlation of images with learned kernels; see `minidl.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int, multiples of `groups`
    kernel_size, stride, padding, dilation : int or (vertical, horizontal)
    padding : also "same" or "valid"
    groups : int
    bias : bool
    padding_mode : "zeros", "reflect", "replicate" or "circular": what the border is made of
    rng : where the initial weights are drawn, U(-1/sqrt(n), 1/sqrt(n)), n the inputs of one output

    Attributes
    ----------
    weight : (out_channels, in_channels / groups, kh, kw);  bias : (out_channels,) or None
    """

    space = 2

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) to (n, out_channels, oh, ow)."""
        x, padding = self._padded(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose2d(Module):
    """A convolution run backwards, which enlarges images; see `functional.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels : int, multiples of `groups`
    kernel_size, stride, padding, output_padding, dilation : int or (vertical, horizontal)
    groups : int
    bias : bool
    rng : where the initial weights are drawn, U(-1/sqrt(n), 1/sqrt(n)), n = out_channels / groups
        kh kw as in PyTorch

    Attributes
    ----------
    weight : (in_channels, out_channels / groups, kh, kw);  bias : (out_channels,) or None
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Numbers = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Numbers = 1,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        op = "ConvTranspose2d"
        check_channels(op, in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = numbers(op, "kernel_size", kernel_size, 1, 2)
        self.stride = numbers(op, "stride", stride, 1, 2)
        self.padding = numbers(op, "padding", padding, 0, 2)
        self.output_padding = numbers(op, "output_padding", output_padding, 0, 2)
        self.dilation = numbers(op, "dilation", dilation, 1, 2)
        shape = (in_channels, out_channels // groups, *self.kernel_size)
        fan_in = init.fans(shape)[0]
        self.weight = Parameter(init.default(shape, fan_in, rng))
        self.bias = Parameter(init.default((out_channels,), fan_in, rng)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) to (n, out_channels, oh, ow)."""
        edges = self.padding, self.output_padding
        return F.conv_transpose2d(
            x, self.weight, self.bias, self.stride, *edges, self.groups, self.dilation
        )

    def extra_repr(self) -> str:
        """Return the geometry."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, output_padding={self.output_padding}"
        )
