"""A submission in a process of its own, as the same `student` object that trusted code gets.

The grader's side of ARCHITECTURE's two processes: checks, secrets and expected values stay here;
only arguments leave and only values come back. Whatever goes wrong over there (an exception, an
endless loop, a crash, bytes that are no answer) is one StudentFailure here, within the deadline,
and the next `with` starts a fresh process.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import ArgumentError, expected
from . import confine, protocol
from .channel import clean
from .failure import Reporter
from .scenario import Scenario
from .student import StudentFailure
from .zygote import SandboxError, Zygote, remove

MB = 2**20
CRASH_GRACE = 0.3
PROCESS_CLOCK = 2  # Linux: a clock's number is the process's complement and the kind of clock


@dataclass(frozen=True)
class Limits:
    """What one fresh worker may use.

    Attributes
    ----------
    call_seconds, load_seconds : wall clock for one call, and for executing the submission's file.
    cpu_seconds : processor time of the whole process.
    memory_bytes : address space; NumPy itself needs about 160 MB of it.
    file_bytes, open_files : size of each file it writes, and how many it may hold open.
    threads : how many it may have, beside what else its user runs.
    scratch_bytes, scratch_files : size and number of all files it may write, in memory.
    output_bytes : how much of what it prints is kept.
    frame_bytes : arrays in one call, or in one answer.
    compile_seconds : added to a call with arguments of new types, where there is a compiler.
    """

    call_seconds: float = 10.0
    load_seconds: float = 10.0
    cpu_seconds: int = 60
    memory_bytes: int = 1024 * MB
    file_bytes: int = 16 * MB
    open_files: int = 64
    threads: int = 64
    scratch_bytes: int = 32 * MB
    scratch_files: int = 256
    output_bytes: int = 64 * 1024
    frame_bytes: int = 128 * MB
    compile_seconds: float = 20.0

    def with_compiler(self) -> Limits:
        """Return the same with room for Numba's compiler: address space and processor time."""
        return replace(
            self,
            memory_bytes=self.memory_bytes + 512 * MB,
            cpu_seconds=self.cpu_seconds + 60,
            load_seconds=self.load_seconds + self.compile_seconds,
        )


class Sandbox:
    """Runs submissions in confined processes.

    Parameters
    ----------
    limits : for each worker.
    allow_unconfined : run on machines that offer no confinement as well (anything but Linux).

    Attributes
    ----------
    isolation : str
        The layers reached on this machine, for every result. Empty before `with`.

    Examples
    --------
    >>> with Sandbox() as sandbox:
    ...     with sandbox.student(b"def double(x): return 2 * x", functions=["double"]) as student:
    ...         student.double(21)
    42
    """

    def __init__(self, limits: Limits | None = None, allow_unconfined: bool = False) -> None:
        """Check the platform; start nothing yet."""
        confined = sys.platform == "linux"
        if not confined and not allow_unconfined:
            wanted = "Linux, whose kernel can confine a submission"
            hint = "run submissions you trust with allow_unconfined=True"
            raise SandboxError(expected("sandbox", wanted, sys.platform, hint))
        self.limits = limits or Limits()
        self.isolation = ""
        self._confined = confined
        self._zygote = Zygote(confined)
        self._compilers: Zygote | None = None
        self._stack = ExitStack()
        self._root = Path()

    def __enter__(self) -> Sandbox:
        """Start the zygote and one first worker, to learn what isolation is reached."""
        with ExitStack() as stack:
            root = Path(tempfile.mkdtemp(prefix="minidl-"))
            stack.callback(_remove_if_possible, root)
            stack.callback(self._zygote.stop)
            stack.enter_context(confine.Shut())
            self._root = root
            self._zygote.start()
            worker = _Worker(self._zygote, self._root, self.limits)
            worker.end()
            self._stack = stack.pop_all()
        self.isolation = ", ".join([*confine.ALWAYS, *self._zygote.reached, *worker.reached])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the zygote and every worker, and remove their folders."""
        self._stack.close()
        self._compilers = None

    def zygote(self, compiler: bool) -> Zygote:
        """Return the parent of new workers; one with Numba is started when it is first needed.

        Raises
        ------
        SandboxError
            when it does not come up, or reaches other layers than were reported.
        """
        if not compiler:
            return self._zygote
        if self._compilers is None:
            zygote = Zygote(self._confined, compiler=True)
            self._stack.callback(zygote.stop)
            zygote.start()
            if zygote.reached != self._zygote.reached:
                wish = f"the layers {', '.join(self._zygote.reached)} for workers with Numba too"
                raise SandboxError(expected("sandbox", wish, ", ".join(zygote.reached)))
            self._compilers = zygote
        return self._compilers

    @property
    def pid(self) -> int:
        """The process id of the zygote, below which every worker is."""
        return self._zygote.pid

    def leftovers(self) -> list[Path]:
        """Return what is in the folder of this sandbox's scratch folders; nothing between uses."""
        return sorted(self._root.iterdir())

    def student(
        self,
        source: bytes,
        name: str = "submission.py",
        functions: Sequence[str] = (),
        hidden: bool = False,
        scenarios: Sequence[Scenario] = (),
        compiler: bool = False,
    ) -> SandboxedFile:
        """Return a submission; each `with` on it gives a student in a fresh process.

        Parameters
        ----------
        source : the bytes of the submitted file.
        name : its file name; the stem is the module's name.
        functions : the functions that will be called.
        hidden : redact messages to the exception's type and the student's own line, and withhold
            what was printed, so that neither carries an input of a hidden check to the student.
        scenarios : what will be called beside the functions.
        compiler : whether it is to have Numba, and time and memory for it.
        """
        if len(source) > self.limits.frame_bytes:
            wanted = f"a submission of at most {self.limits.frame_bytes} bytes"
            raise ArgumentError(expected("sandbox.student", wanted, len(source)))
        called = dict.fromkeys(functions) | {each.name: each for each in scenarios}
        return SandboxedFile(self, source, name, called, hidden, compiler)


