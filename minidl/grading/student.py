"""What a check receives: `student.forward(x, ...)`, whoever stands behind it.

Behind it may stand a sandboxed submission (minidl/grading/sandbox.py) or, here, code of our own
that runs in this process: the reference, a known mistake, an alternative, an emptied starter.
Both speak the same vocabulary, so that a check cannot tell them apart: arguments and results are
ndarrays, Python scalars, None, strings, and tuples, lists and dicts of these, and as an argument
`Rng(seed)`, which arrives as a NumPy generator.
"""

from __future__ import annotations

import ast
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from types import CodeType, ModuleType
from typing import Any, Literal

import numpy as np

from .protocol import Rng
from .scenario import Scenario
from .syntax import parse

Kind = Literal["missing", "raised", "timeout", "crashed", "memory", "protocol"]


class StudentFailure(Exception):
    """A call that gave no value.

    Parameters
    ----------
    kind : "missing" (no such function), "raised", "timeout", "crashed", "memory" or "protocol"
        (something came back that is no array, scalar, None, string, tuple, list or dict).
    message : one sentence for the student.
    line : the line of the submission where it happened, where known.
    """

    def __init__(self, kind: Kind, message: str, line: int | None = None) -> None:
        """Keep the parts beside the message."""
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.line = line

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle with all three parts."""
        return StudentFailure, (self.kind, self.message, self.line)


def exact(value: Any) -> Any:
    """Return a copy of `value` made only of exact ndarrays and plain Python values.

    Raises
    ------
    StudentFailure
        of kind "protocol", for anything outside the vocabulary: subclasses of ndarray, arrays of
        objects or complex numbers, objects of any other class.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        return value.copy(order="C")
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return np.array(value)
    if type(value) in (tuple, list):
        return type(value)(exact(item) for item in value)
    if type(value) is dict:
        return {str(key): exact(item) for key, item in value.items()}
    what = f"an array of dtype {value.dtype}" if type(value) is np.ndarray else type(value).__name__
    raise StudentFailure("protocol", f"expected arrays and numbers back, got {what}")


def _sent(value: Any) -> Any:
    """Return a copy of an argument as the student receives it: a generator for each Rng."""
    if isinstance(value, Rng):
        return np.random.default_rng(value.seed)
    if type(value) in (tuple, list):
        return type(value)(_sent(item) for item in value)
    if type(value) is dict:
        return {key: _sent(item) for key, item in value.items()}
    return exact(value)


