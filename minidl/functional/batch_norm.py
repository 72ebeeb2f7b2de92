"""Batch normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ShapeError, check_floating, check_range, check_size, expected
from minidl.functional import activation
from minidl.functional.norm import as_ncs, check_eps, check_running, check_vectors, shaped

if TYPE_CHECKING:
    from minidl.tensor import Tensor


def follow(running: Any, mean: np.ndarray, var: np.ndarray, m: int, momentum: float) -> None:
    """Move the running statistics (two arrays, or None) in place, m values per channel further."""
    if running is not None and m > 0:
        new = backend.call("batch_norm", "update_running", *running, mean, var, m, momentum)
        for kept, value in zip(running, new, strict=True):
            kept[...] = value


def _telling(beta: np.ndarray, residual: np.ndarray | None, eps: float) -> np.ndarray | None:
    """Return beta if backward may find from x what a relu held back, None if only y tells.

    So it is where a residual was added, and with an eps beside which kernels keep denormal numbers.
    """
    return beta if residual is None and eps >= 1e-10 else None


class BatchNorm(Function):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, with the statistics of this batch."""

    def forward(self, x, gamma, beta, *, eps, running, momentum):
        """Normalize, and move the running statistics (two arrays, or None) in place."""
        self.gamma = gamma
        y, self.x_hat, self.inv_std, mean, var = backend.call(
            "batch_norm", "forward", as_ncs(x), gamma, beta, eps
        )
        follow(running, mean, var, x.size // max(x.shape[1], 1), momentum)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma and dbeta."""
        dx, dgamma, dbeta = backend.call(
            "batch_norm", "backward", as_ncs(grad), self.x_hat, self.inv_std, self.gamma
        )
        return dx.reshape(grad.shape), dgamma, dbeta


class FusedBatchNorm(Function):
    """y = relu(BatchNorm + residual), with or without either; keeps x instead of x_hat."""

    def forward(self, x, gamma, beta, residual, *, eps, running, momentum, relu):
        """Normalize as `BatchNorm` does, then add and cut in the same sweep."""
        self.x, self.gamma = as_ncs(x), gamma
        self.beta = _telling(beta, residual, eps)
        y, self.inv_std, self.mean, var = backend.call(
            "batch_norm",
            "fused_forward",
            self.x,
            gamma,
            beta,
            None if residual is None else as_ncs(residual),
            eps,
            relu,
        )
        self.y = y if relu else None
        follow(running, self.mean, var, x.size // max(x.shape[1], 1), momentum)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma, dbeta and the residual's gradient."""
        dy, add = as_ncs(grad), self.needs[3]
        split = add and self.y is not None  # without a relu the sum hands grad itself on
        over = self.spare and grad.flags.carray and split == add
        dx, dgamma, dbeta, dresidual = backend.call(
            "batch_norm",
            "fused_backward",
            dy,
            self.x,
            self.y,
            self.mean,
            self.inv_std,
            self.gamma,
            self.beta,
            split,
            out=dy if over else None,
        )
        dx = grad if over and not split else shaped(dx, grad.shape, "batch_norm")
        if split and not over:
            return dx, dgamma, dbeta, shaped(dresidual, grad.shape, "batch_norm")
        return dx, dgamma, dbeta, grad if add else None


class BatchNormInference(Function):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta with given statistics: linear in x.

    Then relu(y + residual), with or without either, in the same sweep.
    """

    def forward(self, x, gamma, beta, residual, *, mean, var, eps, relu):
        """Return y."""
        # Copies: a training batch moves the running statistics in place.
        self.x, self.gamma, self.mean = as_ncs(x), gamma, mean.astype(x.dtype)
        self.beta = _telling(beta, residual, eps)
        self.inv_std = 1 / np.sqrt(var.astype(x.dtype) + eps)
        given = self.x, gamma, beta, mean, var
        if residual is None and not relu:
            y = backend.call("batch_norm", "inference", *given, eps)
        else:
            added = None if residual is None else as_ncs(residual)
            y = backend.call("batch_norm", "fused_inference", *given, added, eps, relu)
        self.y = y if relu else None
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, dgamma, dbeta and the residual's gradient; the statistics are constants."""
        dy, add = as_ncs(grad), self.needs[3]
        kept = self.x, self.y, self.mean, self.inv_std, self.gamma, self.beta
        wanted = add and self.y is not None
        dx, dgamma, dbeta, dresidual = backend.call(
            "batch_norm", "inference_backward", dy, *kept, wanted
        )
        if add:
            dresidual = grad if self.y is None else shaped(dresidual, grad.shape, "batch_norm")
        return shaped(dx, grad.shape, "batch_norm"), dgamma, dbeta, dresidual if add else None


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
    statistics = {"running_mean": running_mean, "running_var": running_var}
    check_vectors("batch_norm", c, **statistics, weight=weight, bias=bias)
    check_running("batch_norm", training, **statistics)
    if residual is not None:
        check_floating("batch_norm", "residual", residual)
        check_size("batch_norm", "residual", residual.shape, x.shape, "as batch_norm's result is")
    gamma = np.ones(c, x.dtype) if weight is None else weight
    beta = np.zeros(c, x.dtype) if bias is None else bias
    own = backend.brought("batch_norm") or (relu and backend.brought("relu"))
    if not training and running_mean is not None:
        given = {"mean": running_mean, "var": running_var, "eps": eps}
        if own:
            y = BatchNormInference.apply(x, gamma, beta, None, relu=False, **given)
            return finish(y, residual, relu)
        return BatchNormInference.apply(x, gamma, beta, residual, relu=relu, **given)
    if training and x.size // max(c, 1) == 1:
        refuse_one_value("batch_norm", x.shape)
    running = None if running_mean is None else (running_mean, running_var)
    options = {"eps": eps, "running": running, "momentum": momentum}
    if own:
        return finish(BatchNorm.apply(x, gamma, beta, **options), residual, relu)
    return FusedBatchNorm.apply(x, gamma, beta, residual, relu=relu, **options)


def refuse_one_value(op: str, shape: tuple[int, ...]) -> NoReturn:
    """Raise the error of a training batch whose variance is zero whatever its values are."""
    hint = "use a larger batch, or call eval() first"
    raise ShapeError(expected(op, "more than one value per channel in training", shape, hint))


def finish(y: Tensor, residual: Tensor | None, relu: bool) -> Tensor:
    """Return relu(y + residual), with or without either, one operation at a time."""
    y = y if residual is None else y + residual
    return activation.relu(y) if relu else y
