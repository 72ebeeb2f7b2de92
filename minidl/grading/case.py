"""Where a check's inputs come from: a key, and the names of the assignment, check and case.

The public key is known to everybody and feeds `minidl check`. The hidden checks are the same
functions over inputs drawn from a secret that the instructor holds: whoever has the whole source in
hand still cannot know them, and a regrade with the same secret draws the same numbers.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np

PUBLIC = b"minidl: public inputs"
MOST_KNOWN = 4096
_known: dict[tuple[bytes, str, CodeType], np.ndarray] = {}


class Case:
    """The inputs of one case of one check.

    Parameters
    ----------
    key : the public key, or an instructor's secret.
    label : "batch_norm@1/batch_norm.backward/gradient_of_x".
    number : 0, 1, ...: the hidden checks go on to higher numbers, and so to more shapes.
    hidden : whether the key is a secret.

    Attributes
    ----------
    rng : numpy.random.Generator
        Philox, keyed with HMAC-SHA256(key, label/number).

    Examples
    --------
    >>> case = Case(PUBLIC, "batch_norm@1/batch_norm.forward/an_example", number=1)
    >>> case.normal(2, 3).shape, case.turn("first", "second")
    ((2, 3), 'second')
    """

    def __init__(self, key: bytes, label: str, number: int = 0, hidden: bool = False) -> None:
        """Key the generator."""
        digest = hmac.new(key, f"{label}/{number}".encode(), "sha256").digest()
        self._digest = digest
        self.number = number
        self.hidden = hidden
        self.rng = np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))

    def normal(
        self, *shape: int, mean: float = 0.0, scale: float = 1.0, dtype: Any = np.float64
    ) -> np.ndarray:
        """Return normally distributed numbers of the given shape."""
        return (mean + scale * self.rng.standard_normal(shape)).astype(dtype)

    def uniform(
        self, *shape: int, low: float = 0.0, high: float = 1.0, dtype: Any = np.float64
    ) -> np.ndarray:
        """Return numbers spread evenly between low and high."""
        return self.rng.uniform(low, high, shape).astype(dtype)

    def integer(self, low: int, high: int) -> int:
        """Return one whole number from low to high, both included."""
        return int(self.rng.integers(low, high, endpoint=True))

    def turn(self, *options: Any) -> Any:
        """Return the option whose turn it is: case 0 gets the first, case 1 the second, ..."""
        return options[self.number % len(options)]

    def once(self, name: str, work_out: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what `work_out` gives, from memory where this case has been here before.

        A class's submissions meet the same cases, and what is to come out is the same for all.

        Parameters
        ----------
        name : of what is worked out, different for each in one check.
        work_out : may depend on what the case has drawn, and on nothing that a student returned.
        """
        key = (self._digest, name, work_out.__code__)
        if key not in _known:
            if len(_known) >= MOST_KNOWN:
                del _known[next(iter(_known))]
            _known[key] = np.array(work_out())
            _known[key].flags.writeable = False
        return _known[key]
