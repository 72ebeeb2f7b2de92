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
from minidl.functional import activation

if TYPE_CHECKING:
    from minidl.tensor import Tensor


def _as_ncs(x: np.ndarray) -> np.ndarray:
    """View (n, c, *space) as (n, c, s)."""
    return x.reshape(x.shape[0], x.shape[1], int(np.prod(x.shape[2:])))


def shaped(fresh: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a kernel's fresh array in another shape of the same size.

    The array itself where it owns its memory: the tape may then keep it as a gradient, where it
    would have to copy a view.
    """
    if not fresh.flags.owndata or not fresh.flags.c_contiguous:
        return fresh.reshape(shape)
    fresh.resize(shape, refcheck=False)
    return fresh


def _follow(running: Any, mean: np.ndarray, var: np.ndarray, m: int, momentum: float) -> None:
    """Move the running statistics (two arrays, or None) in place, m values per channel further."""
    if running is not None and m > 0:
        new = backend.call("batch_norm", "update_running", *running, mean, var, m, momentum)
        for kept, value in zip(running, new, strict=True):
            kept[...] = value


class BatchNorm(Function):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, with the statistics of this batch."""

    def forward(self, x, gamma, beta, *, eps, running, momentum):
        """Normalize, and move the running statistics (two arrays, or None) in place."""
        self.gamma = gamma
        y, self.x_hat, self.inv_std, mean, var = backend.call(
            "batch_norm", "forward", _as_ncs(x), gamma, beta, eps
        )
        _follow(running, mean, var, x.size // max(x.shape[1], 1), momentum)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma and dbeta."""
        dx, dgamma, dbeta = backend.call(
            "batch_norm", "backward", _as_ncs(grad), self.x_hat, self.inv_std, self.gamma
        )
        return dx.reshape(grad.shape), dgamma, dbeta


class FusedBatchNorm(Function):
    """y = relu(BatchNorm + residual), with or without either; keeps x instead of x_hat."""

    def forward(self, x, gamma, beta, residual, *, eps, running, momentum, relu):
        """Normalize as `BatchNorm` does, then add and cut in the same sweep."""
        self.x, self.gamma = _as_ncs(x), gamma
        y, self.inv_std, self.mean, var = backend.call(
            "batch_norm",
            "fused_forward",
            self.x,
            gamma,
            beta,
            None if residual is None else _as_ncs(residual),
            eps,
            relu,
        )
        self.y = y if relu else None
        _follow(running, self.mean, var, x.size // max(x.shape[1], 1), momentum)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma, dbeta and the residual's gradient."""
        dy, add = _as_ncs(grad), self.needs[3]
        dx, dgamma, dbeta, dresidual = backend.call(
            "batch_norm",
            "fused_backward",
            dy,
            self.x,
            self.y,
            self.mean,
            self.inv_std,
            self.gamma,
            add and self.y is not None,
        )
        if add:
            dresidual = grad if self.y is None else shaped(dresidual, grad.shape)
        return shaped(dx, grad.shape), dgamma, dbeta, dresidual if add else None


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
        return shaped(dx, grad.shape)


def batch_norm(
    x: Tensor,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, channel by channel.

    `residual` and `relu` continue with relu(y + residual), as a residual block does, without
    another walk through memory.

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
    residual : Tensor of x's shape to add to y, or None
    relu : whether negative results become 0

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError
        for x of rank below 2, vectors that are not (c,), a residual of another shape than x, or a
        training batch with one value per channel, whose variance is zero

    References
    ----------
    Ioffe & Szegedy 2015, algorithms 1 and 2; He et al. 2016, figure 2.
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
    if residual is not None:
        check_floating("batch_norm", "residual", residual)
        check_size("batch_norm", "residual", residual.shape, x.shape, "as batch_norm's result is")
    gamma = np.ones(c, x.dtype) if weight is None else weight
    beta = np.zeros(c, x.dtype) if bias is None else bias
    if not training and running_mean is not None:
        y = BatchNormInference.apply(x, gamma, beta, mean=running_mean, var=running_var, eps=eps)
        return _finish(y, residual, relu)
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
    options = {"eps": eps, "running": running, "momentum": momentum}
    if backend.brought("batch_norm") or (relu and backend.brought("relu")):
        return _finish(BatchNorm.apply(x, gamma, beta, **options), residual, relu)
    return FusedBatchNorm.apply(x, gamma, beta, residual, relu=relu, **options)


def _finish(y: Tensor, residual: Tensor | None, relu: bool) -> Tensor:
    """Return relu(y + residual), with or without either, one operation at a time."""
    y = y if residual is None else y + residual
    return activation.relu(y) if relu else y


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
    # A window of twice the channels holds all of them from wherever it is looked.
    window = min(size, 2 * max(x.shape[1], 1))
    return LocalResponseNorm.apply(x, size=window, alpha=alpha / size, beta=beta, k=k)
