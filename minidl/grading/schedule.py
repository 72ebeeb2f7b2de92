"""Who grades which submission when: the seam between one gradebook and many processes.

A scheduler takes jobs from an iterator, a few at a time, and yields what came of each, in any
order. It may lose a process and hand its job out again: results are idempotent, since the gradebook
keeps one for each `Identity`. `Here` grades in this process, `Processes` (processes.py) in several
on this machine; another one needs `run` alone, and calls `grade_job` wherever its workers are.
"""

from __future__ import annotations

import atexit
import hashlib
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade_submission
from minidl.grading.gradebook import PUBLIC_KEY, Identity
from minidl.grading.key import key_id
from minidl.grading.recognise import Recogniser
from minidl.grading.result import Result
from minidl.grading.sandbox import Sandbox
from minidl.grading.submission import Submission


@dataclass(frozen=True)
class Job:
    """One submission to grade, with all that is needed for it, wherever that happens.

    Parameters
    ----------
    identity : whose it is; the assignment's version and the key's id as the instructor has them.
    where : the assignment's id or folder.
    name : the file's name.
    data : the file's bytes, read once: what was hashed is what is graded.
    key : the secret; None for the public checks.
    tries : how often a process has died over it.
    """

    identity: Identity
    where: str
    name: str
    data: bytes = field(repr=False)
    key: bytes | None = field(default=None, repr=False)
    tries: int = 0

    @classmethod
    def of(
        cls, student: str, name: str, data: bytes, assignment: Assignment, key: bytes | None
    ) -> Job:
        """Make the job of grading one student's file."""
        secret = PUBLIC_KEY if key is None else key_id(key)
        digest = hashlib.sha256(data).hexdigest()
        identity = Identity(student, assignment.id, assignment.version, secret, digest)
        readable = name.encode("utf-8", "replace").decode()
        return cls(identity, str(assignment.folder.absolute()), readable, data, key)


@dataclass(frozen=True)
class Done:
    """What came of a job: a result, or why there is none (`error`, and not the student's fault)."""

    job: Job
    result: Result | None = None
    error: str = ""


class Scheduler(Protocol):
    """Whatever hands out jobs."""

    def run(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        """Yield what came of each job, at least once each, in any order.

        `jobs` is read in the caller's thread, only a few ahead of what has been yielded: each holds
        a file, and reading the next may wait for the disk. Closing it ends the workers.
        """
        ...


class Engine:
    """Grades jobs in this process: one sandbox, and each assignment with its mistakes, kept.

    Examples
    --------
    >>> with Engine() as engine:  # doctest: +SKIP
    ...     engine.grade(job)
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._stack = ExitStack()
        self._sandbox: Sandbox | None = None
        self._recognisers: dict[str, Recogniser] = {}

    def __enter__(self) -> Engine:
        """Return the engine, which is closed at the end."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the sandbox."""
        self.close()

    def close(self) -> None:
        """End the sandbox; the next job starts another."""
        self._sandbox = None
        self._stack.close()

    def grade(self, job: Job) -> Done:
        """Grade one job; whatever goes wrong with it is said, not raised."""
        try:
            return Done(light(job), self._result(job))
        except MinidlError as error:
            return Done(light(job), error=str(error))
        except Exception as error:
            self.close()
            return Done(light(job), error=f"grade: {type(error).__name__}: {error}")

    def _result(self, job: Job) -> Result:
        recogniser = self._recognisers.get(job.where)
        if recogniser is None:
            recogniser = self._recognisers[job.where] = Recogniser(Assignment.load(job.where))
        assignment = recogniser.assignment
        if assignment.version != job.identity.version:
            wish = f"version {job.identity.version} of {assignment.id}"
            hint = "install the same course everywhere"
            raise ArgumentError(expected("grade", wish, f"version {assignment.version}", hint))
        if self._sandbox is None:
            self._sandbox = self._stack.enter_context(Sandbox())
        submission = Submission.of(job.name, job.data, assignment.targets)
        return grade_submission(submission, assignment, job.key, self._sandbox, recogniser)


def light(job: Job) -> Job:
    """Return a job without the file and the secret: neither has to travel back."""
    return replace(job, data=b"", key=None)


_of_this_process = Engine()
atexit.register(_of_this_process.close)


def grade_job(job: Job) -> Done:
    """Grade one job with the engine that this process keeps until it ends."""
    return _of_this_process.grade(job)


class Here:
    """Grades in this process, one submission after the other."""

    def run(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        """Yield what came of each job, in order."""
        with Engine() as engine:
            yield from map(engine.grade, jobs)
