"""Batch normalization layers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ShapeError, expected
from minidl.functional.norm import as_ncs
from minidl.nn.norm import ChannelNorm


class BatchNorm(ChannelNorm):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, channel by channel; abstract.

    In training mean and var are those of the batch, and the running statistics follow them; in
    evaluation they are the running statistics (or again the batch's, where none are tracked).

    Parameters
    ----------
    num_features : int, the channels (axis 1)
    eps : float, added to the variance, inside the root
    momentum : weight of the new value in the running statistics, or None for the average of all
    affine : whether to learn weight and bias
    track_running_stats : whether to keep running statistics

    Attributes
    ----------
    weight, bias : (num_features,) or None
    running_mean, running_var : (num_features,) arrays, or None; the variance is the unbiased one
    num_batches_tracked : batches seen so far, or None

    References
    ----------
    Ioffe & Szegedy 2015.
    """

    fuses_relu = True

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x: Tensor, *, residual: Tensor | None = None, relu: bool = False) -> Tensor:
        """Return x normalized, in x's shape; then relu(y + residual) where asked for."""
        self.check_input(x)
        if x.shape[1] != self.num_features:
            wanted = f"x with num_features={self.num_features} channels on axis 1"
            raise ShapeError(expected(type(self).__name__, wanted, x.shape))
        seen = None if self.num_batches_tracked is None else self.num_batches_tracked + 1
        momentum = self.momentum
        if momentum is None:
            momentum = 0.0 if seen is None else 1.0 / float(seen)
        y = self.normalize(x, momentum, residual, relu)
        if self.training and seen is not None:
            self.num_batches_tracked = np.asarray(seen)
        return y

    def normalize(self, x: Tensor, momentum: float, residual: Tensor | None, relu: bool) -> Tensor:
        """Return x normalized; in training, move the running statistics by `momentum`."""
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            momentum,
            self.eps,
            residual=residual,
            relu=relu,
        )

    def moments(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Return mean and biased variance of a batch (n, c, ...) in float64, and values a channel.

        An empty batch has mean 0 and variance 0.
        """
        values = as_ncs(x)
        n, c, s = values.shape
        if not values.size:
            return np.zeros(c), np.zeros(c), 0
        mean = values.mean(axis=(0, 2), dtype=np.float64)
        return mean, np.square(values - mean[:, None]).mean(axis=(0, 2)), n * s


class BatchNorm1d(BatchNorm):
    """Batch normalization of (n, c) or (n, c, length); see BatchNorm."""

    ranks: ClassVar = {2: "(n, c)", 3: "(n, c, length)"}


class BatchNorm2d(BatchNorm):
    """Batch normalization of images (n, c, h, w); see BatchNorm."""

    ranks: ClassVar = {4: "(n, c, h, w)"}


class BatchNorm3d(BatchNorm):
    """Batch normalization of volumes (n, c, d, h, w); see BatchNorm."""

    ranks: ClassVar = {5: "(n, c, d, h, w)"}
