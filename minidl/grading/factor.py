"""Which natural number is it that a result is too large by: n, n * s, 1 - p, m / (m - 1), 2?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

CONSTANTS = {"2": 2.0, "3": 3.0, "4": 4.0, "the root of 2": math.sqrt(2), "pi": math.pi}
CONSTANTS |= {"2 pi": 2 * math.pi, "the root of 2 pi": math.sqrt(2 * math.pi), "e": math.e}
MOST_AXES = 3


def named(factor: float, lengths: Mapping[str, int], numbers: Mapping[str, Any]) -> list[str]:
    """Return in what natural ways a factor can be read.

    Parameters
    ----------
    factor : positive.
    lengths : of the axes, by name ("n": 5).
    numbers : the arguments that are plain numbers, by name ("p": 0.3); others are passed over.

    Returns
    -------
    list of str
        "n * s", "1 / (1 - p)", "m / (m - 1)", simplest first.

    Examples
    --------
    >>> named(20.0, {"n": 5, "c": 3, "s": 4}, {}), named(1 / 0.7, {}, {"p": 0.3})
    (['n * s'], ['1 / (1 - p)'])
    """
    found = []
    for words, inverse, value in _candidates(lengths, numbers):
        if math.isclose(value, 1, rel_tol=1e-3):
            continue
        if math.isclose(factor, value, rel_tol=1e-4):
            found.append(words)
        elif math.isclose(factor * value, 1, rel_tol=1e-4):
            found.append(inverse)
    return found


def _candidates(
    lengths: Mapping[str, int], numbers: Mapping[str, Any]
) -> Iterator[tuple[str, str, float]]:
    """Yield the words for a value, those for its inverse, and the value."""
    counts = {k: float(v) for k, v in numbers.items() if type(v) is int and v > 1}
    products: list[tuple[str, float]] = list(counts.items())
    for count in range(1, MOST_AXES + 1):
        for axes in combinations(lengths, count):
            product = math.prod(lengths[axis] for axis in axes)
            if product > 1 and all(lengths[axis] > 1 for axis in axes):
                products.append((" * ".join(axes), float(product)))
    for words, value in products:
        bare = words if words.isidentifier() else f"({words})"
        yield words, f"1 / {bare}", value
    yield from ((words, f"1 / {words}", value) for words, value in CONSTANTS.items())
    for words, value in products:
        bare = words if words.isidentifier() else f"({words})"
        yield f"sqrt({words})", f"1 / sqrt({words})", math.sqrt(value)
        yield f"{bare} / ({words} - 1)", f"({words} - 1) / {bare}", value / (value - 1)
    fractions = {k: v for k, v in numbers.items() if type(v) is float and v > 0}
    for words, value in fractions.items():
        yield words, f"1 / {words}", value
        yield f"{words}^2", f"1 / {words}^2", value * value
        yield f"sqrt({words})", f"1 / sqrt({words})", math.sqrt(value)
        if value < 1:
            yield f"(1 - {words})", f"1 / (1 - {words})", 1 - value
            yield f"(1 - {words})^2", f"1 / (1 - {words})^2", (1 - value) ** 2
            yield f"{words} / (1 - {words})", f"(1 - {words}) / {words}", value / (1 - value)
            yield f"sqrt(1 - {words})", f"1 / sqrt(1 - {words})", math.sqrt(1 - value)
