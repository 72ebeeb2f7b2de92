"""Derive what a student receives from the library's own source.

The starter is the reference with each body emptied by its syntax tree: signature and docstring
stay, the body goes and every comment in it. The solution is the same functions whole. So a starter
cannot drift from its solution, and there is no second copy to keep.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidl.errors import ArgumentError, expected


@dataclass(frozen=True)
class Reference:
    """The source of the functions an assignment asks for.

    Parameters
    ----------
    names : the tasks' functions, in the assignment's order.
    imports : the import statements of their modules, as text.
    helpers : what else the functions need from their modules (constants, small functions), as text.
    functions : for each task's function its source, comments included.
    """

    names: tuple[str, ...]
    imports: tuple[str, ...]
    helpers: tuple[str, ...]
    functions: Mapping[str, str]

    @classmethod
    def read(cls, targets: Sequence[str], folder: Path) -> Reference:
        """Collect the functions that targets like "minidl.kernels.batch_norm_numpy:forward" name.

        Parameters
        ----------
        targets : module:function each, or "module:function as name" where students write it under
            another name; the module `solution` is solution.py in `folder`.
        folder : the assignment's folder.

        Raises
        ------
        ArgumentError
            for a module or function that is not there, or one without a docstring.
        """
        imports: list[str] = []
        helpers: list[str] = []
        functions: dict[str, str] = {}
        modules: dict[str, dict[str, str]] = {}
        for target in targets:
            module, name = target.split(":")[0], target_name(target)
            modules.setdefault(module, {})[name] = target.partition(":")[2].split()[0]
        for module, names in modules.items():
            text = _module_path(module, folder).read_text(encoding="utf-8")
            source = _Module(module, text)
            functions |= {name: source.function(own, name) for name, own in names.items()}
            imports += [line for line in source.imports(names.values()) if line not in imports]
            helpers += source.helpers(names.values())
        order = tuple(target_name(target) for target in targets)
        return cls(order, tuple(imports), tuple(helpers), functions)

    def parameters(self, name: str) -> list[str]:
        """Return the names of a function's parameters."""
        node = _only_function(self.functions[name])
        return [arg.arg for arg in node.args.args]

    def solution(self, header: str, instead: Mapping[str, str] | None = None) -> str:
        """Return a module of all functions, whole; those in `instead` replaced by that text."""
        texts = [(instead or {}).get(name, self.functions[name]) for name in self.names]
        return self._module(header, [*self.helpers, *texts])

    def starter(self, header: str, labels: Mapping[str, str]) -> str:
        """Return a module of all functions, emptied; labels give what each body says instead."""
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
    """Return a function's signature and docstring, with a body that only raises.

    Parameters
    ----------
    source : the text of one function with a docstring on lines of its own.
    label : what NotImplementedError says ("batch_norm.backward: write this function").
    """
    node = _only_function(source)
    docstring = node.body[0]
    kept = source.splitlines()[: docstring.end_lineno]
    # A comment between the signature and the docstring belongs to the body: it goes too.
    first = docstring.lineno - 1
    head = [line for i, line in enumerate(kept) if i >= first or not line.strip().startswith("#")]
    return "\n".join([*head, f'    raise NotImplementedError("{label}")'])


def _only_function(source: str) -> ast.FunctionDef:
    node = ast.parse(source).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise ArgumentError(expected("starter", "a function", type(node).__name__))
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


class _Module:
    """The text and syntax tree of one module of the library."""

    def __init__(self, name: str, text: str) -> None:
        """Parse the text."""
        self.name = name
        self.lines = text.splitlines()
        self.body = ast.parse(text).body

    def text(self, node: ast.stmt) -> str:
        """Return a statement as it is written."""
        return "\n".join(self.lines[node.lineno - 1 : node.end_lineno])

    def imports(self, names: Iterable[str]) -> list[str]:
        """Return the import statements that the named functions and their helpers use."""
        defined = self._defined()
        used = {name for needed in self._needed(names) for name in _used(defined[needed])}
        return [
            self.text(node)
            for node in self.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            and used & {(part.asname or part.name).partition(".")[0] for part in node.names}
        ]

    def function(self, name: str, bearing: str) -> str:
        """Return the text of a function that has a docstring on lines of its own, renamed."""
        for node in self.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                ends = [node.lineno, *(part.end_lineno for part in node.body[:1])]
                starts = [part.lineno for part in node.body[:2]]
                if ast.get_docstring(node) and all(
                    end is not None and start > end
                    for end, start in zip(ends, starts, strict=False)
                ):
                    return self.text(node).replace(f"def {name}(", f"def {bearing}(", 1)
                wish = f"{name} with a docstring on lines of its own"
                raise ArgumentError(expected("starter", wish, "none", self.name))
        raise ArgumentError(expected("starter", f"a function {name}", f"none in {self.name}"))

    def helpers(self, names: Iterable[str]) -> list[str]:
        """Return what the named functions need of this module, directly or through each other."""
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
