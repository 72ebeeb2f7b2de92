"""What fuzzed calls are made of: sizes around the edges of tiles, numbers that break arithmetic."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

# Vectors of 4, 8 and 16 numbers, tiles of Winograd and of the matrix product, strips of pixels.
EDGES = (4, 8, 12, 16, 24, 32, 48, 64)

KINDS = ("normal", "ties", "offset", "denormal", "large", "nan", "inf", "huge")


class Given(NamedTuple):
    """An argument that follows from others, as a mean does, and is not to be changed by itself."""

    value: np.ndarray


def near(*edges):
    """Sizes of at most 9, or an edge, one less or one more."""
    beyond = {edge + step for edge in edges for step in (-1, 0, 1)} - set(range(10))
    small = st.integers(1, 9)
    return st.one_of(small, st.sampled_from(sorted(beyond))) if beyond else small


@st.composite
def shapes(draw, *axes, most):
    """One size from each strategy, cut so that their product is at most `most`."""
    sizes = []
    for axis in axes:
        room = most // max(int(np.prod(sizes)), 1)
        sizes.append(min(draw(axis), max(room, 1)))
    return tuple(sizes)


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def spoiled(rng, kind, arguments):
    """The same arguments with numbers of this kind put into their floating arrays."""
    return tuple(
        a.value
        if isinstance(a, Given)
        else _spoiled(rng, kind, a)
        if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size
        else a
        for a in arguments
    )


def _spoiled(rng, kind, array):
    """Return an array changed as `kind` says, or as it is: now and then one of several is."""
    if kind == "normal" or rng.random() < 0.3:
        return array
    limits = np.finfo(array.dtype)
    if kind == "ties":
        return np.asarray(np.copysign(np.round(array), array))
    if kind == "offset":
        return np.asarray(array + array.dtype.type(300))
    if kind == "denormal":
        return np.asarray(array * limits.tiny / 4, array.dtype)
    high = {"nan": np.nan, "inf": np.inf, "large": limits.max**0.3, "huge": limits.max / 3}[kind]
    # Large numbers of one sign: where they cancel, what is left is rounding.
    signs = (1, -1) if kind != "large" else (rng.choice([1, -1]),)
    array = array.copy()
    for _ in range(rng.integers(1, 4)):
        array.flat[rng.integers(array.size)] = high * rng.choice(signs)
    return array
