"""Grade one submission: every check with a fresh student, every task on its own.

Only this process knows the checks, the secret and the expected values, and only it writes results.
A check that fails stops no other; a call that hangs ends its task; a cap ends the rest.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from minidl.errors import ArgumentError, expected
from minidl.grading.assignment import Assignment, Task, named_after
from minidl.grading.case import PUBLIC
from minidl.grading.check import Check, Explained, Outcome, Recorder, run_check
from minidl.grading.diagnosis import explain
from minidl.grading.key import MINIMUM_BYTES, key_id
from minidl.grading.recognise import Recogniser
from minidl.grading.rerun import Opener
from minidl.grading.result import CheckResult, Result, TaskResult
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import LocalSandbox, StudentFailure, Until
from minidl.grading.submission import Submission
from minidl.grading.tutor import Tutor

MOST_SECONDS = 300.0


def grade(
    path: str | Path,
    assignment: Assignment | str | Path | None = None,
    key: bytes | None = None,
    sandbox: Sandbox | LocalSandbox | None = None,
) -> Result:
    """Grade a file.

    Parameters
    ----------
    path : a .py file or a notebook.
    assignment : what it answers, or its id or folder; by default the one the file is named after.
    key : None for the public checks; an instructor's secret for the hidden ones.
    sandbox : an entered Sandbox, so that many submissions share one; by default one is started.

    Returns
    -------
    Result
        Of a file that cannot be graded (empty, no Python) the score is 0 and `reason` says why.

    Raises
    ------
    ArgumentError
        when the call is wrong: no such file, a folder, a link, too large, a key too short; no such
        assignment.

    Examples
    --------
    >>> from minidl.grading import grade
    >>> result = grade("batch_norm.py")  # doctest: +SKIP
    >>> result.score, result.mistakes  # doctest: +SKIP
    (91.0, ['mean_held_constant'])
    """
    if assignment is None:
        assignment = named_after(path)
    elif not isinstance(assignment, Assignment):
        assignment = Assignment.load(assignment)
    submission = Submission.read(path, assignment.targets)
    if sandbox is None and not submission.reason:
        with Sandbox() as sandbox:
            return grade_submission(submission, assignment, key, sandbox)
    return grade_submission(submission, assignment, key, sandbox or LocalSandbox())


def grade_source(
    source: str,
    assignment: Assignment,
    key: bytes | None = None,
    sandbox: Sandbox | LocalSandbox | None = None,
    recogniser: Recogniser | None = None,
    tasks: Sequence[Task] | None = None,
) -> Result:
    """Grade a source text that is at hand, as `grade` grades a file; `tasks` narrows it down."""
    data = source.encode()
    submission = Submission(assignment.file_name, hashlib.sha256(data).hexdigest(), data)
    with Sandbox() if sandbox is None else nullcontext(sandbox) as opened:
        return grade_submission(submission, assignment, key, opened, recogniser, tasks)


def grade_submission(
    submission: Submission,
    assignment: Assignment,
    key: bytes | None,
    sandbox: Sandbox | LocalSandbox,
    recogniser: Recogniser | None = None,
    tasks: Sequence[Task] | None = None,
) -> Result:
    """Grade what was read from a file; see `grade`.

    Parameters
    ----------
    recogniser : to be shared among many submissions to one assignment.
    tasks : only these tasks of the assignment; by default all.
    """
    if key is not None and len(key) < MINIMUM_BYTES:
        wish = f"a secret of at least {MINIMUM_BYTES} bytes"
        raise ArgumentError(expected("grade", wish, f"{len(key)} bytes"))
    start = time.perf_counter()
    run = _Run(submission, assignment, key, sandbox, recogniser or Recogniser(assignment))
    wanted = assignment.tasks if tasks is None else tasks
    graded = tuple(run.task(task) for task in wanted)
    return Result(
        assignment=assignment.id,
        version=assignment.version,
        submission=submission.name,
        sha256=submission.sha256,
        key_id="public" if key is None else key_id(key),
        isolation=sandbox.isolation if not submission.reason else "not run",
        library_version=_version(),
        tasks=graded,
        score=sum(task.earned for task in graded),
        points=sum(task.points for task in graded),
        reason=run.reason,
        seconds=time.perf_counter() - start,
        environment=f"Python {platform.python_version()}, NumPy {np.__version__}",
        notes=submission.notes,
    )


def run_checks(
    source: str,
    assignment: Assignment,
    key: bytes | None,
    sandbox: Sandbox | LocalSandbox,
    recogniser: Recogniser,
    task: Task,
) -> Iterator[Outcome]:
    """Yield what each check of a task finds in a source, without any explanation."""
    submission = Submission(assignment.file_name, "", source.encode())
    run = _Run(submission, assignment, key, sandbox, recogniser)
    opener = run.opener(task)
    try:
        for check in assignment.checks_of(task):
            yield run.check(check, task, opener)
    finally:
        opener.end()


def _version() -> str:
    try:
        return metadata.version("minidl")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


class _Run:
    """One submission on its way through the tasks."""

    def __init__(
        self,
        submission: Submission,
        assignment: Assignment,
        key: bytes | None,
        sandbox: Sandbox | LocalSandbox,
        recogniser: Recogniser,
    ) -> None:
        assignment.demand_packages()
        self.assignment = assignment
        self.reason = submission.reason
        self.hidden = key is not None
        self.key = PUBLIC if key is None else key
        self.deadline = time.monotonic() + MOST_SECONDS
        self.open = partial(
            sandbox.student,
            submission.source,
            assignment.file_name,
            assignment.targets,
            self.hidden,
            assignment.scenarios,
            assignment.compiled or b"numba" in submission.source,
        )
        self.tutor = Tutor(assignment, recogniser, submission.source, self.again, self.hidden)

    @contextmanager
    def again(self) -> Iterator[Explained]:
        """Open a fresh student for whoever explains a failure."""
        with self.open() as student:
            yield Explained(student, self.assignment.returns)

    def task(self, task: Task) -> TaskResult:
        """Run a task's checks, then explain the failed ones in the light of all of them."""
        outcomes: list[Outcome] = []
        stopped = ""
        opener = self.opener(task)
        for check in self.assignment.checks_of(task):
            stopped = stopped or self.reason
            if not stopped and time.monotonic() > self.deadline:
                stopped = f"this submission has used its {MOST_SECONDS:.0f} seconds"
            outcome = Outcome(check, skipped=stopped)
            if not stopped:
                outcome = self.check(check, task, opener)
            if isinstance(outcome.failure, StudentFailure) and outcome.failure.kind == "timeout":
                stopped = "an earlier check of this task ran out of time"
            outcomes.append(outcome)
        opener.end()
        checks = tuple(self._results(task, outcomes))
        earned = sum(check.earned for check in checks)
        return TaskResult(task.id, task.title, task.points, earned, checks)

    def opener(self, task: Task) -> _Opener:
        """Return what opens the students of a task's checks."""
        return _Opener(self.open, lasting=bool(task.compiled))

    def check(self, check: Check, task: Task, opener: _Opener) -> Outcome:
        """Run one check with a student of its own, or one that lasts for the whole task."""
        start = time.perf_counter()
        label = f"{self.assignment.id}@{self.assignment.version}/{task.id}/{check.name}"
        try:
            with opener() as student:
                hurried = Until(student, self.deadline)
                recorder = Recorder(hurried, self.assignment.returns, self.assignment.parameters)
                return run_check(check, recorder, self.key, label, self.hidden)
        except StudentFailure as failure:
            # The file itself could not be executed, so no other check can succeed either.
            seen = explain(failure, "the file", self.hidden).seen
            self.reason = seen.removesuffix(".")
            return Outcome(check, failure, seconds=time.perf_counter() - start)

    def _results(self, task: Task, outcomes: Sequence[Outcome]) -> Iterator[CheckResult]:
        with np.errstate(all="ignore"):  # numbers of a submission's own overflow in any formula
            lessons = self.tutor.lessons(task, outcomes)
        owners = {s.name: s.target for s in self.assignment.scenarios}
        advised: set[str] = set()
        for outcome in outcomes:
            damaged = {owners.get(called, called) for called in outcome.damaged}
            advice = "" if damaged <= advised else _advice(outcome, owners)
            advised |= damaged
            check, failure = outcome.check, outcome.failure
            result = CheckResult(
                check=f"{task.id}/{check.name}",
                task=task.id,
                points=check.points,
                earned=check.points if failure is None else 0.0,
                status="passed" if failure is None else "failed",
                advice=advice,
                seconds=outcome.seconds,
            )
            if outcome.skipped:
                seen = f"not run: {outcome.skipped}."
                result = replace(result, status="error", earned=0.0, seen=seen)
            elif failure is not None:
                lesson = lessons[check.name]
                named = [mistake.id for mistake in lesson.mistakes]
                result = replace(
                    result,
                    status="error" if isinstance(failure, StudentFailure) else "failed",
                    seen=lesson.seen,
                    mistake=named[0] if named else None,
                    also=named[1] if len(named) > 1 else None,
                    question=lesson.question,
                    cause=lesson.cause,
                    example=lesson.example,
                )
            yield result


class _Opener:
    """Opens a fresh student for each check, or one that lasts, where compiling takes long.

    A check that ended otherwise than with a value or an exception is the last one of its student.
    """

    def __init__(self, open: Opener, lasting: bool) -> None:
        self._open, self._lasting = open, lasting
        self._stack = ExitStack()
        self._student: Any = None

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        if self._student is None:
            self._student = self._stack.enter_context(self._open())
        try:
            yield self._student
        finally:
            if not self._lasting or getattr(self._student, "dead", False):
                self.end()

    def end(self) -> None:
        self._stack.close()
        self._student = None


def _advice(outcome: Outcome, owners: Mapping[str, str]) -> str:
    """Say which arguments were changed in place; it costs nothing here, and much in a network.

    Of a scenario's own arguments a student knows nothing: `owners` says whose they came to.
    """
    said = []
    for called, names in outcome.damaged.items():
        listed = [f"{name} of {called}" for name in sorted(names)]
        owner = owners.get(called)
        said += [f"what {owner} was given ({', '.join(listed)})"] if owner else listed
    return f"changed in place: {', '.join(said)}. The caller may still need what it passed in."
