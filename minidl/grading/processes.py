"""Grade in several processes on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from types import FrameType

from minidl.errors import ArgumentError, expected
from minidl.grading.grade import MOST_SECONDS
from minidl.grading.schedule import Done, Engine, Job, light
from minidl.grading.zygote import ENVIRONMENT

GRACE_SECONDS = 60.0
LEAVE_SECONDS = 5.0
TRIES = 2
WORD_BYTES = 2000
# Submissions may lie in the folder this runs in: with -P nothing is imported from there, and Numba,
# say, looks for its settings in a process's own folder, which therefore is another.
SERVE = "import sys; from minidl.grading.processes import serve; serve(*map(int, sys.argv[1:]))"
_ONE_THREAD = {name: one for name, one in ENVIRONMENT.items() if name.endswith("_NUM_THREADS")}


class Processes:
    """Grades in several processes on this machine, each with a sandbox of its own.

    Parameters
    ----------
    number : how many at most; none is started before there is work for it.
    seconds : after which a process is taken for hung, and killed.

    Notes
    -----
    A process that dies (the machine is out of memory) is replaced and its job tried once more. They
    end within a moment when this process ends, however it ends.
    """

    def __init__(self, number: int, seconds: float = MOST_SECONDS + GRACE_SECONDS) -> None:
        """Start nothing yet."""
        if number < 1:
            raise ArgumentError(expected("grade", "at least one process", number))
        self.number = number
        self.seconds = seconds

    def run(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        """Yield what came of each job, in the order in which they end."""
        waiting = iter(jobs)
        again: list[Job] = []
        ended: list[Done] = []
        with ExitStack() as stack:
            crew = [stack.enter_context(_Process(self.seconds)) for _ in range(self.number)]
            while True:
                for process in crew:
                    if process.job is None:
                        job = again.pop() if again else next(waiting, None)
                        if job is not None:
                            process.give(job)
                yield from ended  # whoever takes them works meanwhile, and so do the processes
                ended.clear()
                busy = [process for process in crew if process.job is not None]
                if not busy:
                    return
                nearest = min(process.until for process in busy) - time.monotonic()
                wait([p.connection for p in busy if p.connection], max(nearest, 0.0))
                for process in busy:
                    ready, late = process.ready, time.monotonic() > process.until
                    if ready or late:
                        done = process.answer(late and not ready)
                        again += [done] if isinstance(done, Job) else []
                        ended += [done] if isinstance(done, Done) else []


class _Process:
    """One process that grades, started when there is work and started again when it has died."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.job: Job | None = None
        self.until = 0.0
        self.connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> _Process:
        """Start nothing yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self.stop(gently=self.job is None)

    @property
    def ready(self) -> bool:
        """Whether there is something to read, if only that it has died."""
        return self.connection is not None and self.connection.poll()

    def give(self, job: Job) -> None:
        """Hand a job over."""
        if self.connection is None:
            self._start()
        assert self.connection is not None
        self.job = job
        self.until = time.monotonic() + self.seconds
        with suppress(OSError):  # it has died: `answer` will see
            self.connection.send(job)

    def answer(self, late: bool) -> Done | Job:
        """Return what came of the job, or the job itself where it is worth another try."""
        job, self.job = self.job, None
        assert job is not None
        assert self.connection is not None
        if not late:
            with suppress(EOFError, OSError):
                done = self.connection.recv()
                assert isinstance(done, Done)
                return done
        words = self.stop()
        if not late and job.tries + 1 < TRIES:
            return replace(job, tries=job.tries + 1)
        what = f"took more than {self.seconds:.0f} s" if late else f"died twice: {words}"
        return Done(light(job), error=f"grade: the process grading {job.name} {what}")

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        with ExitStack() as stack:
            stack.callback(os.close, reading)
            self.connection = stack.enter_context(Connection(ours.detach()))
            self._lifeline = stack.enter_context(os.fdopen(writing, "wb"))
            self._words = stack.enter_context(tempfile.TemporaryFile())
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", SERVE, str(theirs.fileno()), str(reading)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._words,
                    env=_environment(),
                    cwd=os.sep,
                    pass_fds=[theirs.fileno(), reading],
                    start_new_session=True,
                )
            self._stack = stack.pop_all()

    def stop(self, gently: bool = False) -> str:
        """End the process and return its last words."""
        if self._process is None or self.connection is None:
            return ""
        # An idle one ends when it is hung up on, a busy one when it is asked to.
        (self.connection if gently else self._lifeline).close()
        try:
            self._process.wait(GRACE_SECONDS if gently else LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.seek(0)
        words = self._words.read()[-WORD_BYTES:].decode(errors="replace").strip()
        status, self._process, self.connection = self._process.returncode, None, None
        self._stack.close()
        return words.rpartition("\n")[2] or f"exit status {status}"


def _environment() -> dict[str, str]:
    """Return what a process inherits: one thread, and PYTHONPATH as it is meant here."""
    own = {**os.environ, **_ONE_THREAD}
    if own.get("PYTHONPATH"):
        own["PYTHONPATH"] = os.pathsep.join(
            map(os.path.abspath, own["PYTHONPATH"].split(os.pathsep))
        )
    return own


def serve(channel: int, lifeline: int) -> None:
    """Grade what comes through one descriptor until it, or the lifeline, is hung up."""
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    connection = Connection(channel)
    with Engine() as engine, suppress(EOFError, OSError):
        while True:
            connection.send(engine.grade(connection.recv()))


def _watch(lifeline: int) -> None:
    """Ask this process to end as soon as the one that started it has."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
