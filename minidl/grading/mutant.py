"""Small systematic changes of a right function, to see what the checks would let through.

Unlike the named mistakes nobody chose these: every operator, every whole number and every return is
changed once. A mutant that keeps all its points is either a hole in the checks or the same function
in other words; certification lists it for somebody to look at.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield, for each mutant of a function, what was changed and the function's new source.

    + becomes -, * becomes /, and the other way round; a whole number becomes one larger; of what is
    returned the first changes its sign.

    Examples
    --------
    >>> for change, _ in mutants("def f(x):\\n    return x * 2"):
    ...     print(change)
    line 2: return x * 2 -> return -(x * 2)
    line 2: x * 2 -> x / 2
    line 2: 2 -> 3
    """
    tree = ast.parse(source)
    for position, node in enumerate(ast.walk(tree)):
        if _mutated(copy.deepcopy(node)) is None:
            continue
        changed = copy.deepcopy(tree)
        target = list(ast.walk(changed))[position]
        before = ast.unparse(target)
        _mutated(target)
        line = getattr(node, "lineno", 0)
        text = ast.unparse(ast.fix_missing_locations(changed))
        yield f"line {line}: {before} -> {ast.unparse(target)}", text


def _mutated(node: ast.AST) -> ast.AST | None:
    """Change a node in place and return it; None where there is nothing to change."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        node.op = SWAPS[type(node.op)]()
        return node
    if isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
        return node
    if isinstance(node, ast.Return) and node.value is not None:
        if isinstance(node.value, ast.Tuple):
            node.value.elts[0] = ast.UnaryOp(ast.USub(), node.value.elts[0])
        else:
            node.value = ast.UnaryOp(ast.USub(), node.value)
        return node
    return None
