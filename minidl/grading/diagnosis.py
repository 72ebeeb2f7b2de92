"""Say what was seen, in small numbers, and ask the one question that leads on.

In this order: it could not be called; the wrong structure, shape or dtype (and which transpose,
squeeze or sum would mend it); NaN, and where; right up to a sign, a factor, a constant, the order
of an axis, a shift; right but in one place. Under a secret no expected value is shown, and of an
exception only its type and the student's own line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.grading.compare import Mismatch, tolerance, within
from minidl.grading.finding import Finding
from minidl.grading.pattern import pattern, shape_pattern
from minidl.grading.statistics import Unlikely
from minidl.grading.student import StudentFailure
from minidl.grading.unlikely import describe as describe_unlikely


def explain(failure: Mismatch | StudentFailure, function: str, hidden: bool) -> Finding:
    """Describe why a check failed.

    Parameters
    ----------
    failure : what ended the check.
    function : the function that was called.
    hidden : whether to keep every expected value to ourselves.
    """
    if isinstance(failure, StudentFailure):
        return _no_value(failure, function, hidden)
    if isinstance(failure, Unlikely):
        return describe_unlikely(failure, hidden)
    describe: dict[str, Callable[[Mismatch, bool], Finding]] = {
        "structure": _structure,
        "type": _type,
        "shape": _shape,
        "dtype": _dtype,
        "nan": _nan,
        "values": _values,
    }
    return describe[failure.what](failure, hidden)


def _no_value(failure: StudentFailure, function: str, hidden: bool) -> Finding:
    said, line = _located(failure)
    where = f"line {failure.line}" if failure.line else "that line"
    if failure.kind == "missing":
        is_class = failure.message.startswith("there is no class")
        what = "class" if is_class else "function"
        begins = f"class {function}" if is_class else f"def {function}("
        return Finding(
            f"there is no {what} {function}.",
            f"Does a line at the left margin begin with `{begins}`?",
        )
    if failure.kind == "timeout":
        return Finding(
            f"{function} did not come back in time{line}.",
            "Which loop never ends, or does more work than the arrays are large?",
        )
    if failure.kind == "raised":
        error = said.partition(":")[0]
        if is_unwritten(failure):
            return Finding(
                f"{function} is not written yet.", "What does the docstring ask for first?"
            )
        shown = error if hidden else said
        return Finding(
            f"{function} raised {shown}{line}.", f"What are the shapes and dtypes on {where}?"
        )
    if failure.kind == "memory":
        return Finding(
            f"{function} ran out of memory{line}.", "Which array is larger than x itself?"
        )
    if failure.kind == "crashed":
        return Finding(
            f"the process died: {said}{line}.",
            "What in it could end Python itself: endless recursion, an exit?",
        )
    whose = "" if said.startswith(function) else f"{function}: "
    return Finding(f"{whose}{said}{line}.", "Does it return NumPy arrays, and nothing else?")


def is_unwritten(failure: Mismatch | StudentFailure) -> bool:
    """Whether there is no function yet to speak of: none at all, or the starter's."""
    if not isinstance(failure, StudentFailure):
        return False
    return failure.kind == "missing" or failure.message.startswith("NotImplementedError")


def _located(failure: StudentFailure) -> tuple[str, str]:
    """Split a failure's message into what happened and, in brackets, on which line."""
    if not failure.line:
        return failure.message, ""
    said, mark, quoted = failure.message.rpartition(f" (line {failure.line}: ")
    return (said, mark + quoted) if mark else (failure.message, f" (line {failure.line})")


def _structure(failure: Mismatch, hidden: bool) -> Finding:
    names, got = failure.want, failure.got
    wanted = "one array" if len(names) == 1 else f"{len(names)} arrays"
    wanted = f"{wanted} ({', '.join(names)})"
    if got is None:
        question = "Does every way through the function end in a return?"
    elif isinstance(got, (tuple, list)) and len(got) == len(names) != 1:
        odd = next(i for i, value in enumerate(got) if type(value) is not np.ndarray)
        seen = f"{failure.name} returned {_kind(got[odd])} as {names[odd]}, expected an array."
        return Finding(seen, f"Which shape should {names[odd]} have?")
    else:
        question = "What does the docstring list under Returns, and in which order?"
    return Finding(f"{failure.name} returned {_kind(got)}, expected {wanted}.", question)


