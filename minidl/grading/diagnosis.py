"""Say what was seen, in small numbers, and ask the one question that leads on.

In this order: it could not be called; the wrong structure, shape or dtype (and which transpose,
squeeze or sum would mend it); NaN, and where; right up to a sign, a factor, a constant, the order
of an axis, a shift; right but in one place. Under a secret no expected value is shown, and of an
exception only its type and the student's own line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.grading.compare import Mismatch, close, tolerance, within
from minidl.grading.finding import Finding, row
from minidl.grading.pattern import pattern, shape_pattern
from minidl.grading.place import extreme, where
from minidl.grading.relation import reduction
from minidl.grading.setting import NOTHING, Setting
from minidl.grading.statistics import Unlikely
from minidl.grading.student import StudentFailure
from minidl.grading.unlikely import describe as describe_unlikely

# What to ask about an exception; {} is the line.
QUESTIONS = {
    "AttributeError": "What stands before the dot on {}, and does it have that name?",
    "IndexError": "How long is the array on {}, and which is the last index it has?",
    "KeyError": "Which keys does the dictionary on {} have?",
    "ModuleNotFoundError": "Can it be done with NumPy alone?",
    "NameError": "Where, before {}, does that name get its value?",
    "RecursionError": "Which call on {} leads back to itself, and what should end it?",
    "UnboundLocalError": "Is there a way to {} on which that name gets no value?",
    "ZeroDivisionError": "For which arguments is the divisor on {} zero, and what should come out?",
}


# What to ask about a complaint of NumPy's, by words in it.
COMPLAINTS = {
    "broadcast": "Which array on {} needs an axis of length one, and where, to be lined up?",
    "core dimension": "Which two axes meet in the product on {}, and are they of one length?",
    "cannot reshape": "How many numbers are there on {}, and for how many does the shape ask?",
    "inhomogeneous": "Which of the parts that are put together on {} are not of one length?",
    "truth value of an array": "Which step on {} asks a whole array where it needs one yes or no?",
}


def explain(
    failure: Mismatch | StudentFailure, function: str, hidden: bool, at: Setting = NOTHING
) -> Finding:
    """Describe why a check failed.

    Parameters
    ----------
    failure : what ended the check.
    function : the function that was called.
    hidden : whether to keep every expected value to ourselves.
    at : the call whose result is wrong.
    """
    if isinstance(failure, StudentFailure):
        return _no_value(failure, function, hidden)
    if isinstance(failure, Unlikely):
        return describe_unlikely(failure, hidden)
    describe: dict[str, Callable[[Mismatch, bool, Setting], Finding]] = {
        "structure": _structure,
        "type": _type,
        "shape": _shape,
        "dtype": _dtype,
        "nan": _nan,
        "values": _values,
        "slow": _slow,
    }
    return describe[failure.what](failure, hidden, at)


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
        if not failure.line and "values to unpack" in said:
            return _unpacked(said, function)
        shown = error if hidden else said
        question = _ask(error, said, line, hidden).format(where)
        return Finding(f"{function} raised {shown}{line}.", question)
    if failure.kind == "memory":
        return Finding(f"{said}{line}.", "Which array is larger than x itself?")
    if failure.kind == "crashed":
        return Finding(
            f"the process died: {said}{line}.",
            "What in it could end Python itself: endless recursion, an exit?",
        )
    if said.startswith("the check could not use"):
        question = "Do order, shapes and dtypes of what is returned agree with the docstring?"
        return Finding(f"{function}: {said}{line}.", question)
    whose = "" if said.startswith(function) else f"{function}: "
    return Finding(f"{whose}{said}{line}.", "Does it return NumPy arrays, and nothing else?")


def _ask(error: str, said: str, line: str, hidden: bool) -> str:
    """Return the question about an exception; {} stands for its line."""
    for words, question in () if hidden else COMPLAINTS.items():
        if words in said:
            return question
    if "NoneType" in said:
        return "What on {} is still None, and which line should have given it a value?"
    if error == "AttributeError" and "self." in line:
        return "Which method gives the object its attributes on {}, and has it run by then?"
    return QUESTIONS.get(error, "What are the shapes and dtypes on {}?")


def _unpacked(said: str, function: str) -> Finding:
    """Describe results of another number than whoever called the function takes apart."""
    wanted = re.search(r"expected (?:at least )?(\d+)", said)
    got = re.search(r"got (\d+)", said)
    number = wanted[1] if wanted else "another number of"
    came = f"{got[1]} came" if got else "there are more, or the rows of a single array were taken"
    return Finding(
        f"{function} should return {number} results; {came}.",
        "What does the docstring list under Returns, and in which order?",
    )


def is_unwritten(failure: Mismatch | StudentFailure) -> bool:
    """Whether there is no function yet to speak of: none at all, or the starter's."""
    if not isinstance(failure, StudentFailure):
        return False
    return failure.kind == "missing" or failure.message.startswith("NotImplementedError")


