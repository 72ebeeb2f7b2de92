"""Losses element by element: squares, absolute values, and likelihoods of two classes."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl import tensor as tensor_module
from minidl.autograd import Function, Variable
from minidl.errors import (
    ArgumentError,
    ShapeError,
    check_floating,
    check_size,
    expected,
)
from minidl.functional.loss import check_probabilities, check_reduction

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class ElementLoss(Function):
    """loss = w f(x, t), and of that the mean, the sum or nothing: subclasses give f and slopes."""

    def forward(self, x, target, weight, reduction, *options):
        """Return one number, or all."""
        self.x, self.target, self.weight = x, target, weight
        self.reduction, self.options = reduction, options
        losses = self.f(x, target, *options)
        if weight is not None:
            losses = losses * weight
        if reduction == "none":
            return losses
        if reduction == "batchmean":
            return np.asarray(losses.sum() / len(x))
        return np.asarray(losses.mean() if reduction == "mean" else losses.sum())

    def f(self, x, target, *options):
        """Return the loss of each element."""
        raise NotImplementedError

    def slopes(self, x, target, *options):
        """Return df/dx and df/dtarget, as functions: the second is seldom wanted."""
        raise NotImplementedError

    def backward(self, grad):
        """Return grad w df/dx and grad w df/dtarget, shared out as the reduction did."""
        if self.reduction == "mean":
            grad = grad / self.x.size
        elif self.reduction == "batchmean":
            grad = grad / len(self.x)
        if self.weight is not None:
            grad = grad * self.weight
        by_x, by_target = self.slopes(self.x, self.target, *self.options)
        none = (None,) * (2 + len(self.options))
        return (
            grad * by_x() if self.needs[0] else None,
            grad * by_target() if self.needs[1] else None,
            *none,
        )


class SquaredError(ElementLoss):
    """(x - t)^2."""

    def f(self, x, target):
        """Return the squared difference."""
        return (x - target) ** 2

    def slopes(self, x, target):
        """2 (x - t), and its negative."""
        return lambda: 2 * (x - target), lambda: 2 * (target - x)


class AbsoluteError(ElementLoss):
    """|x - t|, with derivative 0 where they are equal."""

    def f(self, x, target):
        """Return the distance."""
        return np.abs(x - target)

    def slopes(self, x, target):
        """The sign of the difference, and its negative."""
        return lambda: np.sign(x - target), lambda: np.sign(target - x)


class Huber(ElementLoss):
    """0.5 d^2 for |d| <= delta, else delta (|d| - delta / 2), with d = x - t; times a factor."""

    def f(self, x, target, delta, factor):
        """Return the loss, a parabola between two lines."""
        far = np.abs(x - target)
        near = np.minimum(far, delta)
        return factor * near * (far - 0.5 * near)

    def slopes(self, x, target, delta, factor):
        """The difference, cut off at delta."""
        return (
            lambda: factor * np.clip(x - target, -delta, delta),
            lambda: factor * np.clip(target - x, -delta, delta),
        )


class BinaryCrossEntropy(ElementLoss):
    """-t log p - (1 - t) log(1 - p), each logarithm at least -100."""

    def f(self, p, target):
        """Return the loss; 0 and 1 cost at most 100."""
        with np.errstate(divide="ignore"):
            yes, no = np.log(p), np.log1p(-p)
        return -(target * np.maximum(yes, -100) + (1 - target) * np.maximum(no, -100))

    def slopes(self, p, target):
        """(p - t) / (p (1 - p)), and log(1 - p) - log p."""
        with np.errstate(divide="ignore"):
            yes, no = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        return lambda: (p - target) / np.maximum(p * (1 - p), 1e-12), lambda: no - yes


class LogitCrossEntropy(ElementLoss):
    """a t log(1 + e^-x) + (1 - t) log(1 + e^x), where positives count a times."""

    def f(self, x, target, positive):
        """Return the loss, from exponentials that never overflow."""
        yes, no = self.costs(x)
        return _times(positive * target, yes) + _times(1 - target, no)

    def slopes(self, x, target, positive):
        """(1 - t) sigmoid(x) - a t sigmoid(-x), and a log(1 + e^-x) - log(1 + e^x)."""

        def by_x():
            up, down = (
                backend.call("activation", "sigmoid_forward", np.asarray(z)) for z in (x, -x)
            )
            return (1 - target) * up - positive * target * down

        def by_target():
            yes, no = self.costs(x)
            return positive * yes - no

        return by_x, by_target

    def costs(self, x):
        """Return log(1 + e^-x) and log(1 + e^x): max(-x, 0) or max(x, 0), and log(1 + e^-|x|)."""
        below = np.asarray(-np.abs(x))
        rest = backend.call("activation", "softplus_forward", below, 1.0, 20.0)
        return rest + np.maximum(-x, 0), rest + np.maximum(x, 0)


class Divergence(ElementLoss):
    """p (log p - x), with 0 log 0 = 0; p given, or its logarithm."""

    def f(self, x, target, log_target):
        """Return each term of the divergence of x's distribution from p."""
        p, log = self.both(target, log_target)
        with np.errstate(invalid="ignore"):
            return _times(p, log - x)

    def slopes(self, x, target, log_target):
        """-p; and log p + 1 - x, or p (log p + 1 - x)."""
        p, log = self.both(target, log_target)
        if log_target:
            return lambda: -p, lambda: p * (log - x + 1)
        return lambda: -p, lambda: np.where(p > 0, log + 1 - x, -x)

    def both(self, target, log_target):
        """Return p and log p, 0 where p is."""
        if log_target:
            return np.exp(target), target
        return target, np.log(np.where(target > 0, target, 1))


