"""An assignment is a specification: a folder of tasks, checks, mistakes and alternatives.

    assignments/batch_norm/
      assignment.toml    id, version, title, needs, minutes; tasks: target, points, hints
      checks.py          the checks, public and hidden, written once (may import its neighbours)
      mistakes.toml|py   the plausible wrong solutions
      alternatives.py    other right solutions

The starter and the solution are derived from the library's own source (minidl/grading/starter.py).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.check import Check
from minidl.grading.mistake import Alternative, Draft, Mistake, patched, renamed
from minidl.grading.starter import Reference, target_name

HEADER = """{title}.

Write the functions below: each docstring says what must hold. `minidl check` tells you how far you
are, `minidl hint` helps you on. The functions are graded one by one, so one that is missing costs
the others nothing. Arrays come in, fresh arrays go out, of the dtype that came in; the inputs stay
as they are.
"""


@dataclass(frozen=True)
class Task:
    """One function to write.

    Parameters
    ----------
    id : "batch_norm.backward".
    title : in words, for reports.
    target : where the solution is, "minidl.kernels.batch_norm_numpy:backward".
    points, minutes : what it is worth, and how long it takes.
    returns : the names of the arrays it returns, in order.
    computed : the same names in the order in which they are worked out; what is wrong first counts.
    hints : from a question to a pointer, never the answer.
    """

    id: str
    title: str
    target: str
    points: float
    minutes: int
    returns: tuple[str, ...]
    computed: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def name(self) -> str:
        """The id's second word, as checks and mistakes name it: "backward"."""
        return self.id.partition(".")[2]

    @property
    def function(self) -> str:
        """The function's name, as students write it."""
        return target_name(self.target)


@dataclass(frozen=True)
class Assignment:
    """A whole assignment, read and checked for consistency by `Assignment.load`."""

    id: str
    version: int
    title: str
    needs: tuple[str, ...]
    minutes: int
    tasks: tuple[Task, ...]
    checks: tuple[Check, ...]
    mistakes: tuple[Mistake, ...]
    alternatives: tuple[Alternative, ...]
    folder: Path
    reference: Reference

    @classmethod
    def load(cls, where: str | Path) -> Assignment:
        """Read an assignment.

        Parameters
        ----------
        where : the id of one of the course's assignments ("batch_norm"), or any folder that holds
            an assignment.toml.

        Raises
        ------
        ArgumentError
            when there is none, or its parts do not fit together.
        """
        folder = _find(where)
        path = folder / "assignment.toml"
        entry = _read_toml(path)
        tasks = tuple(_task(path, values) for values in entry.pop("task", []))
        _demand_ids(path, str(entry.get("id")), tasks)
        reference = Reference.read([task.target for task in tasks], folder)
        values = {
            **entry,
            "needs": tuple(entry.get("needs", ())),
            "tasks": tasks,
            "checks": tuple(_collect(folder / "checks.py", Check)),
            "mistakes": (*_patches(folder, tasks, reference), *_mistakes(folder, tasks)),
            "alternatives": _alternatives(folder, tasks),
            "folder": folder,
            "reference": reference,
        }
        assignment = _build(cls, str(path), values)
        _validate(assignment)
        return assignment

    def task(self, name: str) -> Task:
        """Return a task by its id or by the id's second word.

        Raises
        ------
        ArgumentError
            when there is no such task.
        """
        for task in self.tasks:
            if name in (task.id, task.name):
                return task
        names = ", ".join(task.name for task in self.tasks)
        raise ArgumentError(expected(self.id, f"one of the tasks {names}", repr(name)))

    def checks_of(self, task: Task) -> list[Check]:
        """Return the checks of one task, in the order of checks.py."""
        return [check for check in self.checks if check.task == task.name]

    @property
    def points(self) -> float:
        """What the whole assignment is worth."""
        return sum(task.points for task in self.tasks)

    @property
    def file_name(self) -> str:
        """The name of the file a student writes: "batch_norm.py"."""
        return f"{self.id}.py"

    def starter(self) -> str:
        """Return the source text a student starts from: every body emptied."""
        labels = {task.function: f"{task.id}: write this function" for task in self.tasks}
        return self.reference.starter(HEADER.format(title=self.title), labels)

    @property
    def starter_hash(self) -> str:
        """The SHA-256 of the starter: a workspace records which one it was made from."""
        return hashlib.sha256(self.starter().encode()).hexdigest()

    def solution(self) -> str:
        """Return the source text of a module with the reference functions."""
        return self.reference.solution(f"{self.title}: the solution.")

    def with_mistake(self, name: str) -> str:
        """Return the solution's source text with one known mistake in it."""
        return self._with(self.mistakes, name)

    def with_alternative(self, name: str) -> str:
        """Return the solution's source text with one function written another right way."""
        return self._with(self.alternatives, name)

    def _with(self, bank: Sequence[Mistake | Alternative], name: str) -> str:
        for entry in bank:
            if entry.id == name:
                instead = {self.task(entry.target).function: entry.source}
                return self.reference.solution(f"{self.title}: {entry.id}.", instead)
        names = ", ".join(entry.id for entry in bank)
        raise ArgumentError(expected(self.id, f"one of {names}", repr(name)))


