"""Does anything that is released contain a piece of a solution?

A piece is a span of two or more non-trivial statements that follow one another in a solution. It is
looked for in source, in comments and prose, in a notebook's cells and outputs, and in bytecode;
spaces, line breaks, comment signs and prompts make no difference.
"""

from __future__ import annotations

import ast
import dis
import html
import json
import marshal
import re
from collections.abc import Iterator, Mapping
from importlib.util import MAGIC_NUMBER
from itertools import pairwise
from types import CodeType
from typing import Any

from minidl.grading.syntax import parse

TRIVIAL_LENGTH = 12
PYC_HEADER = 16
NEAR = 200
NULLS = r"NULL(\|self)? \+ | \+ NULL(\|self)?"


def leaks(functions: Mapping[str, str], released: Mapping[str, str | bytes]) -> list[str]:
    """Return one sentence for each solution found in each released thing.

    Parameters
    ----------
    functions : the source of each function and class of the solution.
    released : by name, texts (source, a notebook's JSON, HTML) or bytes (a .pyc, or text).
    """
    found = []
    for label, content in released.items():
        for name, source in functions.items():
            if isinstance(content, bytes) and content.startswith(MAGIC_NUMBER):
                where = _in_bytecode(source, content)
            else:
                where = _in_text(source, content)
            if where:
                found.append(f"{label}: holds statements of {name}: {where}")
    return found


def statements(source: str) -> list[ast.stmt]:
    """Return the non-trivial simple statements of a function or class, in order.

    Trivial are docstrings, what neither computes nor calls, what is shorter than a dozen
    characters, and the attributes of a class, which are part of its starter.
    """
    simple = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)
    return [
        node
        for node in _in_bodies(parse(source))
        if isinstance(node, simple)
        and len(_squeezed(ast.unparse(node))) >= TRIVIAL_LENGTH
        and any(isinstance(part, (ast.BinOp, ast.Call)) for part in ast.walk(node))
    ]


def _in_bodies(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(node, ast.ClassDef) or isinstance(child, ast.FunctionDef):
            yield child
            yield from _in_bodies(child)


def _squeezed(text: str) -> str:
    """Drop comment signs, prompts and quote marks at the start of lines, and all white space."""
    lines = (re.sub(r"^[\s#>|.\-*]+", "", line) for line in text.splitlines())
    return re.sub(r"\s+", "", "".join(lines))


def _in_text(source: str, content: str | bytes) -> str:
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    released = [_squeezed(version) for version in _readings(text)]
    for first, second in pairwise(statements(source)):
        for one in _spellings(source, first):
            for two in _spellings(source, second):
                for version in released:
                    at = version.find(one)
                    if at >= 0 and two in version[at : at + len(one) + len(two) + NEAR]:
                        return f"{ast.unparse(first)}; {ast.unparse(second)}"
    return ""


def _spellings(source: str, statement: ast.stmt) -> set[str]:
    """Return a statement as it is written, and as Python would write it."""
    written = ast.get_source_segment(source, statement) or ""
    return {_squeezed(written), _squeezed(ast.unparse(statement))}


def _readings(text: str) -> Iterator[str]:
    """Yield a text as it is, unescaped, as the strings in its JSON, and as Python written anew."""
    yield text
    yield html.unescape(re.sub(r"<[^>]*>", "", text))
    try:
        yield "\n".join(_strings(json.loads(text)))
    except ValueError:
        pass
    else:
        return
    try:
        yield ast.unparse(parse(text))
    except (SyntaxError, ValueError):
        return


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _in_bytecode(source: str, content: bytes) -> str:
    """Look for the instructions of two neighbouring statements in a .pyc of this Python."""
    released = [
        [step for step, _ in _steps(code)] for code in _codes(marshal.loads(content[PYC_HEADER:]))
    ]
    whole = [pair for code in _codes(compile(source, "solution", "exec")) for pair in _steps(code)]
    for first, second in pairwise(statements(source)):
        lines = {*_lines(first), *_lines(second)}
        wanted = [step for step, line in whole if line in lines]
        for steps in released:
            spans = (steps[i : i + len(wanted)] for i in range(len(steps) - len(wanted) + 1))
            if any(span == wanted for span in spans):
                return f"{ast.unparse(first)}; {ast.unparse(second)}"
    return ""


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _steps(code: CodeType) -> list[tuple[tuple[str, str], int]]:
    """Return each instruction with the line it belongs to, without bookkeeping and jump targets.

    What Python adds or leaves out depending on whether it has seen the import (NULLs on the stack,
    methods looked up in two ways) goes too.
    """
    steps, line = [], code.co_firstlineno
    starts = dict(dis.findlinestarts(code))
    for step in dis.get_instructions(code):
        line = starts.get(step.offset) or line
        if step.opname not in ("RESUME", "CACHE", "NOP", "PUSH_NULL", "PRECALL"):
            argument = (
                "" if "JUMP" in step.opname else re.sub(r"[^\w.]|NULL|self", "", step.argrepr)
            )
            steps.append(((step.opname.replace("METHOD", "ATTR"), argument), line))
    return steps
