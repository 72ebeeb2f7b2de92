"""Penalties that are added to the loss, and constraints that are kept after a step.

All take a model, of which the weights count and biases and normalization layers do not (see
`named_weights`), or the parameters themselves, of which all count. All are centred at zero, or at
`center`: a number, arrays (one for each parameter), or with a model a mapping from path to array,
such as the state_dict it was pre-trained to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl.autograd import Function
from minidl.errors import ArgumentError, DTypeError, check_size, check_sizes, expected
from minidl.nn import Module
from minidl.optim.groups import named_weights
from minidl.optim.optimizer import check_rate

Params = Module | Tensor | Iterable[Tensor]
Center = float | Sequence[Any] | Mapping[str, Any]
Pairs = list[tuple[Tensor, Any]]


class Penalty:
    """l1 ||w - c||_1 + l2 / 2 ||w - c||^2, whose other names are its subclasses.

    Called with a model or parameters it returns a Tensor to add to the loss; `add_gradient` does
    without a tape; `prox_` takes the penalty's own step instead of its gradient.

    Parameters
    ----------
    l1, l2 : float, at least 0
    center : c: a number, arrays, or a mapping from path to array

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, optim
    >>> model = nn.Linear(2, 1).double()
    >>> model.weight.data = np.array([[3.0, -4.0]])
    >>> penalty = optim.L2(0.1)(model)  # loss = cross_entropy(model(x), y) + penalty
    >>> penalty.item()
    1.25
    >>> penalty.backward()
    >>> print(model.weight.grad, model.bias.grad)
    [[ 0.3 -0.4]] None
    """

    def __init__(self, l1: float, l2: float, center: Center = 0.0) -> None:
        self.l1, self.l2, self.center = l1, l2, center

    def __call__(self, params: Params) -> Tensor:
        pairs = _pairs(type(self).__name__, params, self.center)
        centers = [center for _, center in pairs]
        return PenaltySum.apply(*(p for p, _ in pairs), penalty=self, centers=centers)

    def value(self, away: np.ndarray) -> float:
        """Return the penalty of one array w - c."""
        flat = away.ravel()
        absolute = self.l1 * float(np.abs(flat).sum()) if self.l1 else 0.0
        return absolute + (0.5 * self.l2 * float(flat @ flat) if self.l2 else 0.0)

    def gradient(self, away: np.ndarray) -> np.ndarray:
        """Return l1 sign(w - c) + l2 (w - c); the sign of 0 is 0."""
        if not self.l1:
            return away * away.dtype.type(self.l2)
        return away.dtype.type(self.l1) * np.sign(away) + away.dtype.type(self.l2) * away

    def add_gradient(self, params: Params) -> None:
        """Add the penalty's gradient to the `.grad` of the parameters."""
        for p, center in _pairs(type(self).__name__, params, self.center):
            gradient = self.gradient(np.asarray(p.data - center))
            p.grad = gradient if p.grad is None else p.grad + gradient

    def prox_(self, params: Params, lr: float) -> None:
        """Move each w to the minimum of the penalty + ||w' - w||^2 / (2 lr), in place.

        To be called after a step of the optimizer on the loss alone, with its learning rate. L1
        then gives exact zeros: w' = c + sign(w - c) max(|w - c| - lr l1, 0) / (1 + lr l2).

        References
        ----------
        Parikh & Boyd 2014, sections 4.2 and 6.5.2.
        """
        check_rate(f"{type(self).__name__}.prox_", "lr", lr)
        for p, center in _pairs(type(self).__name__, params, self.center):
            away = p.data - center
            left = np.maximum(np.abs(away) - lr * self.l1, 0) / (1 + lr * self.l2)
            p.data = np.asarray(center + np.sign(away) * left, p.dtype)


class PenaltySum(Function):
    """The sum of a penalty over several arrays, each with its center."""

    def forward(self, *weights, penalty, centers):
        """Return a scalar; the gradients are those of the weights as they are now."""
        away = [np.asarray(w - c) for w, c in zip(weights, centers, strict=True)]
        self.gradients = [
            penalty.gradient(a) if need else None for a, need in zip(away, self.needs, strict=True)
        ]
        return np.asarray(math.fsum(map(penalty.value, away)), weights[0].dtype)

    def backward(self, grad):
        """Return the gradients."""
        return tuple(None if g is None else np.asarray(g * grad) for g in self.gradients)


