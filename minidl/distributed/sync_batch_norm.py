"""Batch normalization with the statistics of the whole batch, wherever its samples are."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import backend
from minidl.autograd import Function
from minidl.distributed.world import world
from minidl.errors import ShapeError, check_floating, expected
from minidl.functional.batch_norm import finish, follow, refuse_one_value
from minidl.functional.norm import as_ncs, check_vectors
from minidl.nn.batch_norm import BatchNorm
from minidl.nn.module import Module


class SyncedBatchNorm(Function):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, mean and var over all processes."""

    def forward(self, x, gamma, beta, *, layer, momentum):
        """Normalize, and move the running statistics of the layer in place."""
        self.x, self.gamma = as_ncs(x), gamma
        mean, var, self.m = layer.moments(x)
        if self.m == 1:
            refuse_one_value("SyncBatchNorm", x.shape)
        self.mean, var = mean.astype(x.dtype), var.astype(x.dtype)
        self.inv_std = 1 / np.sqrt(var + layer.eps)
        y = backend.call("batch_norm", "inference", self.x, gamma, beta, self.mean, var, layer.eps)
        if layer.running_mean is not None:
            running = layer.running_mean, layer.running_var
            follow(running, self.mean, var, self.m, momentum)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx, which depends on all processes' gradients, and this one's dgamma and dbeta."""
        dy = as_ncs(grad)
        x_hat = (self.x - self.mean[:, None]) * self.inv_std[:, None]
        dbeta, dgamma = dy.sum(axis=(0, 2)), (dy * x_hat).sum(axis=(0, 2))
        dy_sum, proj = world().sum(np.stack([dbeta, dgamma])) / max(self.m, 1)
        factor = (self.gamma * self.inv_std)[:, None]
        dx = factor * (dy - dy_sum[:, None] - x_hat * proj[:, None])
        return dx.reshape(grad.shape).astype(grad.dtype, copy=False), dgamma, dbeta


class SyncBatchNorm(BatchNorm):
    """Batch normalization of (n, c, ...) whose batch lies on all processes; see BatchNorm.

    In training mean and variance are those of all processes' samples together, however unequal
    their numbers, and the gradient is that of the whole; the running statistics are then equal
    everywhere. In evaluation it is BatchNorm.

    References
    ----------
    torch.nn.SyncBatchNorm.
    """

    def check_input(self, x: Tensor) -> None:
        """Raise an error unless x is floating and (n, num_features, ...)."""
        check_floating("SyncBatchNorm", "x", x)
        if x.ndim < 2 or x.shape[1] != self.num_features:
            wanted = f"x of shape (n, {self.num_features}, ...)"
            raise ShapeError(expected("SyncBatchNorm", wanted, x.shape))

    def normalize(self, x: Tensor, momentum: float, residual: Tensor | None, relu: bool) -> Tensor:
        """Return x normalized; in training, over all processes."""
        if not self.training or world().size == 1:
            return super().normalize(x, momentum, residual, relu)
        c = self.num_features
        vectors = {"running_mean": self.running_mean, "running_var": self.running_var}
        check_vectors("SyncBatchNorm", c, **vectors, weight=self.weight, bias=self.bias)
        gamma: Any = np.ones(c, x.dtype) if self.weight is None else self.weight
        beta: Any = np.zeros(c, x.dtype) if self.bias is None else self.bias
        y = SyncedBatchNorm.apply(x, gamma, beta, layer=self, momentum=momentum)
        return finish(y, residual, relu)

    def moments(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Return mean, biased variance and number of values per channel over all processes.

        Each sends its own three; then, as in Chan, Golub & LeVeque 1983, the variance of the whole
        is the mean over all values of var_r + (mean_r - mean)^2, r the process they lie on.
        """
        mean, var, m = super().moments(x)
        c = len(mean)
        everybody = world().gather(np.concatenate([mean, var, [m]]))
        means, variances, counts = np.split(everybody, [c, 2 * c], axis=1)
        total = max(counts.sum(), 1)
        mean = (counts * means).sum(axis=0) / total
        var = (counts * (variances + (means - mean) ** 2)).sum(axis=0) / total
        return mean, var, int(counts.sum())


def convert_sync_batchnorm(model: Module) -> Module:
    """Replace every BatchNorm of a model by a SyncBatchNorm of the same arrays; return the model.

    A model that is itself a BatchNorm comes back as another one. Make the optimizer before or
    after this, as you like: the parameters stay the same objects.
    """
    made: dict[int, Module] = {}
    for module in list(model.modules()):
        if isinstance(module, BatchNorm) and not isinstance(module, SyncBatchNorm):
            synced = SyncBatchNorm.__new__(SyncBatchNorm)
            vars(synced).update(vars(module))
            made[id(module)] = synced
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if id(child) in made:
                setattr(module, name, made[id(child)])
    return made.get(id(model), model)
