"""Known mistakes and other right solutions: the bank that the checks are measured against.

A mistake is a patch in mistakes.toml, which must fit its reference exactly once,

    [[mistake]]
    id       = "forgot_the_gradient_through_the_mean"
    target   = "backward"
    replace  = "m * dy - dy_sum - x_hat * proj"
    by       = "m * dy - x_hat * proj"
    says     = "The mean depends on every x too: its gradient, the sum of dy, is missing."
    question = "Which terms of dx come from the mean?"

or a whole function in mistakes.py. Patches are matched on the syntax tree, so spaces, quotes and
comments do not matter. `replace` and `by` may be lists of the same length: several places at once.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minidl.errors import ArgumentError, expected


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
    """

    id: str
    target: str
    says: str
    question: str
    source: str


@dataclass(frozen=True)
class Alternative:
    """Another right solution of one task, which must keep every point."""

    id: str
    target: str
    says: str
    source: str


@dataclass(frozen=True)
class Draft:
    """A function of mistakes.py or alternatives.py, marked with what it stands in for."""

    target: str
    question: str
    function: Callable[..., Any]

    @property
    def says(self) -> str:
        """The docstring's text, on one line."""
        return " ".join((inspect.getdoc(self.function) or "").split())


def mistake(target: str, question: str) -> Callable[[Callable[..., Any]], Draft]:
    """Mark the function below as a mistake in `target`; its docstring is what the tutor says."""
    return lambda function: Draft(target, question, function)


def alternative(target: str) -> Callable[[Callable[..., Any]], Draft]:
    """Mark the function below as another right `target`; its docstring says what is different."""
    return lambda function: Draft(target, "", function)


def renamed(text: str, function: str, target: str) -> str:
    """Return `function` out of a file's text, undecorated and under the name `target`.

    Raises
    ------
    ArgumentError
        when the file has no such function at its top level.
    """
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            node.name = target
            node.decorator_list = []
            return ast.unparse(node)
    raise ArgumentError(expected("mistake", f"a function {function} at the top level", "none"))


def patched(label: str, source: str, replace: str | Sequence[str], by: str | Sequence[str]) -> str:
    """Return a function's source with each `replace` replaced by its `by`.

    Parameters
    ----------
    label : who asks, for the error message.
    source : the text of one function.
    replace, by : an expression, or one or more statements; or lists of these.

    Raises
    ------
    ArgumentError
        unless every `replace` is found exactly once, and both parse.
    """
    wanted = [replace] if isinstance(replace, str) else list(replace)
    given = [by] if isinstance(by, str) else list(by)
    if len(wanted) != len(given):
        got = f"{len(wanted)} and {len(given)}"
        raise ArgumentError(expected(label, "as many `by` as `replace`", got))
    tree = ast.parse(source)
    for old, new in zip(wanted, given, strict=True):
        found = _patch(tree, _parsed(label, old), _parsed(label, new))
        if found != 1:
            hint = "take a whole expression or whole statements of the reference"
            wish = f"`{old}` exactly once in the reference"
            raise ArgumentError(expected(label, wish, f"{found} matches", hint))
    return ast.unparse(ast.fix_missing_locations(tree))


def _parsed(label: str, text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
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
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        dumps = [ast.dump(statement) for statement in body]
        for i in reversed(range(len(body) - len(old) + 1)):
            if dumps[i : i + len(old)] == shape:
                body[i : i + len(old)] = new
                found += 1
    return found


class _Swap(ast.NodeTransformer):
    """Replaces one expression by another wherever it stands."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        """Remember what to look for."""
        self.old = ast.dump(old)
        self.new = new
        self.found = 0

    def visit(self, node: ast.AST) -> Any:
        """Replace the node, or go on into it."""
        if isinstance(node, ast.expr) and ast.dump(node) == self.old:
            self.found += 1
            return self.new
        return self.generic_visit(node)