class L1(Penalty):
    """alpha ||w - c||_1: its gradient alpha sign(w - c) is as large near c as far from it.

    Parameters
    ----------
    alpha : float, at least 0
    center : c

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.1.2.
    """

    def __init__(self, alpha: float, center: Center = 0.0) -> None:
        check_rate("L1", "alpha", alpha)
        super().__init__(alpha, 0.0, center)


class L2(Penalty):
    """alpha / 2 ||w - c||^2: its gradient is alpha (w - c).

    On a quadratic loss with Hessian H it shrinks the minimum's component along an eigenvector of
    eigenvalue lambda by lambda / (lambda + alpha).

    Parameters
    ----------
    alpha : float, at least 0
    center : c

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.1.1.
    """

    def __init__(self, alpha: float, center: Center = 0.0) -> None:
        check_rate("L2", "alpha", alpha)
        super().__init__(0.0, alpha, center)


class ElasticNet(Penalty):
    """l1 ||w - c||_1 + l2 / 2 ||w - c||^2.

    Parameters
    ----------
    l1, l2 : float, at least 0
    center : c

    References
    ----------
    Zou & Hastie 2005.
    """

    def __init__(self, l1: float, l2: float, center: Center = 0.0) -> None:
        check_rate("ElasticNet", "l1", l1)
        check_rate("ElasticNet", "l2", l2)
        super().__init__(l1, l2, center)


class GaussianPrior(Penalty):
    """-log N(w; c, sigma^2) up to a constant: ||w - c||^2 / (2 sigma^2), which is L2(1 / sigma^2).

    Added to -log p(data | w) it makes training a maximum a posteriori estimate.

    Parameters
    ----------
    sigma : float above 0
    center : c
    samples : int; divides the penalty, for a loss that is the mean over so many samples

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 5.6.1.
    """

    def __init__(self, sigma: float, center: Center = 0.0, samples: int = 1) -> None:
        _check_scale("GaussianPrior", "sigma", sigma, samples)
        super().__init__(0.0, 1 / (sigma**2 * samples), center)


class LaplacePrior(Penalty):
    """-log Laplace(w; c, b) up to a constant: ||w - c||_1 / b, which is L1(1 / b).

    Parameters
    ----------
    b : float above 0
    center : c
    samples : int; divides the penalty, for a loss that is the mean over so many samples

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.1.2.
    """

    def __init__(self, b: float, center: Center = 0.0, samples: int = 1) -> None:
        _check_scale("LaplacePrior", "b", b, samples)
        super().__init__(1 / (b * samples), 0.0, center)


class MaxNorm:
    """After a step: every unit's incoming weights w - c are scaled to a norm of at most max_norm.

    A unit is a row: w[i], with all its axes. A parameter of fewer than two axes, given by itself,
    is one unit.

    Parameters
    ----------
    max_norm : float, at least 0
    center : c

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, section 5.1.
    """

    def __init__(self, max_norm: float, center: Center = 0.0) -> None:
        check_rate("MaxNorm", "max_norm", max_norm)
        self.max_norm, self.center = max_norm, center

    def project_(self, params: Params) -> None:
        """Scale the rows that are too long, in place."""
        for p, center in _pairs("MaxNorm", params, self.center):
            away = np.asarray(p.data - center)
            axes = tuple(range(1, away.ndim)) if away.ndim > 1 else None
            norms = np.sqrt(np.sum(np.square(away, dtype=np.float64), axis=axes, keepdims=True))
            if (norms > self.max_norm).any():
                p.data = np.asarray(center + away * _shrinkage(norms, self.max_norm), p.dtype)


class NormBall:
    """After a step: all weights together are moved to the nearest point with ||w - c|| <= radius.

    Parameters
    ----------
    radius : float, at least 0
    center : c

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.2.
    """

    def __init__(self, radius: float, center: Center = 0.0) -> None:
        check_rate("NormBall", "radius", radius)
        self.radius, self.center = radius, center

    def project_(self, params: Params) -> None:
        """Scale all of w - c alike where it is too long, in place."""
        pairs = _pairs("NormBall", params, self.center)
        away = [np.asarray(p.data - center) for p, center in pairs]
        norm = math.sqrt(math.fsum(float(np.square(a, dtype=np.float64).sum()) for a in away))
        if norm > self.radius:
            for (p, center), a in zip(pairs, away, strict=True):
                p.data = np.asarray(center + a * (self.radius / norm), p.dtype)


