"""Compare what a student returned with what is right, and keep everything a diagnosis needs.

Tolerances are scaled to the largest expected value: 1e-7 of it in float64, 1e-4 in float32. That is
loose enough for any honest order of summation and far tighter than any mistake is small. A check
that needs another tolerance states it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Statistic = Literal["mean", "variance", "rate", "correlation", "distribution", "repeated"]
What = Literal["structure", "type", "dtype", "shape", "nan", "values", "slow"] | Statistic

TOLERANCE = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-4}


class Mismatch(Exception):
    """A returned value that is not the expected one.

    Parameters
    ----------
    what : the first thing that differs: the structure ("structure": not a tuple of three, say), the
        "type", the "shape", the "dtype", which values are NaN or infinite ("nan"), the "values"; a
        race that was lost ("slow"); a statistic of random values, see minidl/grading/statistics.py.
    name : of the value, in the words of the formula ("dx").
    got, want : what came back, and what was expected.
    allowed : the absolute difference that would have been accepted.
    """

    def __init__(self, what: What, name: str, got: Any, want: Any, allowed: float = 0.0) -> None:
        """Keep the parts; the diagnosis turns them into sentences."""
        super().__init__(f"{name}: {what}")
        self.what: What = what
        self.name = name
        self.got = got
        self.want = want
        self.allowed = allowed


def close(
    got: Any,
    want: np.ndarray,
    name: str = "result",
    *,
    rtol: float | None = None,
    atol: float = 0.0,
) -> None:
    """Raise Mismatch unless got equals want in type, shape, dtype and, nearly, in every value.

    Parameters
    ----------
    got : what the student returned, an exact ndarray if all is well.
    want : the expected array; its shape and dtype count too.
    name : of the value, for the message.
    rtol : accepted difference, as a part of the largest expected value; by default by dtype.
    atol : accepted difference besides, for values expected to be zero.

    Raises
    ------
    Mismatch
        at the first of type, shape, dtype, NaN, values that differs.
    """
    want = np.asarray(want)
    if type(got) is not np.ndarray:
        raise Mismatch("type", name, got, want)
    if got.shape != want.shape:
        raise Mismatch("shape", name, got, want)
    if got.dtype != want.dtype:
        raise Mismatch("dtype", name, got, want)
    allowed = tolerance(want, rtol) + atol
    if not np.array_equal(_kind(got), _kind(want)):
        raise Mismatch("nan", name, got, want, allowed)
    if not within(got, want, allowed):
        raise Mismatch("values", name, got, want, allowed)


def tolerance(want: np.ndarray, rtol: float | None = None) -> float:
    """Return the accepted difference: a part of the largest finite expected value."""
    if rtol is None:
        rtol = TOLERANCE.get(want.dtype, 0.0)
    finite = np.abs(want[np.isfinite(want)])
    return rtol * float(finite.max(initial=0.0))


def within(got: np.ndarray, want: np.ndarray, allowed: float) -> bool:
    """Whether two arrays of one shape agree to `allowed`, NaN and infinities in the same places."""
    finite = np.isfinite(want)
    if not (finite.all() and np.isfinite(got).all()):
        if not np.array_equal(_kind(got), _kind(want)):
            return False
        got, want = got[finite], want[finite]
    difference = got.astype(np.float64) - want.astype(np.float64)
    return bool(np.all(np.abs(difference) <= allowed))


def same(one: Any, other: Any, rtol: float | None = None) -> bool:
    """Whether two returned values are the same numbers, to the tolerance of their dtype."""
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(
            same(a, b, rtol) for a, b in zip(one, other, strict=True)
        )
    if type(one) is np.ndarray and type(other) is np.ndarray:
        alike = one.shape == other.shape and one.dtype == other.dtype
        return alike and within(one, other, tolerance(other, rtol))
    return type(one) is type(other) and bool(one == other)


def _kind(array: np.ndarray) -> np.ndarray:
    """0 where finite, 1 for NaN, 2 for +infinity, 3 for -infinity."""
    kind = np.zeros(array.shape, np.int8)
    kind[np.isnan(array)] = 1
    kind[np.isposinf(array)] = 2
    kind[np.isneginf(array)] = 3
    return kind
