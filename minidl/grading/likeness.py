"""Which known mistake gives numbers like these? For functions that draw random numbers.

A draw order is nobody's business, so a student's numbers are seldom exactly a mistake's. Reference
and mistakes answer a check's calls again, each with other seeds, and every answer is described by a
few statistics: moments, zeros, how neighbours and slices hang together, whether the same generator
gave the same numbers. A mistake is alike where the student's statistics are among those it usually
has itself. It is named where it is alike in every check, the reference is not,
and no other mistake is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from minidl.grading.check import Call, Outcome
from minidl.grading.mistake import Mistake
from minidl.grading.protocol import Rng

SEEDS = 8
# Student's t with seven degrees of freedom passes 10 about twice in a hundred thousand.
USUAL = 10.0
# Most mistakes are far off after two seeds already: in many statistics, by many times what these
# two differ by (in one, of whole numbers, they may happen to be equal).
FIRST, FAR, MOST_FAR = 2, 50.0, 0.2

Mistakes = tuple[Mistake, ...]


class Likeness:
    """Knows what is usual for whom, and remembers it: a whole class is asked the same calls.

    Parameters
    ----------
    run : answers a call with some mistakes made, none of them for the reference; None where it
        raises.
    """

    def __init__(self, run: Callable[[Mistakes, Call], Any]) -> None:
        """Begin with nothing known."""
        self._run = run
        self._usual: dict[tuple[Mistakes, bytes], list[np.ndarray]] = {}

    def named(
        self, known: Sequence[Mistakes], outcomes: Sequence[Outcome], failed: Sequence[Outcome]
    ) -> dict[str, Mistakes]:
        """Return the mistake that each of the failed checks is like, by the check's name.

        Parameters
        ----------
        known : the mistakes there are.
        outcomes : of all checks of the task: one mistake that is like them all comes first.
        failed : those to be explained.
        """
        drawing = [outcome for outcome in outcomes if any(map(draws, outcome.calls))]
        names = {outcome.check.name for outcome in drawing}
        unlike = [
            outcome
            for outcome in failed
            if outcome.check.name in names and not self.alike((), outcome.calls)
        ]
        if not unlike:
            return {}
        every = [m for m in known if all(self.alike(m, outcome.calls) for outcome in drawing)]
        found = {}
        for outcome in unlike:
            fitting = every
            if len(every) != 1:
                fitting = [m for m in known if self.alike(m, outcome.calls)]
            if len(fitting) == 1:
                found[outcome.check.name] = fitting[0]
        return found

    def alike(self, mistakes: Mistakes, calls: Sequence[Call]) -> bool:
        """Whether the answers that came back to some calls are like those with mistakes made.

        Notes
        -----
        Somebody with a seed of their own has the same statistics every time; another such seed
        scatters as the reference does. So the larger spread of the two counts.
        """
        own = describe(calls)
        first, chance = self._described(mistakes, calls, FIRST), self._described((), calls, SEEDS)
        if own is None or first.shape[1] != len(own):
            return False
        least = 1e-6 * np.abs(first).max(axis=0) + 1e-9
        if chance.shape[1] == len(own):
            least = np.maximum(least, chance.std(axis=0, ddof=1))
        far = np.abs(own - first[0]) > FAR * (np.ptp(first, axis=0) + least)
        if far.mean() > MOST_FAR:
            return False
        usual = self._described(mistakes, calls, SEEDS)
        if usual.shape[1] != len(own):
            return False
        spread = np.maximum(usual.std(axis=0, ddof=1), least)
        return bool(np.all(np.abs(own - usual.mean(axis=0)) <= USUAL * spread))

    def _described(self, mistakes: Mistakes, calls: Sequence[Call], count: int) -> np.ndarray:
        """Return a row of statistics for each of some seeds, empty where there is no answer."""
        key = mistakes, _digest(calls)
        rows = self._usual.setdefault(key, [])
        while len(rows) < count:
            asked = [_reseeded(call, len(rows) + 1) for call in calls]
            answers = [replace(call, returned=self._run(mistakes, call)) for call in asked]
            row = None if any(a.returned is None for a in answers) else describe(answers)
            if row is None or (rows and len(row) != len(rows[0])):
                rows = self._usual[key] = SEEDS * [np.empty(0)]
            else:
                rows.append(row)
        return np.array(rows[:count])


def draws(call: Call) -> bool:
    """Whether a call hands over a generator."""
    return any(type(value) is Rng for value in call.args)


def describe(calls: Sequence[Call]) -> np.ndarray | None:
    """Return statistics of what came back to some calls; None where it is no finite number."""
    numbers: list[float] = []
    for call in calls:
        for array in _arrays(call.returned):
            if not np.isfinite(array).all():
                return None
            numbers += _statistics(_relative(array, call.args))
            # Numbers where truth values belong are one mistake, whichever dtype they have.
            kinds = array.dtype == bool, array.dtype == np.float32
            numbers += map(float, (*kinds, array.ndim, *array.shape))
    for one, other in combinations(calls, 2):
        numbers.append(float(_equal(one.returned, other.returned)))
    return np.array(numbers)


def _relative(array: np.ndarray, args: Sequence[Any]) -> np.ndarray:
    """Return an array divided by the argument of its shape, as x * mask is by x, where not zero."""
    values = array.astype(np.float64)
    for arg in args:
        if isinstance(arg, np.ndarray) and arg.shape == array.shape:
            return np.divide(values, arg, out=values.copy(), where=arg != 0)
    return values


def _statistics(values: np.ndarray) -> list[float]:
    """Return four moments, the share of zeros, and what hangs together along each axis."""
    if not values.size:
        return []
    there = (values != 0).astype(np.float64)
    numbers = [there.mean(), np.abs(values).mean(), *(np.mean(values**k) for k in (1, 2, 3, 4))]
    for axis in range(values.ndim):
        others = tuple(other for other in range(values.ndim) if other != axis)
        for array in (values, there):
            moved = np.moveaxis(array - array.mean(), axis, 0)
            size = float(np.square(moved).mean())
            pairs = len(moved) > 1 and size > 0
            numbers.append(float(np.mean(moved[1:] * moved[:-1])) / size if pairs else 0.0)
            numbers.append(float(array.mean(axis=others).std()))
    return [float(number) for number in numbers]


def _reseeded(call: Call, step: int) -> Call:
    args = tuple(Rng(value.seed + step) if type(value) is Rng else value for value in call.args)
    return replace(call, args=args)


def _arrays(returned: Any) -> tuple[np.ndarray, ...]:
    return (returned,) if isinstance(returned, np.ndarray) else tuple(returned)


def _equal(one: Any, other: Any) -> bool:
    first, second = _arrays(one), _arrays(other)
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def _digest(calls: Sequence[Call]) -> bytes:
    digest = hashlib.sha256()
    for call in calls:
        digest.update(call.function.encode())
        for value in call.args:
            array = isinstance(value, np.ndarray)
            digest.update(value.tobytes() if array else repr(value).encode())
    return digest.digest()