class LocalStudent:
    """Trusted code called in this process: never for a submission.

    Parameters
    ----------
    code : a module, or a namespace (the globals of an executed source).
    name : the file the code says it comes from; finds the line of an error.
    scenarios : what can be called beside the code's own functions.

    Attributes
    ----------
    damaged : set of int or str
        Positions (or keywords) of the arguments that the last call changed in place.

    Examples
    --------
    >>> student = LocalStudent({"double": lambda x: 2 * x})
    >>> student.double(np.array([1.0, 2.0]))
    array([2., 4.])
    """

    def __init__(
        self,
        code: ModuleType | Mapping[str, Any],
        name: str = "",
        scenarios: Sequence[Scenario] = (),
    ) -> None:
        """Take the functions of a module or namespace."""
        if isinstance(code, ModuleType):
            name = name or str(code.__file__)
            code = vars(code)
        self._functions: Mapping[str, Any] = code
        self._name = name
        self._scenarios = {scenario.name: scenario for scenario in scenarios}
        self.damaged: set[int | str] = set()

    @classmethod
    def from_source(
        cls,
        source: str,
        name: str = "<reference>",
        scenarios: Sequence[Scenario] = (),
        keep: bool = False,
    ) -> LocalStudent:
        """Execute trusted source text in a fresh namespace.

        Parameters
        ----------
        source, name, scenarios : the text, the file it says it comes from, what else can be called.
        keep : take the namespace of the last time, if any: what Numba compiled is still there.

        Raises
        ------
        StudentFailure
            where the source itself raises.
        """
        try:
            namespace = (_kept if keep else _executed)(source, name)
        except Exception as error:
            raise _raised(error, name) from None
        return cls(namespace, name, scenarios)

    def __enter__(self) -> LocalStudent:
        """Nothing to start: `with` works as it does for a sandboxed student."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to stop."""

    def __getattr__(self, function: str) -> Callable[..., Any]:
        """Return the caller of one function, whether it exists or not: calling says so."""
        if function.startswith("_"):
            raise AttributeError(function)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._call(function, args, kwargs)

        return call

    @property
    def processor_seconds(self) -> float:
        """Processor time that this process has used."""
        return time.process_time()

    def _call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.damaged = set()
        target = self._target(function)
        sent_args = tuple(_sent(value) for value in args)
        sent_kwargs = {name: _sent(value) for name, value in kwargs.items()}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                returned = target(*sent_args, **sent_kwargs)
        except StudentFailure:
            raise
        except MemoryError:
            raise StudentFailure("memory", f"{function} ran out of memory") from None
        except Exception as error:
            raise _raised(error, self._name) from None
        self.damaged |= {i for i, a in enumerate(args) if not _same(a, sent_args[i])}
        self.damaged |= {k for k, a in kwargs.items() if not _same(a, sent_kwargs[k])}
        return exact(returned)

    def _target(self, function: str) -> Callable[..., Any]:
        """Return what a call is to reach: a function, or a scenario that is handed one."""
        scenario = self._scenarios.get(function)
        target = self._functions.get(scenario.target if scenario else function)
        if not callable(target):
            absent = scenario.missing() if scenario else f"there is no function named {function}"
            raise StudentFailure("missing", absent)
        return partial(scenario.function(), target) if scenario else target


class Until:
    """A student who is asked nothing more after some moment: the last call ends within its own cap.

    Parameters
    ----------
    student : a sandboxed or a local student.
    moment : of time.monotonic().
    """

    def __init__(self, student: Any, moment: float) -> None:
        """Keep both."""
        self._student, self._moment = student, moment

    def __getattr__(self, name: str) -> Any:
        """Return a function to call, or another attribute of the student.

        Raises
        ------
        StudentFailure
            of kind "timeout", for a function when the time is over.
        """
        found = getattr(self._student, name)
        if callable(found) and time.monotonic() > self._moment:
            raise StudentFailure("timeout", f"all calls before {name} have used up its time")
        return found


@lru_cache(maxsize=32)
def _compiled(source: str, name: str) -> CodeType:
    """Compile a trusted source once, however many checks execute it afresh.

    Numba's `cache=True` goes: there is no file beside which to keep what was compiled.
    """
    tree = parse(source, name)
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            if isinstance(decorator, ast.Call):
                decorator.keywords = [k for k in decorator.keywords if k.arg != "cache"]
    return compile(tree, name, "exec", dont_inherit=True)


def _executed(source: str, name: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "submission"}
    exec(_compiled(source, name), namespace)
    return namespace


_kept = lru_cache(maxsize=128)(_executed)


class LocalSandbox:
    """Opens trusted sources as a Sandbox would open submissions, but in this process.

    For the reference, mistakes and alternatives, whose code is ours: never for a submission.
    """

    isolation = "none (trusted code, in the grader's process)"

    def __enter__(self) -> LocalSandbox:
        """Nothing to start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to stop."""

    @contextmanager
    def student(
        self,
        source: bytes,
        name: str = "submission.py",
        functions: Sequence[str] = (),
        hidden: bool = False,
        scenarios: Sequence[Scenario] = (),
        compiler: bool = False,
    ) -> Iterator[LocalStudent]:
        """Execute the source at each `with`; afresh, unless a compiler makes that slow."""
        yield LocalStudent.from_source(source.decode(), name, scenarios, keep=compiler)


def _raised(error: BaseException, name: str) -> StudentFailure:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == name]
    text = str(error).strip()
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return StudentFailure("raised", message, lines[-1] if lines else None)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray):
        return before.tobytes() == after.tobytes()
    if isinstance(before, (tuple, list)):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same(before[k], after[k]) for k in before)
    return True
