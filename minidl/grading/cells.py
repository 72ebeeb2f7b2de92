"""A notebook's code cells as one source: what they define, and nothing they merely try.

Functions, classes, imports, constants, and what these are made of stay. Magics, calls, plots and
experiments do not, so a cell that raises costs nothing, nor does a picture that cannot be drawn; a
cell that Python does not understand is left out by itself. What a statement needs may stand in a
later cell. Of two definitions of one name the last one wins, as it does in the notebook.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import symtable
import warnings
from collections.abc import Collection, Iterator
from typing import Any

from minidl.grading.syntax import parse

# Anything else after %% is taken for Python, and left out where it is not.
OTHER_LANGUAGES = ["bash", "cmd", "file", "html", "javascript", "js", "latex", "markdown", "perl"]
OTHER_LANGUAGES += ["ruby", "script", "sh", "svg", "system", "writefile"]
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
CONTAINERS = (ast.Tuple, ast.List, ast.Set, ast.Dict)
SIGNS = (ast.UnaryOp, ast.unaryop)
PLAIN = (ast.Assign, ast.AnnAssign, ast.Constant, ast.Name, ast.expr_context, *CONTAINERS, *SIGNS)
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
MOST_NOTES = 20
MOST_BYTES = 1_000_000
MOST_BRACES, MOST_IN_A_LINE = 20_000, 2_000
MOST_CELLS, MOST_STATEMENTS = 50_000, 20_000
MOST_PASSES = 100


class NoNotebook(ValueError):
    """Text that holds no notebook, or one without a definition; the message says so."""


def notebook_source(text: str, wanted: Collection[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Return the source of a notebook's definitions, and notes about cells that were left out.

    Parameters
    ----------
    text : JSON, version 4 of the format.
    wanted : names that are asked for: `forward = Forward()` is an experiment unless it is one.

    Raises
    ------
    NoNotebook
        when the text is no notebook, or nothing in it defines anything.
    """
    try:
        cells = json.loads(text)["cells"]
        codes = [_joined(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NoNotebook("the file is not a notebook (version 4 JSON with cells)") from None
    if reason := too_much("\n".join(codes)):
        raise NoNotebook(reason)
    if len(codes) > MOST_CELLS:
        raise NoNotebook(f"more than {MOST_CELLS} code cells")
    found: list[_Statement] = []
    notes: list[str] = []
    for number, code in enumerate(codes, start=1):
        try:
            found += _statements(code.replace("\r\n", "\n").replace("\r", "\n"))
        except NOT_PYTHON as error:
            notes.append(_left_out(number, error))
        if len(found) > MOST_STATEMENTS:
            raise NoNotebook(f"more than {MOST_STATEMENTS} statements")
    parts = [statement.text for statement in _in_order(_chosen(found, wanted))]
    if not parts:
        hint = f"; {notes[0]}" if notes else ""
        raise NoNotebook(f"the notebook has no code cell that defines anything{hint}")
    return "\n\n\n".join(parts) + "\n", tuple(notes[:MOST_NOTES])


def too_much(code: str) -> str:
    """Return why code is not even parsed, "" when it is.

    Python 3.11 takes time that grows as the square of the expressions in an f-string.
    """
    if len(code) > MOST_BYTES:
        return f"more than {MOST_BYTES // 1_000_000} MB of code"
    if code.count("{") > MOST_BRACES:
        return f"more than {MOST_BRACES} braces in the code"
    if any(line.count("{") > MOST_IN_A_LINE for line in code.split("\n")):
        return f"more than {MOST_IN_A_LINE} braces in a line"
    return ""


def _joined(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def _left_out(number: int, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        line = f", line {error.lineno}" if error.lineno else ""
        return f"code cell {number}{line} was left out: {error.msg}"
    return f"code cell {number} was left out: not Python ({type(error).__name__})"


def without_magics(code: str) -> str:
    """Blank out what only IPython understands, keeping the number of lines."""
    lines = code.split("\n")
    first = next((line.split()[0] for line in lines if line.strip()), "")
    if first.startswith("%%") and first[2:] in OTHER_LANGUAGES:
        return ""
    magic = re.compile(r"\s*(%{1,2}[A-Za-z]|![^=]|\?|[\w.]+\?{1,2}\s*$|\w+\s*=\s*[%!][A-Za-z])")
    return "\n".join(re.sub(r"\S.*", "pass", line) if magic.match(line) else line for line in lines)


def _parsed(code: str) -> tuple[ast.Module, str]:
    """Parse a cell as it is, or else without its magics; return the text that was parsed, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return parse(code), code
        except NOT_PYTHON:
            plain = without_magics(code)
            return parse(plain), plain


class _Statement:
    """One statement of a cell: its text, the names it binds, and those it needs when executed."""

    def __init__(self, node: ast.stmt, text: str) -> None:
        self.node, self.text = node, text
        self.binds = _binds(node)
        self.needs = _needs(node) - (self.binds if isinstance(node, (ast.Try, ast.If)) else set())

    @property
    def first(self) -> bool:
        """Whether it must stand at the top of a file."""
        return isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"


def _statements(code: str) -> Iterator[_Statement]:
    tree, code = _parsed(code)
    lines = code.split("\n")
    starts = [0, *map(_first_line, tree.body), len(lines) + 1]
    ends = [0, *(node.end_lineno or 0 for node in tree.body), 0]
    for place, node in enumerate(tree.body, start=1):
        if not _defines(node):
            continue
        alone = ends[place - 1] < starts[place] and ends[place] < starts[place + 1]
        if _computes(node):  # it may raise here, though it did not in the notebook
            text = _guarded(node)
        elif alone and node.col_offset == 0:
            text = "\n".join(lines[starts[place] - 1 : ends[place]])
        else:
            text = ast.unparse(node)
        yield _Statement(node, text)


def _guarded(node: ast.stmt) -> str:
    nothing = parse("try:\n    pass\nexcept Exception:\n    pass").body[0]
    assert isinstance(nothing, ast.Try)
    nothing.body = [node]
    return ast.unparse(nothing)


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])


def _defines(node: ast.stmt) -> bool:
    """Whether a statement can be part of a definition; a block is when all of it is."""
    if isinstance(node, ast.Try):
        parts = [*node.body, *node.orelse, *(s for h in node.handlers for s in h.body)]
        return not node.finalbody and all(map(_defines, parts))
    if isinstance(node, ast.If):
        return all(map(_defines, [*node.body, *node.orelse]))
    if isinstance(node, ast.ImportFrom):
        return not node.level
    return isinstance(node, (*DEFINITIONS, *ASSIGNMENTS, ast.Import, ast.Pass))


def _computes(node: ast.stmt) -> bool:
    """Whether an assignment is more than names for constants: whether it could raise."""
    plain = all(isinstance(part, PLAIN) for part in ast.walk(node)) and not _needs(node)
    return isinstance(node, ASSIGNMENTS) and not plain


def _calls(node: ast.AST) -> bool:
    return any(isinstance(part, (ast.Call, ast.Await)) for part in ast.walk(node))


def _chosen(found: list[_Statement], wanted: Collection[str]) -> list[_Statement]:
    """Leave out what is computed and neither wanted nor used by a function that stays.

    A function that nobody asked for, with a default value that is computed, is guarded as well.
    """
    computed: dict[str, list[_Statement]] = {}
    certain = set()
    names = list(wanted)
    for statement in found:
        # What changes an object (`Layer.call = call`) has no name by which it could be needed.
        if _computes(statement.node) and (statement.binds or _calls(statement.node)):
            for name in statement.binds:
                computed.setdefault(name, []).append(statement)
        else:
            certain.add(statement)
            names += _globals(statement.node) | statement.needs
    for statement in certain:
        extra = isinstance(statement.node, DEFINITIONS) and not statement.binds & set(wanted)
        if extra and statement.needs & computed.keys():
            statement.text = _guarded(statement.node)
    while names:
        for statement in computed.pop(names.pop(), ()):
            if statement not in certain:
                certain.add(statement)
                names += statement.needs
    return [statement for statement in found if statement in certain]


def _in_order(chosen: list[_Statement]) -> list[_Statement]:
    """Put each statement behind what it needs; leave out what needs something that is nowhere."""
    ready = [s for s in chosen if s.first]
    known = {*dir(builtins), "__name__"}
    waiting = [s for s in chosen if not s.first]
    for _ in range(MOST_PASSES):
        last = {name: place for place, s in enumerate(waiting) for name in s.binds}
        again = []
        for place, statement in enumerate(waiting):
            if statement.needs <= known or "*" in known:
                ready.append(statement)
                known |= statement.binds
            elif all(last[name] == place for name in statement.binds):
                again.append(statement)  # where it is not the last one, the last one wins anyway
        if len(again) == len(waiting):
            break
        waiting = again
    return ready


def _globals(node: ast.stmt) -> set[str]:
    """Return the names that functions look up in their module, when they are called."""
    try:
        tables = [symtable.symtable(ast.unparse(node), "cell", "exec")]
    except NOT_PYTHON:
        return set()
    found: set[str] = set()
    while tables:
        table = tables.pop()
        if isinstance(table, symtable.Function):  # a class needs its names when it is made
            found |= set(table.get_globals())  # of twenty thousand methods symbols take hours
        tables += table.get_children()
    return found


def _needs(node: ast.AST) -> set[str]:
    """Return the names that must exist when this is executed; functions' bodies run later."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        arguments = [part for part in ast.walk(node.args) if isinstance(part, ast.arg)]
        eager = [*getattr(node, "decorator_list", []), getattr(node, "returns", None)]
        eager += [*node.args.defaults, *node.args.kw_defaults, *(a.annotation for a in arguments)]
        return set().union(*(_needs(part) for part in eager if part is not None))
    if isinstance(node, ast.AugAssign):
        return _names(node.target) | _needs(node.value)
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    names: set[str] = set().union(*map(_needs, ast.iter_child_nodes(node)))
    if isinstance(node, ast.ClassDef):
        return names.difference(*map(_binds, node.body))
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return names.difference(*(_binds(generator) for generator in node.generators))
    return names


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _binds(node: ast.AST) -> set[str]:
    """Return the names that exist once this is executed; "*" for an import of everything."""
    if isinstance(node, DEFINITIONS):
        return {node.name}
    if isinstance(node, IMPORTS):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, (ast.Try, ast.If, ast.ExceptHandler)):
        return set().union(*map(_binds, ast.iter_child_nodes(node)))
    stored = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return {part.id for part in stored if isinstance(part.ctx, ast.Store)}
