"""Checks: ordinary functions of `student` and `case` that compare values.

    @check(task="backward", points=3)
    def gradient_of_x(student, case):
        '''The gradient of x agrees with central differences.'''
        ...
        close(student.backward(dy, x_hat, inv_std, gamma)[0], numeric, "dx")

A check runs here, in the grader's process, once for each of its cases; it earns its points when all
of them pass. The student behind `student` may be anybody: see minidl/grading/student.py.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.case import Case
from minidl.grading.compare import Mismatch
from minidl.grading.student import StudentFailure

# Values that may come back from one call: so many, and so many for each one passed in. Whatever is
# then worked out from them in the grader (float64 of int8, a row for each index) stays bearable.
MOST_VALUES, MOST_FOR_EACH = 2**20, 64
# And from all calls of one check, whose results are kept.
MOST_IN_ALL = 2**24


@dataclass(frozen=True)
class Check:
    """One check of one task.

    Parameters
    ----------
    name : the function's name, words joined by underscores.
    task : the task's short name ("backward").
    points : what it is worth when every case passes.
    function : called with (student, case).
    public, hidden : how many cases are drawn from the public key, and from a secret.
    """

    name: str
    task: str
    points: float
    function: Callable[[Any, Case], None]
    public: int = 2
    hidden: int = 6

    @property
    def says(self) -> str:
        """What the check demands, in one sentence: the first line of its docstring."""
        return (inspect.getdoc(self.function) or self.name).splitlines()[0]


def check(
    task: str, points: float, public: int = 2, hidden: int = 6
) -> Callable[[Callable[[Any, Case], None]], Check]:
    """Make a check of the function below.

    Parameters
    ----------
    task : the short name of a task in assignment.toml ("backward").
    points : what it is worth.
    public, hidden : the number of cases under the public key and under a secret.
    """
    if points <= 0 or public < 1 or hidden < public:
        got = f"points={points}, public={public}, hidden={hidden}"
        raise ArgumentError(expected("check", "points > 0 and 1 <= public <= hidden", got))

    def make(function: Callable[[Any, Case], None]) -> Check:
        return Check(function.__name__, task, points, function, public, hidden)

    return make


class CheckError(MinidlError):
    """A check that is itself wrong: nobody's submission is to blame."""


@dataclass(frozen=True)
class Call:
    """One call a check made, and what came back."""

    function: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    returned: Any


class Recorder:
    """The student as a check sees it: passes each call on, looks at its structure, remembers it.

    Parameters
    ----------
    student : a sandboxed or a local student.
    returns : for each function and scenario, the names of the arrays it returns, ("dx", "dgamma").
    parameters : for each function and scenario, the names of its parameters.

    Attributes
    ----------
    calls : list of Call
    damaged : dict
        For each function, the names of the arguments it changed in place.
    inputs : str
        The last call's arguments, in words.
    """

    def __init__(
        self,
        student: Any,
        returns: Mapping[str, Sequence[str]],
        parameters: Mapping[str, Sequence[str]],
    ) -> None:
        """Start with nothing recorded."""
        self._student = student
        self._returns = returns
        self._parameters = parameters
        self.calls: list[Call] = []
        self.damaged: dict[str, set[str]] = {}
        self.inputs = ""
        self._values = 0

    def __getattr__(self, function: str) -> Callable[..., Any]:
        """Return the caller of one function or scenario; raises CheckError for any other name."""
        if function.startswith("_"):
            raise AttributeError(function)
        if function not in self._returns:
            wish = f"a call of {', '.join(self._returns)}"
            raise CheckError(expected("check", wish, f"student.{function}"))

        def call(*args: Any, **kwargs: Any) -> Any:
            self.inputs = _in_words(function, self._parameters[function], args)
            returned = _arrayed(getattr(self._student, function)(*args, **kwargs), args)
            self._values += _demand_bearable(function, args, kwargs, returned)
            if self._values > MOST_IN_ALL:
                raise StudentFailure("memory", f"{function} has returned too many values in all")
            self._notice(function)
            names = self._returns[function]
            _demand_structure(function, names, returned)
            self.calls.append(Call(function, args, kwargs, returned))
            return returned

        return call

    def names(self, function: str) -> Sequence[str]:
        """Return the names of the arrays that a function or scenario returns."""
        return self._returns[function]

    def _notice(self, function: str) -> None:
        parameters = self._parameters[function]
        for position in self._student.damaged:
            name = parameters[position] if isinstance(position, int) else position
            self.damaged.setdefault(function, set()).add(name)


def timed(recorder: Recorder, function: str, args: Sequence[Any]) -> tuple[Any, float, float]:
    """Call a function without remembering it, for a race; its structure is looked at all the same.

    Returns
    -------
    returned : what came back
    clock : seconds by the grader's clock
    processor : seconds of processor time of all its threads; 0.0 where unknown

    Raises
    ------
    Mismatch
        unless it returned as many arrays as it should.
    """
    student = recorder._student
    processor, start = student.processor_seconds, time.perf_counter()
    returned = getattr(student, function)(*args)
    clock, processor = time.perf_counter() - start, student.processor_seconds - processor
    returned = _arrayed(returned, args)
    _demand_bearable(function, args, {}, returned)
    _demand_structure(function, recorder.names(function), returned)
    return returned, clock, processor


