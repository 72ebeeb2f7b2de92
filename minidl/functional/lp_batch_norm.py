"""Batch normalization by an l1, l2 or maximum norm in the place of the standard deviation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minidl.autograd import Function
from minidl.errors import ArgumentError, ShapeError, check_floating, check_range, expected
from minidl.functional.batch_norm import BatchNormInference, refuse_one_value
from minidl.functional.norm import as_ncs, check_eps, check_running, check_vectors

if TYPE_CHECKING:
    from minidl.tensor import Tensor

ORDERS = (1, 2, np.inf)


class LpBatchNorm(Function):
    """y = gamma * (x - mean) / (norm + eps) + beta,  norm = mean(|x|^p)^(1/p) of a channel."""

    def forward(self, x, gamma, beta, *, p, eps, running, momentum):
        """Return y, and move the running mean and norm (two arrays, or None) in place."""
        values = as_ncs(x)
        self.p, self.gamma, self.x = p, gamma, values
        self.m = max(values.shape[0] * values.shape[2], 1)
        mean, self.norm = values.sum(axis=(0, 2)) / self.m, norms(values, p)
        self.scale = (1 / (self.norm + x.dtype.type(eps)))[:, None]
        self.x_hat = (values - mean[:, None]) * self.scale
        if running is not None and x.size:
            for kept, new in zip(running, (mean, self.norm), strict=True):
                kept += momentum * (new - kept)
        return (gamma[:, None] * self.x_hat + beta[:, None]).reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma and dbeta."""
        dy = as_ncs(grad)
        dbeta, dgamma = dy.sum(axis=(0, 2)), (dy * self.x_hat).sum(axis=(0, 2))
        # With g = gamma dy: directly, through the mean, and through the norm, which every x moves.
        direct = dy - dbeta[:, None] / self.m - dgamma[:, None] * self._slope()
        return ((self.gamma[:, None] * self.scale) * direct).reshape(grad.shape), dgamma, dbeta

    def _slope(self):
        """Return d norm / d x."""
        if self.p == 1:
            return np.sign(self.x) / self.m
        norm = self.norm[:, None]
        if self.p == 2:
            safe = np.where(norm > 0, norm, 1)
            return self.x / (self.m * safe)
        largest = np.abs(self.x) == norm
        return np.sign(self.x) * largest / np.maximum(largest.sum(axis=(0, 2)), 1)[:, None]


def norms(x: np.ndarray, p: float) -> np.ndarray:
    """Return mean(|x|^p)^(1/p) of each channel of x (n, c, s), the maximum for infinite p."""
    m = max(x.shape[0] * x.shape[2], 1)
    if p == 1:
        return np.abs(x).sum(axis=(0, 2)) / m
    if p == 2:
        return np.sqrt(np.square(x).sum(axis=(0, 2)) / m)
    return np.abs(x).max(axis=(0, 2), initial=0)


def lp_batch_norm(
    x: Tensor,
    running_mean: np.ndarray | None,
    running_norm: np.ndarray | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    p: float = 1,
) -> Tensor:
    """y = weight * (x - mean) / (norm + eps) + bias, norm = mean(|x|^p)^(1/p), channel by channel.

    The norm is taken before the mean is subtracted, as in the paper, whose question is whether
    anything but the variance smooths the loss as well. Running statistics are as batch_norm's.

    Parameters
    ----------
    x : (n, c) or (n, c, *space) float
    running_mean, running_norm : (c,) arrays, or None
    weight, bias : (c,), or None for 1 and 0
    training : bool
    momentum : weight of the new value, in [0, 1]
    eps : added to the norm, at least 0
    p : 1, 2, or infinity for the largest absolute value

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError, ArgumentError
        as `batch_norm`, and for another p

    References
    ----------
    Santurkar, Tsipras, Ilyas & Madry 2018, section 3.3.
    """
    op = "lp_batch_norm"
    check_floating(op, "x", x)
    if x.ndim < 2:
        raise ShapeError(expected(op, "x of shape (n, c) or (n, c, ...)", x.shape))
    check_eps(op, eps)
    check_range(op, "momentum", momentum, 0.0, 1.0)
    check_order(op, p)
    c = x.shape[1]
    vectors = {"running_mean": running_mean, "running_norm": running_norm}
    check_vectors(op, c, **vectors, weight=weight, bias=bias)
    check_running(op, training, **vectors)
    gamma = np.ones(c, x.dtype) if weight is None else weight
    beta = np.zeros(c, x.dtype) if bias is None else bias
    if not training and running_mean is not None and running_norm is not None:
        given = {"mean": running_mean, "var": np.square(running_norm + eps), "eps": 0.0}
        return BatchNormInference.apply(x, gamma, beta, None, relu=False, **given)
    if training and x.size // max(c, 1) == 1:
        refuse_one_value(op, x.shape)
    running = None if running_mean is None else (running_mean, running_norm)
    return LpBatchNorm.apply(x, gamma, beta, p=p, eps=eps, running=running, momentum=momentum)


def check_order(op: str, p: float) -> None:
    """Raise ArgumentError unless p is 1, 2 or infinity."""
    if p not in ORDERS:
        raise ArgumentError(expected(op, "p as 1, 2 or infinity", p))
