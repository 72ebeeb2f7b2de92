"""One call as a diagnosis sees it: arguments and results by name, the axes and what they count."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.grading import axes
from minidl.grading.assignment import Assignment
from minidl.grading.check import Call
from minidl.grading.compare import tolerance
from minidl.grading.syntax import parse


@dataclass(frozen=True)
class Setting:
    """What is known about the call whose result is wrong.

    Parameters
    ----------
    arguments : by the reference's parameter names.
    shapes : for arguments and results, the names of their axes, as far as documented.
    returned, right : the student's results and the reference's, by name.
    twins : other calls in which the same result is wrong: what explains one should explain them.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    returned: Mapping[str, np.ndarray] = field(default_factory=dict)
    right: Mapping[str, np.ndarray] = field(default_factory=dict)
    twins: tuple[Setting, ...] = ()

    @property
    def lengths(self) -> dict[str, int]:
        """The length of each axis with a name."""
        return axes.sizes(self.shapes, self.arguments)

    @property
    def numbers(self) -> dict[str, Any]:
        """The arguments that are plain numbers, but for shares that cannot be told apart."""
        plain = {k: v for k, v in self.arguments.items() if type(v) in (int, float)}
        values = list(plain.values())
        return {k: v for k, v in plain.items() if type(v) is int or values.count(v) == 1}

    def wrong(self, name: str) -> np.ndarray | None:
        """Return where a result is wrong; None where its shape is, or where nothing is."""
        got, want = self.returned.get(name), self.right.get(name)
        if got is None or want is None or got.shape != want.shape:
            return None
        with np.errstate(all="ignore"):
            off = np.abs(got.astype(np.float64) - want)
        mask = ~(off <= tolerance(want)) & ~(np.isnan(got) & np.isnan(want))
        return mask if mask.any() else None

    def axis(self, name: str, axis: int) -> str:
        """Return "axis 1 (c)" for an axis of an argument or a result."""
        return axes.called(axis, self.shapes.get(name, ()))

    def alongside(self, name: str, want: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each argument, and each other right result, that can stand beside a result.

        Arrays of the result's shape come as they are; vectors are lined up with the axis of the
        same name, or failing names with the one axis of the same length.
        """
        others = {k: v for k, v in self.right.items() if k != name}
        for key, value in (*self.arguments.items(), *others.items()):
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
                lined = self._lined_up(key, value, name, want)
                if lined is not None:
                    yield key, lined.astype(np.float64)

    def _lined_up(
        self, key: str, value: np.ndarray, name: str, want: np.ndarray
    ) -> np.ndarray | None:
        if value.shape == want.shape:
            return value
        if value.ndim != 1 or want.ndim < 2:
            return None
        fitting = [axis for axis in range(want.ndim) if want.shape[axis] == len(value)]
        names: Sequence[str] = self.shapes.get(name, ())
        own = self.shapes.get(key, ())
        if len(own) == 1 and len(names) == want.ndim:
            fitting = [axis for axis in fitting if names[axis] == own[0]]
        if len(fitting) != 1:
            return None
        shape = [1] * want.ndim
        shape[fitting[0]] = len(value)
        return value.reshape(shape)


NOTHING = Setting()


def of_call(assignment: Assignment, call: Call, right: Any) -> Setting:
    """Return the setting of a call that an assignment's check made; `right` is the reference's."""
    names = assignment.returns[call.function]
    return Setting(
        arguments(assignment, call),
        documented(assignment, call.function),
        dict(zip(names, arrays(call.returned), strict=False)),
        dict(zip(names, arrays(right), strict=False)),
    )


def arguments(assignment: Assignment, call: Call) -> dict[str, Any]:
    """Return a call's arguments by the reference's names."""
    names = assignment.parameters[call.function]
    return {**dict(zip(names, call.args, strict=False)), **call.kwargs}


def documented(assignment: Assignment, function: str) -> dict[str, tuple[str, ...]]:
    """Return the names of the axes of a function's arguments and results; none of a scenario's."""
    source = assignment.reference.functions.get(function, "")
    found = [n for n in parse(source).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    return axes.documented(ast.get_docstring(found[0]) or "") if found else {}


def arrays(returned: Any) -> tuple[np.ndarray, ...]:
    """Return what came back as a tuple of arrays; none for None."""
    if returned is None:
        return ()
    return (returned,) if isinstance(returned, np.ndarray) else tuple(returned)
