"""The smallest call that still goes wrong: fewer values, smaller numbers, a call to try by hand.

The student and the reference are asked again with fewer samples, channels and pixels, then with
small whole numbers, as long as they still disagree. What is asked must make sense: a call counts
only where the reference gives finite numbers and every known right alternative gives the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Any

import numpy as np

from minidl.grading.compare import Mismatch, same
from minidl.grading.protocol import Rng
from minidl.grading.student import StudentFailure

MOST_SECONDS = 1.0
MOST_CALLS = 90
MOST_CHARACTERS = 280
FEW = 60
MOST_PLACES = 8
LENGTHS = (2, 3, 4, 6)

Arrays = tuple[np.ndarray, ...]
Given = dict[str, Any]
Wrong = tuple[Given, np.ndarray, np.ndarray]


class Questions:
    """Asks the student and those who know, and stops when time or calls are used up.

    Parameters
    ----------
    student : called with the arguments of the function, in order; may raise StudentFailure.
    right : the reference and the right alternatives, called likewise.
    position : which of the returned arrays is looked at.
    make : from what is shrunk to the arguments of the function; by default these are the same.
    like : what is to be seen again, smaller; by default wrong values where all should be finite.
    """

    def __init__(
        self,
        student: Callable[..., Any],
        right: Sequence[Callable[..., Any]],
        position: int,
        make: Callable[[Given], Given | None] = lambda given: given,
        like: Mismatch | None = None,
    ) -> None:
        """Start the clock."""
        self._student = student
        self._right = right
        self._position = position
        self._make = make
        self._what = like.what if like else "values"
        self._finite = like is None or bool(np.isfinite(like.want).all())
        self._deadline = time.monotonic() + MOST_SECONDS
        self._calls = 0

    def differ(self, given: Given) -> Wrong | None:
        """Return the arguments, the student's array and the right one, if they differ likewise."""
        answer = self._answer(given, self._finite)
        return answer if answer and _differs(self._what, *answer[1:]) else None

    def wrong(self, given: Given) -> Wrong | None:
        """Return the same, if they differ in any way; a wrong dtype is only shown for another."""
        answer = self._answer(given, finite=False)
        kinds = ("dtype",) if self._what == "dtype" else ("shape", "nan", "values")
        return answer if answer and any(_differs(kind, *answer[1:]) for kind in kinds) else None

    def agree(self, given: Given) -> bool:
        """Whether the student's array is the right one, and no trivial one: not zero, not flat."""
        answer = self._answer(given, finite=True)
        if answer is None:
            return False
        _, got, want = answer
        flat = want.size > 1 and (want == want.flat[0]).all()
        return bool(want.any()) and not flat and same(got, want)

    def _answer(self, given: Given, finite: bool) -> Wrong | None:
        """Return the arguments, the student's array and the right one, if there are both."""
        if self._calls >= MOST_CALLS or time.monotonic() > self._deadline:
            return None
        with np.errstate(all="ignore"):
            arguments = self._make(given)
            want = None if arguments is None else self.agreed(arguments, finite)
            if arguments is None or want is None:
                return None
            self._calls += 1
            try:
                got = _arrays(self._student(*arguments.values()))
            except StudentFailure as failure:
                if failure.kind != "raised":
                    self._calls = MOST_CALLS
                return None
        place = self._position
        return (arguments, got[place], want[place]) if len(got) > place else None

    def agreed(self, arguments: Given, finite: bool) -> Arrays | None:
        """Return what all right ones give, None where they fail, disagree or are not finite."""
        agreed = None
        for function in self._right:
            try:
                returned = _arrays(function(*arguments.values()))
            except StudentFailure:
                return None
            if finite and not all(np.isfinite(array).all() for array in returned):
                return None
            if agreed is not None and not same(returned, agreed):
                return None
            agreed = agreed or returned
        return agreed


def _differs(what: str, got: np.ndarray, want: np.ndarray) -> bool:
    """Whether two arrays clearly differ in what a Mismatch calls `what`, and in nothing before."""
    if what == "shape":
        return got.shape != want.shape and written(got) != written(want)
    if got.shape != want.shape:
        return False
    if what == "dtype":
        return got.dtype != want.dtype
    alike = np.array_equal(np.isfinite(got), np.isfinite(want))
    if what == "nan":
        return not alike
    return alike and bool(got.size) and written(got) != written(want)