class SandboxedFile:
    """One submitted file; entering it starts a fresh worker, and entering it again another one."""

    def __init__(
        self,
        sandbox: Sandbox,
        source: bytes,
        name: str,
        called: Mapping[str, Scenario | None],
        hidden: bool,
        compiler: bool,
    ) -> None:
        """Keep what `Sandbox.student` was given; `called` has the functions and the scenarios."""
        stem = Path(name).stem
        self.sandbox, self.source, self.called = sandbox, source, called
        self.stem = stem if stem.isidentifier() and stem.isascii() else "submission"
        self.hidden, self.compiler = hidden, compiler
        self._open: list[SandboxedStudent] = []

    def __enter__(self) -> SandboxedStudent:
        """Start a worker and execute the file in it.

        Raises
        ------
        StudentFailure
            when the file cannot be executed: a syntax error, an exception, an endless loop.
        """
        student = SandboxedStudent(self)
        self._open.append(student)
        return student

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker started last, and everything it left behind."""
        self._open.pop().close()


class _Worker:
    """A child of the zygote, its channel and its scratch folder."""

    def __init__(self, zygote: Zygote, root: Path, limits: Limits) -> None:
        self._zygote = zygote
        self._scratch = Path(tempfile.mkdtemp(dir=root))
        self._seconds = limits.load_seconds
        self._ended = False
        self._pid, self.channel = zygote.spawn(self._scratch, asdict(limits))
        try:
            self.reached = [str(name) for name in self.channel.receive_first(20.0)["ready"]]
        except (TimeoutError, EOFError, protocol.ProtocolError, KeyError, TypeError):
            self.end()
            words = clean(self.channel.printed().strip(), 2000)
            raise SandboxError(f"sandbox: a worker could not confine itself: {words}") from None

    def processor_seconds(self) -> float:
        """Return the processor time of its process, all threads together; 0.0 where unknown."""
        with suppress(OSError):  # it has ended, or this is not Linux
            return time.clock_gettime(~self._pid << 3 | PROCESS_CLOCK)
        return 0.0

    def end(self, grace: float = 0.0, trace: bool = False) -> tuple[int, bool]:
        """End the process, once; return its wait status and whether it had to be killed."""
        if self._ended:
            return 0, True
        self._ended = True
        try:
            return self._zygote.end(self._pid, grace, trace)
        finally:
            self.channel.close()
            _remove_if_possible(self._scratch)


def _remove_if_possible(folder: Path) -> None:
    with suppress(OSError):  # what hostile code leaves in a temporary folder spoils no grading
        remove(folder)


class SandboxedStudent:
    """The functions of a submission, called in its worker.

    Attributes
    ----------
    damaged : set of int or str
        Positions (or keywords) of the arguments that the last call changed in place. The worker
        says so itself: advice, never a verdict.
    """

    def __init__(self, submission: SandboxedFile) -> None:
        """Start the worker and load the file; see `SandboxedFile.__enter__`."""
        self._submission = submission
        sandbox, compiler = submission.sandbox, submission.compiler
        self._limits = sandbox.limits.with_compiler() if compiler else sandbox.limits
        self._compiled: set[Any] = set()
        self._report = Reporter(f"{submission.stem}.py", submission.source, submission.hidden)
        self._dead: StudentFailure | None = None
        self.damaged: set[int | str] = set()
        self._worker = _Worker(sandbox.zygote(compiler), sandbox._root, self._limits)
        scenarios = [scenario for scenario in submission.called.values() if scenario]
        text = "\n\n".join(scenario.source for scenario in scenarios).encode()
        request = {
            "do": "load",
            "name": submission.stem,
            "source": np.frombuffer(submission.source, np.uint8),
            "scenarios": {scenario.name: scenario.target for scenario in scenarios},
            "scenario_source": np.frombuffer(text, np.uint8),
        }
        try:
            answer = self._exchange(request, "the file", self._limits.load_seconds)
            if type(answer) is not dict or answer.get("loaded") is not True:
                raise self._report.said(answer, "the file")
        except BaseException:
            self.close()
            raise

    @property
    def dead(self) -> bool:
        """Whether its process has ended: no call will get an answer any more."""
        return self._dead is not None

    @property
    def processor_seconds(self) -> float:
        """Processor time that its process has used, all threads together."""
        return self._worker.processor_seconds()

    @property
    def output(self) -> str:
        """What the worker has printed so far, for display; empty where checks are hidden."""
        return "" if self._submission.hidden else self._worker.channel.printed()

    def __getattr__(self, function: str) -> Callable[..., Any]:
        """Return the caller of one of the functions or scenarios asked for."""
        if function.startswith("_") or function not in self._submission.called:
            raise AttributeError(f"no function {function} was asked for")
        return partial(self._call, function)

    def _call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        self.damaged = set()
        if self._dead is not None:
            raise self._dead
        request = {"do": "call", "function": function, "args": args, "kwargs": kwargs}
        before = [protocol.checksum(value) for value in args]
        named = {name: protocol.checksum(value) for name, value in kwargs.items()}
        scenario = self._submission.called[function]
        what = scenario.target if scenario else function
        answer = self._exchange(request, what, self._seconds(function, args, kwargs))
        if not _is_answer(answer, len(args), set(kwargs)):
            raise self._report.said(answer, what, scenario.kind if scenario else "function")
        self.damaged |= {i for i, sum_ in enumerate(answer["args"]) if sum_ != before[i]}
        self.damaged |= {k for k, sum_ in answer["kwargs"].items() if sum_ != named[k]}
        return answer["returned"]

    def _seconds(self, function: str, args: Any, kwargs: Any) -> float:
        """Return the deadline of a call: arguments of new types may have to be compiled for."""
        call = (function, _types(args), _types(kwargs))
        compiling = self._submission.compiler and call not in self._compiled
        self._compiled.add(call)
        return self._limits.call_seconds + compiling * self._limits.compile_seconds

    def _exchange(self, request: dict[str, Any], what: str, seconds: float) -> Any:
        """Return the worker's answer; end the worker where there is none."""
        channel = self._worker.channel
        try:
            pieces = channel.pack(request, f"the request to {what}")
        except protocol.ProtocolError as error:
            raise ArgumentError(f"sandbox: {error}") from None
        try:
            return channel.exchange(pieces, seconds)
        except TimeoutError:
            self._worker.end(grace=0.05, trace=True)
            line = channel.last_line(self._report.file)
            self._dead = self._report.timeout(what, seconds, line)
        except EOFError:
            status, killed = self._worker.end(grace=CRASH_GRACE)
            line = channel.last_line(self._report.file)
            self._dead = self._report.crash(what, None if killed else status, line)
        except protocol.ProtocolError as error:
            self._worker.end()
            self._dead = self._report.failure("protocol", f"{what} answered with {error}")
        raise self._dead

    def close(self) -> None:
        """End the worker and everything it left behind."""
        self._worker.end()
        if self._dead is None:
            self._dead = StudentFailure("crashed", "the worker of this check has been closed")


def _types(value: Any) -> Any:
    """Return what a compiler looks at: dtype and number of axes of arrays, types of the rest."""
    if isinstance(value, np.ndarray):
        return value.dtype.name, value.ndim
    if isinstance(value, (tuple, list)):
        return tuple(_types(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, _types(item)) for name, item in value.items())
    return type(value).__name__


def _is_answer(answer: Any, args: int, kwargs: set[str]) -> bool:
    """Return whether a worker's answer has the form of a returned value, checksums and all."""
    return (
        type(answer) is dict
        and set(answer) == {"returned", "args", "kwargs"}
        and type(answer["args"]) is list
        and len(answer["args"]) == args
        and type(answer["kwargs"]) is dict
        and set(answer["kwargs"]) == kwargs
        # Anything else might raise where it is compared: also where a failure is being explained.
        and all(type(sum_) is int or sum_ is None for sum_ in answer["args"])
        and all(type(sum_) is int or sum_ is None for sum_ in answer["kwargs"].values())
    )
