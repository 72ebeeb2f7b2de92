"""Scenarios: how a check uses a class, or a function that takes functions.

    @scenario(task="early_stopping", returns=("stopped", "best"))
    def watch(EarlyStopping, values, patience):
        '''Feed a series of losses and note when it stops.'''
        stopper = EarlyStopping(patience=patience)
        return np.array([stopper(v) for v in values]), np.array(stopper.best)

A check calls `student.watch(values, patience)` and gets arrays back, as from any function of the
student's. The scenario runs beside the student's code and is handed the student's own class or
function first; so it is no secret, and brings along nothing but NumPy, as `np`.
"""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

from ..errors import ArgumentError, expected


@dataclass(frozen=True)
class ScenarioDraft:
    """A function of scenarios.py, marked with the task it serves and what it returns."""

    task: str
    returns: tuple[str, ...]
    function: Callable[..., Any]


def scenario(task: str, returns: Iterable[str]) -> Callable[[Callable[..., Any]], ScenarioDraft]:
    """Make a scenario of the function below.

    Parameters
    ----------
    task : the short name of a task in assignment.toml ("early_stopping").
    returns : the names of the arrays it returns, in order; one name for one array.
    """
    names = (returns,) if isinstance(returns, str) else tuple(returns)
    if not names:
        raise ArgumentError(expected("scenario", "the names of what it returns", "none"))
    return lambda function: ScenarioDraft(task, names, function)


@dataclass(frozen=True)
class Scenario:
    """A scenario, as source text for whoever is to run it.

    Parameters
    ----------
    name : what a check calls it.
    task : the short name of the task it serves.
    target : the class or function of the student that it is handed.
    kind : "class" or "function", what the target is.
    returns : the names of the arrays it returns.
    source : the text of the function, undecorated.
    """

    name: str
    task: str
    target: str
    kind: str
    returns: tuple[str, ...]
    source: str

    @property
    def parameters(self) -> list[str]:
        """The names of what a check passes: all parameters but the first."""
        return list(inspect.signature(self.function()).parameters)[1:]

    @property
    def says(self) -> str:
        """What it does, for a student who reads of it: its docstring's first paragraph."""
        paragraph = (inspect.getdoc(self.function()) or "").partition("\n\n")[0]
        return " ".join(paragraph.split())

    def function(self) -> Callable[..., Any]:
        """Execute the source afresh and return the function."""
        namespace: dict[str, Any] = {"np": np, "__name__": "scenarios"}
        exec(_compiled(self.source), namespace)
        return namespace[self.name]

    def missing(self) -> str:
        """Say that the student's file does not have the target."""
        return f"there is no {self.kind} named {self.target}"


@cache
def _compiled(source: str) -> CodeType:
    return compile(source, "<scenarios>", "exec", dont_inherit=True)


def demand_self_contained(label: str, source: str) -> None:
    """Raise ArgumentError unless a scenario uses nothing from outside but np and builtins."""
    foreign = sorted(set(_globals(compile(source, label, "exec"))) - {"np", *dir(builtins)})
    if foreign:
        wish = "nothing from outside but NumPy as np, for it runs where the student's code runs"
        raise ArgumentError(expected(label, wish, ", ".join(foreign), "import it inside"))


def _globals(code: CodeType) -> Iterator[str]:
    # A default value is looked up where the function is defined, by name.
    operation = "LOAD_NAME" if code.co_name == "<module>" else "LOAD_GLOBAL"
    for step in dis.get_instructions(code):
        if step.opname == operation:
            yield step.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals(constant)
