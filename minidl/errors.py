"""The exceptions a user meets, and the shape checks that raise them.

Every message has one form: `operation: expected ..., got ...; what to do`.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any


class MinidlError(Exception):
    """Anything minidl refuses to do; the message says what was expected, what came, what to do."""


class ShapeError(MinidlError, ValueError):
    """An array of the wrong rank, shape or size."""


class DTypeError(MinidlError, TypeError):
    """An array or value of the wrong type."""


class ArgumentError(MinidlError, ValueError):
    """A number, name or file outside what the operation accepts."""


class AutogradError(MinidlError, RuntimeError):
    """The tape was used in a way that cannot give a right gradient."""


def expected(op: str, wanted: str, got: object, hint: str = "") -> str:
    """Return the house form of a message: `op: expected wanted, got got; hint`."""
    return f"{op}: expected {wanted}, got {got}" + (f"; {hint}" if hint else "")


def check_rank(op: str, name: str, shape: Sequence[int], axes: str, hint: str = "") -> None:
    """Raise ShapeError unless `shape` has one entry for each letter in `axes` ("n c h w")."""
    if len(shape) != len(axes.split()):
        wanted = f"{name} of shape ({', '.join(axes.split())})"
        raise ShapeError(expected(op, wanted, tuple(shape), hint))


def check_size(
    op: str, name: str, shape: Sequence[int], wanted: Sequence[int], hint: str = ""
) -> None:
    """Raise ShapeError unless `shape` equals `wanted`."""
    if tuple(shape) != tuple(wanted):
        raise ShapeError(expected(op, f"{name} of shape {tuple(wanted)}", tuple(shape), hint))


def check_range(op: str, name: str, value: float, low: float, high: float) -> None:
    """Raise ArgumentError unless low <= value <= high (NaN is refused)."""
    if not isinstance(value, Real) or not low <= value <= high:
        raise ArgumentError(expected(op, f"{name} between {low} and {high}", value))


def check_sizes(op: str, **sizes: int) -> None:
    """Raise ArgumentError unless every size is an integer of at least 1."""
    for name, size in sizes.items():
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ArgumentError(expected(op, f"{name} as an integer of at least 1", repr(size)))


def check_floating(op: str, name: str, x: Any) -> None:
    """Raise DTypeError unless x is a Tensor (or array) of a floating type."""
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        raise DTypeError(
            expected(op, f"{name} as a Tensor", type(x).__name__, "wrap it: minidl.Tensor(data)")
        )
    if dtype.kind != "f":
        raise DTypeError(
            expected(
                op, f"{name} of a floating type", dtype, f"convert with {name}.astype(np.float32)"
            )
        )
