"""Dropout of values and of channels. What is random, a seed or noise, is drawn here.

PyTorch's p is the probability of dropping; the papers' and the notes' p is that of keeping.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from minidl import backend, random
from minidl.autograd import Function
from minidl.errors import ArgumentError, check_floating, check_range, check_rank, expected
from minidl.functional.noise import standard_normal

if TYPE_CHECKING:
    from minidl.tensor import Tensor

# What SELU tends to for very negative values: -lambda alpha of Klambauer et al. 2017.
SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772


class Dropout(Function):
    """y = x * keep / (1 - p), or x * keep, keep being drawn by the seed and each value's place."""

    def forward(self, x, *, seed, p, standard=False):
        """Return y."""
        self.seed, self.p, self.standard, self.keep = seed, p, standard, None
        self.scale = 1.0 if standard else inverse(p)
        if not backend.brought("dropout"):
            return backend.call("dropout", "seeded", x, seed, p, self.scale)
        # A module that somebody brings is given the mask that the library's kernels compute.
        self.keep = backend.call("dropout", "mask", x.shape, seed, p)
        return backend.call("dropout", "forward", x, self.keep, 0.0 if standard else p)

    def backward(self, grad):
        """Return grad * keep / (1 - p), or grad * keep."""
        if self.keep is None:
            return backend.call("dropout", "seeded", grad, self.seed, self.p, self.scale)
        return backend.call(
            "dropout", "backward", grad, self.keep, 0.0 if self.standard else self.p
        )


def inverse(p: float) -> float:
    """Return 1 / (1 - p), by which inverted dropout scales; 0 where everything is dropped."""
    return 1.0 / (1.0 - p) if p < 1 else 0.0


def draw_seed(rng: np.random.Generator | None = None) -> int:
    """Draw the 64-bit seed of a mask; from the library's generator when rng is None."""
    return int(random.generator(rng).integers(2**64, dtype=np.uint64))


def dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    standard: bool = False,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Dropout, inverted: y = x * keep / (1 - p) in training, x itself otherwise.

    With `standard`, as it was first published: y = x * keep in training, x * (1 - p) otherwise. The
    expected values of the two are a factor 1 - p apart.

    Parameters
    ----------
    x : float tensor of any shape
    p : probability that a value is dropped, in [0, 1]
    training : bool
    standard : scale at test time instead of in training
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Srivastava et al. 2014, section 4 (standard) and section 10 (inverted).
    """
    check_floating("dropout", "x", x)
    check_range("dropout", "p", p, 0.0, 1.0)
    if p == 0:
        return x
    if not training:
        return x * (1.0 - p) if standard else x
    return Dropout.apply(x, seed=draw_seed(rng), p=float(p), standard=standard)


def dropout1d(
    x: Tensor, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None
) -> Tensor:
    """Spatial dropout: each channel (l) of x (n, c, l) is dropped as a whole, the rest / (1 - p).

    Parameters and errors as in `dropout2d`.

    References
    ----------
    Tompson et al. 2015, section 3.2.
    """
    return _channels("dropout1d", x, "n c l", p, training, rng)


def dropout2d(
    x: Tensor, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None
) -> Tensor:
    """Spatial dropout: each channel (h, w) of x (n, c, h, w) is dropped as a whole.

    y[i, j] = x[i, j] * keep[i, j] / (1 - p) in training, x itself otherwise.

    Parameters
    ----------
    x : (n, c, h, w) float
    p : probability that a channel of an image is dropped, in [0, 1]
    training : bool
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    Tensor (n, c, h, w)

    Raises
    ------
    ShapeError
        for another rank

    References
    ----------
    Tompson et al. 2015, Efficient object localization using convolutional networks, section 3.2.
    """
    return _channels("dropout2d", x, "n c h w", p, training, rng)


def dropout3d(
    x: Tensor, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None
) -> Tensor:
    """Spatial dropout: each channel (d, h, w) of x (n, c, d, h, w) is dropped as a whole.

    Parameters and errors as in `dropout2d`.

    References
    ----------
    Tompson et al. 2015, section 3.2.
    """
    return _channels("dropout3d", x, "n c d h w", p, training, rng)


def _channels(
    op: str, x: Tensor, axes: str, p: float, training: bool, rng: np.random.Generator | None
) -> Tensor:
    """Drop channels; what is kept is scaled by 1 / (1 - p)."""
    check_floating(op, "x", x)
    check_rank(op, "x", x.shape, axes, "a channel of one image is dropped as a whole")
    check_range(op, "p", p, 0.0, 1.0)
    if not training or p == 0:
        return x
    keep = backend.call("dropout", "mask", x.shape[:2], draw_seed(rng), p)
    factor = keep.astype(x.dtype) * x.dtype.type(inverse(p))
    return x * factor.reshape(x.shape[:2] + (1,) * (x.ndim - 2))


def alpha_dropout(
    x: Tensor, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, for networks of SELUs.

    y = a (x * keep + f (1 - keep)) + b with f = -1.758, the floor of SELU, a = ((1 - p) (1 + p
    f^2))^(-1/2) and b = -a f p in training, x itself otherwise; zeros where p is 1.

    Parameters
    ----------
    x : float tensor of any shape
    p : probability that a value is dropped, in [0, 1]
    training : bool
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Klambauer et al. 2017, Self-normalizing neural networks, section 3.
    """
    check_floating("alpha_dropout", "x", x)
    check_range("alpha_dropout", "p", p, 0.0, 1.0)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    keep = backend.call("dropout", "mask", x.shape, draw_seed(rng), p)
    a = ((1 - p) * (1 + p * SELU_FLOOR**2)) ** -0.5
    kept, floor = (x.dtype.type(value) for value in (a, a * SELU_FLOOR))
    shift = x.dtype.type(-a * SELU_FLOOR * p)
    return x * (keep * kept) + (np.asarray(~keep) * floor + shift)


def gaussian_dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    form: str = "paper",
    rng: np.random.Generator | None = None,
) -> Tensor:
    """y = x * e with e ~ N(1, variance) in training, x itself otherwise.

    With q = 1 - p the probability of keeping (the papers' p), the variance is that of dropout's own
    factor, (1 - q) / q = p / (1 - p), in the form "paper", and q (1 - q) = p (1 - p) in "notes".

    Parameters
    ----------
    x : float tensor of any shape
    p : probability of dropping in the dropout that this stands for, in [0, 1); in "notes" also 1
    training : bool
    form : "paper" or "notes", which variance
    rng : where the noise is drawn; the library's generator when None

    Returns
    -------
    Tensor of x's shape

    References
    ----------
    Srivastava et al. 2014, section 10.
    """
    check_floating("gaussian_dropout", "x", x)
    check_gaussian("gaussian_dropout", p, form)
    if not training or p == 0:
        return x
    variance = p * inverse(p) if form == "paper" else p * (1 - p)
    factor = standard_normal(x, rng)
    factor *= factor.dtype.type(math.sqrt(variance))
    factor += 1
    return x * factor


def check_gaussian(op: str, p: float, form: str) -> None:
    """Raise ArgumentError unless the form is known and its variance finite."""
    check_range(op, "p", p, 0.0, 1.0)
    if form not in ("paper", "notes"):
        raise ArgumentError(expected(op, 'form as "paper" or "notes"', repr(form)))
    if form == "paper" and p == 1:
        hint = 'the variance p / (1 - p) is infinite; form="notes" takes 1'
        raise ArgumentError(expected(op, "p below 1", p, hint))
