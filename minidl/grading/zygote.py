"""The grader's handle on the zygote: starting it, asking it for children, ending them.

The zygote (minidl/grading/worker.py) is the parent of every worker: it forks, kills and reaps them.
A process id stays the child's own until the zygote reaps it, so no other process is ever hit.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import secrets
import socket
import stat
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MinidlError
from . import confine
from .channel import Channel, clean

START_SECONDS = 60.0
ANSWER_SECONDS = 20.0
REMOVE_SECONDS = 30.0
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    **{
        f"{name}_NUM_THREADS": "1"
        for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
    },
    "NUMBA_THREADING_LAYER": "workqueue",
}


class SandboxError(MinidlError):
    """The sandbox itself does not work here: nobody's submission is to blame."""


class Zygote:
    """A process that forks workers, and is started again when it has died.

    Parameters
    ----------
    confined : whether the layers of this machine are to be applied.
    compiler : whether its workers are to have Numba.
    """

    def __init__(self, confined: bool = True, compiler: bool = False) -> None:
        """Start nothing yet."""
        self._confined, self._compiler = confined, compiler
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = threading.Lock()
        self.reached: list[str] = []

    def start(self) -> None:
        """Start the process and wait until it has imported what its workers need.

        It builds its own file system on an empty folder, which is not needed any more then.

        Raises
        ------
        SandboxError
            with its last words, when it does not come up.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        numpy_parent = str(Path(np.__file__).parent.parent)
        with ExitStack() as stack:
            words = stack.enter_context(tempfile.TemporaryFile())
            stack.enter_context(theirs)
            root = ""
            if self._confined:
                root = stack.enter_context(tempfile.TemporaryDirectory(prefix="minidl-"))
            arguments = (str(theirs.fileno()), root, json.dumps(_ready(self._compiler)))
            command = confine.launch(numpy_parent, "worker", "zygote", *arguments)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            theirs.close()
            self._control = ours
            try:
                self.reached = [str(name) for name in self._answer(START_SECONDS)["ready"]]
            except (OSError, EOFError, KeyError, TypeError, ValueError):
                self.stop()
                words.seek(0)
                last = clean(words.read().decode(errors="replace").strip(), 2000)
                raise SandboxError(f"sandbox: the worker's zygote did not start: {last}") from None

    def stop(self) -> None:
        """Hang up, kill the zygote (and with it every child), and reap it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """The process id, 0 where none is running."""
        return self._process.pid if self._process is not None else 0

    def spawn(self, scratch: Path, limits: dict[str, int]) -> tuple[int, Channel]:
        """Return the process id of a fresh child and the channel to it.

        Raises
        ------
        SandboxError
            when even a zygote started anew cannot fork.
        """
        request = {"do": "spawn", "scratch": str(scratch), "limits": limits}
        for _ in range(2):
            with self._lock:
                if self._control is None:
                    self.start()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            reading, writing = os.pipe()
            try:
                pid = self._ask(request, [theirs.fileno(), writing], ANSWER_SECONDS).get("pid")
            finally:
                theirs.close()
                os.close(writing)
            channel = Channel(ours, reading, limits["frame_bytes"], limits["output_bytes"])
            if type(pid) is int:
                return pid, channel
            channel.close()
        raise SandboxError(
            "sandbox: expected a fresh worker, got none; is the machine out of memory?"
        )

    def end(self, pid: int, grace: float = 0.0, trace: bool = False) -> tuple[int, bool]:
        """End a child and all it left behind.

        Parameters
        ----------
        pid : the child.
        grace : seconds it gets to die by itself.
        trace : whether to make it print where it hangs, first.

        Returns
        -------
        status : the wait status of os.waitpid
        killed : whether it had to be killed
        """
        request = {"do": "end", "pid": pid, "grace": grace, "trace": trace}
        answer = self._ask(request, [], ANSWER_SECONDS + grace)
        status, killed = answer.get("status"), answer.get("killed")
        return (status, bool(killed)) if type(status) is int else (0, True)

    def _ask(
        self, request: dict[str, Any], descriptors: list[int], seconds: float
    ) -> dict[str, Any]:
        """Return the zygote's answer; kill it and return nothing when it has none."""
        with self._lock:
            try:
                if self._control is None:
                    return {}
                socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
                return self._answer(seconds)
            except (OSError, EOFError, ValueError):
                self.stop()
                return {}

    def _answer(self, seconds: float) -> dict[str, Any]:
        """Return one line of JSON, or raise TimeoutError (an OSError), EOFError or ValueError."""
        assert self._control is not None
        until, line = time.monotonic() + seconds, b""
        while not line.endswith(b"\n"):
            self._control.settimeout(max(until - time.monotonic(), 0.001))
            data = self._control.recv(4096)
            if not data or len(line) > 65536:
                raise EOFError
            line += data
        answer = json.loads(line)
        if type(answer) is not dict:
            raise ValueError("no answer")
        return answer


def _ready(compiler: bool) -> dict[str, str]:
    """Return the packages that submissions may use beside NumPy, where installed, with folders.

    `cython` serves its pure-Python mode, in which nothing is compiled.
    """
    found = {}
    for name in ("cython", *(("llvmlite", "numba") if compiler else ())):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            above = 2 if spec.submodule_search_locations else 1
            found[name] = str(Path(spec.origin).parents[above - 1])
    return found


def remove(folder: Path) -> None:
    """Delete a folder that hostile code has filled: any depth, any permissions, no link followed.

    Subfolders are emptied into the folder itself, so neither recursion nor paths grow with depth.

    Raises
    ------
    OSError
        when something in it cannot be removed, or keeps being made anew.
    """
    until = time.monotonic() + REMOVE_SECONDS
    os.chmod(folder, 0o700)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    fresh = (f"{secrets.token_hex(8)}-{number}" for number in itertools.count())
    try:
        while entries := os.listdir(top):
            if time.monotonic() > until:
                raise TimeoutError(f"{folder} is filled faster than it is emptied")
            for entry in entries:
                if not _is_folder(entry, top):
                    os.unlink(entry, dir_fd=top)
                    continue
                inner = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
                try:
                    for name in os.listdir(inner):
                        _is_folder(name, inner)
                        os.rename(name, next(fresh), src_dir_fd=inner, dst_dir_fd=top)
                finally:
                    os.close(inner)
                os.rmdir(entry, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(folder)


def _is_folder(name: str, parent: int) -> bool:
    """Return whether it is a folder, and then make it one that may be opened and moved."""
    if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
        return False
    os.chmod(name, 0o700, dir_fd=parent)
    return True
