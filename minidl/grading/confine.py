"""The layers that confine student code on this machine, and applying them.

Each layer is tried on its own; what could be applied is reported by name, goes into every result
as the isolation reached, and nothing else is claimed. In the zygote, once: namespaces with a file
system of its own, first in line when memory runs out, no memory dumps. In each child, before the
student's code: a scratch folder, no capabilities, as root a user of its own, death with the parent,
no new privileges, Landlock, resource limits, seccomp.

What is not stopped where a layer is missing:

- no namespaces (in most containers): the names and sizes of files can be learnt, for Landlock
  leaves stat alone. Nothing can be written: without its bound on the number of files, the scratch
  folder is closed, by Landlock or else by seccomp;
- no seccomp: new processes (killed at the child's end), prlimit, priorities, chmod, memfd_create;
  without a user of its own, a child has its grader's uid and these succeed on the grader;
- neither namespaces nor Landlock: every file that the child's user may read.

The worker runs this file without minidl: it imports only the standard library.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from . import landlock, namespaces, seccomp
from .landlock import libc
from .namespaces import INSTALLED, check

PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 3, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, CLEAR_ALL = 36, 38, 47, 4
CAPABILITY_VERSION_3 = 0x20080522
SIGKILL = 9
WAITING = 256  # signals and timers
# Users that nobody has: above what container managers hand out; and where those are not mapped, the
# range of systemd's dynamic users. The process id makes them one worker's own.
OWN_USERS = ((0x70000000, 2**22), (61184, 4096))

ALWAYS = ("separate process", "deadline")
NETWORK, VIEW, UNDUMPABLE = "network namespace", "own file system", "undumpable"
OWN_USER = "own user"
LIMITS, PRIVILEGES, CAPABILITIES = "resource limits", "no new privileges", "no capabilities"
LANDLOCK, SECCOMP = "Landlock", "seccomp"
NOTES = {
    "separate process": "a fresh child of a clean zygote for every check; bytes, never pickles",
    "deadline": "wall clock of the grader, then SIGKILL",
    NETWORK: "own network and IPC namespace, without interfaces",
    VIEW: "no other file exists; scratch in memory, bounded in bytes and files",
    UNDUMPABLE: "no core dumps, no reading of the zygote's memory",
    OWN_USER: "a uid of each worker's own; only root can give it",
    LIMITS: "address space, CPU, file size, descriptors, threads, core",
    PRIVILEGES: "set-uid programs give nothing",
    CAPABILITIES: "root in the worker is an ordinary user",
    LANDLOCK: "readable: standard library, NumPy; writable: a scratch folder",
    SECCOMP: "no processes, sockets, memory beside the limit, power over other processes",
}


LEVELS = {
    "full": "no files, network, processes or memory but its own",
    "good": "the same, but the names of files can be learnt, and nothing can be written",
    "weak": "some way out is open: only for submissions you trust",
}


def level(isolation: str) -> str:
    """Return how far a submission is confined, one word of LEVELS, from the layers reached.

    Examples
    --------
    >>> level("separate process, deadline, resource limits")
    'weak'
    """
    if not all(layer in isolation for layer in (LIMITS, PRIVILEGES, CAPABILITIES, SECCOMP)):
        return "weak"
    if VIEW in isolation and NETWORK in isolation:
        return "full"
    return "good" if LANDLOCK in isolation else "weak"


def in_words(isolation: str) -> str:
    """Return the level reached, and what it means.

    Examples
    --------
    >>> in_words("separate process, deadline, resource limits")
    'weak (some way out is open: only for submissions you trust)'
    """
    return f"{level(isolation)} ({LEVELS[level(isolation)]})"


@dataclass(frozen=True)
class Layer:
    """One layer: whether this machine offers it and whether the sandbox uses it."""

    name: str
    available: bool
    used: bool
    note: str


def prctl(option: int, first: int, second: int = 0) -> None:
    """Call prctl(2); raises OSError."""
    longs = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    check(libc().prctl(ctypes.c_int(option), *longs))


def limit(limits: dict[str, int]) -> list[str]:
    """Set the resource limits of this process; raises OSError."""
    import resource  # here, for elsewhere than on Unix there is none, and `layers` says so

    cpu = limits["cpu_seconds"]
    for kind, soft, hard in (
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))
    return [LIMITS]


def _limit_tasks(most: int) -> None:
    """Bound what the kernel counts for a whole user: tasks, and signals and timers that wait.

    More are refused to this process, and to nobody else of that user. Else threads with the
    smallest of stacks use up the process ids of the whole machine.
    """
    import resource

    for kind, wanted in ((resource.RLIMIT_NPROC, most), (resource.RLIMIT_SIGPENDING, WAITING)):
        ceiling = resource.getrlimit(kind)[1]
        bound = wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
        resource.setrlimit(kind, (bound, bound))


def _tasks_of(user: int) -> int:
    """Return how many tasks a user has, as far as they can be seen."""
    count = 0
    for entry in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        with suppress(OSError):
            if os.stat(f"/proc/{entry}").st_uid == user:
                count += len(os.listdir(f"/proc/{entry}/task"))
    return count


def _drop_bounding() -> None:
    """Give up every capability for good, whatever is executed; those in use stay for now."""
    for capability in range(64):
        if libc().prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            break  # past the last one, or not ours to drop; no_new_privs makes up for it


def _drop_capabilities() -> None:
    """Empty every other capability set: effective, permitted, inheritable, ambient."""
    prctl(PR_CAP_AMBIENT, CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    check(libc().capset(header, (ctypes.c_uint32 * 6)()))


def _become_nobody_else() -> None:
    """Take a uid and gid that no other process has; raise OSError where none is mapped."""
    for first, count in OWN_USERS:
        own = first + os.getpid() % count
        with suppress(OSError):
            os.setgroups([])
            os.setresgid(own, own, own)
            os.setresuid(own, own, own)
            return
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def _others_may_read(paths: Sequence[str]) -> bool:
    """Return whether a process with a user of its own can read all of these paths.

    It could not where the interpreter lies below a closed home, and no file system of its own leads
    around it; then a worker keeps its user, or it would have no standard library.
    """
    pid = os.fork()
    if pid == 0:
        try:
            _become_nobody_else()
            need = [os.R_OK | os.X_OK * os.path.isdir(path) for path in paths]
            os._exit(0 if all(map(os.access, paths, need)) else 1)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _try(name: str, action, *args) -> list[str]:
    try:
        action(*args)
    except OSError:
        return []
    return [name]


class Confinement:
    """What confines a zygote, and then each of its children.

    Parameters
    ----------
    rules : what may be opened; see `readable`.
    """

    def __init__(self, rules: landlock.Rules) -> None:
        """Apply nothing yet."""
        self._rules = rules
        self._view = self._user = self._root = False
        self._tasks = 0

    def zygote(self, root: str) -> list[str]:
        """Apply what children inherit to this process; return the names of the layers reached.

        Parameters
        ----------
        root : an empty folder, on which the own file system is built.
        """
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._root, self._tasks = os.getuid() == 0, _tasks_of(os.getuid())
        _try("first in line when memory runs out", _first_in_line)  # undumpable hides the file
        reached = _try(NETWORK, namespaces.leave)
        if reached:
            reached += _try(VIEW, namespaces.enter, root, self._rules.paths)
        self._view = VIEW in reached
        self._user = os.getuid() == 0 and _others_may_read(self._rules.paths)
        return [*reached, *_try(UNDUMPABLE, prctl, PR_SET_DUMPABLE, 0)]

    def scratch(self, folder: str, limits: dict[str, int]) -> str:
        """Return this child's scratch folder: in memory where it can be, else `folder`."""
        if not self._view:
            return folder
        namespaces.scratch(limits["scratch_bytes"], limits["scratch_files"])
        return namespaces.SCRATCH

    def child(self, zygote: int, scratch: str, limits: dict[str, int]) -> list[str]:
        """Apply the layers of one child to this process; return the names of those reached.

        Raises
        ------
        OSError
            where even resource limits or no_new_privs are refused: then nothing may run.
        """
        self._rules.allow(scratch, landlock.SCRATCH if self._view else landlock.READ)
        _drop_bounding()
        reached = _try(OWN_USER, _become_nobody_else) if self._user else []
        reached += _try(CAPABILITIES, _drop_capabilities)
        prctl(PR_SET_PDEATHSIG, SIGKILL)  # after the user, whose change forgets it
        _try(UNDUMPABLE, prctl, PR_SET_DUMPABLE, 0)
        if os.getppid() != zygote:
            os._exit(1)  # the zygote died before this process could ask to die with it
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        files = _try(_landlock_name(), self._rules.enforce)
        # Limits come after Landlock, whose rules hold more descriptors than they leave.
        reached += [PRIVILEGES, *files, *limit(limits)]
        # The kernel counts all tasks of the user; one of the worker's own has no others.
        _limit_tasks(limits["threads"] + (0 if OWN_USER in reached else self._tasks))
        threads = OWN_USER in reached or not self._root  # of root the kernel counts no tasks
        return [*reached, *_try(SECCOMP, seccomp.enforce, self._view or bool(files), threads)]


