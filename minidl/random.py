"""The library's one source of random numbers."""

from __future__ import annotations

import numpy as np

from minidl.errors import ArgumentError, expected


class _Source:
    """Holds the generator that `manual_seed` replaces."""

    generator = np.random.default_rng()


def manual_seed(seed: int) -> np.random.Generator:
    """Restart the library's generator from `seed`, a non-negative integer, and return it."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ArgumentError(expected("manual_seed", "a non-negative integer", repr(seed)))
    _Source.generator = np.random.default_rng(seed)
    return _Source.generator


def generator(rng: np.random.Generator | None = None) -> np.random.Generator:
    """Return `rng`, or the library's generator where it is None."""
    return _Source.generator if rng is None else rng
