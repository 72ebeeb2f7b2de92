"""`minidl submit`: one file to hand in, and what it holds.

The file is a copy, byte for byte, in a folder of its own (submission-1, submission-2): what was
put together once is never changed, and the file keeps the name by which graders know it.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from minidl.course.check import Found
from minidl.errors import ArgumentError, expected
from minidl.grading.assignment import Assignment
from minidl.grading.result import write_results
from minidl.grading.submission import Submission, read_bytes
from minidl.grading.syntax import parse
from minidl.terminal import cells, clean, table

FOLDER = re.compile(r"submission-(\d+)")


@dataclass(frozen=True)
class Part:
    """One task in a submission: its id, what it asks for, and what is there of it, in words."""

    task: str
    function: str
    holds: str

    @property
    def written(self) -> bool:
        """Whether there is anything to grade."""
        return self.holds.startswith("line")


@dataclass(frozen=True)
class HandIn:
    """What `submit` put together.

    Parameters
    ----------
    path : the one file to hand in.
    new : whether it was written now; an earlier one with the same bytes serves again.
    sha256, size : of its bytes.
    reason : why it could not be graded as it is; "" when it can.
    parts : one for each task.
    others : what else is defined in it, by name.
    """

    path: Path
    new: bool
    sha256: str
    size: int
    reason: str
    parts: tuple[Part, ...]
    others: tuple[str, ...]


def submit(found: Found, to: Path | None = None) -> HandIn:
    """Put the file to hand in together.

    Parameters
    ----------
    found : the student's work, whole.
    to : the folder for submission-1, submission-2, ...; by default the one the work is in.

    Raises
    ------
    ArgumentError
        when the work cannot be read, or the folder cannot be written to.
    """
    data = read_bytes(found.path)
    submission = Submission.of(found.path.name, data, found.assignment.targets)
    name = f"{found.assignment.id}{found.path.suffix}"
    folder = to or found.path.parent
    earlier = _earlier(folder)
    path = next((p / name for p in earlier if _holds(p / name, data)), None)
    new = path is None
    if path is None:
        number = 1 + max((int(FOLDER.fullmatch(p.name)[1]) for p in earlier), default=0)  # type: ignore[index]
        path = folder / f"submission-{number}" / name
        _write(data, path)
    parts, others = _contents(submission, found.assignment)
    return HandIn(path, new, submission.sha256, len(data), submission.reason, parts, others)


def _earlier(folder: Path) -> list[Path]:
    """Return the folders of earlier submissions, the latest first."""
    found = [p for p in folder.glob("submission-*") if FOLDER.fullmatch(p.name)]
    return sorted(found, key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _write(data: bytes, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True)
    except OSError as error:
        got = f"{path.parent} ({error.strerror})"
        raise ArgumentError(expected("submit", "a folder that can be written to", got)) from None
    write_results(data, path)


def _contents(
    submission: Submission, assignment: Assignment
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Return what a submission's source defines: the tasks' functions and classes, and others."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree = parse(submission.source)
    defined = {node.name: node for node in tree.body if isinstance(node, kinds)}
    parts = []
    for task in assignment.tasks:
        node = defined.pop(task.function, None)
        if node is None:
            holds = "missing"
        elif _unwritten(node):
            holds = "not written yet"
        else:
            holds = f"lines {node.lineno} to {node.end_lineno}"
        parts.append(Part(task.id, task.function, holds))
    return tuple(parts), tuple(defined)


def _unwritten(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether every body in it is still the starter's: a docstring and a NotImplementedError."""
    functions = [part for part in ast.walk(node) if isinstance(part, ast.FunctionDef)]
    return all(
        isinstance(function.body[-1], ast.Raise)
        and "NotImplementedError" in ast.dump(function.body[-1])
        for function in functions
    )


def present(made: HandIn, console: Console) -> None:
    """Print which file to hand in, and what it holds."""
    if made.reason:
        console.print(f"This cannot be graded as it is: {clean(made.reason)}.", soft_wrap=True)
    shown = table("task", "to write", "in the file")
    for part in made.parts:
        shown.add_row(*cells(part.task.partition(".")[2], part.function, part.holds))
    console.print(shown)
    if made.others:
        console.print(f"Also in it: {clean(', '.join(made.others))}", soft_wrap=True)
    console.print(f"{made.size} bytes, SHA-256 {made.sha256}", soft_wrap=True)
    written = sum(part.written for part in made.parts)
    again = "" if made.new else " (the same as before)"
    console.print(f"{written} of {len(made.parts)} tasks written.", soft_wrap=True)
    console.print(f"Hand in this one file: {clean(made.path)}{again}", soft_wrap=True)