class Shut:
    """While any is entered, no other process of the same user reads or traces this one.

    The grader holds the instructor's secret; where a worker has the grader's uid and no seccomp,
    this is what keeps it in. Elsewhere than on Linux it does nothing.
    """

    _entered = 0
    _before = 1
    _lock = threading.Lock()

    def __enter__(self) -> Shut:
        """Make this process undumpable."""
        with Shut._lock:
            if Shut._entered == 0 and sys.platform == "linux":
                Shut._before = libc().prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
                _try(UNDUMPABLE, prctl, PR_SET_DUMPABLE, 0)
            Shut._entered += 1
        return self

    def __exit__(self, *error: object) -> None:
        """Leave it as it was found, once the last is left."""
        with Shut._lock:
            Shut._entered -= 1
            if Shut._entered == 0 and sys.platform == "linux":
                _try(UNDUMPABLE, prctl, PR_SET_DUMPABLE, min(Shut._before, 1))


def _first_in_line() -> None:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _landlock_name() -> str:
    return f"{LANDLOCK} ({', '.join(landlock.covers(landlock.abi()))})"


def readable(folders: list[str], packages: list[str]) -> landlock.Rules:
    """Return the rules for code that needs the interpreter and a few packages, nothing else.

    Parameters
    ----------
    folders : folders of the standard library; installed packages inside them stay unreadable.
    packages : folders of packages, readable whole.
    """
    rules = landlock.Rules()
    for folder in filter(os.path.isdir, folders):
        entries = set(os.listdir(folder))
        installed = entries & set(INSTALLED)
        rules.allow(folder, landlock.READ_DIR if installed else landlock.READ)
        for entry in entries - installed if installed else ():
            rules.allow(os.path.join(folder, entry), landlock.READ)
    for path in (*packages, *_libraries(), "/dev/urandom", "/dev/random", "/dev/zero"):
        rules.allow(path, landlock.READ)
    rules.allow("/dev/null", landlock.READ | landlock.WRITE_FILE)
    return rules