def smallest(given: Given, shapes: Mapping[str, tuple[str, ...]], ask: Questions) -> Wrong | None:
    """Return the smallest call found, the student's array and the right one.

    Parameters
    ----------
    given : arrays and plain values by name; those that belong together share axes.
    shapes : the names of the axes, as far as documented; otherwise axes of one length are one.
    ask : who is asked.

    Returns
    -------
    None where student and reference agree on everything smaller, or cannot be asked.
    """
    empty = any(isinstance(value, np.ndarray) and not value.size for value in given.values())
    if empty or not all(map(_plain, given.values())):
        return None
    found = _search(given, shapes, ask, numbers_first=False)
    if found is None or _size(found[0]) > FEW:
        # With a larger eps, say, fewer values may be enough to see it.
        other = _search(given, shapes, ask, numbers_first=True)
        if other and (found is None or _size(other[0]) < _size(found[0])):
            return other
    return found


def _search(
    given: Given, shapes: Mapping[str, tuple[str, ...]], ask: Questions, numbers_first: bool
) -> Wrong | None:
    """Go through smaller and simpler calls, each time on from the last one that went wrong."""
    given, best = dict(given), None
    shapes = _axes(given, shapes)
    shares = {name for name, value in given.items() if _is_share(value)}
    numbers = [name for name, value in given.items() if type(value) is float and numbers_first]
    steps = (_simpler(given, shares, numbers), _shorter(given, shapes))
    # Once more for counts: what one of them may be depends on others, which are smaller now.
    counts = [name for name, value in given.items() if type(value) is int]
    for candidate in chain(*steps, _simpler(given, shares, given), _simpler(given, shares, counts)):
        found = ask.differ(candidate)
        if found:
            best = found
            # The generators go on from what was found.
            given.clear()
            given |= candidate
    return best


def _size(given: Given) -> int:
    return sum(len(written(value)) for value in given.values())


def _plain(value: Any) -> bool:
    """Whether a value can be written down: an array, a number, a text, None, or a few of these."""
    if type(value) in (tuple, list):
        return all(map(_plain, value))
    return type(value) in (np.ndarray, bool, int, float, str, type(None))


