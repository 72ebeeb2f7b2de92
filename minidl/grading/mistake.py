"""Known mistakes and other right solutions: the bank that the checks are measured against.

A mistake is a patch in mistakes.toml, which must fit its reference exactly once,

    [[mistake]]
    id       = "forgot_the_gradient_through_the_mean"
    target   = "backward"
    replace  = "m * dy - dy_sum - x_hat * proj"
    by       = "m * dy - x_hat * proj"
    says     = "The mean depends on every x too: its gradient, the sum of dy, is missing."
    question = "Which terms of dx come from the mean?"

or a whole function or class in mistakes.py. Patches are matched on the syntax tree, so spaces,
quotes and comments do not matter. `replace` and `by` may be lists of the same length: several
places at once.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minidl.errors import ArgumentError, expected
from minidl.grading.syntax import parse


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong solution of one task.

    Parameters
    ----------
    id : words ("forgot_the_gradient_through_the_mean").
    target : the function it stands in for.
    says : one sentence, as a good tutor would say it.
    question : what leads on from there, never the answer.
    source : the text of the wrong function, bearing the target's name.
    patches : what was replaced by what to make it from the reference; none of a mistake that is a
        function of its own. Patches of two mistakes in different places can be made together.
    """

    id: str
    target: str
    says: str
    question: str
    source: str
    patches: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Alternative:
    """Another right solution of one task, which must keep every point."""

    id: str
    target: str
    says: str
    source: str


@dataclass(frozen=True)
class Collected:
    """A wrong solution of one task by somebody who knew the text and not the known mistakes.

    Parameters
    ----------
    id : the file's name.
    target : the short name of the task.
    says : what was misunderstood.
    source : the text of the file.
    """

    id: str
    target: str
    says: str
    source: str


@dataclass(frozen=True)
class Draft:
    """A function or class of mistakes.py or alternatives.py, marked with what it stands in for."""

    target: str
    question: str
    made: Callable[..., Any]

    @property
    def says(self) -> str:
        """The docstring's text, on one line."""
        return " ".join((inspect.getdoc(self.made) or "").split())


def mistake(target: str, question: str) -> Callable[[Callable[..., Any]], Draft]:
    """Mark what is below as a wrong `target`; its docstring is what the tutor says."""
    return lambda made: Draft(target, question, made)


def alternative(target: str) -> Callable[[Callable[..., Any]], Draft]:
    """Mark what is below as another right `target`; its docstring says what is different."""
    return lambda made: Draft(target, "", made)


def definitions(text: str) -> dict[str, str]:
    """Return the text of each function and class at the top level of a file, decorators included.

    Examples
    --------
    >>> definitions("x = 1\\n@mark\\ndef f():\\n    return x\\n")
    {'f': '@mark\\ndef f():\\n    return x'}
    """
    lines = text.splitlines()
    found = {}
    for node in parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            start = min(part.lineno for part in (node, *node.decorator_list))
            found[node.name] = "\n".join(lines[start - 1 : node.end_lineno])
    return found


MARKS = {"mistake", "alternative", "scenario"}


def undecorated(text: str, name: str, target: str) -> str:
    """Return a function or class out of a file's text, without our mark and called `target`.

    Raises
    ------
    ArgumentError
        when the file has no such definition at its top level.
    """
    for node in parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            node.name = target
            node.decorator_list = [d for d in node.decorator_list if not _is_mark(d)]
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and part.id == name:
                    part.id = target
            return ast.unparse(node)
    raise ArgumentError(expected("mistake", f"a definition of {name} at the top level", "none"))


def _is_mark(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id in MARKS


def patched(label: str, source: str, replace: str | Sequence[str], by: str | Sequence[str]) -> str:
    """Return the source of a function or class with each `replace` replaced by its `by`.

    Parameters
    ----------
    label : who asks, for the error message.
    source : the text of one function or class.
    replace, by : an expression, or one or more statements; or lists of these.

    Raises
    ------
    ArgumentError
        unless every `replace` is found exactly once, and both parse.
    """
    tree = parse(source)
    for old, new in paired(label, replace, by):
        found = _patch(tree, _parsed(label, old), _parsed(label, new))
        if found != 1:
            hint = "take a whole expression or whole statements of the reference"
            wish = f"`{old}` exactly once in the reference"
            raise ArgumentError(expected(label, wish, f"{found} matches", hint))
    return ast.unparse(ast.fix_missing_locations(tree))


def paired(
    label: str, replace: str | Sequence[str], by: str | Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return each `replace` with its `by`; raises ArgumentError unless there are as many."""
    wanted = [replace] if isinstance(replace, str) else list(replace)
    given = [by] if isinstance(by, str) else list(by)
    if len(wanted) != len(given):
        got = f"{len(wanted)} and {len(given)}"
        raise ArgumentError(expected(label, "as many `by` as `replace`", got))
    return tuple(zip(wanted, given, strict=True))


def _parsed(label: str, text: str) -> list[ast.stmt]:
    try:
        return parse(text).body
    except SyntaxError as error:
        raise ArgumentError(expected(label, "Python in `replace` and `by`", error)) from None


def _patch(tree: ast.AST, old: list[ast.stmt], new: list[ast.stmt]) -> int:
    """Replace every match in place, and return how many there were."""
    if len(old) == 1 and isinstance(old[0], ast.Expr):
        if len(new) != 1 or not isinstance(new[0], ast.Expr):
            return 0
        swap = _Swap(old[0].value, new[0].value)
        swap.visit(tree)
        return swap.found
    found = 0
    shape = [ast.dump(statement) for statement in old]
    for node in list(ast.walk(tree)):
        for body in _blocks(node):
            dumps = [ast.dump(statement) for statement in body]
            for i in reversed(range(len(body) - len(old) + 1)):
                if dumps[i : i + len(old)] == shape:
                    body[i : i + len(old)] = new
                    found += 1
    return found


def _blocks(node: ast.AST) -> list[list[ast.stmt]]:
    """Return the lists of statements directly in a node: a body, an else, a finally."""
    found = (getattr(node, name, None) for name in ("body", "orelse", "finalbody"))
    return [block for block in found if isinstance(block, list)]


class _Swap(ast.NodeTransformer):
    """Replaces one expression by another wherever it stands."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        """Remember what to look for."""
        self.kind = type(old)
        self.old = ast.dump(old)
        self.new = new
        self.found = 0

    def visit(self, node: ast.AST) -> Any:
        """Replace the node, or go on into it."""
        if type(node) is self.kind and ast.dump(node) == self.old:
            self.found += 1
            return self.new
        return self.generic_visit(node)
