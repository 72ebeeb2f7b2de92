"""What is said to a student about one failed check, and how numbers and lists are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Finding(NamedTuple):
    """What was seen, the question that leads on, and the first wrong numbers beside the right."""

    seen: str
    question: str
    numbers: str = ""


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return "a, b and c".

    Examples
    --------
    >>> listed(["dbeta", "dgamma", "dx"]), listed(["dx"])
    ('dbeta, dgamma and dx', 'dx')
    """
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def of_axes(axes: Sequence[int]) -> str:
    """Return "axis 1", or "axes 0 and 2"."""
    return f"{'axis' if len(axes) == 1 else 'axes'} {listed([str(axis) for axis in axes])}"


def row(values: np.ndarray, digits: int = 5) -> str:
    """Return the numbers of a vector side by side."""
    return " ".join(f"{value:.{digits}g}" for value in values.tolist())
