"""DropConnect: weights are dropped instead of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import (
    ShapeError,
    check_floating,
    check_range,
    check_rank,
    check_size,
    check_sizes,
    expected,
)
from minidl.functional.arithmetic import sqrt
from minidl.functional.dropout import draw_seed, dropout
from minidl.functional.linear import linear
from minidl.functional.noise import standard_normal

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class DropConnect(Function):
    """y[i] = (keep[i] * W) x[i] + keep'[i] * b: the bias is the weight of one more input, 1."""

    def forward(self, x, weight, bias, *, seed, p):
        """Return y, with a mask for each row of x."""
        self.rows, self.weight = x.reshape(-1, x.shape[-1]), weight
        self.shape, self.seed, self.p, self.biased = x.shape, seed, p, bias is not None
        if self.biased:
            self.rows = np.hstack([self.rows, np.ones((len(self.rows), 1), x.dtype)])
            self.weight = np.hstack([weight, bias[:, None]])
        y = backend.call("drop_connect", "forward", self.rows, self.weight, seed, p)
        return y.reshape(*x.shape[:-1], len(weight))

    def backward(self, grad):
        """Return dx, dweight and dbias, through what was kept."""
        grad = grad.reshape(-1, grad.shape[-1])
        dx = dweight = dbias = None
        if self.needs[0]:
            dx = backend.call(
                "drop_connect", "backward_input", grad, self.weight, self.seed, self.p
            )
            dx = np.ascontiguousarray(dx[:, : self.shape[-1]]).reshape(self.shape)
        if self.needs[1] or self.needs[2]:
            dweight = backend.call(
                "drop_connect", "backward_weight", grad, self.rows, self.seed, self.p
            )
            if self.biased:
                dweight, dbias = np.ascontiguousarray(dweight[:, :-1]), dweight[:, -1].copy()
        return dx, dweight, dbias


def drop_connect(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    training: bool = True,
    shared: bool = False,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """y = (M * W) x + m * b in training, every entry of M and m being 0 with probability p.

    Nothing is scaled in training. Otherwise y is its mean, (1 - p) (W x + b).

    Parameters
    ----------
    x : (..., d) float
    weight : (k, d) float;  bias : (k,) float, or None
    p : probability that a weight is dropped (not, as in the paper, kept), in [0, 1]
    training : bool
    shared : one mask for the whole batch, instead of one for each row of x
    rng : where the masks' 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    Tensor (..., k)

    Raises
    ------
    ShapeError
        when the shapes do not fit, as in `linear`

    References
    ----------
    Wan et al. 2013, Regularization of neural networks using DropConnect, section 3.
    """
    _check("drop_connect", x, weight, bias, p)
    if not training:
        return linear(x, weight, bias) * (1.0 - p)
    if shared:
        weight = dropout(weight, p, standard=True, rng=rng)
        bias = None if bias is None else dropout(bias, p, standard=True, rng=rng)
        return linear(x, weight, bias)
    return DropConnect.apply(x, weight, bias, seed=draw_seed(rng), p=float(p))


def drop_connect_moments(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, p: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Return mean and variance of drop_connect's y over its masks.

    mean = (1 - p) (W x + b),  variance = p (1 - p) ((W * W) (x * x) + b * b)

    Parameters and errors as in `drop_connect`.

    References
    ----------
    Wan et al. 2013, section 3.2.
    """
    _check("drop_connect_moments", x, weight, bias, p)
    squared = linear(x * x, weight * weight, None if bias is None else bias * bias)
    return linear(x, weight, bias) * (1.0 - p), squared * (p * (1.0 - p))


def drop_connect_inference(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    activation: Callable[[Tensor], Tensor] | None = None,
    samples: int = 100,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """The average of activation(z) over draws of z ~ N(mean, variance), the moments matched.

    Without an activation the average is the mean, and nothing is drawn.

    Parameters
    ----------
    x, weight, bias, p : as in `drop_connect`
    activation : what the layer applies to z, or None
    samples : how many z are drawn for each output, at least 1
    rng : where they are drawn; the library's generator when None

    Returns
    -------
    Tensor (..., k)

    References
    ----------
    Wan et al. 2013, algorithm 2.
    """
    check_sizes("drop_connect_inference", samples=samples)
    mean, variance = drop_connect_moments(x, weight, bias, p)
    if activation is None:
        return mean
    # The smallest number keeps the root's slope finite where nothing varies.
    std = sqrt(variance + np.finfo(variance.dtype).tiny)
    total = activation(mean + std * standard_normal(mean, rng))
    for _ in range(samples - 1):
        total = total + activation(mean + std * standard_normal(mean, rng))
    return total * (1.0 / samples)


def _check(op: str, x: Tensor, weight: Tensor, bias: Tensor | None, p: float) -> None:
    """Raise the error that says what does not fit."""
    check_floating(op, "x", x)
    check_floating(op, "weight", weight)
    check_rank(op, "weight", weight.shape, "k d")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(expected(op, f"x of shape (..., {weight.shape[1]})", x.shape))
    if bias is not None:
        check_floating(op, "bias", bias)
        check_size(op, "bias", bias.shape, weight.shape[:1])
    check_range(op, "p", p, 0.0, 1.0)