def _kind(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"{len(value)} values" if len(value) != 1 else "1 value"
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    article = "an" if isinstance(value, int) and not isinstance(value, bool) else "a"
    return "None" if value is None else f"{article} {type(value).__name__}"


def _type(failure: Mismatch, hidden: bool) -> Finding:
    seen = (
        f"{failure.name} is {_kind(failure.got)}, expected an array of shape {failure.want.shape}."
    )
    return Finding(seen, f"Which shape should {failure.name} have?")


def _shape(failure: Mismatch, hidden: bool) -> Finding:
    seen = f"{failure.name} has shape {failure.got.shape}, expected {failure.want.shape}"
    mended = shape_pattern(failure.got, failure.want, _allowed(failure))
    question = f"Which axes should be left in {failure.name}, and in which order?"
    return Finding(f"{seen}; {mended}." if mended else f"{seen}.", question)


def _dtype(failure: Mismatch, hidden: bool) -> Finding:
    seen = f"{failure.name} came back as {failure.got.dtype}, expected {failure.want.dtype}."
    return Finding(seen, "Which line makes an array or a number of its own, and of which dtype?")


def _nan(failure: Mismatch, hidden: bool) -> Finding:
    odd = ~np.isfinite(failure.got)
    if not odd.any():
        seen = f"{failure.name} is finite everywhere, expected NaN to pass through."
        return Finding(seen, "What replaces NaN on the way?")
    what = "NaN" if np.isnan(failure.got[odd]).any() else "infinite"
    where = _where(odd)
    return Finding(
        f"{failure.name} is {what} {where}.",
        "What is divided by zero there, or rooted below zero?",
    )


def _where(wrong: np.ndarray) -> str:
    """Say where a mask is True: everywhere, in one slice of one axis, or first at an index."""
    if wrong.all():
        return "everywhere"
    for axis in range(wrong.ndim):
        others = tuple(a for a in range(wrong.ndim) if a != axis)
        hit = np.flatnonzero(wrong.any(axis=others))
        if len(hit) == 1 and wrong.shape[axis] > 1 and wrong.ndim > 1:
            whole = "all of it" if wrong.take(hit[0], axis).all() else "in part"
            return f"at index {hit[0]} of axis {axis} alone ({whole})"
    first = [int(i) for i in np.argwhere(wrong)[0]]
    return f"in {int(wrong.sum())} of {wrong.size} values, first at {first}"


def _values(failure: Mismatch, hidden: bool) -> Finding:
    name, got, want = failure.name, failure.got, failure.want
    wrong = np.abs(got.astype(np.float64) - want) > failure.allowed
    wrong &= np.isfinite(want)
    numbers = "" if hidden else f" {_numbers(got, want, wrong)}"
    found = pattern(name, got, want, failure.allowed)
    if found:
        return Finding(f"{found[0]}{numbers}", found[1])
    off = float(np.max(np.abs(got.astype(np.float64) - want)[wrong]))
    largest = float(np.abs(want[np.isfinite(want)]).max())
    if off < 1e-3 * largest:
        seen = f"{name} is nearly right, off by up to {off / largest:.1g} of its largest value."
        question = "Which small number takes part, and where, or which step loses digits?"
        return Finding(f"{seen}{numbers}", question)
    seen = f"{name} is wrong {_where(wrong)}."
    question = f"Which step of the formula for {name} could you check by hand on three numbers?"
    return Finding(f"{seen}{numbers}", question)


def _numbers(got: np.ndarray, want: np.ndarray, wrong: np.ndarray, most: int = 3) -> str:
    """Return the first wrong numbers beside the expected ones."""
    got, want, wrong = np.atleast_1d(got, want, wrong)
    first = np.argwhere(wrong)[0]
    row = (*first[:-1], slice(int(first[-1]), int(first[-1]) + most))
    at = ", ".join(str(int(i)) for i in first)
    digits = 5 if _row(got[row][:1], 5) != _row(want[row][:1], 5) else 10
    return f"From [{at}]: yours {_row(got[row], digits)}, expected {_row(want[row], digits)}."


def _row(values: np.ndarray, digits: int) -> str:
    return " ".join(f"{value:.{digits}g}" for value in values.tolist())


def _allowed(failure: Mismatch) -> float:
    return max(failure.allowed, tolerance(failure.want))


def first_wrong(
    failed: str,
    returned: Sequence[Any],
    right: Sequence[Any],
    names: Sequence[str],
    computed: Sequence[str],
) -> str:
    """Say which of several returned arrays is the first to go wrong, in order of computation.

    Parameters
    ----------
    failed : the array whose value ended the check.
    returned, right : what came back, and what the reference gives.
    names : of the arrays, in the order of the return.
    computed : the same names, in the order in which they are worked out.

    Returns
    -------
    str
        "dbeta and dgamma are right, dx is the first that is not."; "" where that says nothing new.
    """
    good: list[str] = []
    for name in computed:
        got, want = returned[names.index(name)], right[names.index(name)]
        alike = got.shape == want.shape and got.dtype == want.dtype
        if not alike or not within(got, want, tolerance(want)):
            break
        good.append(name)
    else:
        return ""
    if not good:
        return f"{name} is the first that is wrong." if name != failed else ""
    are = f"{good[0]} is" if len(good) == 1 else f"{', '.join(good[:-1])} and {good[-1]} are"
    return f"{are} right, {name} is the first that is not."