class Hinge(ElementLoss):
    """max(0, margin - t x), with derivative 0 at the margin."""

    def f(self, x, target, margin):
        """Return how much is missing to the margin."""
        return np.maximum(margin - target * x, 0)

    def slopes(self, x, target, margin):
        """-t and -x, where the margin is not reached."""
        inside = margin - target * x > 0
        return lambda: np.where(inside, -target, 0), lambda: np.where(inside, -x, 0)


def _times(share, x):
    """Return share * x, and 0 where the share is 0, even of what is infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(share == 0, 0, share * x)


def _apply(
    op: str,
    loss: type[ElementLoss],
    x: Tensor,
    target: Any,
    weight: Any,
    reduction: str,
    *options: Any,
) -> Tensor:
    """Check the arguments that all these losses share, and run one."""
    check_floating(op, "input", x)
    check_reduction(op, reduction, *(("batchmean",) if loss is Divergence else ()))
    if not isinstance(target, Variable):
        target = tensor_module.Tensor(target)
    if target.dtype != x.dtype:
        target = target.astype(x.dtype)
    hint = "this loss compares element with element: reshape one of them"
    check_size(op, "target", target.shape, x.shape, hint)
    if reduction in ("mean", "batchmean") and x.size == 0:
        hint = 'use "sum", or leave such batches out'
        raise ShapeError(expected(op, f'elements for reduction "{reduction}"', "none", hint))
    if weight is not None:
        weight = _spread(op, "weight", weight, x)
    return loss.apply(x, target, weight, reduction, *options)


def _spread(op: str, name: str, array: Any, x: Tensor) -> np.ndarray:
    """Return an array that broadcasts to the shape of x, of its type."""
    array = tensor_module.as_array(array).astype(x.dtype)
    try:
        return np.broadcast_to(array, x.shape)
    except ValueError:
        wanted = f"{name} that broadcasts to {x.shape}"
        raise ShapeError(expected(op, wanted, array.shape)) from None


def check_bend(op: str, name: str, bend: float, *, zero: bool) -> None:
    """Raise ArgumentError unless `bend` is finite and above 0 (or 0, where `zero`)."""
    if not isinstance(bend, Real) or not 0 <= bend < np.inf or (bend == 0 and not zero):
        bound = "of at least 0" if zero else "above 0"
        raise ArgumentError(expected(op, f"{name} as a finite number {bound}", repr(bend)))


def mse_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """loss = (x - t)^2.

    Parameters
    ----------
    input, target : float, of one shape
    reduction : "mean" (over all elements), "sum" or "none"

    Returns
    -------
    Tensor, a scalar, or of input's shape for reduction "none"

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 5.5.1: the likelihood of a normal error.
    """
    return _apply("mse_loss", SquaredError, input, target, None, reduction)


def l1_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """loss = |x - t|, with derivative 0 where they are equal; arguments as for `mse_loss`.

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.4: the median is predicted.
    """
    return _apply("l1_loss", AbsoluteError, input, target, None, reduction)


def smooth_l1_loss(
    input: Tensor, target: Any, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """loss = 0.5 d^2 / beta where |d| < beta, else |d| - beta / 2, with d = x - t.

    Parameters
    ----------
    input, target, reduction : as for `mse_loss`
    beta : at least 0, where the parabola ends; 0 gives `l1_loss`

    References
    ----------
    Girshick 2015, section 2.3.
    """
    check_bend("smooth_l1_loss", "beta", beta, zero=True)
    if beta == 0:
        return _apply("smooth_l1_loss", AbsoluteError, input, target, None, reduction)
    return _apply("smooth_l1_loss", Huber, input, target, None, reduction, beta, 1 / beta)


def huber_loss(input: Tensor, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """loss = 0.5 d^2 where |d| <= delta, else delta (|d| - delta / 2), with d = x - t.

    Parameters
    ----------
    input, target, reduction : as for `mse_loss`
    delta : above 0, where the parabola ends

    References
    ----------
    Huber 1964.
    """
    check_bend("huber_loss", "delta", delta, zero=False)
    return _apply("huber_loss", Huber, input, target, None, reduction, delta, 1.0)


def binary_cross_entropy(
    input: Tensor, target: Any, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """loss = -w (t log p + (1 - t) log(1 - p)), the logarithms cut off at -100.

    Parameters
    ----------
    input : probabilities p in [0, 1], of any shape
    target : t, of that shape
    weight : w, broadcast to that shape, or None
    reduction : "mean" (over all elements), "sum" or "none"

    Raises
    ------
    ArgumentError
        for an input or target outside [0, 1]; `binary_cross_entropy_with_logits` takes any input

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.2.
    """
    op = "binary_cross_entropy"
    check_floating(op, "input", input)
    hint = "use binary_cross_entropy_with_logits, or a sigmoid before"
    check_probabilities(op, "probabilities", input, hint=hint)
    check_probabilities(op, "target as probabilities", target)
    return _apply(op, BinaryCrossEntropy, input, target, weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """loss = -w (a t log s(x) + (1 - t) log(1 - s(x))), s the sigmoid; never overflows.

    Parameters
    ----------
    input : logits x, of any shape
    target : t in [0, 1], of that shape
    weight : w, broadcast to that shape, or None
    reduction : "mean" (over all elements), "sum" or "none"
    pos_weight : a, what a positive counts, broadcast to that shape; 1 when None

    Raises
    ------
    ArgumentError
        for a target outside [0, 1]

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.2.
    """
    op = "binary_cross_entropy_with_logits"
    check_floating(op, "input", input)
    check_probabilities(op, "target as probabilities", target)
    positive = (
        input.dtype.type(1) if pos_weight is None else _spread(op, "pos_weight", pos_weight, input)
    )
    return _apply(op, LogitCrossEntropy, input, target, weight, reduction, positive)


def kl_div(input: Tensor, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """loss = p (log p - x): Kullback-Leibler divergence of e^x from p, term by term.

    Parameters
    ----------
    input : x, log-probabilities
    target : p, of that shape, or log p with `log_target`
    reduction : "batchmean" (the divergence itself: the sum over the first axis's length), "mean"
        (over all elements), "sum" or "none"

    Raises
    ------
    ArgumentError
        for a negative probability

    References
    ----------
    Kullback & Leibler 1951.
    """
    if not log_target:
        check_probabilities("kl_div", "target as probabilities", target, np.inf)
    return _apply("kl_div", Divergence, input, target, None, reduction, log_target)


def hinge_loss(input: Tensor, target: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """loss = max(0, margin - t x): scores x, classes t = -1 or 1.

    Parameters
    ----------
    input : float, of any shape
    target : -1 or 1, of that shape
    margin : the score from which on nothing is to pay
    reduction : "mean" (over all elements), "sum" or "none"

    References
    ----------
    Cortes & Vapnik 1995.
    """
    signs = tensor_module.as_array(target)
    if not np.isin(signs, (-1, 1)).all():
        wrong = signs[~np.isin(signs, (-1, 1))].flat[0]
        raise ArgumentError(expected("hinge_loss", "targets of -1 or 1", wrong))
    return _apply("hinge_loss", Hinge, input, target, None, reduction, margin)
