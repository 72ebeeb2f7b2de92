"""What the normalizations share: the kernels' view of arrays, and checks of arguments."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from minidl import backend
from minidl.errors import ArgumentError, DTypeError, check_floating, check_size, expected


def as_ncs(x: np.ndarray) -> np.ndarray:
    """View (n, c, *space) as (n, c, s)."""
    return x.reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:]))


def shaped(fresh: np.ndarray, shape: tuple[int, ...], family: str) -> np.ndarray:
    """Return a kernel's fresh array in another shape of the same size.

    The array itself where it owns its memory: the tape may then keep it as a gradient, where it
    would have to copy a view. An array from a module of the user's own may be kept by that module
    too, and is left as it is.
    """
    ours = not backend.brought(family)
    if not ours or not fresh.flags.owndata or not fresh.flags.c_contiguous:
        return fresh.reshape(shape)
    fresh.resize(shape, refcheck=False)
    return fresh


def check_eps(op: str, eps: float) -> None:
    """Raise ArgumentError unless eps is at least 0 and finite."""
    if not isinstance(eps, Real) or not 0 <= eps < np.inf:
        raise ArgumentError(expected(op, "eps of at least 0", eps))


def check_vectors(op: str, c: int, **vectors: Any) -> None:
    """Raise an error unless each vector is None or a floating (c,); statistics are arrays."""
    for name, vector in vectors.items():
        if vector is None:
            continue
        check_floating(op, name, vector)
        if name.startswith("running") and not isinstance(vector, np.ndarray):
            got = type(vector).__name__
            raise DTypeError(expected(op, f"{name} as an array", got, "pass .data"))
        hint = "build the layer with that many channels"
        check_size(op, name, vector.shape, (c,), hint)


def check_running(op: str, moved: bool, **running: Any) -> None:
    """Raise ArgumentError where one of the two is missing, or is to be moved and is read-only."""
    if len({value is None for value in running.values()}) > 1:
        wanted = f"both {' and '.join(running)}, or neither"
        raise ArgumentError(expected(op, wanted, "one of them"))
    for name, value in running.items():
        if moved and value is not None and not value.flags.writeable:
            wanted = f"{name} that training can move in place"
            raise ArgumentError(expected(op, wanted, "a read-only array", "pass a copy"))