class Explained:
    """A student who is called again to explain a failure: what comes back has its structure.

    Whoever explains looks at arrays, and may get anything from code that answers otherwise than it
    did while it was checked.

    Parameters
    ----------
    student : a sandboxed or a local student.
    returns : for each function and scenario, the names of the arrays it returns.
    """

    def __init__(self, student: Any, returns: Mapping[str, Sequence[str]]) -> None:
        """Keep both."""
        self._student, self._returns = student, returns

    def __getattr__(self, name: str) -> Any:
        """Return a function to call, or another attribute of the student.

        Raises
        ------
        StudentFailure
            of kind "protocol", when a function returns something else than its arrays.
        """
        found = getattr(self._student, name)
        if name not in self._returns:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            returned = _arrayed(found(*args, **kwargs), args)
            _demand_bearable(name, args, kwargs, returned)
            try:
                _demand_structure(name, self._returns[name], returned)
            except Mismatch as mismatch:
                raise StudentFailure("protocol", str(mismatch)) from None
            return returned

        return call


def _in_words(function: str, parameters: Sequence[str], args: Sequence[Any]) -> str:
    """Describe a call by its first array: "(forward with x of shape (5, 3, 7), float64)"."""
    for name, value in zip(parameters, args, strict=False):
        if isinstance(value, np.ndarray):
            return f"({function} with {name} of shape {value.shape}, {value.dtype}.)"
    return ""


def _arrayed(returned: Any, args: Sequence[Any]) -> Any:
    """Return Python's own numbers as arrays of shape (), a float of the dtype that came in."""
    if type(returned) is float:
        given = (a.dtype for a in args if isinstance(a, np.ndarray) and a.dtype.kind == "f")
        return np.asarray(returned, next(given, np.dtype(np.float64)))
    if type(returned) in (int, bool):
        return np.asarray(returned)
    if type(returned) in (tuple, list):
        return type(returned)(_arrayed(item, args) for item in returned)
    return returned


def _demand_bearable(
    function: str, args: Sequence[Any], kwargs: Mapping[str, Any], returned: Any
) -> int:
    """Return how many values came back; raise StudentFailure where they are far too many."""
    came = _count(returned)
    if came > MOST_VALUES + MOST_FOR_EACH * (_count(args) + _count(tuple(kwargs.values()))):
        raise StudentFailure("memory", f"{function} returned far more values than it was given")
    return came


def _count(value: Any) -> int:
    if isinstance(value, (tuple, list)):
        return sum(map(_count, value))
    if isinstance(value, dict):
        return sum(map(_count, value.values()))
    return value.size if isinstance(value, np.ndarray) else 1


def _demand_structure(function: str, names: Sequence[str], returned: Any) -> None:
    """Raise Mismatch unless what came back is one array, or as many as there are names."""
    if len(names) == 1:
        if type(returned) is not np.ndarray:
            raise Mismatch("structure", function, returned, tuple(names))
        return
    right = isinstance(returned, (tuple, list)) and len(returned) == len(names)
    if not right or not all(type(array) is np.ndarray for array in returned):
        raise Mismatch("structure", function, returned, tuple(names))


@dataclass
class Outcome:
    """What one run of one check found.

    Parameters
    ----------
    check : the check that ran.
    failure : None when it passed, else what ended it.
    case : number of the case that ended it.
    calls : the calls that came back, in order.
    damaged : arguments changed in place, by function.
    inputs : the last call's arguments, in words.
    skipped : why it did not run; "" when it did.
    seconds : wall-clock time.
    """

    check: Check
    failure: Mismatch | StudentFailure | None = None
    case: int = 0
    calls: list[Call] = field(default_factory=list)
    damaged: dict[str, set[str]] = field(default_factory=dict)
    inputs: str = ""
    skipped: str = ""
    seconds: float = 0.0


def run_check(
    check: Check,
    recorder: Recorder,
    key: bytes,
    label: str,
    hidden: bool,
) -> Outcome:
    """Run all cases of one check up to the first that fails.

    Parameters
    ----------
    check : what to run.
    recorder : around a fresh student.
    key, label : the inputs are drawn from them (see Case).
    hidden : whether the hidden cases are meant, which are more.

    Notes
    -----
    An exception inside the check itself can only come from odd values (the reference passes), so it
    counts as a value the check could not use; it never ends the grading. Only a call of something
    that the assignment does not have raises CheckError: no submission can bring that about.
    """
    outcome = Outcome(check, calls=recorder.calls, damaged=recorder.damaged)
    start = time.perf_counter()
    for number in range(check.hidden if hidden else check.public):
        outcome.case = number
        try:
            with np.errstate(all="ignore"):
                check.function(recorder, Case(key, label, number, hidden))
        except CheckError as error:
            raise CheckError(f"{label}: {error}") from None
        except (Mismatch, StudentFailure) as failure:
            outcome.failure = failure
        except Exception as error:
            message = f"the check could not use what came back ({type(error).__name__})"
            outcome.failure = StudentFailure("protocol", message)
            outcome.failure.__cause__ = error  # for whoever wrote the check
        if outcome.failure is not None:
            break
    outcome.inputs = recorder.inputs
    outcome.seconds = time.perf_counter() - start
    return outcome
