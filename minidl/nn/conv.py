"""Convolution layers."""

from __future__ import annotations

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.functional.conv import Pair, pair, resolve_padding
from minidl.nn import init
from minidl.nn.module import Module, Parameter


class Conv2d(Module):
    """Cross-correlation of images with learned kernels; see `minidl.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int, multiples of `groups`
    kernel_size, stride, padding, dilation : int or (vertical, horizontal)
    padding : also "same" or "valid"
    groups : int
    bias : bool
    rng : where the initial weights are drawn, U(-1/sqrt(n), 1/sqrt(n)), n the inputs of one output

    Attributes
    ----------
    weight : (out_channels, in_channels / groups, kh, kw);  bias : (out_channels,) or None
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes("Conv2d", in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                expected(
                    "Conv2d", f"channels divisible by groups {groups}", (in_channels, out_channels)
                )
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.dilation = pair("Conv2d", "dilation", dilation, 1)
        self.padding = resolve_padding(
            "Conv2d", padding, self.kernel_size, self.stride, self.dilation
        )
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        fan_in = init.fans(shape)[0]
        self.weight = Parameter(init.default(shape, fan_in, rng))
        self.bias = Parameter(init.default((out_channels,), fan_in, rng)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) to (n, out_channels, oh, ow)."""
        return F.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        """Return the geometry; what is left at its default is left out."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        defaults = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
        parts += [f"{k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v]
        return ", ".join(parts + (["bias=False"] if self.bias is None else []))
