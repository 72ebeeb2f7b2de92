"""Kernels on several threads: a range of independent items cut into one part for each thread.

The parts run in threads of Python, so what they call must release the interpreter's lock, as the
compiled kernels do. How a range is cut depends on its length and the number of threads alone, and
results come back in order: the same count gives the same numbers.
"""

import os
from concurrent.futures import ThreadPoolExecutor

_count = 1
_pool: ThreadPoolExecutor | None = None


def set_count(count):
    """Let `run` use `count` threads."""
    global _count, _pool
    if _pool is not None:
        _pool.shutdown()
    _count, _pool = count, None


def get_count():
    """Return how many threads `run` uses."""
    return _count


def run(work, total, least=1):
    """Call work(start, stop) for consecutive parts of range(total), of at least `least` items.

    Returns the list of what the calls returned, in the order of the parts.
    """
    global _pool
    parts = max(min(_count, total // max(least, 1)), 1)
    if parts == 1:
        return [work(0, total)]
    if _pool is None:
        _pool = ThreadPoolExecutor(_count - 1, thread_name_prefix="minidl")
    cuts = [total * part // parts for part in range(parts + 1)]
    waiting = [_pool.submit(work, *cut) for cut in zip(cuts[1:-1], cuts[2:], strict=True)]
    return [work(cuts[0], cuts[1]), *(part.result() for part in waiting)]


def _forget_pool():
    """A forked child has none of its parent's threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
