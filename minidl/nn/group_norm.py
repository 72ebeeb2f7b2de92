"""Layers that normalize each example by itself: group, layer and instance normalization."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, ShapeError, check_sizes, expected
from minidl.functional.group_norm import normalized_axes
from minidl.functional.norm import check_eps
from minidl.nn.module import Module, Parameter


class GroupNorm(Module):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the channels of a group and space.

    Parameters
    ----------
    num_groups : int, a divisor of num_channels
    num_channels : int, axis 1 of x
    eps : float, added to the variance, inside the root
    affine : whether to learn weight and bias

    Attributes
    ----------
    weight, bias : (num_channels,) or None

    References
    ----------
    Wu & He 2018.
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        check_sizes("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        check_eps("GroupNorm", eps)
        if num_channels % num_groups:
            wanted = f"num_groups that divides the {num_channels} channels"
            raise ArgumentError(expected("GroupNorm", wanted, num_groups))
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self.weight = Parameter(np.ones(num_channels, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, np.float32)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x (n, c, ...) normalized, in its shape."""
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            wanted = f"x with {self.num_channels} channels (axis 1)"
            raise ShapeError(expected("GroupNorm", wanted, x.shape))
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LayerNorm(Module):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the last axes, example by example.

    Parameters
    ----------
    normalized_shape : sizes of the axes to normalize over, the last ones of x
    eps : float, added to the variance, inside the root
    elementwise_affine : whether to learn weight and bias
    bias : whether to learn a bias beside the weight

    Attributes
    ----------
    weight, bias : of normalized_shape, or None

    References
    ----------
    Ba, Kiros & Hinton 2016.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_eps("LayerNorm", eps)
        self.normalized_shape = normalized_axes("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        ones = np.ones(self.normalized_shape, np.float32)
        self.weight = Parameter(ones) if elementwise_affine else None
        self.bias = Parameter(np.zeros_like(ones)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x (..., *normalized_shape) normalized, in its shape."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )
