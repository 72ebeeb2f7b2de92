"""What grading found: one CheckResult per check, gathered by task, gathered into a Result.

Only the grader makes these, and `write_results` puts them on disk all at once or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from minidl.errors import ArgumentError, expected
from minidl.grading import confine

Status = Literal["passed", "failed", "error"]


class Record:
    """A dataclass of plain values that travels as JSON: the base of the three results below."""

    def to_json(self) -> str:
        """Return the result as JSON text; `from_json` reads it back unchanged.

        Halves of characters, which a name or a message may hold and no file can, become "?".
        """
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)  # type: ignore[call-overload]
        return str(text).encode("utf-8", "replace").decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ArgumentError
            when the text is not JSON, a field is unknown, or one is missing that was always there.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ArgumentError(expected(cls.__name__, "JSON text", error)) from None
        return cls._from(values)

    @classmethod
    def _from(cls, values: Any) -> Self:
        named = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
        names = set(named)
        always = {name for name in names if named[name].default is MISSING}
        if not isinstance(values, dict) or not always <= set(values) <= names:
            got = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise ArgumentError(
                expected(cls.__name__, f"an object with the fields {', '.join(sorted(names))}", got)
            )
        return cls(**values)


@dataclass(frozen=True)
class CheckResult(Record):
    """One check of one task.

    Parameters
    ----------
    check : "batch_norm.backward/gradient_matches_finite_differences".
    task : "batch_norm.backward".
    points, earned : what it is worth, and what was earned.
    status : "passed", "failed" (a wrong value) or "error" (no value: it raised, hung, died).
    seen : what was seen, in a few small numbers; "" when passed.
    mistake : id of the known mistake which gives exactly these numbers, or None.
    also : id of a second one, where it takes both.
    question : the question that leads on; "" when passed.
    cause : what checks that fail alike have in common; reports tell them together.
    example : a small call that goes wrong, with what came and what should have come; "" for none.
    advice : something true and useful that costs no points (an argument changed in place).
    seconds : wall-clock time, by the grader's clock.
    """

    check: str
    task: str
    points: float
    earned: float
    status: Status
    seen: str = ""
    mistake: str | None = None
    question: str = ""
    advice: str = ""
    seconds: float = 0.0
    also: str | None = None
    cause: str = ""
    example: str = ""

    @property
    def name(self) -> str:
        """The check's own name in words: "gradient matches finite differences"."""
        return self.check.rpartition("/")[2].replace("_", " ")


@dataclass(frozen=True)
class TaskResult(Record):
    """One task: its checks, and the sum of their points."""

    task: str
    title: str
    points: float
    earned: float
    checks: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every check of the task passed."""
        return all(check.status == "passed" for check in self.checks)

    @classmethod
    def _from(cls, values: Any) -> Self:
        if isinstance(values, dict) and isinstance(values.get("checks"), list):
            values = {**values, "checks": tuple(CheckResult._from(c) for c in values["checks"])}
        return super()._from(values)


@dataclass(frozen=True)
class Result(Record):
    """One submission, graded.

    Parameters
    ----------
    assignment, version : what it was graded against.
    submission : the file's name as given.
    sha256 : of the file's bytes.
    key_id : "public", or the first eight hex digits of the SHA-256 of the secret.
    isolation : how the code was confined, in words ("none (trusted code in this process)").
    library_version : of minidl.
    tasks : one TaskResult per task, in the assignment's order.
    score, points : earned, and possible.
    reason : why nothing could be graded (a syntax error, an empty file); "" otherwise.
    seconds : wall-clock time.
    environment : the Python and NumPy that graded.
    notes : what was left out of the file, in words (a notebook's cell that is no Python).
    """

    assignment: str
    version: int
    submission: str
    sha256: str
    key_id: str
    isolation: str
    library_version: str
    tasks: tuple[TaskResult, ...]
    score: float
    points: float
    reason: str = ""
    seconds: float = 0.0
    environment: str = ""
    notes: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """How far the code was confined, in one word; "" where it did not run."""
        return confine.level(self.isolation) if "process" in self.isolation else ""

    @property
    def percent(self) -> float:
        """The score from 0 to 100, rounded down to a tenth so that 100 means everything."""
        return int(1000 * self.score / self.points) / 10 if self.points else 0.0

    @property
    def mistakes(self) -> list[str]:
        """Ids of the known mistakes recognised, each once, in the order met."""
        checks = [check for task in self.tasks for check in task.checks]
        return list(dict.fromkeys(m for c in checks for m in (c.mistake, c.also) if m))

    @classmethod
    def _from(cls, values: Any) -> Self:
        if isinstance(values, dict) and isinstance(values.get("tasks"), list):
            values = {**values, "tasks": tuple(TaskResult._from(t) for t in values["tasks"])}
            values["notes"] = tuple(values.get("notes", ()))
        return super()._from(values)


def write_results(text: str | bytes, path: str | Path) -> Path:
    """Write `text` to `path` all at once: beside it first, then renamed.

    Raises
    ------
    ArgumentError
        when the folder does not exist or may not be written to; an older file then stays as it is.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        wanted = "a file that can be written"
        raise ArgumentError(expected("results", wanted, f"{path} ({error.strerror})")) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
    return path
