"""Python source as a tree, for the threads of one process in turn.

CPython 3.11 counts how deep a tree is in one place for all threads: where the collector of garbage
lets another one run in the middle, `ast.parse` ends in SystemError, whatever the source.
"""

from __future__ import annotations

import ast
import threading

_turn = threading.RLock()  # again in the same thread, where the collector calls what parses


def parse(source: str | bytes, name: str = "<unknown>") -> ast.Module:
    """Return `ast.parse(source, name)`.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        as Python does.
    """
    with _turn:
        return ast.parse(source, name)
