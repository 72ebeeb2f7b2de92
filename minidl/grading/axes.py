"""What the axes of arrays are called, read from a docstring: "x : (n, c, s) float32 or float64"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ENTRY = re.compile(r"([A-Za-z_][\w', ]*?) : \(([^()]*)\)")


def documented(docstring: str) -> dict[str, tuple[str, ...]]:
    """Return the names of the axes of each array a docstring gives a shape for.

    Examples
    --------
    >>> documented("dx : (n, c, s), of the dtype of dy;  dgamma, dbeta : (c,), like gamma")
    {'dx': ('n', 'c', 's'), 'dgamma': ('c',), 'dbeta': ('c',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for names, axes in ENTRY.findall(docstring):
        shape = tuple(axis.strip() for axis in axes.split(",") if axis.strip())
        found |= {name.strip(): shape for name in names.split(",")}
    return found


def sizes(shapes: Mapping[str, tuple[str, ...]], arguments: Mapping[str, Any]) -> dict[str, int]:
    """Return the length of each axis that has one name and one length throughout.

    Examples
    --------
    >>> sizes({"x": ("n", "c"), "b": ("c",)}, {"x": np.zeros((5, 3)), "b": np.zeros(3)})
    {'n': 5, 'c': 3}
    """
    found: dict[str, int] = {}
    wrong = set()
    for name, value in arguments.items():
        axes = shapes.get(name, ())
        if isinstance(value, np.ndarray) and len(axes) == value.ndim:
            for axis, length in zip(axes, value.shape, strict=True):
                if found.setdefault(axis, length) != length:
                    wrong.add(axis)
    return {axis: n for axis, n in found.items() if axis.isidentifier() and axis not in wrong}


def called(axis: int, axes: Sequence[str]) -> str:
    """Return "axis 1 (c)", or "axis 1" where the docstring has no name for it."""
    name = axes[axis] if axis < len(axes) else ""
    return f"axis {axis} ({name})" if name.isidentifier() else f"axis {axis}"