def says_unwritten(seen: str) -> bool:
    """Whether what was said of a check means that there is nothing to check yet."""
    absent = seen.startswith(("there is no function ", "there is no class "))
    return absent or seen.endswith("is not written yet.")


def _located(failure: StudentFailure) -> tuple[str, str]:
    """Split a failure's message into what happened and, in brackets, on which line."""
    if not failure.line:
        return failure.message, ""
    said, mark, quoted = failure.message.rpartition(f" (line {failure.line}: ")
    return (said, mark + quoted) if mark else (failure.message, f" (line {failure.line})")


def _structure(failure: Mismatch, hidden: bool, at: Setting) -> Finding:
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


def _type(failure: Mismatch, hidden: bool, at: Setting) -> Finding:
    seen = (
        f"{failure.name} is {_kind(failure.got)}, expected an array of shape {failure.want.shape}."
    )
    return Finding(seen, f"Which shape should {failure.name} have?")


def _shape(failure: Mismatch, hidden: bool, at: Setting) -> Finding:
    seen = f"{failure.name} has shape {failure.got.shape}, expected {failure.want.shape}"
    mended = shape_pattern(failure.got, failure.want, _allowed(failure))
    mended = mended or _in_its_place(failure, at) or reduction(failure.got, at)
    question = f"Which axes should be left in {failure.name}, and in which order?"
    if failure.got.ndim == failure.want.ndim and not mended:
        pairs = zip(failure.got.shape, failure.want.shape, strict=True)
        axis = next(axis for axis, (mine, right) in enumerate(pairs) if mine != right)
        question = f"How long should {at.axis(failure.name, axis)} of {failure.name} be, and why?"
    if mended.endswith("came in its place"):
        question = "In which order does the docstring list what is returned?"
    return Finding(f"{seen}; {mended}." if mended else f"{seen}.", question)


def _in_its_place(failure: Mismatch, at: Setting) -> str:
    """Say which other result came where this one should be."""
    for name, right in at.right.items():
        alike = right.size and right.shape == failure.got.shape
        if name != failure.name and alike and within(failure.got, right, tolerance(right)):
            return f"{name} came in its place"
    return ""


def _dtype(failure: Mismatch, hidden: bool, at: Setting) -> Finding:
    got, want = failure.got, failure.want
    right = within(got.astype(want.dtype), want, max(_allowed(failure), tolerance(want, 1e-4)))
    seen = f"{failure.name} came back as {got.dtype}, expected {want.dtype}"
    seen += "; the numbers are right." if right else ", and the numbers are wrong, too."
    return Finding(seen, "Which line makes an array or a number of its own, and of which dtype?")


def _nan(failure: Mismatch, hidden: bool, at: Setting) -> Finding:
    odd = ~np.isfinite(failure.got) & np.isfinite(failure.want)
    if not odd.any():
        seen = f"{failure.name} is finite where NaN or infinity was expected."
        return Finding(seen, "What replaces NaN on the way, or keeps it from its own channel?")
    what = "NaN" if np.isnan(failure.got[odd]).any() else "infinite"
    cause = extreme(odd, failure.name, at, hidden)
    seen = f"{failure.name} is {what} {cause or where(odd, failure.name, at)}"
    question = "What is divided by zero there, or rooted below zero?"
    if what == "infinite" or "above" in cause or "largest" in cause:
        question = "Which exp, square or quotient grows too large there?"
    return Finding(f"{seen}.", question)


