"""Is a wrong result something known: an argument, another result, or the right one times gamma?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from minidl.grading.compare import tolerance, within
from minidl.grading.finding import listed
from minidl.grading.setting import Setting

Found = tuple[str, str] | None

POWERS = {"": 1.0, "^2": 2.0}
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the inverse": lambda w: 1 / w,
    "the root": np.sqrt,
    "the square": np.square,
    "the inverse square": lambda w: 1 / np.square(w),
    "the inverse root": lambda w: 1 / np.sqrt(w),
    "the absolute value": np.abs,
    "the exponential": np.exp,
    "the logarithm": np.log,
}


def relation(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    """Return a sentence and a question where a result is made of something known, or None.

    Parameters
    ----------
    name : of the result.
    got, want : of one shape, finite in the same places.
    allowed : the accepted difference.
    at : the call.
    """
    with np.errstate(all="ignore"):
        for look in (_other_result, _unchanged, _function, _added, _multiplied):
            found = look(name, got, want, allowed, at)
            if found:
                return found
    return None


def _other_result(
    name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting
) -> Found:
    # An array that a check has made of results is none of them.
    for other, right in at.right.items() if name in at.right else ():
        mine = at.returned.get(other)
        if other == name or mine is None or not right.shape == mine.shape == want.shape:
            continue
        if within(got, right, allowed) and within(mine, want, allowed):
            return (
                f"{name} and {other} have changed places.",
                "In which order does the docstring list what is returned?",
            )
        if np.array_equal(mine, got) and not within(right, want, allowed):
            return (
                f"{name} and {other} came back as the same numbers.",
                f"What makes {name} differ from {other}, and could they be one array in memory?",
            )
        if within(got, right, allowed):
            return (
                f"{name} holds the numbers that {other} should have.",
                f"What makes {name} differ from {other}?",
            )
    return None


def _unchanged(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    for key, value in at.arguments.items():
        if isinstance(value, np.ndarray) and value.shape == got.shape and within(got, value, 0.0):
            if key == name:
                seen = f"{name} came back as it came in, number for number."
                return seen, f"What should happen to the {name} that comes in?"
            seen = f"{name} is {key}, number for number."
            return seen, f"What should happen to {key} on its way to {name}?"
    return None


def _added(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    off = got.astype(np.float64) - want
    for key, value in at.alongside(name, want):
        for sign, words in ((1.0, "too large"), (-1.0, "too small")):
            if within(off, np.broadcast_to(sign * value, off.shape), 2 * allowed):
                seen = f"{name} is {words} by {key}."
                return seen, f"How often, and with which sign, does {key} enter {name}?"
    return None


def _multiplied(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    g, w = got.astype(np.float64), want.astype(np.float64)
    for key, value in at.alongside(name, want):
        for power, exponent in POWERS.items():
            factor = np.broadcast_to(value**exponent, w.shape)
            if not factor.all() or not np.isfinite(factor).all():
                continue
            question = f"Where does {key} enter the formula for {name}, and how often?"
            if within(g, w * factor, 2 * allowed * float(np.abs(factor).max())):
                return f"{name} is {key}{power} times what it should be.", question
            if within(g * factor, w, 2 * allowed * float(np.abs(factor).max())):
                return f"{name} would be right if it were multiplied by {key}{power}.", question
    return None


def _function(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    for words, function in FUNCTIONS.items():
        other = function(want.astype(np.float64))
        scale = float(np.abs(other[np.isfinite(other)]).max(initial=0.0))
        if got.size > 1 and within(got, other, max(allowed, 1e-7 * scale)):
            seen = f"{name} is {words} of what it should be."
            return seen, f"By hand, for one number: what should {name} be?"
    return None


def reduction(got: np.ndarray, at: Setting) -> str:
    """Say of which argument, and over which axes, a result of the wrong shape is the mean or sum.

    Parameters
    ----------
    got : the result.
    at : the call.

    Returns
    -------
    str
        "it is the mean of means over axis 1 (c)"; "" for no such thing.
    """
    for key, value in at.arguments.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
            continue
        for count in range(1, value.ndim):
            for axes in combinations(range(value.ndim), count):
                for words, made in (("mean", value.mean(axes)), ("sum", value.sum(axes))):
                    if made.shape == got.shape and within(got, made, tolerance(made)):
                        over = listed([at.axis(key, axis) for axis in axes])
                        return f"it is the {words} of {key} over {over}"
    return ""
