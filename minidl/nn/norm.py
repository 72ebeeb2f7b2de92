"""Normalization layers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ShapeError, check_floating, check_range, check_sizes, expected
from minidl.functional.norm import check_eps
from minidl.nn.module import Module, Parameter


class BatchNorm(Module):
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

    ranks: ClassVar[dict[int, str]] = {}

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
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

    def forward(self, x: Tensor, *, residual: Tensor | None = None, relu: bool = False) -> Tensor:
        """Return x normalized, in x's shape; then relu(y + residual) where asked for."""
        check_floating(type(self).__name__, "x", x)
        if x.ndim not in self.ranks:
            wanted = " or ".join(self.ranks.values())
            hint = "" if x.ndim != 3 else "add a channel axis with x[:, None]"
            raise ShapeError(expected(type(self).__name__, f"x of shape {wanted}", x.shape, hint))
        seen = None if self.num_batches_tracked is None else self.num_batches_tracked + 1
        momentum = self.momentum
        if momentum is None:
            momentum = 0.0 if seen is None else 1.0 / float(seen)
        y = F.batch_norm(
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
        if self.training and seen is not None:
            self.num_batches_tracked = np.asarray(seen)
        return y

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


class BatchNorm1d(BatchNorm):
    """Batch normalization of (n, c) or (n, c, length); see BatchNorm."""

    ranks: ClassVar = {2: "(n, c)", 3: "(n, c, length)"}


class BatchNorm2d(BatchNorm):
    """Batch normalization of images (n, c, h, w); see BatchNorm."""

    ranks: ClassVar = {4: "(n, c, h, w)"}


class LocalResponseNorm(Module):
    """y = x / (k + alpha / size * sum of x^2 over `size` channels)^beta; see the functional form.

    Parameters
    ----------
    size : int, neighbouring channels in the sum
    alpha, beta, k : float, PyTorch's defaults; AlexNet: alpha = 5 * 1e-4, k = 2 for size 5
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        check_sizes("LocalResponseNorm", size=size)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalized, in x's shape (n, c, ...)."""
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