def course(folder: Path | None = None) -> list[str]:
    """Return the ids of the assignments in the order of the course, from course.toml."""
    values = _read_toml((folder or _shipped()) / "course.toml")
    return list(values.get("assignments", []))


def _shipped() -> Path:
    spec = importlib.util.find_spec("minidl.assignments")
    if spec is None or spec.origin is None:
        raise ArgumentError(expected("assignments", "the package minidl.assignments", "none"))
    return Path(spec.origin).parent


def _find(where: str | Path) -> Path:
    for folder in (Path(where), _shipped() / where):
        if (folder / "assignment.toml").is_file():
            return folder
    wish = f"one of {', '.join(course())}, or a folder that holds an assignment.toml"
    raise ArgumentError(expected("assignment", wish, repr(str(where))))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(expected(str(path), "a TOML file", error)) from None


def _build(cls: type, label: str, values: dict[str, Any]) -> Any:
    """Make a dataclass, naming any field that is missing or unknown."""
    names = {field.name for field in fields(cls)}
    if set(values) != names:
        missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
        got = f"{', '.join(missing) or 'none'} missing, {', '.join(unknown) or 'none'} unknown"
        raise ArgumentError(expected(label, f"the entries of {cls.__name__}", got))
    return cls(**values)


def _task(path: Path, values: dict[str, Any]) -> Task:
    lists = {key: tuple(values.get(key, ())) for key in ("returns", "computed", "hints")}
    lists["computed"] = lists["computed"] or lists["returns"]
    return _build(Task, f"{path}: task {values.get('id')}", {**values, **lists})


def _demand_ids(path: Path, assignment: str, tasks: Sequence[Task]) -> None:
    for task in tasks:
        if not re.fullmatch(rf"{re.escape(assignment)}\.[a-z][a-z_]*", task.id):
            raise ArgumentError(expected(str(path), f"task ids like {assignment}.word", task.id))


def _load_module(path: Path) -> ModuleType:
    """Execute a file of an assignment, which may import its neighbours: `from .definitions`."""
    if not path.is_file():
        raise ArgumentError(expected("assignment", f"a file {path.name}", f"none in {path.parent}"))
    package = "_minidl_assignment"
    spec = ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [str(path.parent)]
    sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        importlib.invalidate_caches()
        return importlib.import_module(f"{package}.{path.stem}")
    except MinidlError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise ArgumentError(expected(str(path), "Python that runs", got)) from None
    finally:
        # Forgotten again, so that another folder of the same name is not taken for this one.
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def _collect(path: Path, kind: type) -> list[Any]:
    return [value for value in vars(_load_module(path)).values() if isinstance(value, kind)]


def _patches(folder: Path, tasks: Sequence[Task], reference: Reference) -> list[Mistake]:
    path = folder / "mistakes.toml"
    if not path.is_file():
        return []
    functions = {task.name: task.function for task in tasks}
    found = []
    for values in _read_toml(path).get("mistake", []):
        label = f"{path}: mistake {values.get('id')}"
        replace, by = values.pop("replace", None), values.pop("by", None)
        function = functions.get(values.get("target"))
        if function is None or replace is None or by is None:
            raise ArgumentError(expected(label, "a task as target, replace and by", values))
        source = patched(label, reference.functions[function], replace, by)
        found.append(_build(Mistake, label, {**values, "source": source}))
    return found


def _drafts(path: Path, tasks: Sequence[Task]) -> Iterator[tuple[str, str, Draft]]:
    """Yield name, source under the target's name, and draft of each marked function in a file."""
    if not path.is_file():
        return
    functions = {task.name: task.function for task in tasks}
    text = path.read_text(encoding="utf-8")
    for draft in _collect(path, Draft):
        name = draft.function.__name__
        if draft.target not in functions:
            raise ArgumentError(expected(f"{path}: {name}", "a task as target", draft.target))
        yield name, renamed(text, name, functions[draft.target]), draft


def _mistakes(folder: Path, tasks: Sequence[Task]) -> list[Mistake]:
    return [
        Mistake(name, draft.target, draft.says, draft.question, source)
        for name, source, draft in _drafts(folder / "mistakes.py", tasks)
    ]


def _alternatives(folder: Path, tasks: Sequence[Task]) -> tuple[Alternative, ...]:
    return tuple(
        Alternative(name, draft.target, draft.says, source)
        for name, source, draft in _drafts(folder / "alternatives.py", tasks)
    )


def _validate(assignment: Assignment) -> None:
    """Raise ArgumentError unless ids, targets and points of an assignment fit together."""
    label = str(assignment.folder / "assignment.toml")
    for task in assignment.tasks:
        worth = sum(check.points for check in assignment.checks_of(task))
        if worth != task.points:
            wish = f"checks of {task.id} worth {task.points} points together"
            raise ArgumentError(expected(label, wish, worth))
        if not task.returns or sorted(task.computed) != sorted(task.returns):
            wish = f"{task.id} with `returns`, and `computed` of the same names"
            raise ArgumentError(expected(label, wish, task.computed))
    for check in assignment.checks:
        assignment.task(check.task)
    for kind in ("checks", "mistakes", "alternatives"):
        names = [getattr(e, "id", "") or getattr(e, "name", "") for e in getattr(assignment, kind)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ArgumentError(expected(label, f"{kind} with names of their own", twice))
