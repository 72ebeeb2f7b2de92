"""Where is an array wrong: at a border, in one channel, where an input is zero or negative?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidl.grading.finding import listed
from minidl.grading.setting import NOTHING, Setting

Mask = Callable[[np.ndarray], np.ndarray]
CONDITIONS: dict[str, Mask] = {
    "is zero": lambda a: a == 0,
    "is negative": lambda a: a < 0,
    "is positive": lambda a: a > 0,
    "is NaN": lambda a: ~np.isfinite(a),
    "is above 1": lambda a: a > 1,
    "is beyond 1, on either side": lambda a: np.abs(a) > 1,
}

# Of as few values one side of a threshold could be wrong by chance.
MOST_CHANCE = 6


def where(wrong: np.ndarray, name: str = "", at: Setting = NOTHING) -> str:
    """Say where a mask is True.

    Parameters
    ----------
    wrong : what is wrong, of the shape of the result; True somewhere.
    name : of the result.
    at : the call.

    Returns
    -------
    str
        "everywhere", "exactly where x is negative", "at the border of the last two axes alone",
        "at index 2 of axis 1 (c) alone (all of it)", or how often and where first.
    """
    if wrong.all():
        return "everywhere"
    if wrong.size > 2 and wrong.sum() == 1 and not _at_values(wrong, name, at):
        last = ", the last," if wrong.ndim == 1 and wrong[-1] else ""
        return f"at {first(wrong)}{last} alone"
    return (
        _at_values(wrong, name, at)
        or _slice(wrong, name, at)
        or _border(wrong)
        or f"in {int(wrong.sum())} of {wrong.size} values, first at {first(wrong)}"
    )


def first(wrong: np.ndarray) -> list[int]:
    """Return the first index at which a mask is True."""
    return [int(i) for i in np.argwhere(wrong)[0]]


def _at_values(wrong: np.ndarray, name: str, at: Setting) -> str:
    """Say which values of an argument of the same shape the wrong places have in common.

    Of a short vector any values could be the wrong ones by chance, so other calls must agree that
    are wrong in other places.
    """
    others = [(mask, twin) for twin in at.twins if (mask := twin.wrong(name)) is not None]
    elsewhere = any(not np.array_equal(mask, wrong) for mask, _ in others)
    if wrong.size <= MOST_CHANCE and not elsewhere:
        return ""
    for key, value in at.arguments.items():
        if not isinstance(value, np.ndarray) or value.shape != wrong.shape:
            continue
        for words, condition in CONDITIONS.items():
            mask = condition(value)
            if mask.all() or not _covers(mask, wrong):
                continue
            if not all(_covers(condition(np.asarray(t.arguments[key])), m) for m, t in others):
                continue
            if np.array_equal(mask, wrong):
                return f"exactly where {key} {words}"
            if 2 * wrong.sum() > mask.sum() > 3:
                return f"only where {key} {words}"
    return ""


def _covers(mask: np.ndarray, wrong: np.ndarray) -> bool:
    """Whether everything wrong lies where the mask is True."""
    return mask.shape == wrong.shape and bool(mask.any()) and not (wrong & ~mask).any()


def _border(wrong: np.ndarray) -> str:
    """Say that the inside of the last two axes (or of the last) is right, and which edges are not.

    An inside of at least one value must be right all through.
    """
    for count in (2, 1):
        if wrong.ndim < count or min(wrong.shape[-count:]) < 3:
            continue
        inside = wrong[..., 1:-1] if count == 1 else wrong[..., 1:-1, 1:-1]
        if inside.any():
            continue
        words = ("row", "column")[-count:] if wrong.ndim > 1 else ("place",)
        sides = [
            f"the {which} {word}"
            for axis, word in zip(range(-count, 0), words, strict=True)
            for which, index in (("first", 0), ("last", -1))
            if _more_than_corners(wrong.take(index, axis), count)
        ]
        if len(sides) == 2 * count:
            return f"at the border of the last {'two axes' if count == 2 else 'axis'} alone"
        if sides:
            return f"in {listed(sides)} alone (rows and columns of the last two axes)"
    return ""


def _more_than_corners(edge: np.ndarray, count: int) -> bool:
    """Whether most of an edge is wrong, the corners apart, which it shares with other edges."""
    own = edge[..., 1:-1] if count == 2 else edge
    return bool(own.mean() > 0.5)


def _slice(wrong: np.ndarray, name: str, at: Setting) -> str:
    """Say in which one slice of one axis everything wrong lies; one that is all wrong first."""
    found = {"all of it": "", "a part of it": ""}
    for axis in range(wrong.ndim):
        others = tuple(a for a in range(wrong.ndim) if a != axis)
        hit = np.flatnonzero(wrong.any(axis=others))
        if len(hit) == 1 and wrong.shape[axis] > 1:
            last = hit[0] == wrong.shape[axis] - 1
            which = f"{hit[0]}, the last," if last else f"{hit[0]}"
            whole = "all of it" if wrong.take(hit[0], axis).all() else "a part of it"
            extent = f" ({whole})" if wrong.ndim > 1 else ""
            words = f"at index {which} of {at.axis(name, axis)} alone{extent}"
            found[whole] = found[whole] or words
    return found["all of it"] or found["a part of it"]


def extreme(odd: np.ndarray, name: str, at: Setting, hidden: bool) -> str:
    """Say which values of an argument go with NaN or infinity in a result; "" for no such thing.

    Parameters
    ----------
    odd : where the result is NaN or infinite and should not be.
    name : of the result.
    at : the call.
    hidden : whether to keep the values to ourselves.
    """
    if odd.all():
        return ""
    still = _still(odd, at)
    if still:
        return still
    for key, value in at.alongside(name, odd):
        a = np.broadcast_to(value, odd.shape)
        if np.isnan(a).any():
            continue
        inside, outside = a[odd], a[~odd]
        above, below = f"above {float(outside.max()):.3g}", f"below {float(outside.min()):.3g}"
        many = len(np.unique(a)) > MOST_CHANCE
        if not inside.any() and outside.all():
            return f"where {key} is zero"
        if inside.max() < 0 <= outside.min():
            return f"where {key} is negative"
        if many and inside.min() > outside.max():
            return f"where {key} is {'largest' if hidden else above}"
        if many and inside.max() < outside.min():
            return f"where {key} is {'smallest' if hidden else below}"
    return ""


def _still(odd: np.ndarray, at: Setting) -> str:
    """Say that the odd slices of an axis are those in which an argument does not vary."""
    for key, value in at.arguments.items():
        if not isinstance(value, np.ndarray) or value.ndim < 2 or not value.size:
            continue
        for axis, length in enumerate(value.shape):
            if length not in odd.shape or length == 1:
                continue
            rows = np.moveaxis(value, axis, 0).reshape(length, -1)
            still = (rows == rows[:, :1]).all(axis=1)
            slices = np.moveaxis(odd, odd.shape.index(length), 0).reshape(length, -1)
            if still.any() and np.array_equal(still, slices.any(axis=1)):
                return f"where all values of {key} in one slice of {at.axis(key, axis)} are equal"
    return ""
