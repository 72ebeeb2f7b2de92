"""`minidl check`: the public checks on a student's own file, by the engine that grades it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from minidl import terminal
from minidl.course.workspace import Workspace
from minidl.errors import ArgumentError, expected
from minidl.grading import report
from minidl.grading.assignment import Assignment, course
from minidl.grading.grade import grade_submission
from minidl.grading.result import Result
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import LocalSandbox
from minidl.grading.submission import Submission

NOT_THE_SCORE = (
    "These are the public checks. The final score comes from hidden checks: the same questions "
    "over other inputs, shapes and edge cases."
)


@dataclass(frozen=True)
class Found:
    """What is to be checked.

    Parameters
    ----------
    path : the student's file.
    assignment : what it answers, cut down to the tasks asked for.
    notice : why the workspace no longer fits the assignment; "" when it does.
    """

    path: Path
    assignment: Assignment
    notice: str = ""


def find(what: Sequence[str] = ()) -> Found:
    """Find the student's file.

    Parameters
    ----------
    what : a workspace folder or a file (by default the current folder, or the one workspace in
        it), and names of tasks (by default all); the assignment's own name means all as well.

    Raises
    ------
    ArgumentError
        when there is no workspace, more than one, or a name that is neither path nor task.
    """
    paths = [Path(word) for word in what if _is_path(word)]
    if len(paths) > 1:
        raise ArgumentError(expected("check", "one workspace or file", " ".join(map(str, paths))))
    found = _in_file(paths[0]) if paths and not paths[0].is_dir() else _in_folder(*paths)
    # An assignment's own name is all of it: that is how `minidl start` says it, one folder up.
    names = [word for word in what if not _is_path(word) and word != found.assignment.id]
    if not names:
        return found
    wanted = {found.assignment.task(name).id for name in names}
    tasks = tuple(task for task in found.assignment.tasks if task.id in wanted)
    return replace(found, assignment=replace(found.assignment, tasks=tasks))


def _is_path(word: str) -> bool:
    looks = os.sep in word or "/" in word or word.endswith((".py", ".ipynb"))
    return looks or word in (".", "..") or Path(word).exists()


def _in_folder(folder: Path = Path()) -> Found:
    workspace = Workspace.read(folder)
    if workspace is None:
        inside = [found for p in sorted(folder.glob("*/")) if (found := Workspace.read(p))]
        if len(inside) > 1:
            got = ", ".join(str(found.folder) for found in inside)
            raise ArgumentError(expected("check", "one workspace", got, "name the one you mean"))
        if not inside:
            names = [folder / f"{name}{end}" for name in course() for end in (".py", ".ipynb")]
            files = [name for name in names if name.is_file()]
            if len(files) == 1:
                return _in_file(files[0])
            got = f"{'none' if not files else len(files)} in {folder.absolute()}"
            hint = f"`minidl start {course()[0]}` makes one"
            raise ArgumentError(expected("your work", "a workspace", got, hint))
        workspace = inside[0]
    assignment = Assignment.load(workspace.assignment)
    return Found(workspace.path, assignment, workspace.fits(assignment))


def _in_file(path: Path) -> Found:
    workspace = Workspace.read(path.parent)
    if workspace is not None and workspace.file == path.name:
        return _in_folder(path.parent)
    if path.stem in course():
        return Found(path, Assignment.load(path.stem))
    if not path.exists():
        raise ArgumentError(expected("check", "a workspace or a file", f"{path} (no such file)"))
    wish = f"a file named after an assignment ({', '.join(course())})"
    hint = "or use minidl grade --assignment"
    raise ArgumentError(expected("check", wish, path, hint))


def check(found: Found) -> Result:
    """Run the public checks.

    Raises
    ------
    ArgumentError
        when the file is not there, is a folder, or is too large.
    """
    return check_submission(Submission.read(found.path, found.assignment.targets), found.assignment)


def check_submission(submission: Submission, assignment: Assignment) -> Result:
    """Run the public checks on code that is at hand.

    The code runs in a confined process as it does when it is graded. Where a machine offers no
    confinement (anything but Linux), it runs in this one: it is the student's own code, on the
    student's own machine.
    """
    with LocalSandbox() if sys.platform != "linux" else Sandbox() as sandbox:
        return grade_submission(submission, assignment, None, sandbox)


def show(*what: str, console: Console | None = None) -> None:
    """Find, check and print: what the last cells of a notebook call."""
    found = find(what)
    present(found, check(found), console or terminal.console())


def present(found: Found, result: Result, console: Console) -> None:
    """Print a result, and what a student should know beside it."""
    report.show(result, console)
    if found.notice:
        console.print(f"Note: {found.notice}.", soft_wrap=True)
    unsolved = next((task.task for task in result.tasks if not task.passed), "")
    if unsolved and not result.reason:
        name = unsolved.partition(".")[2]
        console.print(f"A question that leads on: minidl hint {name}", soft_wrap=True)
    console.print(NOT_THE_SCORE, soft_wrap=True)
