"""How the demo says that a claim of its own did not hold."""

from __future__ import annotations

from minidl.errors import MinidlError


class DemoFailure(MinidlError, AssertionError):
    """Something the demo shows was measured and is not so; `minidl demo` then exits with 1."""


def require(holds: bool, message: str) -> None:
    """Raise DemoFailure with `message` unless it holds."""
    if not holds:
        raise DemoFailure(f"demo: {message}")
