"""`%load_ext minidl`: check what a cell defines, right below the cell.

    %%check batch_norm.forward      run this cell, then the public checks of that task
    %check                          the public checks of everything defined so far
    %hint batch_norm.forward 2      the first two hints

What is checked is what was executed in this session, in the order of execution: definitions,
imports and plain constants, as the graders take them from a saved notebook. The checks run in a
process of their own, as `minidl check` runs them.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from minidl.course import check as checks
from minidl.course.workspace import RECORD
from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading import report
from minidl.grading.assignment import Assignment
from minidl.grading.cells import without_magics
from minidl.grading.result import Result
from minidl.grading.submission import Submission
from minidl.grading.syntax import parse
from minidl.terminal import PIPE_WIDTH


@dataclass(frozen=True, repr=False)
class Shown:
    """A result as Jupyter displays it: HTML where it can, the terminal's text elsewhere."""

    result: Result

    def __repr__(self) -> str:
        """Return the text."""
        out = io.StringIO()
        # Left to itself, a console within Jupyter displays each line, and colours the text.
        console = Console(
            file=out,
            width=PIPE_WIDTH,
            highlight=False,
            markup=False,
            force_jupyter=False,
            force_terminal=False,
        )
        report.show(self.result, console)
        console.print(checks.NOT_THE_SCORE, soft_wrap=True)
        return out.getvalue().rstrip("\n")

    def _repr_html_(self) -> str:
        return report.template("cell.html").render(
            result=self.result,
            headline=report.headline(self.result),
            remarks={
                task.task: [] if report.unwritten(task) else report.remarks(task)
                for task in self.result.tasks
            },
            unwritten=[task.task for task in self.result.tasks if report.unwritten(task)],
            note=checks.NOT_THE_SCORE,
        )


class Checking:
    """The three magics of one session.

    Parameters
    ----------
    shell : IPython's, which runs the cells
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        shell.register_magic_function(self.check_cell, "cell", "check")
        shell.register_magic_function(self.check_all, "line", "check")
        shell.register_magic_function(self.hint, "line", "hint")

    def check_cell(self, line: str, cell: str) -> Shown | None:
        """Run the cell, then the public checks of the tasks named, or of those it defines."""
        asked = line.split()
        with _Complaints():
            assignment = _assignment(asked)
            tasks = [assignment.task(name) for name in asked]
            if self.shell.run_cell(cell, store_history=False).success:
                defined = _defined(cell)
                tasks = tasks or [t for t in assignment.tasks if t.function in defined]
                return self._check(assignment, tasks, [*self._executed()[:-1], cell])
        return None

    def check_all(self, line: str) -> Shown | None:
        """Run the public checks of the tasks named, or of all, on what was executed so far."""
        with _Complaints():
            assignment = _assignment(line.split())
            tasks = [assignment.task(name) for name in line.split()]
            return self._check(assignment, tasks, self._executed())
        return None

    def hint(self, line: str) -> None:
        """Print the first hint of a task, or as many as a number after its name says."""
        asked = line.split()
        with _Complaints():
            if not asked or len(asked) > 2 or not all(word.isdigit() for word in asked[1:]):
                wish = "a task, and perhaps how many hints: %hint batch_norm.forward 2"
                raise ArgumentError(expected("hint", wish, line or "nothing"))
            hints = _assignment(asked[:1]).task(asked[0]).hints
            for place, text in enumerate(hints[: int(asked[-1]) if asked[1:] else 1], start=1):
                print(f"Hint {place} of {len(hints)}: {text}")

    def _check(self, assignment: Assignment, tasks: Sequence[Any], cells: list[str]) -> Shown:
        if tasks:
            wanted = tuple(task for task in assignment.tasks if task in tasks)
            assignment = replace(assignment, tasks=wanted)
        name = f"{assignment.id}.ipynb"
        code = [{"cell_type": "code", "source": text} for text in cells]
        data = json.dumps({"cells": code}).encode()
        submission = Submission.of(name, data, assignment.targets)
        result = checks.check_submission(submission, assignment)
        return Shown(replace(result, submission="this session"))

    def _executed(self) -> list[str]:
        """Return the session's cells as they were written, without those that are no Python."""
        history = self.shell.history_manager.input_hist_raw[1:]
        return [text for text in history if _tree(text) is not None]


class _Complaints:
    """Ends a magic with one line where something the user can mend is wrong."""

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        """Print a mistake of the user's; let everything else through."""
        if isinstance(error, MinidlError):
            print(f"minidl: {error}")
        return isinstance(error, MinidlError)


def _assignment(names: Sequence[str]) -> Assignment:
    """Return the assignment that a task's id names, or else that of the workspace here."""
    for name in names:
        if re.fullmatch(r"\w+\.\w+", name):
            return Assignment.load(name.partition(".")[0])
    try:
        return checks.find().assignment
    except ArgumentError:
        if names or Path(RECORD).exists():
            raise
        wish = "a task with its assignment, as in %%check batch_norm.forward, or a workspace here"
        raise ArgumentError(expected("check", wish, "neither")) from None


def _defined(cell: str) -> set[str]:
    """Return the names of the functions and classes a cell defines."""
    tree = _tree(cell)
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)} if tree else set()


def _tree(cell: str) -> ast.Module | None:
    try:
        return parse(without_magics(cell))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
