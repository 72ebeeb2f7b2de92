"""What the normalizations of channels share: weight, bias, running statistics."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from minidl.tensor import Tensor
from minidl.errors import ShapeError, check_floating, check_range, check_sizes, expected
from minidl.functional.norm import check_eps
from minidl.nn.module import Module, Parameter


class ChannelNorm(Module):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, channel by channel; abstract.

    Parameters
    ----------
    num_features : int, the channels
    eps : float, added to the variance, inside the root
    momentum : weight of the new value in the running statistics, or None
    affine : whether to learn weight and bias
    track_running_stats : whether to keep running statistics

    Attributes
    ----------
    weight, bias : (num_features,) or None
    running_mean, running_var : (num_features,) arrays, or None; the variance is the unbiased one
    num_batches_tracked : a count, or None
    """

    ranks: ClassVar[dict[int, str]] = {}

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
    ) -> None:
        super().__init__()
        check_sizes(type(self).__name__, num_features=num_features)
        check_eps(type(self).__name__, eps)
        if momentum is not None:
            check_range(type(self).__name__, "momentum", momentum, 0.0, 1.0)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        self.running_mean: np.ndarray | None = None
        self.running_var: np.ndarray | None = None
        self.num_batches_tracked: np.ndarray | None = None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(num_features, np.float32))
            self.register_buffer("running_var", np.ones(num_features, np.float32))
            self.register_buffer("num_batches_tracked", np.array(0, np.int64))

    def check_input(self, x: Tensor) -> None:
        """Raise an error unless x is floating and of a rank this layer takes."""
        check_floating(type(self).__name__, "x", x)
        if x.ndim not in self.ranks:
            wanted = " or ".join(self.ranks.values())
            hint = "add a channel axis with x[:, None]" if x.ndim + 1 in self.ranks else ""
            raise ShapeError(expected(type(self).__name__, f"x of shape {wanted}", x.shape, hint))

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1, no batches."""
        if self.track_running_stats:
            self.running_mean = np.zeros_like(self.running_mean)
            self.running_var = np.ones_like(self.running_var)
            self.num_batches_tracked = np.array(0, np.int64)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )
