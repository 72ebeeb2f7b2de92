"""An assignment is a specification: a folder of tasks, checks, mistakes and alternatives.

    assignments/batch_norm/
      assignment.toml    id, version, title, needs, minutes; tasks: target, points, hints
      checks.py          the checks, public and hidden, written once (may import its neighbours)
      scenarios.py       how checks use a class, where a task asks for one
      examples.py        small calls to try by hand, shown where they go wrong
      mistakes.toml|py   the plausible wrong solutions
      alternatives.py    other right solutions
      equivalents.toml   changes of a solution that change nothing, with the reason
      collected/         wrong solutions by people who know the text alone

The starter and the solution are derived from the library's own source (minidl/grading/starter.py).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from minidl.errors import ArgumentError, expected
from minidl.grading import bank
from minidl.grading.check import Check
from minidl.grading.gradient import Gradient
from minidl.grading.mistake import Alternative, Collected, Mistake
from minidl.grading.mutant import Equivalent
from minidl.grading.scenario import Scenario
from minidl.grading.starter import Reference, target_name
from minidl.grading.syntax import parse

HEADER = """
Write the {what} below: each docstring says what must hold. `minidl check` tells you how far you
are, `minidl hint` helps you on. The {what} are graded one by one, so one that is missing costs
the others nothing. Arrays come in, fresh arrays go out, of the dtype that came in; the inputs stay
as they are.
"""
WIDTH = 99


@dataclass(frozen=True)
class Task:
    """One function or class to write.

    Parameters
    ----------
    id : "batch_norm.backward".
    title : in words, for reports.
    target : where the solution is, "minidl.kernels.batch_norm_numpy:backward".
    points, minutes : what it is worth, and how long it takes.
    returns : the names of the arrays it returns, in order; none for a class.
    computed : the same names in the order in which they are worked out; what is wrong first counts.
    hints : from a question to a pointer, never the answer.
    gradient : of which other task's function this one is the gradient, if of any.
    example : whether a wrong call may be shown on numbers of the grader's own choice; not where
        arguments must be more than the right solutions notice (rows that are probabilities).
    compiled : "numba" where it is to be compiled, and all its checks share one worker; else "".
    """

    id: str
    title: str
    target: str
    points: float
    minutes: int
    returns: tuple[str, ...]
    computed: tuple[str, ...]
    hints: tuple[str, ...]
    gradient: Gradient | None = None
    example: bool = True
    compiled: str = ""

    @property
    def name(self) -> str:
        """The id's second word, as checks and mistakes name it: "backward"."""
        return self.id.partition(".")[2]

    @property
    def function(self) -> str:
        """The name of the function or class, as students write it."""
        return target_name(self.target)


@dataclass(frozen=True)
class Assignment:
    """An assignment, read and checked for consistency by `Assignment.load`.

    `tasks` may be narrowed down to some with dataclasses.replace: those alone are then graded.
    `every` are all there are, for a diagnosis of one task looks at others, too.
    """

    id: str
    version: int
    title: str
    needs: tuple[str, ...]
    minutes: int
    tasks: tuple[Task, ...]
    every: tuple[Task, ...]
    checks: tuple[Check, ...]
    scenarios: tuple[Scenario, ...]
    examples: Mapping[str, tuple[tuple[Any, ...], ...]]
    mistakes: tuple[Mistake, ...]
    alternatives: tuple[Alternative, ...]
    equivalents: tuple[Equivalent, ...]
    collected: tuple[Collected, ...]
    folder: Path
    reference: Reference

    @classmethod
    def load(cls, where: str | Path) -> Assignment:
        """Read an assignment.

        Parameters
        ----------
        where : the id of one of the course's assignments ("batch_norm"), or any other folder that
            holds an assignment.toml ("./batch_norm").

        Raises
        ------
        ArgumentError
            when there is none, or its parts do not fit together.
        """
        folder = _find(where)
        path = folder / "assignment.toml"
        entry = bank.read_toml(path)
        tasks = tuple(_task(path, values) for values in entry.pop("task", []))
        _demand_ids(path, str(entry.get("id")), tasks)
        reference = Reference.read([task.target for task in tasks], folder)
        targets = {task.name: task.function for task in tasks}
        values = {
            **entry,
            "needs": tuple(entry.get("needs", ())),
            "tasks": tasks,
            "every": tasks,
            "checks": tuple(bank.collect(folder / "checks.py", Check)),
            "scenarios": bank.scenarios(folder / "scenarios.py", targets, reference),
            "examples": bank.examples(folder / "examples.py"),
            "mistakes": (
                *bank.patches(folder / "mistakes.toml", targets, reference),
                *bank.mistakes(folder / "mistakes.py", targets),
            ),
            "alternatives": bank.alternatives(folder / "alternatives.py", targets),
            "equivalents": bank.equivalents(folder / "equivalents.toml", targets),
            "collected": bank.collected(folder / "collected", targets),
            "folder": folder,
            "reference": reference,
        }
        assignment = bank.build(cls, str(path), values)
        _validate(assignment)
        return assignment

    def task(self, name: str) -> Task:
        """Return a task by its id or by the id's second word.

        Raises
        ------
        ArgumentError
            when there is no such task.
        """
        for task in self.every:
            if name in (task.id, task.name):
                return task
        names = ", ".join(task.name for task in self.every)
        raise ArgumentError(expected(self.id, f"one of the tasks {names}", repr(name)))

    def checks_of(self, task: Task) -> list[Check]:
        """Return the checks of one task, in the order of checks.py."""
        return [check for check in self.checks if check.task == task.name]

    @cached_property
    def returns(self) -> Mapping[str, tuple[str, ...]]:
        """For each function and scenario a check may call, the names of the arrays it returns."""
        functions = {t.function: t.returns for t in self.every if t.returns}
        return functions | {s.name: s.returns for s in self.scenarios}

    @cached_property
    def parameters(self) -> Mapping[str, list[str]]:
        """For each function and scenario a check may call, the names of its parameters."""
        functions = {f: self.reference.parameters(f) for f in self.returns if f in self.targets}
        return functions | {s.name: s.parameters for s in self.scenarios}

    @property
    def targets(self) -> list[str]:
        """The names of the functions and classes a student writes."""
        return [task.function for task in self.every]

    def computed(self, task: Task, function: str) -> tuple[str, ...]:
        """Return the names of what a call returns, in the order in which they are worked out."""
        return task.computed if function == task.function else self.returns[function]

    @property
    def compiled(self) -> bool:
        """Whether any task is to be compiled."""
        return any(task.compiled for task in self.tasks)

    def demand_packages(self) -> None:
        """Raise ArgumentError where a package that the tasks are about is not installed."""
        imports = parse("\n".join(self.reference.imports))
        names = {n.name for i in imports.body for n in getattr(i, "names", [])}
        names |= {i.module for i in imports.body if isinstance(i, ast.ImportFrom) and i.module}
        for name in sorted({name.partition(".")[0] for name in names} & {"cython", "numba"}):
            if importlib.util.find_spec(name) is None:
                hint = f"pip install {name}"
                raise ArgumentError(expected(self.id, f"the package {name}", "none", hint))

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
        kinds = {self.reference.kind(name) for name in self.targets}
        words = {"function": "functions", "class": "classes"}
        what = " and ".join(word for kind, word in words.items() if kind in kinds)
        header = f"{self.title}.\n\n{textwrap.fill(HEADER.strip().format(what=what), WIDTH)}\n"
        return self.reference.starter(header, {task.function: task.id for task in self.every})

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

    def submitted(self, collected: Collected) -> str:
        """Return a collected wrong solution as a source text with the solution's imports."""
        return "\n".join([*self.reference.imports, "", collected.source])

    def _with(self, bank: Sequence[Mistake | Alternative], name: str) -> str:
        for entry in bank:
            if entry.id == name:
                instead = {self.task(entry.target).function: entry.source}
                return self.reference.solution(f"{self.title}: {entry.id}.", instead)
        names = ", ".join(entry.id for entry in bank)
        raise ArgumentError(expected(self.id, f"one of {names}", repr(name)))


