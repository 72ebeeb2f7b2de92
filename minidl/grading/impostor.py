"""Whoever knows the question and no answer: what certification lets the checks see through.

An impostor may know every shape and dtype, or the methods and attributes of a class; what it
returns is nothing, or numbers that take no work. It must score nothing on any check.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minidl.grading.check import Call
from minidl.grading.student import LocalSandbox, LocalStudent
from minidl.grading.syntax import parse

VALUES: dict[str, Callable[[np.ndarray, Sequence[Any]], Any]] = {
    "zeros": lambda right, args: np.zeros_like(right),
    "ones": lambda right, args: np.ones_like(right),
    "NaN": lambda right, args: np.full_like(right, np.nan if right.dtype.kind == "f" else -1),
    "its own arguments": lambda right, args: next(
        (a for a in args if isinstance(a, np.ndarray) and a.shape == right.shape), right * 0
    ),
    "nothing": lambda right, args: None,
}
EXPRESSIONS = {
    "nothing": "None",
    "zeros": "0.0",
    "NaN": 'float("nan")',
    "their own arguments": "",
}


class Wrapped:
    """A student each of whose answers passes through `answer(function, args, kwargs, value)`."""

    def __init__(self, right: LocalStudent, answer: Callable[..., Any]) -> None:
        """Stand before another student."""
        self._right, self._answer = right, answer
        self.damaged: set[int | str] = set()

    def __getattr__(self, function: str) -> Callable[..., Any]:
        """Return the caller of one function or scenario."""

        def call(*args: Any, **kwargs: Any) -> Any:
            value = getattr(self._right, function)(*args, **kwargs)
            return self._answer(function, args, kwargs, value)

        return call


class WrappingSandbox(LocalSandbox):
    """Opens trusted sources with every answer wrapped."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        """Keep what every answer passes through."""
        self.answer = answer

    @contextmanager
    def student(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Wrap whatever is called."""
        with super().student(*args, **kwargs) as right:
            yield Wrapped(right, self.answer)


def disguised(make: Callable[[np.ndarray, Sequence[Any]], Any]) -> WrappingSandbox:
    """Return a sandbox whose students know every shape and dtype, and no value."""

    def answer(function: str, args: Any, kwargs: Any, right: Any) -> Any:
        if isinstance(right, tuple):
            return tuple(make(array, args) for array in right)
        return make(right, args)

    return WrappingSandbox(answer)


def listening(calls: list[Call]) -> WrappingSandbox:
    """Return a sandbox that adds every call made to its students to `calls`."""

    def answer(function: str, args: Any, kwargs: Any, right: Any) -> Any:
        calls.append(Call(function, args, kwargs, right))
        return right

    return WrappingSandbox(answer)


def hollow(source: str, value: str) -> str:
    """Return a class with the methods and attributes of another, all of them one value.

    Parameters
    ----------
    source : the text of a class.
    value : an expression; "" for each method's own first argument.

    Examples
    --------
    >>> print(hollow("class C:\\n    def __init__(self, a): self.b = a * 2", "0.0"))
    class C:
    <BLANKLINE>
        def __init__(self, a):
            self.b = 0.0
            self.a = a
    """
    tree = parse(source)
    (made,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    kept = {
        part.attr: value or "None"
        for part in ast.walk(made)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and ast.unparse(part.value) == "self"
    }
    for method in (node for node in made.body if isinstance(node, ast.FunctionDef)):
        own = [arg.arg for arg in method.args.args][1:]
        lines = [f"return {value or (own[0] if own else 'self')}"]
        if method.name == "__init__":
            given = kept | {name: name for name in own}
            lines = [f"self.{name} = {text}" for name, text in given.items()] or ["pass"]
        method.body = parse("\n".join(lines)).body
    return ast.unparse(tree)
