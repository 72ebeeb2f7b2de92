"""The layers that confine student code on this machine, and applying them.

Each layer is tried on its own; what could be applied is reported by name, goes into every result
as the isolation reached, and nothing else is claimed. In the zygote, once: a network and IPC
namespace of its own, first in line when memory runs out, no capabilities, no memory dumps. In each
child, before the student's code: death with the parent, no new privileges, Landlock, resource
limits, seccomp.

Not stopped:

- the disk: each file is limited, their number is not;
- reading names and sizes: Landlock leaves stat alone, so a child learns which files exist;
- without seccomp: new processes (killed at the child's end), prlimit, priorities, chmod and
  memfd_create. A child has its grader's uid, so on the grader's processes these succeed;
- without Landlock: every file the grader may read.

A missing layer is missing from the report.

The worker runs this file without minidl: it imports only the standard library.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass

from . import landlock, seccomp
from .landlock import libc

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, CLEAR_ALL = 36, 38, 47, 4
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
CAPABILITY_VERSION_3 = 0x20080522
SIGKILL = 9

ALWAYS = ("separate process", "deadline")
NETWORK, UNDUMPABLE = "network namespace", "undumpable"
LIMITS, PRIVILEGES, CAPABILITIES = "resource limits", "no new privileges", "no capabilities"
LANDLOCK, SECCOMP = "Landlock", "seccomp"
NOTES = {
    "separate process": "a fresh child of a clean zygote for every check; bytes, never pickles",
    "deadline": "wall clock of the grader, then SIGKILL",
    NETWORK: "own network and IPC namespace, without interfaces",
    UNDUMPABLE: "no core dumps, no reading of the zygote's memory",
    LIMITS: "address space, CPU, file size, descriptors, core",
    PRIVILEGES: "set-uid programs give nothing",
    CAPABILITIES: "root in the worker is an ordinary user",
    LANDLOCK: "readable: standard library, NumPy; writable: a scratch folder",
    SECCOMP: "no processes, sockets, memory beside the limit, power over other processes",
}


@dataclass(frozen=True)
class Layer:
    """One layer: whether this machine offers it and whether the sandbox uses it."""

    name: str
    available: bool
    used: bool
    note: str


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def prctl(option: int, first: int, second: int = 0) -> None:
    """Call prctl(2); raises OSError."""
    longs = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    _check(libc().prctl(ctypes.c_int(option), *longs))


def _unshare_network() -> None:
    """Leave the machine's network: as root directly, as a user inside a user namespace."""
    if libc().unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0:
        return
    uid, gid = os.getuid(), os.getgid()
    _check(libc().unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


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


def _drop_capabilities() -> None:
    """Empty every capability set: effective, permitted, inheritable, ambient, bounding."""
    for capability in range(64):
        if libc().prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            break  # past the last one, or not ours to drop; no_new_privs makes up for it
    prctl(PR_CAP_AMBIENT, CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _check(libc().capset(header, (ctypes.c_uint32 * 6)()))


def _try(name: str, action, *args) -> list[str]:
    try:
        action(*args)
    except OSError:
        return []
    return [name]


def confine_zygote() -> list[str]:
    """Apply what its children inherit; return the names of the layers reached."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    _try("first in line when memory runs out", _first_in_line)  # before undumpable hides the file
    return [
        *_try(NETWORK, _unshare_network),
        *_try(CAPABILITIES, _drop_capabilities),
        *_try(UNDUMPABLE, prctl, PR_SET_DUMPABLE, 0),
    ]


def confine_child(zygote: int, limits: dict[str, int], rules: landlock.Rules) -> list[str]:
    """Apply the layers of one child to this process; return the names of those reached.

    Raises
    ------
    OSError
        where even resource limits or no_new_privs are refused: then nothing may run.
    """
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != zygote:
        os._exit(1)  # the zygote died before this process could ask to die with it
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    reached = [
        PRIVILEGES,
        *_try(_landlock_name(), rules.enforce),
    ]
    # Limits come after Landlock, whose rules hold more descriptors than they leave.
    return [*reached, *limit(limits), *_try(SECCOMP, seccomp.enforce)]


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
        installed = entries & {"site-packages", "dist-packages"}
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


def probe() -> None:
    """Confine this very process and print the layers reached as JSON."""
    generous = {"cpu_seconds": 60, "memory_bytes": 2**40, "file_bytes": 2**20, "open_files": 64}
    rules = readable([os.path.dirname(os.__file__)], [])
    reached = [*confine_zygote(), *confine_child(os.getppid(), generous, rules)]
    print(json.dumps(reached))


def layers() -> list[Layer]:
    """Return every layer, found by applying them all in a process made for the purpose."""
    reached: list[str] = []
    if sys.platform == "linux":
        command = launch("", "confine", "probe")
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
