"""Workers that prepare batches ahead of the training loop.

Threads by default: NumPy, Pillow and minidl's kernels release the interpreter's lock, nothing is
copied between processes, and nothing is started or pickled. A transform that is heavy in pure
Python holds the lock; for that there are processes, started afresh (spawned): a fork would copy
locks that threads of BLAS, OpenMP and minidl may hold at that moment, and hang.
benchmarks/augmentation.py measures both.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any

from minidl import memory, threads
from minidl.errors import ArgumentError, MinidlError, expected

Work = Callable[..., Any]


class WorkerError(MinidlError, RuntimeError):
    """A worker ended without giving its batch."""


class Workers:
    """A few threads or processes that call one function ahead of its results' use.

    Parameters
    ----------
    work : what they call; it is sent to a process once
    count : of workers, at least 1
    ahead : calls that are under way or ready before their turn
    processes : whether they are processes

    Attributes
    ----------
    broken : whether one died, after which none works any more
    """

    def __init__(self, work: Work, count: int, ahead: int, processes: bool) -> None:
        self.work, self.ahead = work, ahead
        self.pool = _processes(work, count) if processes else _threads(count)
        self.call: Work = _call_in_process if processes else partial(_call_in_thread, work)
        self.broken = False

    def map(self, calls: Iterator[tuple]) -> Iterator[Any]:
        """Yield work(*arguments) for each tuple of arguments, in their order.

        Raises
        ------
        WorkerError
            where a worker died; whatever else a call raised arrives as it was raised
        """
        waiting: deque[Future] = deque()
        try:
            for arguments in calls:
                waiting.append(self._submit(arguments))
                if len(waiting) > self.ahead:
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _submit(self, arguments: tuple) -> Future:
        with self._noticing_death():
            return self.pool.submit(self.call, *arguments)

    def _result(self, future: Future) -> Any:
        with self._noticing_death():
            return future.result()

    @contextmanager
    def _noticing_death(self) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool as error:
            self.broken = True
            raise _ended(str(error).rstrip(".")) from error


def _ended(got: str) -> WorkerError:
    hint = (
        "it was killed, ran out of memory, called exit, or could not start: a program that uses "
        'processes needs its main part under `if __name__ == "__main__":`'
    )
    return WorkerError(expected("DataLoader", "a batch from each worker", got, hint))


def _threads(count: int) -> Executor:
    # Each thread shares the blocks of memory that the training loop frees.
    return ThreadPoolExecutor(count, "minidl-data", initializer=memory.install)


def _call_in_thread(work: Work, *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except SystemExit as error:
        raise _ended(f"SystemExit({error})") from error


def _processes(work: Work, count: int) -> Executor:
    try:
        pickled = pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        hint = "use functions and classes of a module (no lambda), or processes=False"
        wanted = "a dataset and transform that can be sent to a process"
        raise ArgumentError(expected("DataLoader", wanted, error, hint)) from None
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, initializer=_start_process, initargs=(pickled,))


# What this process, a worker, calls: set once when it starts.
_work: list[Work] = []


def _start_process(pickled: bytes) -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the program, which ends its workers
    threads.set_num_threads(1)
    _work[:] = [pickle.loads(pickled)]


def _call_in_process(*arguments: Any) -> Any:
    return _work[0](*arguments)
