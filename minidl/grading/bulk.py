"""Grade many submissions with one sandbox: a wrong call for one of them stops no other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.assignment import Assignment, course
from minidl.grading.grade import grade
from minidl.grading.report import show_table, to_html
from minidl.grading.result import Result, write_results
from minidl.grading.sandbox import Sandbox


@dataclass(frozen=True)
class Graded:
    """One of the paths given: its result, or why the call was wrong (`error`)."""

    path: Path
    label: str
    result: Result | None = None
    error: str = ""


def assignment_of(paths: Sequence[Path]) -> str:
    """Return the id of the assignment that every file is named after.

    Raises
    ------
    ArgumentError
        when a file bears no assignment's name, or they bear different ones.
    """
    stems = sorted({path.stem for path in paths})
    if len(stems) == 1 and stems[0] in course():
        return stems[0]
    wish = f"files named after one assignment ({', '.join(course())})"
    got = ", ".join(stems[:5])
    raise ArgumentError(expected("grade", wish, got, "say which one with --assignment"))


def labels(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path, safe as a file name and unlike every other.

    It is the file's stem; where stems repeat, as in alice/batch_norm.py and bob/batch_norm.py, the
    folders that tell them apart come first.

    Examples
    --------
    >>> labels([Path("alice/batch_norm.py"), Path("bob/batch_norm.py"), Path("carol.py")])
    ['alice-batch_norm', 'bob-batch_norm', 'carol']
    """
    parts = [(*path.absolute().parts[1:-1], path.stem) for path in paths]
    found: list[str] = []
    for own in parts:
        depth = 1
        while depth < len(own) and sum(p[-depth:] == own[-depth:] for p in parts) > 1:
            depth += 1
        label = re.sub(r"[^\w.-]", "_", "-".join(own[-depth:]), flags=re.ASCII) or "_"
        number = 2
        unlike = label
        while unlike.lower() in {name.lower() for name in found}:
            unlike = f"{label}-{number}"
            number += 1
        found.append(unlike)
    return found


def grade_all(
    paths: Sequence[Path],
    assignment: Assignment,
    key: bytes | None,
    out: Path | None = None,
    each: Callable[[Graded], None] = lambda graded: None,
) -> list[Graded]:
    """Grade every path in turn.

    Parameters
    ----------
    paths : what was handed in.
    assignment, key : as in `grade`.
    out : a folder, made if need be, for LABEL.json and LABEL.html of each; written as soon as a
        submission is graded, each file whole or not at all.
    each : called after each path, for progress.

    Raises
    ------
    ArgumentError
        when `out` cannot be written to. Wrong paths do not raise: they come back as `error`.
    """
    if out is not None:
        _make_folder(out)
    found = []
    with Sandbox() as sandbox:
        for path, label in zip(paths, labels(paths), strict=True):
            try:
                graded = Graded(path, label, grade(path, assignment, key, sandbox))
            except MinidlError as error:
                graded = Graded(path, label, error=str(error))
            if out is not None and graded.result is not None:
                write_results(graded.result.to_json() + "\n", out / f"{label}.json")
                write_results(to_html(graded.result), out / f"{label}.html")
            found.append(graded)
            each(graded)
    return found


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        got = f"{out} ({error.strerror})"
        raise ArgumentError(expected("grade", "a folder for the reports", got)) from None


def show(found: Sequence[Graded], console: Console) -> None:
    """Print a table of what was graded, each submission by its label."""
    rows = [replace(g.result, submission=g.label) for g in found if g.result is not None]
    show_table(rows, console)
    levels = {row.isolation for row in rows if not row.reason}
    for level in sorted(levels):
        console.print(f"Isolation: {level}", soft_wrap=True)


def to_json(found: Sequence[Graded]) -> str:
    """Return a JSON list of objects with path, label, error, and result (null after an error)."""
    rows = [asdict(graded) | {"path": str(graded.path)} for graded in found]
    return json.dumps(rows, indent=2)


def exit_code(found: Sequence[Graded]) -> int:
    """Return 2 if any call was wrong, else 1 if any work is not all right, else 0."""
    if any(graded.result is None for graded in found):
        return 2
    return int(any(g.result is not None and g.result.score < g.result.points for g in found))
