"""How a submission's functions are named and called, read from its syntax tree, never run."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence

from minidl.grading.finding import Finding
from minidl.grading.syntax import parse

MOST_NAMES = 1000  # to compare with one that is missing; a file may define fifty thousand


class Signatures:
    """The functions and classes of a submission.

    Parameters
    ----------
    source : the submission's bytes; text that does not parse has none.
    """

    def __init__(self, source: bytes) -> None:
        """Parse the source."""
        try:
            self._tree = parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self._tree = ast.Module([], [])
        self._missing: dict[str, Finding | None] = {}

    def missing(self, name: str) -> Finding | None:
        """Say what there is instead of a function that is missing: a near miss, or one too deep."""
        if name not in self._missing:
            self._missing[name] = self._instead_of(name)
        return self._missing[name]

    def _instead_of(self, name: str) -> Finding | None:
        made = [n for n in self._tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        names = {node.name: node.lineno for node in made[:MOST_NAMES]}
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
        lower = [other for other in names if other.lower() == name.lower()]
        for other in lower or close:
            return Finding(
                f"there is no {name}, but there is `{other}` (line {names[other]}).",
                f"Is `{other}` meant to be {name}?",
            )
        for node in ast.walk(self._tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
                return Finding(
                    f"there is no {name} at the left margin; the one in line {node.lineno} stands "
                    "inside something else.",
                    f"Which line above `def {name}` ends in a colon and takes it in?",
                )
        return None

    def unlike(self, name: str, wanted: Sequence[str]) -> Finding | None:
        """Say how a function's parameters differ from the arguments that are passed, by position.

        Parameters
        ----------
        name : of the function.
        wanted : the names of the arguments, in order.

        Returns
        -------
        Finding or None
            None where as many come as go, in no other order.
        """
        own = self._parameters(name)
        if own is None or own == list(wanted):
            return None
        takes, comes = f"({', '.join(own)})", f"({', '.join(wanted)})"
        if self._too_few(name, len(wanted)) or self._too_many(name, len(wanted)):
            counts = f"takes {len(own)} arguments {takes}, and is called with {len(wanted)}"
            return Finding(f"{name} {counts} {comes}.", _COPY)
        moved = [
            (p, w) for p, w in zip(own, wanted, strict=False) if p != w and p in wanted and w in own
        ]
        if moved:
            seen = f"{name} takes {takes}, and is called with {comes}, by position"
            return Finding(f"{seen}: {moved[0][0]} receives {moved[0][1]}.", _COPY)
        return None

    def misnamed(self, name: str, wanted: Sequence[str]) -> str:
        """Say which parameter's name tells of another quantity: std where inv_std comes."""
        for own, other in zip(self._parameters(name) or (), wanted, strict=False):
            if own != other and len(own) > 1 and (own in other or other in own):
                return f"Your {name} has a parameter {own}, and what comes there is {other}."
        return ""

    def _function(self, name: str) -> ast.FunctionDef | None:
        found = [n for n in self._tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
        return found[-1] if found else None

    def _parameters(self, name: str) -> list[str] | None:
        """Return the names of the positional parameters; None where *args takes any number."""
        node = self._function(name)
        if node is None or node.args.vararg:
            return None
        return [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]

    def _too_few(self, name: str, count: int) -> bool:
        return len(self._parameters(name) or ()) < count

    def _too_many(self, name: str, count: int) -> bool:
        node = self._function(name)
        if node is None:
            return False
        return len(self._parameters(name) or ()) - len(node.args.defaults) > count


_COPY = "Which parameters does the starter's `def` line have, and in which order?"
