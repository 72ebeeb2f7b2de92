"""In what simple way do two arrays differ? Sign, factor, constant, axes, shift, and shapes."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np

from minidl.grading.compare import within

MOST_AXES = 4


def shape_pattern(got: np.ndarray, want: np.ndarray, allowed: float) -> str:
    """Return which transpose, squeeze, sum or reshape turns `got` into `want`; "" for none.

    A way that also gives the right numbers is preferred over one that gives the right shape alone.
    """
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
    for count in range(1, min(got.ndim, MOST_AXES) + 1):
        for axes in combinations(range(got.ndim), count):
            ways.append((f"summed over {_axes(axes)} it fits", got.sum(axes, dtype=got.dtype)))
    ways.append(("its values fit after a reshape", got.reshape(-1)))
    fitting = [(words, array) for words, array in ways if array.shape == want.shape]
    if got.size == want.size:
        fitting.append(("it has the right number of values", got.reshape(want.shape)))
    for words, array in fitting:
        if array.dtype == want.dtype and within(array, want, allowed):
            return f"{words}, and the values are right then"
    return f"{fitting[0][0]} in shape" if fitting else ""


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {' and '.join(map(str, axes))}"


def pattern(name: str, got: np.ndarray, want: np.ndarray, allowed: float) -> tuple[str, str] | None:
    """Return a sentence and a question for the first simple pattern that fits, or None.

    Parameters
    ----------
    name : of the array.
    got, want : of one shape, finite in the same places.
    allowed : the accepted difference.
    """
    finite = np.isfinite(want)
    g, w = got[finite].astype(np.float64), want[finite].astype(np.float64)
    if not g.any():
        return f"{name} is zero everywhere.", f"Where does {name} get its values?"
    if got.size < 2 or got.dtype == np.bool_:
        return None
    # A pattern must explain the difference, not just be close: a hundredth of it may be left over.
    allowed = max(allowed, 1e-6 * float(np.abs(w).max(initial=0.0)))
    allowed = min(allowed, 0.01 * float(np.abs(g - w).max(initial=0.0)))
    for look in (_sign, _factor, _constant, _axis_order, _moved, _slice_factor):
        found = look(name, got, want, allowed)
        if found:
            return found
    return None


def _sign(name: str, got: np.ndarray, want: np.ndarray, allowed: float) -> tuple[str, str] | None:
    if not within(-got, want, allowed):
        return None
    return f"{name} has the wrong sign everywhere.", f"What does {name} do when its input grows?"


def _factor(name: str, got: np.ndarray, want: np.ndarray, allowed: float) -> tuple[str, str] | None:
    factor = _best_factor(got, want)
    if not factor or not within((got / factor).astype(want.dtype), want, 2 * allowed):
        return None
    size = max(abs(factor), 1 / abs(factor))
    times = f"{size:.5g} times too {'large' if abs(factor) >= 1 else 'small'}"
    sign = ", and of the wrong sign" if factor < 0 else ""
    return (
        f"{name} is {times} everywhere{_count(size, want.shape)}{sign}.",
        "What is summed where a mean belongs, or counted twice, or left out of the product?",
    )


def _best_factor(got: np.ndarray, want: np.ndarray) -> float:
    g, w = got.astype(np.float64), want.astype(np.float64)
    square = float(np.sum(w * w))
    return float(np.sum(g * w)) / square if square else 0.0


def _count(size: float, shape: tuple[int, ...]) -> str:
    """Name the axes whose lengths multiply to `size`."""
    for count in range(1, len(shape) + 1):
        for axes in combinations(range(len(shape)), count):
            lengths = [shape[axis] for axis in axes]
            if size > 1.5 and abs(np.prod(lengths) - size) < 1e-4 * size:
                return f" ({' x '.join(map(str, lengths))} is the length of {_axes(axes)})"
    return ""


def _constant(
    name: str, got: np.ndarray, want: np.ndarray, allowed: float
) -> tuple[str, str] | None:
    off = float(np.mean(got.astype(np.float64) - want))
    if not within((got - off).astype(want.dtype), want, 2 * allowed):
        return None
    return (
        f"{name} is off by the same amount everywhere.",
        f"Which constant is added to {name}, or forgotten?",
    )


def _axis_order(
    name: str, got: np.ndarray, want: np.ndarray, allowed: float
) -> tuple[str, str] | None:
    if want.ndim > MOST_AXES:
        return None
    for axes in permutations(range(want.ndim)):
        turned = got.transpose(axes)
        if turned.shape == want.shape and within(turned, want, allowed):
            seen = f"{name} is right but for the order of its axes: transposed with {axes} it fits."
            return seen, f"Which axis of {name} counts what?"
    return None


def _moved(name: str, got: np.ndarray, want: np.ndarray, allowed: float) -> tuple[str, str] | None:
    for axis in range(want.ndim):
        if within(np.flip(got, axis), want, allowed):
            seen = f"{name} is right but runs backwards along axis {axis}."
            return seen, "Which end does your index start from?"
        for shift in range(1, want.shape[axis]):
            if within(np.roll(got, shift, axis), want, allowed):
                seen = f"{name} is right but shifted by {shift} along axis {axis}."
                return seen, "Where does your index start, at 0 or at 1?"
    return None


def _slice_factor(
    name: str, got: np.ndarray, want: np.ndarray, allowed: float
) -> tuple[str, str] | None:
    """Right up to one factor, or one constant, for each index of one axis."""
    for axis in range(want.ndim):
        if want.shape[axis] < 2 or want.size // want.shape[axis] < 3:
            continue
        mine = np.moveaxis(got, axis, 0).reshape(want.shape[axis], -1).astype(np.float64)
        right = np.moveaxis(want, axis, 0).reshape(want.shape[axis], -1).astype(np.float64)
        square = np.sum(right * right, axis=1, keepdims=True)
        factor = np.sum(mine * right, axis=1, keepdims=True) / np.where(square == 0, 1, square)
        if factor.all() and within(mine / factor, right, 2 * allowed):
            seen = f"{name} is right up to one factor for each index of axis {axis}."
            return seen, "Which factor goes with that axis, and how often does it enter?"
        if within(mine - np.mean(mine - right, axis=1, keepdims=True), right, 2 * allowed):
            seen = f"{name} is right up to one constant for each index of axis {axis}."
            return seen, "What is added along that axis, or subtracted?"
    return None