def _axes(given: Given, shapes: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return a name for every axis: the documented one, or one for all axes of its length."""
    found = {}
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            known = shapes.get(name, ())
            found[name] = known if len(known) == value.ndim else tuple(map(str, value.shape))
    return found


def _groups(given: Given, shapes: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return the length of each axis, by its name."""
    found: dict[str, int] = {}
    for name, names in shapes.items():
        found |= dict(zip(names, given[name].shape, strict=True))
    return found


def _shorter(given: Given, shapes: Mapping[str, tuple[str, ...]]) -> Iterator[Given]:
    """Yield the same with shorter axes: all of them, then one at a time, the shortest first."""
    for most in (1, 2, 3):
        yield _cut(given, shapes, dict.fromkeys(_groups(given, shapes), most))
    for group in list(_groups(given, shapes)):
        for length, first in (*((1, i) for i in range(MOST_PLACES)), *((n, 0) for n in LENGTHS)):
            if length + first <= _groups(given, shapes).get(group, 0) != length:
                yield _cut(given, shapes, {group: length}, first)


def _cut(
    given: Given,
    shapes: Mapping[str, tuple[str, ...]],
    lengths: Mapping[str, int],
    first: int = 0,
) -> Given:
    """Return the same with some axes shorter, and with every tuple that is a shape likewise."""
    found, before = dict(given), _groups(given, shapes)
    shorter = {before[group]: length for group, length in lengths.items() if group in before}
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            starts = [first if axis in lengths else 0 for axis in shapes[name]]
            ends = [lengths[a] + first if a in lengths else None for a in shapes[name]]
            found[name] = value[tuple(map(slice, starts, ends))].copy()
        elif type(value) is tuple and name.endswith("shape"):
            found[name] = tuple(min(n, shorter.get(n, n)) for n in value)
    return found


def _is_share(value: Any) -> bool:
    """Whether a value is a fraction, or an array of some, and should stay between 0 and 1."""
    if type(value) is np.ndarray and value.dtype.kind == "f" and value.size > 1:
        return bool(value.min() >= 0 and value.max() <= 1 and (value % 1).any())
    return type(value) is float and 0.01 <= value <= 1


def _simpler(given: Given, shares: Set[str], names: Iterable[str]) -> Iterator[Given]:
    """Yield the same with one of some arguments in simpler numbers, the simplest first."""
    for name in list(names):
        for value in _simple(name, given[name], name in shares):
            if _length(value) < _length(given[name]):
                yield {**given, name: value}


def _simple(name: str, value: Any, share: bool) -> list[Any]:
    """Return simpler values of the same kind: shares stay shares, counts stay counts.

    A number between 0 and 1 stays there: only eps may vanish, and numbers that matter are seen.
    """
    if type(value) is int:
        return [count for count in (1, 2, 4, 10) if count < value]
    if type(value) is tuple and all(type(n) is int for n in value):
        return [tuple(min(n, most) for n in value) for most in (1, 2)]
    if type(value) is float:
        inside = [0.5, 0.25, 0.2, 0.1]
        if name.startswith("eps"):
            return [0.0, 1.0, *inside]
        return inside if share or 0 < value < 1 else [0.0, 1.0, 2.0]
    if type(value) is not np.ndarray or value.dtype.kind != "f" or not value.size:
        return []
    if not np.isfinite(value).all() or set(np.unique(value)) <= {0.0, 1.0}:
        return []
    counted = np.arange(value.size, dtype=value.dtype).reshape(value.shape)
    if share:
        return [np.full_like(value, 0.5), np.round(value, 1)]
    found = [np.ones_like(value), counted + 1, counted + 2, 2 * counted + 1]
    if value.min() <= 0:
        found = [np.zeros_like(value), *found, counted - 1]
    return [*found, np.round(value), np.round(value, 1)]


def _length(value: Any) -> tuple[int, int]:
    """How much there is to read in a value, to compare two of one kind."""
    counts = (value,) if type(value) is int else value if type(value) is tuple else ()
    return len(written(value)), sum(n for n in counts if type(n) is int)


def neutral(given: Given, shapes: Mapping[str, tuple[str, ...]], ask: Questions) -> list[str]:
    """Return with which one argument or axis neutral the wrong call is right: "s = 1", "eps = 0".

    What is left out then is where the mistake is.
    """
    found, tried = [], 0
    shapes = _axes(given, shapes)
    for words, candidate in _neutral(given, shapes):
        tried += 1
        if ask.agree(candidate):
            found.append(words)
    return found if 2 * len(found) <= tried else []


def _neutral(given: Given, shapes: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Given]]:
    for group, length in _groups(given, shapes).items():
        if group.isidentifier() and length > 1:
            yield f"{group} = 1", _cut(given, shapes, {group: 1})
    for name, value in given.items():
        for number in (0, 1):
            changed: Any = value
            if type(value) in (int, float):
                changed = type(value)(number)
            elif type(value) is tuple and len(value) == 2 and {*map(type, value)} == {int}:
                changed = (number, number)
            elif isinstance(value, np.ndarray) and value.ndim < 2 and value.dtype.kind == "f":
                changed = np.full_like(value, number)
            if changed is not value:
                words = written(changed) if type(changed) is tuple else str(number)
                yield f"{name} = {words}", {**given, name: changed}


def sentence(function: str, name: str, found: Wrong, hidden: bool) -> str:
    """Return "forward(x=[[[1, 3]]], eps=0) gave mean [4], expected [2]."; "" if that is long.

    Where only dtypes differ it names them. Where checks are hidden it ends in a question.
    """
    arguments, got, want = found
    inside = ", ".join(f"{key}={written(value)}" for key, value in arguments.items())
    if _differs("dtype", got, want) and not _differs("values", got, want):
        came = {str(v.dtype): 0 for v in arguments.values() if isinstance(v, np.ndarray)}
        right = "; in which dtype should it be?" if hidden else f", expected {want.dtype}."
        given = f", given {' and '.join(came)}," if came else ""
        said = f"{function}({inside}){given} gave {name} in {got.dtype}{right}"
    else:
        right = "; what should it be?" if hidden else f", expected {written(want)}."
        said = f"{function}({inside}) gave {name} = {written(got)}{right}"
    return said if len(said) <= MOST_CHARACTERS else ""


def written(value: Any) -> str:
    """Return an array as nested lists of short numbers, anything else as Python writes it.

    Examples
    --------
    >>> written(np.array([[1.0, 0.3333333], [-0.0, 2e-7]])), written((1, None))
    ('[[1, 0.3333], [0, 2e-07]]', '(1, None)')
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Rng):
        return f"default_rng({value.seed})"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return _number(value) if type(value) in (int, float) else repr(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    return "0" if value == 0 else f"{value:.4g}"


def _arrays(returned: Any) -> Arrays:
    if isinstance(returned, np.ndarray):
        return (returned,)
    if not isinstance(returned, (tuple, list)):
        return ()
    return tuple(a for a in returned if isinstance(a, np.ndarray))
