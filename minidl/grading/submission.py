"""Read what a student hands in: a .py file or a notebook, as data, whatever is in it.

A call that is wrong (no such file, a folder, a link, far too large) raises. A file that is there
but cannot be graded (empty, not text, not Python) is the student's work, and comes back with a
reason.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import os
import re
import stat
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.errors import ArgumentError, expected

LIMITS = {".py": 1_000_000, ".ipynb": 20_000_000}
IMPORTABLE = {"numpy", "numba", *sys.stdlib_module_names}
CELL_MAGICS_THAT_RUN_PYTHON = {"%%time", "%%timeit", "%%capture", "%%prun"}


@dataclass(frozen=True)
class Submission:
    """What was handed in.

    Parameters
    ----------
    name : the file's name.
    sha256 : of the file's bytes.
    source : Python, UTF-8 with line feeds; empty when there is a reason.
    reason : why it cannot be graded; "" when it can.
    """

    name: str
    sha256: str
    source: bytes
    reason: str = ""

    @classmethod
    def read(cls, path: str | Path) -> Submission:
        """Read a .py file or a notebook.

        Raises
        ------
        ArgumentError
            as `read_bytes` does.
        """
        path = Path(path)
        return cls.of(path.name, read_bytes(path))

    @classmethod
    def of(cls, name: str, data: bytes) -> Submission:
        """Read a file that is at hand: its name, whose ending says which kind it is, and bytes."""
        digest = hashlib.sha256(data).hexdigest()
        try:
            text = _text(data)
            if name.endswith(".ipynb"):
                text = notebook_source(text)
            _demand_python(text)
        except _Ungradable as reason:
            return cls(name, digest, b"", str(reason))
        return cls(name, digest, text.encode())


class _Ungradable(Exception):
    """Why a file that is there cannot be graded."""


def read_bytes(path: Path) -> bytes:
    """Return what a .py file or a notebook holds, read once.

    Raises
    ------
    ArgumentError
        when there is no such file, or it is a folder, a link, another kind of file, larger than
        1 MB (20 MB for a notebook), or changed while it was read.
    """
    limit = LIMITS.get(path.suffix)
    if limit is None and not path.is_dir():
        raise ArgumentError(expected("submission", "a .py file or a notebook", str(path)))
    try:
        with open(path, "rb", opener=_open_safely) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OSError(0, "not an ordinary file")
            data = file.read((limit or 0) + 1)
            after = os.fstat(file.fileno())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        why = "a link" if path.is_symlink() else why.lower()
        wish = "a file that can be read"
        raise ArgumentError(expected("submission", wish, f"{path} ({why})")) from None
    if len(data) > (limit or 0):
        wish = f"at most {(limit or 0) // 1_000_000} MB"
        got = f"{path} ({path.stat().st_size / 1e6:.0f} MB)"
        hint = "hand in your code alone, without data or pictures"
        raise ArgumentError(expected("submission", wish, got, hint))
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        wish = "a file that stays as it is while it is read"
        hint = "run this again when it has been written"
        raise ArgumentError(expected("submission", wish, f"{path}, which changed", hint))
    return data


def _open_safely(path: str, flags: int) -> int:
    """Open without following a link and without waiting for the other end of a pipe."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags)


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Ungradable(f"the file is not UTF-8 text (line {line})") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise _Ungradable("the file is empty")
    return text


def _demand_python(text: str, where: str = "") -> ast.Module:
    """Parse, or say in which line Python stops understanding it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        at = f" in {where}line {error.lineno}" if error.lineno else ""
        raise _Ungradable(f"syntax error{at}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _Ungradable(f"{where}not Python ({type(error).__name__})") from None


def notebook_source(text: str) -> str:
    """Return the definitions of a notebook's code cells as one source.

    Functions, classes, imports of what a worker has, and plain constants stay; magics, calls,
    plots and experiments between them do not, nor what is made of them, so that a picture that
    cannot be drawn costs nothing.
    """
    try:
        cells = json.loads(text)["cells"]
        codes = [_joined(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _Ungradable("the file is not a notebook (version 4 JSON with cells)") from None
    parts = []
    known = {*dir(builtins), "__name__"}
    for number, code in enumerate(codes, start=1):
        code = _without_magics(code.replace("\r\n", "\n"))
        lines = code.splitlines()
        for node in _demand_python(code, f"code cell {number}, ").body:
            if _defines(node) and (_needs(node) <= known or "*" in known):
                known |= _binds(node)
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
                parts.append("\n".join(lines[first - 1 : node.end_lineno]))
    if not parts:
        raise _Ungradable("the notebook has no code cell that defines anything")
    return "\n\n\n".join(parts) + "\n"


def _joined(source: Any) -> str:
    joined = source if isinstance(source, str) else "".join(source)
    return str(joined)


def _without_magics(code: str) -> str:
    """Blank out what only IPython understands, keeping the number of lines."""
    lines = code.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and first.split()[0] not in CELL_MAGICS_THAT_RUN_PYTHON:
        return ""
    magic = re.compile(r"\s*(%{1,2}[A-Za-z]|![^=]|\?|[\w.]+\?{1,2}\s*$)")
    return "\n".join(re.sub(r"\S.*", "pass", line) if magic.match(line) else line for line in lines)


def _defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return not node.level and str(node.module).partition(".")[0] in IMPORTABLE
    if isinstance(node, ast.Import):
        return all(alias.name.partition(".")[0] in IMPORTABLE for alias in node.names)
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return not any(isinstance(part, (ast.Call, ast.Await)) for part in ast.walk(node))
    return isinstance(node, (ast.FunctionDef, ast.ClassDef))


def _needs(node: ast.AST) -> set[str]:
    """Return the names that must exist when this is executed; functions' bodies run later."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        arguments = [part for part in ast.walk(node.args) if isinstance(part, ast.arg)]
        eager = [*getattr(node, "decorator_list", []), getattr(node, "returns", None)]
        eager += [*node.args.defaults, *node.args.kw_defaults, *(a.annotation for a in arguments)]
        return set().union(*(_needs(part) for part in eager if part is not None))
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    names: set[str] = set().union(*map(_needs, ast.iter_child_nodes(node)))
    if isinstance(node, ast.ClassDef):
        return names.difference(*map(_binds, node.body))
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return names.difference(*(_binds(generator) for generator in node.generators))
    return names


def _binds(node: ast.AST) -> set[str]:
    """Return the names that exist once this is executed; "*" for an import of everything."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    stored = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return {part.id for part in stored if isinstance(part.ctx, ast.Store)}
