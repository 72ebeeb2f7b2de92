"""One thread count for the whole library: BLAS, OpenMP and Numba together."""

from __future__ import annotations

import os

import threadpoolctl

from minidl.errors import ArgumentError, expected


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Chosen:
    """Holds the count that `set_num_threads` was given."""

    count: int | None = None


def set_num_threads(count: int) -> None:
    """Let BLAS, OpenMP and Numba use `count` threads each (at least 1)."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ArgumentError(expected("set_num_threads", "an integer of at least 1", repr(count)))
    # Imported here because it takes longer than all of minidl, and few programs call this.
    import numba

    threadpoolctl.threadpool_limits(count)
    numba.set_num_threads(min(count, vars(numba.config)["NUMBA_NUM_THREADS"]))
    _Chosen.count = count


def get_num_threads() -> int:
    """Return the thread count in force: the one set, or the cores this process may use."""
    return available_cores() if _Chosen.count is None else _Chosen.count
