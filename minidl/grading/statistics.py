"""What random numbers must look like, with a proven rate of false alarms.

    rate_within(np.count_nonzero(y), y.size, 1 - p, "the part of y that is kept")
    mean_within(y, 1.0, np.sqrt(p / (1 - p)), "y", bound=max(1.0, p / (1 - p)))

A draw order is nobody's business, so what a student draws is judged by its mean, its variance, its
rates and its independence. Every threshold follows from `alarms`, the largest probability with
which a right solution is rejected by that one comparison: 1e-9 by default, so that a graded
submission with a hundred of them stays below 1e-6. No threshold rests on a large-sample
approximation: they are exact for normal values, and proven bounds (Chernoff, Bernstein, Hoeffding,
Laurent & Massart, Dvoretzky, Kiefer, Wolfowitz & Massart) otherwise, a little wider than exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from minidl.errors import ArgumentError, expected
from minidl.grading.compare import Mismatch, Statistic

ALARMS = 1e-9


class Unlikely(Mismatch):
    """A statistic farther from its expectation than chance would bring it.

    Parameters
    ----------
    what : "mean", "variance", "rate", "correlation", "distribution" or "repeated".
    name : of the values, in the words of the formula ("y").
    got, want : the statistic, and its expectation.
    allowed : the distance that would have been accepted (of a rate, nearly).
    error : the standard error of the statistic: what chance alone moves it by.
    count : how many values it was taken over.
    mean : for a variance, how many standard errors the mean is from its expectation, as a right
        one may be; None otherwise.
    """

    def __init__(
        self,
        what: Statistic,
        name: str,
        values: tuple[float, float, float],
        error: float,
        count: int,
        mean: float | None = None,
    ) -> None:
        """Keep the parts; `values` are got, want and allowed."""
        super().__init__(what, name, *values)
        self.error = error
        self.count = count
        self.mean = mean


def mean_within(
    values: np.ndarray,
    want: float,
    sigma: float,
    name: str,
    *,
    bound: float | None = None,
    alarms: float = ALARMS,
) -> None:
    """Raise Unlikely unless the mean of independent values is `want`, as far as chance allows.

    Parameters
    ----------
    values : independent draws, of any shape.
    want, sigma : the expectation and the standard deviation of one value of a right solution.
    name : of the values.
    bound : the largest |value - want| of a right solution, for Bernstein's inequality; None says
        that the values are normal (or sums of normals), whose mean is normal too.
    alarms : the probability of rejecting a right solution, at most.

    Raises
    ------
    Unlikely
        of kind "mean".
    Mismatch
        of kind "nan", where a value is not finite.
    """
    drawn = _finite(values, name)
    n = drawn.size
    if bound is None:
        allowed = -NormalDist().inv_cdf(alarms / 2) * sigma / math.sqrt(n)
    else:
        allowed = _bernstein(n, sigma**2, bound, alarms)
    got = float(drawn.mean())
    if abs(got - want) > allowed + _rounding(values):
        raise Unlikely("mean", name, (got, want, allowed), sigma / math.sqrt(n), n)


def variance_within(
    values: np.ndarray,
    mean: float,
    sigma: float,
    name: str,
    *,
    bound: float | None = None,
    alarms: float = ALARMS,
) -> None:
    """Raise Unlikely unless independent values lie around `mean` with variance sigma^2.

    Parameters
    ----------
    values, mean, sigma, name, bound, alarms : as in `mean_within`, whose `want` is `mean` here.

    Raises
    ------
    Unlikely
        of kind "variance"; it carries how far the mean is off, so that "the right mean, the wrong
        scale" can be said.
    Mismatch
        of kind "nan", where a value is not finite.
    """
    drawn = _finite(values, name)
    n, want = drawn.size, sigma**2
    got = float(np.mean(np.square(drawn - mean)))
    tail = math.log(2 / alarms)
    if bound is None:
        error = want * math.sqrt(2 / n)
        above = want * (2 * math.sqrt(tail / n) + 2 * tail / n)
        allowed = above if got > want else 2 * want * math.sqrt(tail / n)
    else:
        # The squares lie in [0, bound^2], so that their variance is at most this.
        spread = max(bound**2 * want - want**2, 0.0)
        error = math.sqrt(spread / n)
        allowed = _bernstein(n, spread, bound**2, alarms)
    if abs(got - want) > allowed + _rounding(values) * (abs(mean) + sigma):
        off = (float(drawn.mean()) - mean) * math.sqrt(n) / sigma if sigma else 0.0
        raise Unlikely("variance", name, (got, want, allowed), error, n, off)


def rate_within(count: int, n: int, p: float, name: str, *, alarms: float = ALARMS) -> None:
    """Raise Unlikely unless `count` of n independent events, each of probability p, is plausible.

    The count is accepted where n * KL(count / n, p) <= log(2 / alarms), after Chernoff.

    Parameters
    ----------
    count, n : how many happened, and how many could have.
    p : the probability of one; with 0 or 1 a single exception is an error.
    name : of what happens ("the part of y that is dropped").
    alarms : the probability of rejecting a right solution, at most.

    Raises
    ------
    Unlikely
        of kind "rate".
    """
    if not 0 <= count <= n or n < 1 or not 0 <= p <= 1:
        got = f"count={count}, n={n}, p={p}"
        raise ArgumentError(expected("rate_within", "0 <= count <= n, n >= 1, 0 <= p <= 1", got))
    rate = count / n
    information = _relative_entropy(rate, p) + _relative_entropy(1 - rate, 1 - p)
    if n * information > math.log(2 / alarms):
        error = math.sqrt(p * (1 - p) / n)
        allowed = error * math.sqrt(2 * math.log(2 / alarms))
        raise Unlikely("rate", name, (rate, p, allowed), error, n)


def uncorrelated(one: np.ndarray, other: np.ndarray, name: str, *, alarms: float = ALARMS) -> None:
    """Raise Unlikely where two series that should be independent rise and fall together.

    Parameters
    ----------
    one : independent draws of one distribution, of two values (a mask; of other values take
        `values > middle`).
    other : as many values of any kind, which should know nothing of `one`: the next draw, the
        neighbours (`mask[1:]` beside `mask[:-1]`), the inputs.
    name : of what should be independent ("the masks of two channels").
    alarms : the probability of rejecting a right solution, at most (Hoeffding).

    Raises
    ------
    Unlikely
        of kind "correlation"; `got` is the coefficient.
    Mismatch
        of kind "nan", where a value is not finite.
    """
    a, b = _finite(one, name).ravel(), _finite(other, name).ravel()
    if a.shape != b.shape or len(np.unique(a)) > 2:
        came = f"{a.shape} with {len(np.unique(a))} values and {b.shape}"
        raise ArgumentError(expected("uncorrelated", "two series of one length, one of 0/1", came))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    if not size:
        return
    width = float(np.ptp(a)) * math.sqrt(float(np.sum(b * b)))
    allowed = width * math.sqrt(math.log(2 / alarms) / 2) / size
    got = float(np.sum(a * b)) / size
    if abs(got) > allowed:
        raise Unlikely("correlation", name, (got, 0.0, allowed), 1 / math.sqrt(len(a)), len(a))


def distributed(
    values: np.ndarray,
    cdf: Callable[[float], float],
    name: str,
    *,
    alarms: float = ALARMS,
) -> None:
    """Raise Unlikely unless independent values follow a continuous distribution.

    Parameters
    ----------
    values : independent draws, of any shape.
    cdf : the probability of a value of at most its argument; `NormalDist(mean, sigma).cdf`.
    name : of the values.
    alarms : the probability of rejecting a right solution, at most: the largest distance from the
        distribution is compared with sqrt(log(2 / alarms) / (2 n)), after Massart.

    Raises
    ------
    Unlikely
        of kind "distribution"; `got` is the largest distance between the part of the values below
        a point and its probability.
    Mismatch
        of kind "nan", where a value is not finite.
    """
    drawn = np.sort(_finite(values, name), axis=None)
    n = drawn.size
    probability = np.array([cdf(float(value)) for value in drawn])
    steps = np.arange(n + 1) / n
    got = float(np.maximum(steps[1:] - probability, probability - steps[:-1]).max(initial=0.0))
    allowed = math.sqrt(math.log(2 / alarms) / (2 * n))
    if got > allowed:
        raise Unlikely("distribution", name, (got, 0.0, allowed), 0.5 / math.sqrt(n), n)


def fresh(one: np.ndarray, other: np.ndarray, name: str) -> None:
    """Raise Unlikely where two calls with different generators gave the same numbers.

    The caller answers for the false alarms: two right masks of n fair coins agree with probability
    2^-n, so n >= 30 keeps to 1e-9.

    Raises
    ------
    Unlikely
        of kind "repeated".
    """
    if one.shape == other.shape and np.array_equal(one, other):
        raise Unlikely("repeated", name, (1.0, 0.0, 0.0), 0.0, one.size)


def _finite(values: Any, name: str) -> np.ndarray:
    drawn = np.asarray(values)
    if not drawn.size:
        raise ArgumentError(expected(name, "at least one value", "none"))
    if not np.isfinite(drawn).all():
        raise Mismatch("nan", name, drawn, np.zeros(drawn.shape))
    return drawn.astype(np.float64)


def _rounding(values: Any) -> float:
    """Return what the rounding of the values can move their mean by."""
    drawn = np.asarray(values)
    step = np.finfo(drawn.dtype).eps if drawn.dtype.kind == "f" else 0.0
    return 4 * float(step) * float(np.abs(drawn).max(initial=0))


def _bernstein(n: int, variance: float, bound: float, alarms: float) -> float:
    """Return t with P(|mean of n - expectation| > t) <= alarms, given |value - expectation|."""
    tail = math.log(2 / alarms)
    linear = bound * tail / 3
    return (linear + math.sqrt(linear**2 + 2 * n * variance * tail)) / n


def _relative_entropy(part: float, p: float) -> float:
    if part == 0:
        return 0.0
    return part * math.log(part / p) if p else math.inf
