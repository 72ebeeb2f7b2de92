"""The untrusted side: a zygote that forks one fresh process per check, and that process.

The zygote starts once, in an empty environment, imports NumPy, and then forks on request: a child
costs milliseconds instead of an interpreter's start, and holds nothing but NumPy and this code. The
child confines itself, then executes the student's source and answers calls until its stream ends.

Everything here may be read, patched or killed by the student's code. So nothing here is secret, and
the grader believes nothing that comes from here (minidl/grading/sandbox.py).

Runs without minidl, as a package of its own made by confine.launch: it imports only the standard
library, NumPy and files beside it, and what it is told to keep ready for submissions.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import io
import json
import os
import re
import signal
import socket
import sys
import time
import traceback
import warnings
from contextlib import suppress
from types import ModuleType
from typing import Any, NoReturn, TextIO

import numpy as np

from . import absent, confine, protocol

# What submissions commonly use, imported before the fork rather than after it.
WARM = ["dataclasses", "inspect", "typing", "numpy.fft", "numpy.lib.stride_tricks"]
WARM += ["numpy.linalg", "numpy.random"]
OFFERED = {*sys.stdlib_module_names, "numpy", "numba", "llvmlite", "cython", "Cython"}
OFFERED |= {__package__, "cython_runtime"}
MAX_TEXT = 2000
CONTROL_MESSAGE = 64 * 1024


def zygote(control_fd: str, root: str, ready: str) -> None:
    """Fork, end and reap children as the grader asks, until it hangs up.

    Parameters
    ----------
    control_fd : number of the socket to the grader.
    root : an empty folder for its file system; "" where nothing is to be confined.
    ready : JSON, the packages to import for submissions, and the folder of each.
    """
    control = socket.socket(fileno=int(control_fd))
    for name in WARM:
        importlib.import_module(name)
    folders = [os.path.dirname(np.__file__), *_import_ready(json.loads(ready))]
    packages = [path for folder in folders for path in (folder, f"{folder}.libs")]
    rules = confine.readable(sys.path, packages)
    confinement = confine.Confinement(rules) if root else None
    processes = os.open("/proc", os.O_RDONLY) if os.path.isdir("/proc") else None
    reached = confinement.zygote(root) if confinement else []
    gc.collect()
    gc.freeze()
    _send(control, {"ready": reached})
    children: set[int] = set()
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, CONTROL_MESSAGE, 2)
        if not data:
            return
        request = json.loads(data)
        if request["do"] == "spawn":
            pid = _fork(descriptors, request, confinement)
            children.add(pid)
            _send(control, {"pid": pid})
        else:
            children.discard(request["pid"])
            _send(control, _end(request, children, processes))


def _import_ready(packages: dict[str, str]) -> list[str]:
    """Import packages, each from its folder, which is forgotten again; return where they are."""
    found = []
    for name, folder in packages.items():
        sys.path.append(folder)
        try:
            found.append(os.path.dirname(importlib.import_module(name).__file__ or ""))
        finally:
            sys.path.remove(folder)
    if "numba" in packages:
        _warm_compiler()
    for name in list(sys.modules):
        if not name.startswith("_") and name.partition(".")[0] not in OFFERED:
            del sys.modules[name]  # SciPy, say, which Numba imports for itself
    # A module that is a file of its own stands among packages that stay unreadable.
    return [folder for folder in found if folder not in packages.values()]


def _warm_compiler() -> None:
    """Let Numba load all it needs for compiling, and forget what it knows about caches.

    What a student compiled once must not be found again by the next, nor by a corrected version.
    Nothing parallel is compiled here: it would start a thread, which no child inherits.
    """
    numba = importlib.import_module("numba")
    dispatcher = importlib.import_module("numba.core.dispatcher")
    ufuncs = importlib.import_module("numba.np.ufunc.ufuncbuilder")
    errors = importlib.import_module("numba.core.errors")
    for kind in (dispatcher.Dispatcher, ufuncs.UFuncDispatcher):
        kind.enable_caching = lambda self: None
    warnings.simplefilter("ignore", errors.NumbaSystemWarning)  # of a lock it can do without
    numba.njit(lambda x: x.sum() + len(x))(np.ones(2))


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    control.sendall(json.dumps(message).encode() + b"\n")


def _end(request: dict[str, Any], others: set[int], processes: int | None) -> dict[str, Any]:
    """Give a child `grace` seconds to die by itself, kill it, and whatever it left behind."""
    pid, grace = request["pid"], request["grace"]
    if request["trace"]:
        _kill(pid, signal.SIGUSR1)  # faulthandler answers with the line where it hangs
    until = time.monotonic() + grace
    done, status = os.waitpid(pid, os.WNOHANG)
    while not done and time.monotonic() < until:
        time.sleep(0.002)
        done, status = os.waitpid(pid, os.WNOHANG)
    killed = not done
    if killed:
        _kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    _sweep(others, processes)
    return {"status": status, "killed": killed}


def _kill(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _sweep(known: set[int], processes: int | None) -> None:
    """Kill the descendants of ended children: as subreaper, this process is their parent now."""
    for _ in range(100):
        strays = _children(processes) - known
        if not strays:
            return
        for pid in strays:
            _kill(pid, signal.SIGKILL)
        for pid in strays:
            os.waitpid(pid, 0)


def _children(processes: int | None) -> set[int]:
    """Return this process's children, found in /proc, whose descriptor is `processes`."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    found = set()
    for entry in filter(str.isdigit, () if processes is None else os.listdir(processes)):
        try:
            descriptor = os.open(f"{entry}/stat", os.O_RDONLY, dir_fd=processes)
            with open(descriptor, "rb") as file:
                parent = file.read().rpartition(b")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid():
            found.add(int(entry))
    return found


def _fork(
    descriptors: list[int], request: dict[str, Any], confinement: confine.Confinement | None
) -> int:
    """Start a child and return its process id; in the child, never return."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _child(parent, descriptors, request, confinement)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)  # no exit handlers, and never back into the zygote's loop
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _child(
    parent: int, descriptors: list[int], request: Any, confinement: confine.Confinement | None
) -> NoReturn:
    """Confine this fresh process and answer calls until the stream ends."""
    channel, output = descriptors
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((null, output, output)):
        os.dup2(source, number)
    scratch, limits = request["scratch"], request["limits"]
    if confinement is not None:
        scratch = confinement.scratch(scratch, limits)
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch)
    if confinement is None:
        reached = confine.limit(limits)
    else:
        reached = confinement.child(parent, scratch, limits)
    os.closerange(3, channel)
    os.closerange(channel + 1, 65536)
    with open(os.__file__, "rb"):
        pass  # a standard library that cannot be read is noticed here, not in a student's import
    faulthandler.enable(file=2, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=False)
    sys.stdin, sys.stdout, sys.stderr = _text(0, "r"), _text(1, "w"), _text(2, "w")
    serve(socket.socket(fileno=channel), limits["frame_bytes"], reached)
    os._exit(0)


def _text(descriptor: int, mode: str) -> TextIO:
    buffer = io.FileIO(descriptor, mode, closefd=False)
    stream = io.BufferedReader(buffer) if mode == "r" else io.BufferedWriter(buffer)
    return io.TextIOWrapper(
        stream, encoding="utf-8", errors="backslashreplace", line_buffering=True
    )


def serve(channel: socket.socket, max_bytes: int, reached: list[str]) -> None:
    """Say which layers were reached, then answer each frame of the grader with one frame."""

    def fill(view: memoryview) -> None:
        while view.nbytes:
            count = channel.recv_into(view)
            if not count:
                raise EOFError
            view = view[count:]

    def send(ticket: int, answer: Any) -> None:
        pieces = protocol.pack(ticket, answer, "the result", max_bytes)
        for piece in pieces:
            channel.sendall(piece)

    runner = Runner()
    send(0, {"ready": reached})
    while True:
        try:
            ticket, request = protocol.receive(fill, max_bytes, generators=True)
        except EOFError:
            return
        answer = runner.answer(request)
        del request
        try:
            send(ticket, answer)
        except protocol.ProtocolError as error:
            send(ticket, failed("protocol", str(error)))
        except MemoryError:
            send(ticket, failed("memory"))


class Runner:
    """The student's module and the calls of its functions."""

    def __init__(self) -> None:
        """Start without a module."""
        self.file = ""
        self.module = ModuleType("submission")
        self.scenarios: dict[str, str] = {}
        self.drivers: dict[str, Any] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request, whatever the student's code does."""
        try:
            if request["do"] == "load":
                self.scenarios = request.get("scenarios", {})
                text = bytes(request.get("scenario_source", b""))
                return self.load(request["name"], bytes(request["source"]), text)
            return self.call(request["function"], request["args"], request["kwargs"])
        except protocol.ProtocolError as error:
            return failed("protocol", str(error))
        except BaseException as error:
            return self.failure(error)
        finally:
            _flush()

    def load(self, name: str, source: bytes, scenarios: bytes = b"") -> dict[str, Any]:
        """Execute the source as a module of that name, and the scenarios beside it."""
        self.file = f"{name}.py"
        self.module = ModuleType(name)
        self.module.__file__ = self.file
        sys.modules[name] = self.module
        sys.argv = [self.file]
        code = compile(absent.tolerant(source, self.file), self.file, "exec", dont_inherit=True)
        vars(self.module)[absent.BINDER] = absent.bound
        exec(code, vars(self.module))
        self.drivers = {"np": np, "__name__": "scenarios"}
        exec(compile(scenarios, "<scenarios>", "exec", dont_inherit=True), self.drivers)
        return {"loaded": True}

    def call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Call one function; what it returned, and a checksum of each argument afterwards."""
        target = vars(self.module).get(self.scenarios.get(function, function))
        if not callable(target):
            return failed("missing")
        if function in self.scenarios:
            returned = self.drivers[function](target, *args, **kwargs)
        else:
            returned = target(*args, **kwargs)
        protocol.encode(returned, "its result")
        return {
            "returned": returned,
            "args": [protocol.checksum(value) for value in args],
            "kwargs": {name: protocol.checksum(value) for name, value in kwargs.items()},
        }

    def failure(self, error: BaseException) -> dict[str, Any]:
        """Describe an exception: its type, its text, and the last line of the student's own."""
        if isinstance(error, MemoryError):
            return failed("memory", line=self._line(error))
        return failed("raised", _text_of(error), type(error).__name__, self._line(error))

    def _line(self, error: BaseException) -> int | None:
        if isinstance(error, SyntaxError) and error.filename == self.file:
            return error.lineno
        line, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.file:
                line = trace.tb_lineno
            trace = trace.tb_next
        # A compiler's exception says in its text where in the student's file it stopped.
        named = re.findall(rf'File "{re.escape(self.file)}", line (\d{{1,7}})', _text_of(error))
        return int(named[-1]) if line is None and named else line


def _text_of(error: BaseException) -> str:
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:
        return ""


def failed(kind: str, text: str = "", error: str = "", line: int | None = None) -> dict[str, Any]:
    """Return the answer that says why there is no value."""
    text, error = (t[:MAX_TEXT].encode("utf-8", "replace").decode() for t in (text, error))
    return {"failed": kind, "text": text, "type": error, "line": line}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            continue  # the student closed or replaced it: nothing of ours depends on it