def course(folder: Path | None = None) -> list[str]:
    """Return the ids of the assignments in the order of the course, from course.toml."""
    values = bank.read_toml((folder or shipped_folder()) / "course.toml")
    return list(values.get("assignments", []))


def named_after(path: str | Path) -> Assignment:
    """Return the one of the course's assignments that a file is named after.

    Raises
    ------
    ArgumentError
        when there is none: no other folder is looked for, for what lies beside submissions may be
        anybody's.
    """
    if Path(path).stem in course():
        return Assignment.load(Path(path).stem)
    wish = f"a file named after an assignment ({', '.join(course())})"
    raise ArgumentError(expected("grade", wish, str(path), "say which assignment it answers"))


def shipped_folder() -> Path:
    """Return the folder of the course that comes with minidl."""
    spec = importlib.util.find_spec("minidl.assignments")
    if spec is None or spec.origin is None:
        raise ArgumentError(expected("assignments", "the package minidl.assignments", "none"))
    return Path(spec.origin).parent


def _find(where: str | Path) -> Path:
    """Return an assignment's folder; of one of the course's ids the course's own.

    A folder of that name that lies here holds submissions, perhaps, and what is in it would be run.
    """
    an_id = isinstance(where, str) and where == Path(where).name
    for folder in (*([shipped_folder() / where] if an_id else []), Path(where)):
        if (folder / "assignment.toml").is_file():
            return folder
    wish = f"one of {', '.join(course())}, or a folder that holds an assignment.toml"
    raise ArgumentError(expected("assignment", wish, repr(str(where))))


def _task(path: Path, values: dict[str, Any]) -> Task:
    lists = {key: tuple(values.get(key, ())) for key in ("returns", "computed", "hints")}
    lists["computed"] = lists["computed"] or lists["returns"]
    label = f"{path}: task {values.get('id')}"
    gradient = values.get("gradient")
    if gradient is not None:
        gradient = bank.build(Gradient, f"{label}: gradient", gradient)
    if values.get("compiled", "numba") != "numba":
        raise ArgumentError(expected(label, 'compiled = "numba", or nothing', values["compiled"]))
    optional = {
        "gradient": gradient,
        "example": values.get("example", True),
        "compiled": values.get("compiled", ""),
    }
    return bank.build(Task, label, {**values, **lists, **optional})


def _demand_ids(path: Path, assignment: str, tasks: Sequence[Task]) -> None:
    for task in tasks:
        if not re.fullmatch(rf"{re.escape(assignment)}\.[a-z][a-z0-9_]*", task.id):
            raise ArgumentError(expected(str(path), f"task ids like {assignment}.word", task.id))


def _validate(assignment: Assignment) -> None:
    """Raise ArgumentError unless ids, targets and points of an assignment fit together."""
    label = str(assignment.folder / "assignment.toml")
    for task in assignment.tasks:
        worth = sum(check.points for check in assignment.checks_of(task))
        if worth != task.points:
            wish = f"checks of {task.id} worth {task.points} points together"
            raise ArgumentError(expected(label, wish, worth))
        nameless = not task.returns and assignment.reference.kind(task.function) == "function"
        if nameless or sorted(task.computed) != sorted(task.returns):
            wish = f"{task.id} with `returns`, and `computed` of the same names"
            raise ArgumentError(expected(label, wish, task.computed))
        if task.gradient is not None:
            of = assignment.task(task.gradient.of).function
            task.gradient.demand(f"{label}: {task.id}", task.returns, assignment.parameters, of)
    for check in assignment.checks:
        assignment.task(check.task)
    for function, calls in assignment.examples.items():
        names = assignment.parameters.get(function, ())
        if {len(call) for call in calls} - {len(names)} or not names:
            wish = f"examples of a function or scenario, each with the arguments {', '.join(names)}"
            raise ArgumentError(expected(label, wish, f"{function}{calls[0]}"))
    for kind in ("checks", "scenarios", "mistakes", "alternatives"):
        names = [getattr(e, "id", "") or getattr(e, "name", "") for e in getattr(assignment, kind)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ArgumentError(expected(label, f"{kind} with names of their own", twice))
