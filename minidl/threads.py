"""One thread count for the whole library: minidl's own threads, BLAS, OpenMP and Numba.

The count is MINIDL_NUM_THREADS or OMP_NUM_THREADS from the environment, else the cores this process
may use, until `set_num_threads` is called. minidl cuts large work into that many parts, matrix
products too, and lets BLAS use one thread (`minidl.kernels.parallel` says why). This stays in force
for products of your own with NumPy: `threadpoolctl.threadpool_limits` changes it for a block.
"""

from __future__ import annotations

import sys

import threadpoolctl

from minidl.errors import ArgumentError, expected
from minidl.kernels import parallel


def available_cores() -> int:
    """Return how many cores this process may use: in a container or a job, fewer than there are."""
    return parallel.available_cores()


def set_num_threads(count: int) -> None:
    """Let minidl's kernels and products, OpenMP and Numba use `count` threads (at least 1).

    BLAS has one thread inside each of them. Libraries that are loaded later follow: BLAS with
    minidl's next product or threaded kernel, Numba when the first of its kernels is loaded.
    """
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count < 2**31:
        wanted = "an integer of at least 1, below 2**31"
        raise ArgumentError(expected("set_num_threads", wanted, repr(count)))
    parallel.set_count(count)
    parallel.limit_blas()
    apply_to_numba()
    # Last, because the first call to Numba sets OpenMP's count to one of its own.
    threadpoolctl.threadpool_limits(count, user_api="openmp")


def apply_to_numba() -> None:
    """Give Numba the count in force, if it is loaded: importing it takes longer than minidl."""
    numba = sys.modules.get("numba")
    if numba is not None:
        numba.set_num_threads(min(get_num_threads(), numba.config.NUMBA_NUM_THREADS))


def get_num_threads() -> int:
    """Return the thread count in force."""
    return int(parallel.get_count())
