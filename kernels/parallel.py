"""Kernels on several threads: a range of independent items cut into one part for each thread.

The parts run in threads of Python, so what they call must release the interpreter's lock, as the
compiled kernels do. How a range is cut depends on its length and the number of threads alone, and
results come back in order: the same count gives the same numbers.

A thread that sleeps wakes up later than most kernels end. So a thread of the team, having worked,
stays awake for AWAKE seconds to see whether there is more to do, and who waits for a part does the
same, without the interpreter's lock, as only what is compiled can (`parallel_cython`; where that is
not built all sleep at once). Small work does not wake a team that sleeps, unless more of it follows
within AWAKE seconds. And parts that no thread has begun when the caller is through with its own are
the caller's too, since its thread may be without a core.

BLAS has threads of its own, which wait for each other by spinning. They would fight with ours, and
on a busy machine make a product ten times slower. So the first `run`, `product` or kernel in NumPy
or Numba sets BLAS to one thread, and `product` cuts large products for the same threads as
everything else.
"""

import contextvars
import itertools
import os
import sys
import threading
import time
from queue import SimpleQueue

import numpy as np
import threadpoolctl
from minidl.kernels.cores import available_cores


class Unwatched:
    """Instead of parallel_cython.Flag, where that is not built: nobody watches."""

    def set(self):
        """Do nothing."""

    def clear(self):
        """Do nothing."""

    def watch(self, seconds, first=None):
        """Return that nothing was seen."""
        return False


try:
    from minidl.kernels.parallel_cython import Flag, matmul
except ImportError:
    Flag, matmul = Unwatched, np.matmul

# How long a thread watches for work, or for the end of it, before it sleeps; and how long a caller
# that is through leaves a part that may not have been begun to its thread.
AWAKE, GRACE = 1e-3, 2e-5
# How many times what pays for starting a thread that is awake pays for waking one.
WAKE = 8
# Multiply-adds that a thread should have for its start to pay: some twenty microseconds.
LARGE = 2**21