def _slow(failure: Mismatch, hidden: bool, at: Setting) -> Finding:
    yours, mine, allowed = (1000 * s for s in (failure.got, failure.want, failure.allowed))
    seen = (
        f"{failure.name} is right, but took {yours:.3g} ms, {yours / mine:.3g} times as long as a "
        f"plain compiled solution ({mine:.3g} ms); {allowed:.3g} ms would have been fast enough. "
        "Compiling is not counted."
    )
    return Finding(seen, "Which of its lines still run in Python, or do the same work again?")


def _values(failure: Mismatch, hidden: bool, at: Setting) -> Finding:
    name, got, want = failure.name, failure.got, failure.want
    difference = np.abs(got.astype(np.float64) - want)
    wrong = (difference > failure.allowed) & np.isfinite(want)
    numbers = "" if hidden else _numbers(got, want, wrong)
    found = pattern(name, got, want, failure.allowed, at)
    if found:
        return Finding(*found, numbers)
    off = float(np.max(difference[wrong]))
    largest = float(np.abs(want[np.isfinite(want)]).max())
    if off < 1e-3 * largest:
        seen = f"{name} is nearly right, off by up to {off / largest:.1g} of its largest value."
        question = "Which small number takes part, and where, or which step loses digits?"
        return Finding(seen, question, numbers)
    place = where(wrong, name, at)
    return Finding(f"{name} is wrong {place}.", _question(name, place), numbers)


def _question(name: str, place: str) -> str:
    """Return the question for a result that is wrong in some place, in no simple way."""
    if "border" in place or "row" in place or "column" in place:
        return "What lies beyond the border there, and does every index that is needed exist?"
    if place.startswith(("exactly where", "only where")):
        return "Which branch, mask or comparison treats those values in another way?"
    if "index 0 of" in place or place.startswith("at [0"):
        return "Where does your index start, at 0 or at 1?"
    if "the last," in place:
        return "Where does the loop, or the slice, end: before the last index or after it?"
    return f"Which step on the way to {name} could you check by hand, on three numbers?"


def _numbers(got: np.ndarray, want: np.ndarray, wrong: np.ndarray, most: int = 3) -> str:
    """Return the first wrong numbers beside the expected ones."""
    got, want, wrong = np.atleast_1d(got, want, wrong)
    first = np.argwhere(wrong)[0]
    some = (*first[:-1], slice(int(first[-1]), int(first[-1]) + most))
    at = ", ".join(str(int(i)) for i in first)
    digits = 5 if row(got[some][:1], 5) != row(want[some][:1], 5) else 10
    return f"From [{at}]: yours {row(got[some], digits)}, expected {row(want[some], digits)}."


def _allowed(failure: Mismatch) -> float:
    return max(failure.allowed, tolerance(failure.want))


def first_wrong(
    returned: Sequence[Any],
    right: Sequence[Any],
    names: Sequence[str],
    computed: Sequence[str],
    rtol: float = 0.0,
) -> tuple[list[str], Mismatch | None]:
    """Find which of several returned arrays is the first to go wrong, in order of computation.

    Parameters
    ----------
    returned, right : what came back, and what the reference gives.
    names : of the arrays, in the order of the return.
    computed : the same names, in the order in which they are worked out.
    rtol : accepted besides, as a part of the largest value.

    Returns
    -------
    list of str
        The names of the right ones before it.
    Mismatch or None
        What is wrong with it; None where all are right.
    """
    good: list[str] = []
    for name in computed:
        want = right[names.index(name)]
        try:
            close(returned[names.index(name)], want, name, atol=tolerance(want, rtol))
        except Mismatch as mismatch:
            return good, mismatch
        good.append(name)
    return good, None