def _libraries() -> set[str]:
    """Return the folders (or, beside Python packages, the files) of the loaded shared libraries."""
    mapped: set[str] = set()
    with suppress(OSError), open("/proc/self/maps") as file:
        mapped = {line.split()[-1] for line in file if ".so" in line}
    paths = set()
    for path in mapped:
        folder = os.path.dirname(path)
        if os.path.isdir(folder):
            shared = any(entry.startswith("python") for entry in os.listdir(folder))
            paths.add(path if shared else folder)
    return paths


def probe(root: str) -> None:
    """Confine this very process and print the layers reached as JSON; `root` is an empty folder."""
    limits = {"cpu_seconds": 60, "memory_bytes": 2**40, "file_bytes": 2**20, "open_files": 64}
    limits |= {"scratch_bytes": 2**20, "scratch_files": 16, "threads": 64}
    confinement = Confinement(readable([os.path.dirname(os.__file__)], []))
    reached = confinement.zygote(root)
    scratch = confinement.scratch(root, limits)
    print(json.dumps([*reached, *confinement.child(os.getppid(), scratch, limits)]))


def layers() -> list[Layer]:
    """Return every layer, found by applying them all in a process made for the purpose."""
    reached: list[str] = []
    if sys.platform == "linux":
        with tempfile.TemporaryDirectory(prefix="minidl-") as root:
            command = launch("", "confine", "probe", root)
            answer = subprocess.run(command, capture_output=True, env={}, timeout=60, check=False)
        reached = [*ALWAYS, *json.loads(answer.stdout or b"[]")]
    table = []
    for name, note in NOTES.items():
        full = [layer for layer in reached if layer.startswith(name)]
        table.append(Layer(full[0] if full else name, bool(full), bool(full), note))
    return table


BOOT = """
import importlib, sys, types
package = types.ModuleType("grading")
package.__path__ = [sys.argv[1]]
sys.modules["grading"] = package
sys.path.append(sys.argv[2])
function = getattr(importlib.import_module("grading." + sys.argv[3]), sys.argv[4])
sys.path.remove(sys.argv[2])
package.__path__ = []
function(*sys.argv[5:])
"""


def launch(packages: str, module: str, function: str, *args: str) -> list[str]:
    """Return the command that runs one function of a file beside this one, without minidl.

    The interpreter is isolated: no environment, no site-packages, no user folder. The files beside
    this one appear as a package named `grading`; `packages`, the folder that holds NumPy, serves
    only the imports of these files, and is then forgotten.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", BOOT]
    return [*command, here, packages, module, function, *args]