def default_count():
    """Return the threads to start with: MINIDL_NUM_THREADS, OMP_NUM_THREADS, or the cores."""
    for name in ("MINIDL_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "").split(",")[0].strip()
        if value.isdigit() and int(value):
            return int(value)
    return available_cores()


class _Part:
    """One part of a range, worked on by a thread of the team."""

    __slots__ = (
        *("context", "done", "ended", "error", "finished", "result", "start", "stop", "takers"),
        "work",
    )

    def __init__(self, work, start, stop):
        self.work, self.start, self.stop = work, start, stop
        # NumPy keeps np.errstate and where memory comes from in the context.
        self.context = contextvars.copy_context()
        self.result = self.error = None
        self.finished = False
        self.takers = []
        self.ended = Flag()
        self.done = threading.Lock()
        self.done.acquire()

    def take(self):
        """Return whether this thread is the first that wanted to run the part."""
        self.takers.append(threading.get_ident())
        return self.takers[0] == threading.get_ident()

    def run(self):
        """Call work, and let the waiting thread go on, whatever happens."""
        try:
            self.result = self.context.run(self.work, self.start, self.stop)
        except BaseException as error:  # raised again in the thread that waits
            self.error = error
        finally:
            self.finished = True
            self.done.release()

    def wait(self):
        """Wait for the end, if another thread has taken the part."""
        while not self.finished and not self.take():
            if not self.ended.watch(_awake()):
                self.done.acquire()


class _State:
    """The count, the queues of the team's threads, and the copies of BLAS that are limited."""

    def __init__(self, count):
        self.lock = threading.Lock()
        self.local = threading.local()
        self.count = count
        self.team = []
        self.awake_until = 0.0
        self.limited = False
        self.modules = 0
        self.libraries = []


_state = _State(default_count())
_cores = available_cores()


def set_count(count):
    """Let `run` and `product` use `count` threads; calls that run go on with theirs."""
    with _state.lock:
        team, _state.team = _state.team, []
        _state.count, _state.limited = count, False
    for queue, called in team:
        queue.put(None)
        called.set()


def get_count():
    """Return how many threads `run` uses."""
    return _state.count


def run(work, total, least=1, pays=None):
    """Call work(start, stop) for consecutive parts of range(total), of at least `least` items.

    Inside a part, and with one thread, everything is one part. Parts run in threads of the team, or
    one after the other where that is faster: `pays` items, by default `least`, take as long as a
    start of a thread that is awake. Where some raise, all that have begun are waited for and the
    first error in their order is raised.

    Returns the list of what the calls returned, in the order of the parts.
    """
    parts = max(min(_state.count, total // max(least, 1)), 1)
    if parts == 1 or inside():
        return [work(0, total)]
    cuts = list(itertools.pairwise(total * part // parts for part in range(parts + 1)))
    pays = least if pays is None else pays
    awake = time.perf_counter() < _state.awake_until
    _state.local.inside = True
    try:
        if awake or pays == 1 or total >= WAKE * parts * pays:
            return _together([_Part(work, *cut) for cut in cuts])
        return [work(*cut) for cut in cuts]
    finally:
        _state.local.inside = False
        _state.awake_until = time.perf_counter() + _awake()


def inside():
    """Return whether this thread works on a part of `run`."""
    return getattr(_state.local, "inside", False)


def _together(parts):
    """Return the results of parts that are run here and by the team."""
    errors, away = [], []
    try:
        _send(parts[1:], away)
        for part in [parts[0], *parts[len(away) + 1 :]]:
            part.run()
        for part in away:
            if not part.ended.watch(GRACE) and part.take():
                part.run()
    except BaseException as error:
        errors.append(error)
    finally:
        while away:  # also through Ctrl-C and other signals: parts work on arrays of the caller
            try:
                while away:
                    away[-1].wait()
                    away.pop()
            except BaseException as error:
                errors.append(error)
    errors += [part.error for part in parts]
    for error in filter(None, errors):
        raise error
    return [part.result for part in parts]


def _send(parts, away):
    """Give each part to a thread of the team, and note it in `away`; as many as there are."""
    with _state.lock:
        if _state.modules != len(sys.modules) or not _state.limited:
            _limit_blas()
        while len(_state.team) < len(parts):
            member = SimpleQueue(), Flag()
            thread = threading.Thread(target=_live, args=member, name="minidl", daemon=True)
            _state.team.append(member)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads: the caller does the rest
                _state.team.pop()
                break
        for (queue, called), part in zip(_state.team, parts, strict=False):
            away.append(part)
            queue.put(part)
            called.set()


def _live(queue, called):
    """Run what comes until None comes: the life of a thread of the team."""
    _state.local.inside = True
    while (part := queue.get()) is not None:
        called.clear()
        if part.take():
            part.run()
        ended = part.ended
        del part  # and with it the arrays it worked on
        # Who waits for the part finds the interpreter's lock free.
        called.watch(_awake() if queue.empty() else 0, first=ended)


def _awake():
    """Return how long to stay awake: not at all with more threads than cores, or flags unseen."""
    return AWAKE if _state.count <= _cores and Flag is not Unwatched else 0


def product(a, b):
    """Return a @ b; a large product of matrices is cut into rows or columns for the threads."""
    if _state.modules != len(sys.modules) or not _state.limited:
        with _state.lock:
            _limit_blas()
    if a.ndim < 2 or b.ndim != 2 or _state.count == 1:
        return matmul(a, b)
    (k, n), rows = b.shape, a.size // max(a.shape[-1], 1)
    if rows * k * n < 2 * LARGE or a.shape[-1] != k or inside():
        return matmul(a, b)
    flat = a.reshape(rows, k)
    y = np.empty((rows, n), np.result_type(a, b))
    if rows >= n:
        run(lambda i, j: matmul(flat[i:j], b, y[i:j]), rows, LARGE // (k * n) + 1)
    else:
        run(lambda i, j: matmul(flat, b[:, i:j], y[:, i:j]), n, LARGE // (rows * k) + 1)
    return y.reshape(*a.shape[:-1], n)


def limit_blas():
    """Let BLAS use one thread from now on; `run` and `product` do so for what is loaded later."""
    with _state.lock:
        if not _state.limited:
            _limit_blas()


def _limit_blas():
    """Let every copy of BLAS use one thread; one may have come with a new module."""
    if _state.modules != len(sys.modules):
        _state.modules = len(sys.modules)
        found = threadpoolctl.ThreadpoolController().lib_controllers
        _state.libraries = [library for library in found if library.user_api == "blas"]
    for library in _state.libraries:
        library.set_num_threads(1)
    _state.limited = True


def _forget_team():
    """A forked child has none of its parent's threads, and perhaps a lock that one of them held."""
    inside_now = inside()
    _state.__init__(_state.count)
    _state.local.inside = inside_now


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_team)
