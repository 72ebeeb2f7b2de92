"""In what simple way do two arrays differ? Sign, factor, constant, axes, shift, and shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np

from minidl.grading import factor as natural
from minidl.grading.compare import within
from minidl.grading.finding import listed, of_axes
from minidl.grading.relation import Found, relation
from minidl.grading.setting import NOTHING, Setting

MOST_AXES = 4
NEARLY_ONE = 5e-4
# Results of the right shape are as large as the checks make them; others as a submission likes.
MOST_SIZE = 100_000


def shape_pattern(got: np.ndarray, want: np.ndarray, allowed: float) -> str:
    """Return which transpose, squeeze, sum or reshape turns `got` into `want`; "" for none.

    A way that also gives the right numbers is preferred over one that gives the right shape alone.
    """
    if got.ndim > MOST_AXES + 2 or got.size > MOST_SIZE:
        return ""
    ways: list[tuple[str, np.ndarray]] = []
    if got.ndim <= MOST_AXES:
        ways += [
            (f"transposed with axes {axes} it fits", got.transpose(axes))
            for axes in permutations(range(got.ndim))
        ]
    ways.append(("without its axes of length one it fits", got.squeeze()))
    for axis in range(want.ndim):
        if want.ndim == got.ndim + 1:
            ways.append(
                (f"with an axis of length one at {axis} it fits", np.expand_dims(got, axis))
            )
    for axes in _subsets(got.ndim):
        ways.append((f"summed over {of_axes(axes)} it fits", got.sum(axes, dtype=got.dtype)))
        if got.dtype.kind == "f" and got.size:
            ways.append((f"averaged over {of_axes(axes)} it fits", got.mean(axes)))
    ways.append(("its values fit after a reshape", got.reshape(-1)))
    fitting = [(words, array) for words, array in ways if array.shape == want.shape]
    if got.size == want.size:
        fitting.append(("it has the right number of values", got.reshape(want.shape)))
    for words, array in fitting:
        if array.dtype == want.dtype and within(array, want, allowed):
            return f"{words}, and the values are right then"
    return _reduced_too_far(got, want, allowed) or (f"{fitting[0][0]} in shape" if fitting else "")


def _subsets(ndim: int) -> list[tuple[int, ...]]:
    most = min(ndim, MOST_AXES)
    return [axes for count in range(1, most + 1) for axes in combinations(range(ndim), count)]


def _reduced_too_far(got: np.ndarray, want: np.ndarray, allowed: float) -> str:
    """Say over which axes too much was summed or averaged, where the rest is right."""
    if not np.isfinite(want).all() or not want.size:
        return ""
    for axes in _subsets(want.ndim):
        for words, reduced in (("summed", want.sum(axes)), ("averaged", want.mean(axes))):
            if reduced.shape == got.shape and within(got, reduced, allowed * want.size):
                return f"it is right, but {words} over {of_axes(axes)} of the result as well"
    return ""


def pattern(
    name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting = NOTHING
) -> Found:
    """Return a sentence and a question for the first simple pattern that fits, or None.

    Parameters
    ----------
    name : of the array.
    got, want : of one shape, finite in the same places.
    allowed : the accepted difference.
    at : the call.
    """
    finite = np.isfinite(want)
    g, w = got[finite].astype(np.float64), want[finite].astype(np.float64)
    if not g.any():
        nothing = "False" if got.dtype == np.bool_ else "zero"
        return f"{name} is {nothing} everywhere.", f"Where does {name} get its values?"
    if got.size < 2 or got.dtype == np.bool_:
        return None
    # A pattern must explain the difference, not just be close: a hundredth of it may be left over.
    allowed = max(allowed, 1e-6 * float(np.abs(w).max(initial=0.0)))
    allowed = min(allowed, 0.01 * float(np.abs(g - w).max(initial=0.0)))
    factor = _best_factor(got, want)
    if abs(factor - 1) < NEARLY_ONE and within(
        (got / factor).astype(want.dtype), want, 2 * allowed
    ):
        return None  # "nearly right" says more than "1.0001 times too large"
    for look in (_sign, _factor, _constant, _axis_order, _moved, relation, _slice_factor):
        found = look(name, got, want, allowed, at)
        if found:
            return found
    return None


def _sign(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    if not within(-got, want, allowed):
        return None
    return f"{name} has the wrong sign everywhere.", f"What does {name} do when its input grows?"


def _factor(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    factor = _best_factor(got, want)
    if not factor or not within((got / factor).astype(want.dtype), want, 2 * allowed):
        return None
    size = max(abs(factor), 1 / abs(factor))
    too = f"too {'large' if abs(factor) >= 1 else 'small'}"
    sign = ", and of the wrong sign" if factor < 0 else ""
    ways = natural.named(size, at.lengths or _lengths(want.shape), at.numbers)
    for twin in at.twins:
        if name in twin.returned and twin.returned[name].shape == twin.right[name].shape:
            other = abs(_best_factor(twin.returned[name], twin.right[name])) or 1.0
            also = natural.named(max(other, 1 / other), twin.lengths, twin.numbers)
            ways = [way for way in ways if way in also] or ways
    ways = [way for way in ways if way != f"{size:.5g}"]
    # Two readings are shown only where neither is simpler than the other.
    plain = [way for way in ways if not set(way) & set("/(")]
    ways = plain[:2] or ways[:1]
    said = f"{size:.5g} times {too} everywhere{sign}"
    if ways:
        # A whole number is easily seen to be n * s; of another the words say more.
        whole = abs(size - round(size)) < 1e-4 * size and size < 1000
        words = listed(ways, "or")
        by = f"{too} everywhere{sign}: by the factor {words}"
        said = f"{said}: that is {words}" if whole else by
    return f"{name} is {said}.", _why(ways, size, [k for k, v in at.numbers.items() if v % 1])


def _lengths(shape: tuple[int, ...]) -> dict[str, int]:
    return {f"the length of axis {axis}": length for axis, length in enumerate(shape)}


def _why(ways: list[str], size: float, shares: Sequence[str]) -> str:
    """Return the question for a factor; `shares` are the arguments that are no whole numbers."""
    part = next(filter(None, (re.search(r"1 - (\w+)", way) for way in ways)), None)
    if part is not None:
        other = f"{part[1]} or 1 - {part[1]}"
        return f"Where does the formula ask for {other}, and is it multiplied with or divided by?"
    for share in shares:
        if any(re.search(rf"\b{share}\b", way) for way in ways):
            return f"Where does {share} enter the formula, and is it multiplied with or divided by?"
    if any("- 1)" in way for way in ways):
        return "Which of the two denominators does the docstring ask for, m or m - 1?"
    if ways:
        return "Which sum should be a mean, or which mean a sum, and over what?"
    if abs(size - 2) < 1e-4:
        return "What is counted twice, or which 2 comes out of the derivative of a square?"
    return "What is summed where a mean belongs, or counted twice, or left out of the product?"


def _best_factor(got: np.ndarray, want: np.ndarray) -> float:
    g, w = got.astype(np.float64), want.astype(np.float64)
    square = float(np.sum(w * w))
    return float(np.sum(g * w)) / square if square else 0.0


def _constant(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    off = float(np.mean(got.astype(np.float64) - want))
    if not within((got - off).astype(want.dtype), want, 2 * allowed):
        return None
    return (
        f"{name} is off by the same amount everywhere.",
        f"Which constant is added to {name}, or forgotten?",
    )


def _axis_order(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    if want.ndim > MOST_AXES:
        return None
    for axes in permutations(range(want.ndim)):
        turned = got.transpose(axes)
        if turned.shape == want.shape and within(turned, want, allowed):
            seen = f"{name} is right but for the order of its axes: transposed with {axes} it fits."
            return seen, f"Which axis of {name} counts what?"
    return None


def _moved(name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting) -> Found:
    for axis in range(want.ndim):
        if within(np.flip(got, axis), want, allowed):
            seen = f"{name} is right but runs backwards along {at.axis(name, axis)}."
            return seen, "Which end does your index start from?"
        for shift in range(1, want.shape[axis]):
            if within(np.roll(got, shift, axis), want, allowed):
                seen = f"{name} is right but shifted by {shift} along {at.axis(name, axis)}."
                return seen, "Where does your index start, at 0 or at 1?"
    return None


def _slice_factor(
    name: str, got: np.ndarray, want: np.ndarray, allowed: float, at: Setting
) -> Found:
    """Right up to one factor, or one constant, for each index of one axis."""
    for axis in range(want.ndim):
        if want.shape[axis] < 2 or want.size // want.shape[axis] < 3:
            continue
        mine = np.moveaxis(got, axis, 0).reshape(want.shape[axis], -1).astype(np.float64)
        right = np.moveaxis(want, axis, 0).reshape(want.shape[axis], -1).astype(np.float64)
        square = np.sum(right * right, axis=1, keepdims=True)
        factor = np.sum(mine * right, axis=1, keepdims=True) / np.where(square == 0, 1, square)
        if factor.all() and within(mine / factor, right, 2 * allowed):
            seen = f"{name} is right up to one factor for each index of {at.axis(name, axis)}."
            return seen, "Which factor goes with that axis, and how often does it enter?"
        if within(mine - np.mean(mine - right, axis=1, keepdims=True), right, 2 * allowed):
            seen = f"{name} is right up to one constant for each index of {at.axis(name, axis)}."
            return seen, "What is added along that axis, or subtracted?"
    return None
