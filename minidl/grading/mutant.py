"""Small systematic changes of a right function or class, to see what the checks would let through.

Unlike the named mistakes nobody chose these. A mutant that keeps all its points is a hole in the
checks, to be closed by a better check, or the same thing in other words: then equivalents.toml says
why.

    [[equivalent]]
    task   = "backward"
    change = "m = max(n * s, 1) -> m = max(n * s, 2)"
    reason = "They differ for one value in all, whose gradient is 0 either way."
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from minidl.grading.syntax import parse

SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
EITHER_WAY = {"max", "min", "maximum", "minimum", "fmax", "add", "multiply", "logical_and"}
EITHER_WAY |= {"fmin", "logical_or", "hypot", "equal", "allclose", "vdot"}
DELETED = (ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.While, ast.Break, ast.Continue)


@dataclass(frozen=True)
class Mutant:
    """One change.

    Parameters
    ----------
    change : the statement before and after, "m = n * s -> m = n / s"; of a compound statement its
        first line.
    line : where, in the function's or class's own text.
    source : the text with the change in it.
    """

    change: str
    line: int
    source: str


@dataclass(frozen=True)
class Equivalent:
    """A mutant that nobody can tell from the reference, and why."""

    task: str
    change: str
    reason: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield each mutant of a function, or of a class's methods, once.

    Operators and comparisons are exchanged (+ and -, < and <=, and and or), conditions negated,
    whole numbers and fractions become one larger, True becomes False, axis 0 and others change
    places, and so do the first two arguments of a call (not of max and its like); a minus goes; a
    statement goes; of what is returned the first changes its sign, a condition is denied.

    Examples
    --------
    >>> for mutant in mutants("def f(x):\\n    return x * 2"):
    ...     print(mutant.change)
    return x * 2 -> return -(x * 2)
    return x * 2 -> return x / 2
    return x * 2 -> return x * 3
    """
    tree = parse(source)
    positions = {id(node): i for i, node in enumerate(ast.walk(tree))}
    seen = {ast.unparse(tree)}
    for node, statement in _parts(tree):
        for new in _variants(node):
            changed, place = copy.deepcopy(tree), positions[id(statement)]
            nodes = list(ast.walk(changed))
            _put(nodes, nodes[positions[id(node)]], new)
            text = ast.unparse(ast.fix_missing_locations(changed))
            if text not in seen:
                seen.add(text)
                after = "pass" if node is statement and isinstance(new, ast.Pass) else ""
                after = after or _first_line(list(ast.walk(changed))[place])
                yield Mutant(f"{_first_line(statement)} -> {after}", statement.lineno, text)


def _parts(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.stmt]]:
    """Yield what may be changed, with its statement: bodies without docstrings and errors."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _parts(node)
        elif isinstance(node, ast.FunctionDef):
            first = 0 if ast.get_docstring(node) is None else 1
            for statement in node.body[first:]:
                yield from _inside(statement, statement)


def _inside(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.stmt]]:
    if isinstance(node, (ast.Raise, ast.Assert, ast.arguments, ast.JoinedStr, ast.Import)):
        return
    if isinstance(node, ast.keyword) and node.arg == "strict":  # of zip: an assertion
        return
    yield node, statement
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    own = child if isinstance(child, ast.stmt) else statement
                    yield from _inside(child, own)


def _put(nodes: list[ast.AST], old: ast.AST, new: ast.AST) -> None:
    """Replace a node in whatever holds it."""
    for node in nodes:
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
                return
            if isinstance(value, list) and any(item is old for item in value):
                value[next(i for i, item in enumerate(value) if item is old)] = new
                return


def _first_line(statement: ast.AST) -> str:
    return ast.unparse(statement).splitlines()[0]


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in a node's place."""
    new = copy.deepcopy(node)
    if isinstance(new, DELETED):
        yield ast.Pass()
    if isinstance(new, (ast.If, ast.While, ast.IfExp)) and not isinstance(new.test, ast.UnaryOp):
        new.test = ast.UnaryOp(ast.Not(), new.test)
        yield new
    elif isinstance(new, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(new.op) in SWAPS:
        new.op = SWAPS[type(new.op)]()
        yield new
    elif isinstance(new, ast.Compare):
        for i, comparison in enumerate(new.ops):
            changed = copy.deepcopy(new)
            changed.ops[i] = SWAPS[type(comparison)]()
            yield changed
    elif isinstance(new, ast.UnaryOp) and isinstance(new.op, (ast.Not, ast.USub)):
        yield new.operand
    elif isinstance(new, ast.Call) and len(new.args) > 1 and _name(new.func) not in EITHER_WAY:
        new.args[:2] = new.args[1::-1]
        yield new
    elif isinstance(new, ast.keyword) and new.arg == "axis" and isinstance(new.value, ast.Constant):
        new.value = ast.Constant(0 if new.value.value else 1)
        yield new
    elif isinstance(new, ast.Return) and not isinstance(new.value, (ast.Constant, type(None))):
        yield _negative(new)
    elif isinstance(new, ast.Constant):
        yield from _numbers(new.value)


def _name(called: ast.expr) -> str:
    return ast.unparse(called).rpartition(".")[2]


def _negative(statement: ast.Return) -> ast.Return:
    """Change the sign of what is returned, of several values that of the first, or deny it."""
    value = statement.value
    if isinstance(value, ast.Tuple) and value.elts:
        value.elts[0] = ast.UnaryOp(ast.USub(), value.elts[0])
    elif value is not None:
        denied = isinstance(value, (ast.Compare, ast.BoolOp))
        statement.value = ast.UnaryOp(ast.Not() if denied else ast.USub(), value)
    return statement


def _numbers(value: object) -> Iterator[ast.Constant]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield ast.Constant(value + 1)
