"""Kernels on several threads: a range of independent items cut into one part for each thread.

The parts run in threads of Python, so what they call must release the interpreter's lock, as the
compiled kernels do. How a range is cut depends on its length and the number of threads alone, and
results come back in order: the same count gives the same numbers.

BLAS has threads of its own, which wait for each other by spinning. They would fight with ours, and
on a busy machine cost a small product ten times its time. So BLAS runs on one thread inside `run`
and in small products, and on `get_count()` threads in large ones (`product`).
"""

import itertools
import os
import sys
import threading
from queue import SimpleQueue

import threadpoolctl

# Multiply-adds of a product from which a second thread pays: about a quarter of a millisecond.
LARGE = 2**23


def default_count():
    """Return the threads to start with: MINIDL_NUM_THREADS, OMP_NUM_THREADS, or the cores."""
    for name in ("MINIDL_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "").split(",")[0].strip()
        if value.isdigit() and int(value):
            return int(value)
    return available_cores()


def available_cores():
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Part:
    """One part of a range, worked on by a thread of the team."""

    __slots__ = ("done", "error", "finished", "result", "start", "stop", "work")

    def __init__(self, work, start, stop):
        self.work, self.start, self.stop = work, start, stop
        self.result = self.error = None
        self.finished = False
        self.done = threading.Lock()
        self.done.acquire()

    def run(self):
        """Call work, and let the waiting thread go on, whatever happens."""
        try:
            self.result = self.work(self.start, self.stop)
        except BaseException as error:  # raised again in the thread that waits
            self.error = error
        finally:
            self.finished = True
            self.done.release()

    def wait(self):
        """Wait for the end, also through Ctrl-C: a part works on arrays of its caller.

        Returns the KeyboardInterrupt that came meanwhile, or None.
        """
        interrupt = None
        while not self.finished:
            try:
                self.done.acquire()
            except KeyboardInterrupt as error:
                interrupt = error
        return interrupt


class _State:
    """The count, the queues of the team's threads, and what BLAS was last set to."""

    def __init__(self, count):
        self.lock = threading.Lock()
        self.local = threading.local()
        self.count = count
        self.chosen = False
        self.team = []
        self.running = 0
        self.blas = None
        self.modules = 0
        self.libraries = []
        self.found = {}


_state = _State(default_count())


def set_count(count):
    """Let `run` and large products use `count` threads; calls that run go on with theirs."""
    with _state.lock:
        team, _state.team = _state.team, []
        _state.count, _state.chosen, _state.blas = count, True, None
    for queue in team:
        queue.put(None)


def get_count():
    """Return how many threads `run` uses."""
    return _state.count


def run(work, total, least=1):
    """Call work(start, stop) for consecutive parts of range(total), of at least `least` items.

    Inside a part, and with one thread, everything is one part. Where parts raise, all are waited
    for and the first error in their order is raised.

    Returns the list of what the calls returned, in the order of the parts.
    """
    parts = max(min(_state.count, total // max(least, 1)), 1)
    if parts == 1 or inside():
        return [work(0, total)]
    cuts = [total * part // parts for part in range(parts + 1)]
    all_parts = [_Part(work, *cut) for cut in itertools.pairwise(cuts)]
    errors, away = [], []
    _state.local.inside = True
    try:
        _send(all_parts[1:], away)
        for part in [all_parts[0], *all_parts[len(away) + 1 :]]:
            part.run()
    except KeyboardInterrupt as error:
        errors.append(error)
    finally:
        errors += [part.wait() for part in away]
        _state.local.inside = False
        with _state.lock:
            _state.running -= 1
    errors += [part.error for part in all_parts]
    for error in filter(None, errors):
        raise error
    return [part.result for part in all_parts]


def inside():
    """Return whether this thread works on a part of `run`."""
    return getattr(_state.local, "inside", False)


def _send(parts, away):
    """Give each part to a thread of the team, and note it in `away`; as many as there are."""
    with _state.lock:
        _state.running += 1
        _limit_blas(1)
        while len(_state.team) < len(parts):
            queue = SimpleQueue()
            thread = threading.Thread(target=_live, args=(queue,), name="minidl", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads: the caller does the rest
                break
            _state.team.append(queue)
        for queue, part in zip(_state.team, parts, strict=False):
            queue.put(part)
            away.append(part)


def _live(queue):
    """Run what comes until None comes: the life of a thread of the team."""
    _state.local.inside = True
    while (part := queue.get()) is not None:
        part.run()
        del part  # and with it the arrays it worked on


def product(a, b):
    """Return a @ b, on as many threads of BLAS as a product of this size is worth."""
    work = a.size if a.ndim < 2 else a.shape[-2] * a.shape[-1]
    if b.ndim > 1:
        work *= b.shape[-1]
    alone = work < LARGE or _state.running or inside()
    count = 1 if alone else _state.count
    if count != _state.blas or len(sys.modules) != _state.modules:
        with _state.lock:
            _limit_blas(count)
    return a @ b


def _limit_blas(count):
    """Let every copy of BLAS use `count` threads; one may have come with a new module.

    Until a count is chosen, no copy gets more than it started with: OPENBLAS_NUM_THREADS and the
    like stay in force.
    """
    if (count, len(sys.modules)) == (_state.blas, _state.modules):
        return
    if len(sys.modules) != _state.modules:
        _state.modules = len(sys.modules)
        found = threadpoolctl.ThreadpoolController().lib_controllers
        _state.libraries = [library for library in found if library.user_api == "blas"]
    for library in _state.libraries:
        most = _state.found.setdefault(library.filepath, library.num_threads)
        library.set_num_threads(count if _state.chosen else min(count, most))
    _state.blas = count


def _forget_team():
    """A forked child has none of its parent's threads, and perhaps a lock that one of them held."""
    chosen, inside_now = _state.chosen, inside()
    _state.__init__(_state.count)
    _state.chosen, _state.local.inside = chosen, inside_now


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_team)
