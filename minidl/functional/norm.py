"""Batch normalization and local response normalization."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    check_floating,
    check_range,
    check_size,
    check_sizes,
    expected,
)

if TYPE_CHECKING:
    from minidl.tensor import Tensor


def _as_ncs(x: np.ndarray) -> np.ndarray:
    """View (n, c, *space) as (n, c, s)."""
    return x.reshape(x.shape[0], x.shape[1], int(np.prod(x.shape[2:])))


class BatchNorm(Function):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, with the statistics of this batch."""

    def forward(self, x, gamma, beta, *, eps, running, momentum):
        """Normalize, and move the running statistics (two arrays, or None) in place."""
        self.gamma = gamma
        y, self.x_hat, self.inv_std, mean, var = backend.call(
            "batch_norm", "forward", _as_ncs(x), gamma, beta, eps
        )
        m = x.size // max(x.shape[1], 1)
        if running is not None and m > 0:
            new = backend.call("batch_norm", "update_running", *running, mean, var, m, momentum)
            for kept, value in zip(running, new, strict=True):
                kept[...] = value
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma and dbeta."""
        dx, dgamma, dbeta = backend.call(
            "batch_norm", "backward", _as_ncs(grad), self.x_hat, self.inv_std, self.gamma
        )
        return dx.reshape(grad.shape), dgamma, dbeta


class BatchNormInference(Function):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, with given statistics: linear in x."""

    def forward(self, x, gamma, beta, *, mean, var, eps):
        """Return y."""
        # Copies: a training batch moves the running statistics in place.
        self.x, self.gamma, self.mean = _as_ncs(x), gamma, mean.astype(x.dtype)
        self.inv_std = 1 / np.sqrt(var.astype(x.dtype) + eps)
        y = backend.call("batch_norm", "inference", self.x, gamma, beta, mean, var, eps)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma and dbeta; the statistics are constants."""
        dy = _as_ncs(grad)
        column = (self.gamma * self.inv_std)[:, None]
        x_hat = (self.x - self.mean[:, None]) * self.inv_std[:, None]
        dgamma = (dy * x_hat).sum(axis=(0, 2)) if self.needs[1] else None
        return (dy * column).reshape(grad.shape), dgamma, dy.sum(axis=(0, 2))


class LocalResponseNorm(Function):
    """y = x / s^beta, s = k + alpha * sum of x^2 over `size` neighbouring channels."""

    def forward(self, x, *, size, alpha, beta, k):
        """Return y."""
        self.options = size, alpha, beta
        self.x = _as_ncs(x)
        y, self.s = backend.call("lrn", "forward", self.x, size, alpha, beta, k)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx."""
        dx = backend.call("lrn", "backward", _as_ncs(grad), self.x, self.s, *self.options)
        return dx.reshape(grad.shape)


def batch_norm(
    x: Tensor,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, channel by channel.

    In training (and where there are no running statistics) mean and var are those of the batch,
    over all axes but the channels', and the running statistics are moved towards them in place, by
    `momentum`, with the unbiased variance. Otherwise they are the running statistics.

    Parameters
    ----------
    x : (n, c) or (n, c, *space) float
    running_mean, running_var : (c,) arrays, or None
    weight, bias : (c,), or None for 1 and 0
    training : bool
    momentum : weight of the new value, in [0, 1]
    eps : added to the variance, inside the root, at least 0

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError
        for x of rank below 2, vectors that are not (c,), or a training batch with one value per
        channel, whose variance is zero

    References
    ----------
    Ioffe & Szegedy 2015, algorithms 1 and 2.
    """
    check_floating("batch_norm", "x", x)
    if x.ndim < 2:
        raise ShapeError(expected("batch_norm", "x of shape (n, c) or (n, c, ...)", x.shape))
    check_eps("batch_norm", eps)
    check_range("batch_norm", "momentum", momentum, 0.0, 1.0)
    c = x.shape[1]
    _check_vectors(c, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if (running_mean is None) != (running_var is None):
        wanted = "both running_mean and running_var, or neither"
        raise ArgumentError(expected("batch_norm", wanted, "one of them"))
    gamma = np.ones(c, x.dtype) if weight is None else weight
    beta = np.zeros(c, x.dtype) if bias is None else bias
    if not training and running_mean is not None:
        return BatchNormInference.apply(x, gamma, beta, mean=running_mean, var=running_var, eps=eps)
    if training and x.size // max(c, 1) == 1:
        raise ShapeError(
            expected(
                "batch_norm",
                "more than one value per channel in training",
                x.shape,
                "use a larger batch, or call eval() first",
            )
        )
    running = None if running_mean is None else (running_mean, running_var)
    return BatchNorm.apply(x, gamma, beta, eps=eps, running=running, momentum=momentum)


def check_eps(op: str, eps: float) -> None:
    """Raise ArgumentError unless eps is at least 0 and finite."""
    if not isinstance(eps, Real) or not 0 <= eps < np.inf:
        raise ArgumentError(expected(op, "eps of at least 0", eps))


def _check_vectors(c: int, **vectors: Any) -> None:
    """Raise an error unless each vector is None or a floating (c,); statistics are arrays."""
    for name, vector in vectors.items():
        if vector is None:
            continue
        check_floating("batch_norm", name, vector)
        if name.startswith("running") and not isinstance(vector, np.ndarray):
            raise DTypeError(
                expected("batch_norm", f"{name} as an array", type(vector).__name__, "pass .data")
            )
        hint = "build the layer with that many channels"
        check_size("batch_norm", name, vector.shape, (c,), hint)


def local_response_norm(
    x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """y = x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta.

    PyTorch's convention: alpha is divided by size, and an even window reaches one channel further
    back than forward. The AlexNet paper does not divide: pass alpha * size for its form.

    Parameters
    ----------
    x : (n, c, *space) float
    size : int, at least 1

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Krizhevsky, Sutskever & Hinton 2012, section 3.3.
    """
    check_floating("local_response_norm", "x", x)
    if x.ndim < 3:
        raise ShapeError(
            expected("local_response_norm", "x of shape (n, c, ...) with space", x.shape)
        )
    check_sizes("local_response_norm", size=size)
    return LocalResponseNorm.apply(x, size=size, alpha=alpha / size, beta=beta, k=k)
