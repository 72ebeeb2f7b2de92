"""The library's one source of random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from minidl.errors import ArgumentError, expected


class _Source:
    """Holds the generator that `manual_seed` replaces."""

    generator = np.random.default_rng()
    # Of this thread alone, so that one that prefetches leaves the order of the others' draws alone.
    here: ContextVar[np.random.Generator | None] = ContextVar("generator", default=None)


def manual_seed(seed: int) -> np.random.Generator:
    """Restart the library's generator from `seed`, a non-negative integer, and return it."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ArgumentError(expected("manual_seed", "a non-negative integer", repr(seed)))
    _Source.generator = np.random.default_rng(seed)
    return _Source.generator


def generator(rng: np.random.Generator | None = None) -> np.random.Generator:
    """Return `rng`, or the library's generator where it is None."""
    return rng or _Source.here.get() or _Source.generator


@contextmanager
def drawing_from(rng: np.random.Generator) -> Iterator[None]:
    """Let everything that draws in this block and thread, without an rng of its own, use `rng`."""
    token = _Source.here.set(rng)
    try:
        yield
    finally:
        _Source.here.reset(token)
