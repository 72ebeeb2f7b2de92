"""Instance normalization layers."""

from __future__ import annotations

from typing import ClassVar

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ShapeError, expected
from minidl.nn.norm import ChannelNorm


class InstanceNorm(ChannelNorm):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, one channel of one example; abstract.

    mean and var are taken over space alone, in training and in evaluation alike. Where running
    statistics are kept, they follow the average over each training batch, and evaluation uses them.

    Parameters
    ----------
    num_features : int, the channels
    eps : float, added to the variance, inside the root
    momentum : weight of the new value in the running statistics; None, as in PyTorch, is 0
    affine : whether to learn weight and bias
    track_running_stats : whether to keep running statistics

    Attributes
    ----------
    weight, bias : (num_features,) or None
    running_mean, running_var : (num_features,) arrays, or None; the variance is the unbiased one
    num_batches_tracked : 0 for ever, as in PyTorch's state_dict, or None

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky 2016.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalized, in x's shape; the axis of the batch may be missing."""
        self.check_input(x)
        alone = x.ndim == min(self.ranks)
        examples = x.unsqueeze(0) if alone else x
        if examples.shape[1] != self.num_features:
            wanted = f"x with {self.num_features} channels (axis {0 if alone else 1})"
            raise ShapeError(expected(type(self).__name__, wanted, x.shape))
        y = F.instance_norm(
            examples,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )
        return y.squeeze(0) if alone else y


class InstanceNorm1d(InstanceNorm):
    """Instance normalization of (n, c, length); see InstanceNorm."""

    ranks: ClassVar = {2: "(c, length)", 3: "(n, c, length)"}


class InstanceNorm2d(InstanceNorm):
    """Instance normalization of images (n, c, h, w); see InstanceNorm."""

    ranks: ClassVar = {3: "(c, h, w)", 4: "(n, c, h, w)"}


class InstanceNorm3d(InstanceNorm):
    """Instance normalization of volumes (n, c, d, h, w); see InstanceNorm."""

    ranks: ClassVar = {4: "(c, d, h, w)", 5: "(n, c, d, h, w)"}