class Lagrangian:
    """multiplier (R(w) - bound), added to the loss: the constraint R(w) <= bound as a game.

    The optimizer descends on w; `step` climbs on the multiplier, which stays at least 0:
    multiplier <- max(multiplier + lr (R(w) - bound), 0), with the R of the last call. It grows
    until the constraint is kept, and is 0 where the constraint does not bind.

    Parameters
    ----------
    penalty : R, a Penalty or any function from parameters to a Tensor of one element
    bound : float
    lr : float, at least 0, of the multiplier's steps
    multiplier : float, at least 0, to begin with

    References
    ----------
    Goodfellow, Bengio & Courville 2016, sections 4.4 and 7.2.
    """

    def __init__(
        self,
        penalty: Callable[[Any], Tensor],
        bound: float,
        lr: float = 1.0,
        multiplier: float = 0.0,
    ) -> None:
        check_rate("Lagrangian", "lr", lr)
        check_rate("Lagrangian", "multiplier", multiplier)
        if not isinstance(bound, Real) or not math.isfinite(bound):
            raise ArgumentError(expected("Lagrangian", "a finite bound", bound))
        self.penalty: Callable[[Any], Tensor] = penalty
        self.bound: float = bound
        self.lr: float = lr
        self.multiplier: float = multiplier
        self.excess: float | None = None

    def __call__(self, params: Any) -> Tensor:
        excess = self.penalty(params) - self.bound
        self.excess = float(excess.item())
        return excess * self.multiplier

    def step(self) -> None:
        """Move the multiplier up where the constraint is broken, down where there is room."""
        if self.excess is None:
            hint = "add it to the loss: loss + lagrangian(model)"
            raise ArgumentError(expected("Lagrangian.step", "a call before", "none", hint))
        self.multiplier = max(self.multiplier + self.lr * self.excess, 0.0)


def _shrinkage(norms: np.ndarray, most: float) -> np.ndarray:
    """Return the factors that make norms at most `most`."""
    return np.where(norms > most, most / np.where(norms > most, norms, 1), 1)


def _check_scale(op: str, name: str, value: float, samples: int) -> None:
    """Raise ArgumentError unless a density's width is above 0 and finite."""
    check_sizes(op, samples=samples)
    check_rate(op, name, value)
    if value == 0:
        raise ArgumentError(expected(op, f"{name} above 0", value))


def _pairs(op: str, params: Params, center: Center) -> Pairs:
    """Return (parameter, its center) for the weights of a model, or the parameters given."""
    if isinstance(params, Module):
        named = named_weights(params)
        members: list[Any] = list(named.values())
    else:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            params = [params]
        named, members = {}, list(params)
    wrong = [type(p).__name__ for p in members if not isinstance(p, Tensor)]
    if wrong or not members:
        hint = "pass the model, or its parameters"
        got = wrong[0] if wrong else "none"
        raise DTypeError(expected(op, "a model with weights, or Tensors", got, hint))
    return list(zip(members, _centers(op, center, members, list(named)), strict=True))


def _centers(op: str, center: Center, members: list[Tensor], names: list[str]) -> list[Any]:
    """Return a number or an array of its shape for each parameter."""
    if isinstance(center, int | float | np.number):
        return [p.dtype.type(center) for p in members]
    if isinstance(center, Mapping):
        missing = [name for name in names if name not in center]
        if missing or not names:
            wanted = "a model, and a center for each of its weights"
            raise ArgumentError(expected(op, wanted, f"none for {missing or 'bare parameters'}"))
        given = [center[name] for name in names]
    else:
        given = list(center)
    if len(given) != len(members):
        raise ArgumentError(expected(op, f"{len(members)} centers", len(given)))
    arrays = [np.asarray(c, p.dtype) for c, p in zip(given, members, strict=True)]
    for array, p in zip(arrays, members, strict=True):
        check_size(op, "center", array.shape, p.shape)
    return arrays
