"""The processes that train together, and the messages between them."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np

from minidl import threads
from minidl.errors import MinidlError, expected

# Seconds for mpiexec to pass on what a failing rank has written, before it ends all of them.
GRACE = 0.3


class DistributedError(MinidlError, RuntimeError):
    """MPI that is not there, or processes that do not agree."""


class World:
    """A communicator of mpi4py, and what is sent over it. All its ranks call alike, in one order.

    Attributes
    ----------
    rank, size : this process among how many
    """

    def __init__(self, communicator: Any) -> None:
        self.communicator = communicator
        self.rank, self.size = int(communicator.Get_rank()), int(communicator.Get_size())

    def sum(self, array: np.ndarray) -> np.ndarray:
        """Return the sum of everybody's array, in a new one; the same bits on all ranks."""
        total = np.empty_like(array)
        self.communicator.Allreduce(np.ascontiguousarray(array), total)
        return total

    def gather(self, array: np.ndarray) -> np.ndarray:
        """Return everybody's array, (size, ...) in the order of the ranks."""
        everybody = np.empty((self.size, *array.shape), array.dtype)
        self.communicator.Allgather(np.ascontiguousarray(array), everybody)
        return everybody

    def broadcast(self, array: np.ndarray) -> np.ndarray:
        """Return rank 0's array; the others say its shape and type by theirs."""
        sent = np.array(array, order="C")
        self.communicator.Bcast(sent, root=0)
        return sent


class _Current:
    """The world in use, from the first call on."""

    world: World | None = None


def world() -> World:
    """Return the world in use: all processes that mpiexec started, unless `init` said otherwise."""
    if _Current.world is None:
        _Current.world = _join(_all())
    return _Current.world


def init(communicator: Any = None) -> None:
    """Join the other processes, and share the machine's cores with those on the same one.

    The other functions join by themselves where this is not called, and leave the threads alone.

    Parameters
    ----------
    communicator : of mpi4py; all processes that mpiexec started when None

    Raises
    ------
    DistributedError
        where mpi4py or an MPI library is missing
    """
    _Current.world = _join(_all() if communicator is None else communicator)
    share = _cores(_Current.world.communicator)
    if share < threads.get_num_threads():
        threads.set_num_threads(share)


def rank() -> int:
    """Return the number of this process, from 0."""
    return world().rank


def size() -> int:
    """Return the number of processes."""
    return world().size


def barrier() -> None:
    """Wait until every process is here."""
    world().communicator.Barrier()


def _all() -> Any:
    """Return the communicator of all processes."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        hint = 'pip install "minidl[distributed]" brings both'
        raise DistributedError(
            expected("distributed", "mpi4py and an MPI library", error, hint)
        ) from None
    return MPI.COMM_WORLD


def _join(communicator: Any) -> World:
    """Return the world of a communicator, whose processes all end when one fails."""
    made = World(communicator)
    if made.size > 1:
        before = sys.excepthook

        def end_all(kind: Any, error: Any, trace: Any) -> None:
            # The others wait for this process in a message that will never come.
            before(kind, error, trace)
            sys.stderr.flush()
            time.sleep(GRACE)
            communicator.Abort(1)

        sys.excepthook = end_all
    return made


def _cores(communicator: Any) -> int:
    """Return how many cores each of the processes that share this one's has to itself."""
    cores = range(os.cpu_count() or 1)
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(cores)
    here = (os.uname().nodename, mine)
    return max(threads.available_cores() // communicator.allgather(here).count(here), 1)
