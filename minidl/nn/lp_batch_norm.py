"""Batch normalization by other norms than the standard deviation."""

from __future__ import annotations

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import check_range, check_sizes
from minidl.functional.lp_batch_norm import check_order
from minidl.functional.norm import check_eps
from minidl.nn.module import Module, Parameter


class LpBatchNorm(Module):
    """y = weight * (x - mean) / (norm + eps) + bias, norm = mean(|x|^p)^(1/p), channel by channel.

    In training mean and norm are those of the batch, in evaluation their running averages.

    Parameters
    ----------
    num_features : int, the channels (axis 1) of x (n, c) or (n, c, *space)
    p : 1, 2, or infinity for the largest absolute value
    eps : float, added to the norm
    momentum : weight of the new value in the running averages
    affine : whether to learn weight and bias

    Attributes
    ----------
    weight, bias : (num_features,) or None
    running_mean, running_norm : (num_features,) arrays

    References
    ----------
    Santurkar, Tsipras, Ilyas & Madry 2018, section 3.3.
    """

    def __init__(
        self,
        num_features: int,
        p: float = 1,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        super().__init__()
        check_sizes("LpBatchNorm", num_features=num_features)
        check_order("LpBatchNorm", p)
        check_eps("LpBatchNorm", eps)
        check_range("LpBatchNorm", "momentum", momentum, 0.0, 1.0)
        self.num_features, self.p, self.eps, self.momentum = num_features, p, eps, momentum
        self.affine = affine
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        self.running_mean: np.ndarray
        self.running_norm: np.ndarray
        self.register_buffer("running_mean", np.zeros(num_features, np.float32))
        self.register_buffer("running_norm", np.ones(num_features, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalized, in its shape."""
        return F.lp_batch_norm(
            x,
            self.running_mean,
            self.running_norm,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
            self.p,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_features}, p={self.p}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}"
        )
