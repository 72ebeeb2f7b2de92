"""Memory for arrays, kept for the next array of the same size.

A training step makes the same arrays again and again. The system hands out large ones as pages it
must first zero, one interruption for each; blocks that were freed are therefore kept, up to a
bound, and handed out again. Importing minidl switches this on for every array that the importing
thread makes from then on, which changes where memory comes from and nothing else. Set
MINIDL_ALLOCATOR=off in the environment to leave NumPy as it is.

NumPy remembers for every array who gave its memory, so arrays from before and after get along. It
also remembers the choice for each thread (and each `contextvars.Context`): a thread started later
calls `install` to share the blocks, or goes on with NumPy's own memory: slower, and as right.
Parts of minidl's own kernels run in their caller's context and need no call, and compiled
convolutions take from here what they work in, too. `tracemalloc` sees the arrays as ever: NumPy
reports them whoever gives the memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from minidl import backend
from minidl.errors import ArgumentError, expected

# Of the memory this process may use, the part that may lie idle.
SHARE = 4


@dataclass(frozen=True)
class MemoryStats:
    """What the allocator has done so far.

    Attributes
    ----------
    in_use : int
        bytes behind living arrays, rounded up to the sizes of blocks
    cached : int
        bytes kept for later arrays
    peak : int
        the most bytes that were in use at one moment
    bound : int
        bytes that `cached` never exceeds
    blocks : int
        living arrays that own memory from here
    hits, misses : int
        arrays that got a kept block, and arrays for which the system was asked
    """

    in_use: int
    cached: int
    peak: int
    bound: int
    blocks: int
    hits: int
    misses: int


def _heap() -> ModuleType | None:
    """Return the extension, or None where it is not built or not to be used."""
    module = backend.load("allocator", "cython")
    return None if isinstance(module, str) or module.checked else module


def state() -> str:
    """Return "in use", or why the allocator is not."""
    if _switched_off():
        return "off (MINIDL_ALLOCATOR)"
    if _heap() is None:
        module = backend.load("allocator", "cython")
        return module if isinstance(module, str) else "off (a build that checks every access)"
    return "in use"


def _switched_off() -> bool:
    return os.environ.get("MINIDL_ALLOCATOR", "").lower() in ("off", "0", "no")


def install() -> bool:
    """Let this thread's arrays use kept memory from now on.

    Returns
    -------
    bool
        False where the extension is not built, or MINIDL_ALLOCATOR=off forbids it.
    """
    heap = None if _switched_off() else _heap()
    if heap is None:
        return False
    _set_first_bound(heap)
    heap.install()
    return True


@cache
def _set_first_bound(heap: ModuleType) -> None:
    """Set the bound, once: a bound of 0 that was asked for later stays."""
    if not heap.counts()[3]:
        heap.set_bound(available() // SHARE)


def uninstall() -> None:
    """Let this thread's arrays use NumPy's own memory from now on; living ones stay put."""
    heap = _heap()
    if heap is not None:
        heap.uninstall()


def memory_stats() -> MemoryStats:
    """Return what is in use and in the cache, in all threads together; zeros without allocator.

    Examples
    --------
    >>> import minidl
    >>> stats = minidl.memory_stats()
    >>> stats.cached <= stats.bound and stats.in_use <= stats.peak
    True
    """
    heap = _heap()
    return MemoryStats(*(heap.counts() if heap is not None else (0,) * 7))


def empty_cache() -> int:
    """Give all kept memory back to the system; returns how many bytes that was."""
    heap = _heap()
    return heap.release() if heap is not None else 0


def set_memory_bound(size: int) -> None:
    """Keep at most `size` bytes for later arrays (0 keeps none).

    The default is a quarter of the memory this process may use.
    """
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**62:
        raise ArgumentError(expected("set_memory_bound", "a number of bytes", repr(size)))
    heap = _heap()
    if heap is not None:
        heap.set_bound(size)


def available() -> int:
    """Return how many bytes this process may use: the least that machine and limits allow."""
    sizes = [*_physical(), *_limits(), *_control_groups()]
    return min(sizes, default=2**32)


def _physical() -> list[int]:
    """Return the machine's memory, where it can be asked for."""
    try:
        return [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        return []


def _limits() -> list[int]:
    """Return the limits set by setrlimit."""
    try:
        import resource
    except ImportError:
        return []
    soft = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in soft if limit != resource.RLIM_INFINITY]


def _control_groups(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> Iterator[int]:
    """Yield the limits of this process's control group (version 1 and 2) and those around it."""
    try:
        lines = own.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = root / controllers
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        folder = top / path.lstrip("/")
        for place in (folder, *folder.parents):
            if not place.is_relative_to(top):
                break
            try:
                text = (place / name).read_text(encoding="ascii").strip()
            except OSError:
                continue
            if text.isdigit():
                yield int(text)
