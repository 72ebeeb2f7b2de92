"""Imports of what a worker does not have: harmless until something is computed with them.

A plotting library's name is often left at the top of a file. An import there of a package that is
not here binds a placeholder: its attributes and calls give placeholders again, as a decorator it
leaves a function as it is, as a base class it is none. Whatever asks for a value (arithmetic, an
array, an iteration) raises ModuleNotFoundError, which names the package. Imports inside functions
and inside `try` are Python's own.

The worker runs this file: it imports only the standard library.
"""

from __future__ import annotations

import ast
import sys
from types import FunctionType
from typing import Any

NEVER_ABSENT = {*sys.stdlib_module_names, "numpy"}
BINDER, ERROR = "__absent__", "__absent_error__"
VALUES = ["iter", "len", "int", "float", "complex", "index", "array", "array_ufunc", "round", "neg"]
VALUES += ["array_function", "lt", "le", "gt", "ge", "pos", "abs", "next", "contains"]
for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "xor"]:
    VALUES += [_name, f"r{_name}"]


class Absent:
    """What stands for a package, or for anything in it.

    Examples
    --------
    >>> plt = Absent("matplotlib.pyplot")
    >>> plt.style.use("ggplot")
    <matplotlib.pyplot.style.use: not here>
    >>> 1 + plt.pi
    Traceback (most recent call last):
    ModuleNotFoundError: matplotlib is not there where submissions are graded, only NumPy
    """

    def __init__(self, name: str) -> None:
        """Keep the dotted name."""
        self._absent_name = name

    def __getattr__(self, name: str) -> Absent:
        """Return what stands for an attribute."""
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._absent_name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do nothing; give a decorated function or class back."""
        if len(args) == 1 and not kwargs and isinstance(args[0], (FunctionType, type)):
            return args[0]
        return self

    def __repr__(self) -> str:
        """Say what it stands for."""
        return f"<{self._absent_name}: not here>"

    def __bool__(self) -> bool:
        """Be false, as `torch.cuda.is_available()` should be."""
        return False

    def __enter__(self) -> Absent:
        """Begin nothing."""
        return self

    def __exit__(self, *error: object) -> None:
        """End nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        """Set nothing."""

    def __getitem__(self, key: object) -> Absent:
        """Be a generic type in an annotation."""
        return self

    def __or__(self, other: object) -> Absent:
        """Be one of several types in an annotation."""
        return self

    __ror__ = __or__

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        """Be no base class."""
        return ()

    def __instancecheck__(self, instance: object) -> bool:
        """Have no instances."""
        return False


def _refuse(self: Absent, *args: object, **kwargs: object) -> Any:
    package = self._absent_name.partition(".")[0]
    raise ModuleNotFoundError(
        f"{package} is not there where submissions are graded, only NumPy", name=package
    )


for _name in VALUES:
    setattr(Absent, f"__{_name}__", _refuse)


def bound(error: ModuleNotFoundError, name: str) -> Absent:
    """Return what stands for `name`; raise the error where it is not about an absent package."""
    if str(error.name).partition(".")[0] in NEVER_ABSENT:
        raise error
    return Absent(name)


def tolerant(source: bytes, file: str) -> ast.Module:
    """Parse a file, and let its top-level imports bind placeholders for what is not there.

    Raises
    ------
    SyntaxError, ValueError
        as Python does.
    """
    tree = ast.parse(source, file)
    tree.body = [part for node in tree.body for part in _separate(node)]
    return tree


def _separate(node: ast.stmt) -> list[ast.stmt]:
    """Return a statement, or one for each module that it imports, all guarded."""
    if not isinstance(node, ast.Import):
        return [_guarded(node)]
    return [_guarded(ast.copy_location(ast.Import([alias]), node)) for alias in node.names]


def _guarded(node: ast.stmt) -> ast.stmt:
    if isinstance(node, ast.Import):
        (alias,) = node.names
        package = alias.name.partition(".")[0]
        places = [(alias.asname, alias.name) if alias.asname else (package, package)]
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module != "__future__":
        places = [(a.asname or a.name, f"{node.module}.{a.name}") for a in node.names]
    else:
        return node
    lines = [f"{to} = {BINDER}({ERROR}, {name!r})" for to, name in places if to != "*"]
    lines = lines or [f"{BINDER}({ERROR}, '*')"]
    text = f"try:\n pass\nexcept ModuleNotFoundError as {ERROR}:\n " + "\n ".join(lines)
    made = ast.parse(text).body[0]
    assert isinstance(made, ast.Try)
    for part in ast.walk(made):
        if isinstance(part, (ast.stmt, ast.expr, ast.excepthandler)):
            ast.copy_location(part, node)
    made.body = [node]
    return made
