"""Derive what a student receives from the library's own source.

The starter is the reference with each body emptied by its syntax tree: signature and docstring
stay, the body goes and every comment in it. Of a class its decorators, docstring, public
attributes and methods stay, each method emptied as a function is; private methods and attributes
are part of the solution, and so are a function's decorators. The solution is the same functions and
classes whole. So a starter cannot drift from its solution, and there is no second copy to keep.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidl.errors import ArgumentError, expected
from minidl.grading.syntax import parse


@dataclass(frozen=True)
class Reference:
    """The source of the functions and classes an assignment asks for.

    Parameters
    ----------
    names : the tasks' functions and classes, in the assignment's order.
    imports : those import statements of their modules that they need, as text.
    helpers : what else they need from their modules (constants, small functions), as text.
    functions : for each task's function or class its source, comments and decorators included.
    """

    names: tuple[str, ...]
    imports: tuple[str, ...]
    helpers: tuple[str, ...]
    functions: Mapping[str, str]

    @classmethod
    def read(cls, targets: Sequence[str], folder: Path) -> Reference:
        """Collect what targets like "minidl.kernels.batch_norm_numpy:forward" name.

        Parameters
        ----------
        targets : module:function each, or "module:function as name" where students write it under
            another name; the module `solution` is solution.py in `folder`.
        folder : the assignment's folder.

        Raises
        ------
        ArgumentError
            for a module, function or class that is not there, or one without a docstring.
        """
        imports: list[str] = []
        helpers: list[str] = []
        functions: dict[str, str] = {}
        modules: dict[str, dict[str, str]] = {}
        for target in targets:
            module, name = target.split(":")[0], target_name(target)
            modules.setdefault(module, {})[name] = target.partition(":")[2].split()[0]
        for module, names in modules.items():
            source = Source(module, _module_path(module, folder))
            functions |= {name: source.definition(own, name) for name, own in names.items()}
            imports += [line for line in source.imports(names.values()) if line not in imports]
            helpers += source.helpers(names.values())
        order = tuple(target_name(target) for target in targets)
        return cls(order, tuple(imports), tuple(helpers), functions)

    def kind(self, name: str) -> str:
        """Return "function" or "class"."""
        return (
            "class" if isinstance(_definition(self.functions[name]), ast.ClassDef) else "function"
        )

    def parameters(self, name: str) -> list[str]:
        """Return the names of a function's parameters, or of those of a class's `__init__`."""
        node = _definition(self.functions[name])
        if isinstance(node, ast.FunctionDef):
            return [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
        made = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return [arg.arg for method in made for arg in method.args.args[1:]]

    def solution(self, header: str, instead: Mapping[str, str] | None = None) -> str:
        """Return a module of everything, whole; what is in `instead` replaced by that text."""
        texts = [(instead or {}).get(name, self.functions[name]) for name in self.names]
        return self._module(header, [*self.helpers, *texts])

    def starter(self, header: str, labels: Mapping[str, str]) -> str:
        """Return a module of everything, emptied; labels name each in what its bodies say."""
        return self._module(header, [emptied(self.functions[n], labels[n]) for n in self.names])

    def _module(self, header: str, parts: list[str]) -> str:
        head = f'"""{header.strip()}\n"""' if "\n" in header.strip() else f'"""{header.strip()}"""'
        body = "\n\n\n".join(part.rstrip("\n") for part in parts)
        return f"{head}\n\n" + "\n".join(self.imports) + f"\n\n\n{body}\n"


def target_name(target: str) -> str:
    """Return the name under which a student writes a target.

    Examples
    --------
    >>> target_name("solution:forward"), target_name("solution:forward as drop_block")
    ('forward', 'drop_block')
    """
    return target.partition(":")[2].partition(" as ")[2] or target.partition(":")[2]


def emptied(source: str, label: str) -> str:
    """Return what a student starts from: signatures and docstrings, with bodies that only raise.

    Parameters
    ----------
    source : the text of one function or class with docstrings on lines of their own.
    label : of the task ("batch_norm.backward"), for NotImplementedError.
    """
    node, lines = _definition(source), source.splitlines()
    if isinstance(node, ast.FunctionDef):
        return _emptied_function(node, lines, f"{label}: write this function")
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    docstring = node.body[0]
    parts = [_without_comments(lines, first, docstring.end_lineno)]
    for member in filter(_stays, node.body[1:]):
        if isinstance(member, ast.FunctionDef):
            parts += ["", _emptied_function(member, lines, f"{label}: write {member.name}")]
        else:
            parts.append(_without_comments(lines, member.lineno, member.end_lineno))
    return "\n".join(parts)


def _emptied_function(node: ast.FunctionDef, lines: list[str], label: str) -> str:
    """Return the lines of a function up to its docstring, and one line that raises."""
    first = node.lineno
    if node.col_offset:
        first = min([first, *(d.lineno for d in node.decorator_list)])
    head = node.body[0]
    documented = ast.get_docstring(node) is not None
    last = head.end_lineno if documented else head.lineno - 1
    body = f'{" " * node.col_offset}    raise NotImplementedError("{label}")'
    return f"{_without_comments(lines, first, last)}\n{body}"


def _without_comments(lines: list[str], first: int, last: int | None) -> str:
    """Return some lines of a text (the first is 1) without comments, which belong to the answer."""
    text = "\n".join(lines[first - 1 : last])
    comments = [t for t in _tokens(text) if t.type == tokenize.COMMENT]
    kept: list[str | None] = list(text.splitlines())
    for comment in comments:
        row, column = comment.start
        left = (kept[row - 1] or "")[:column].rstrip()
        kept[row - 1] = left or None
    return "\n".join(line for line in kept if line is not None)


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, IndentationError):
        return  # a signature without its body ends too early for a tokenizer, after its comments


def _stays(member: ast.stmt) -> bool:
    """Whether a part of a class is its signature: public attributes, public and special methods."""
    if isinstance(member, ast.FunctionDef):
        special = member.name.startswith("__") and member.name.endswith("__")
        return special or not member.name.startswith("_")
    targets = (
        member.targets if isinstance(member, ast.Assign) else [getattr(member, "target", None)]
    )
    return all(isinstance(t, ast.Name) and not t.id.startswith("_") for t in targets)


def _is_empty(starter: str) -> bool:
    """Whether every function in a text has a docstring at most, and a line that raises."""
    try:
        tree = parse(starter)
    except SyntaxError:
        return False
    bodies = [n.body for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    return all(
        isinstance(body[-1], ast.Raise) and all(isinstance(s, ast.Expr) for s in body[:-1])
        for body in bodies
    )


def _definition(source: str) -> ast.FunctionDef | ast.ClassDef:
    node = parse(source).body[0]
    if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        raise ArgumentError(expected("starter", "a function or class", type(node).__name__))
    return node


def _module_path(module: str, folder: Path) -> Path:
    if module == "solution":
        return folder / "solution.py"
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ArgumentError(expected("starter", "a module with Python source", module))
    return Path(spec.origin)


def _used(node: ast.stmt) -> set[str]:
    """Return the names that a definition takes from around it: not its parameters and locals."""
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    own |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return {name.id for name in names} - own


class Source:
    """The text and syntax tree of one module: the library's, an assignment's, a student's."""

    def __init__(self, name: str, path: Path) -> None:
        """Parse the text; raises ArgumentError where there is none, or it is no Python."""
        try:
            text = path.read_text(encoding="utf-8")
            self.body = parse(text).body
        except (OSError, SyntaxError, ValueError) as error:
            raise ArgumentError(expected(str(path), "a Python file", error)) from None
        self.name = name
        self.lines = text.splitlines()

    def text(self, node: ast.stmt) -> str:
        """Return a statement as it is written, decorators included."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        return "\n".join(self.lines[first - 1 : node.end_lineno])

    def definition(self, name: str, bearing: str) -> str:
        """Return the text of a function or class, docstrings on lines of their own, renamed."""
        node = self._defined().get(name)
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            wish = f"a function or class {name}"
            raise ArgumentError(expected("starter", wish, f"none in {self.name}"))
        text = re.sub(rf"^(def|class) {name}\b", rf"\1 {bearing}", self.text(node), flags=re.M)
        if not ast.get_docstring(node) or not _is_empty(emptied(text, name)):
            wish = f"{name} with a docstring on lines of its own"
            raise ArgumentError(expected("starter", wish, "none", self.name))
        return text

    def alone(self, name: str) -> str:
        """Return a module of one definition, with the imports and helpers it uses.

        Raises
        ------
        ArgumentError
            where there is no such definition.
        """
        if name not in self._defined():
            raise ArgumentError(expected(self.name, f"a definition of {name}", "none"))
        parts = [*self.imports([name]), *self.helpers([name]), self.text(self._defined()[name])]
        return "\n\n\n".join(parts) + "\n"

    def imports(self, names: Iterable[str]) -> list[str]:
        """Return the import statements that the named definitions and their helpers use."""
        defined = self._defined()
        used = {name for needed in self._needed(names) for name in _used(defined[needed])}
        return [
            self.text(node)
            for node in self.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            and used & {(part.asname or part.name).partition(".")[0] for part in node.names}
        ]

    def helpers(self, names: Iterable[str]) -> list[str]:
        """Return what the named definitions need of this module, directly or through each other."""
        needed = self._needed(names) - set(names)
        return [self.text(node) for name, node in self._defined().items() if name in needed]

    def _defined(self) -> dict[str, ast.stmt]:
        """Return what the module defines at its top level, by name."""
        defined: dict[str, ast.stmt] = {}
        for node in self.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                defined[node.name] = node
            elif isinstance(node, ast.Assign):
                defined |= {t.id: node for t in node.targets if isinstance(t, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                defined[node.target.id] = node
        return defined

    def _needed(self, names: Iterable[str]) -> set[str]:
        """Return the names, and those of all that they need of this module."""
        defined = self._defined()
        needed, todo = set(names), list(names)
        while todo:
            used = _used(defined[todo.pop()]) & set(defined)
            todo += used - needed
            needed |= used
        return needed
