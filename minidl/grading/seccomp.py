"""A seccomp filter through ctypes: the system calls that student code does without.

Denied (EPERM): new processes and programs; sockets; signals, tracing, priorities, affinity and
limits of other processes; owners, permissions, times and attributes of files; anonymous and shared
memory beyond the limit on address space; namespaces; the kernel's wide interfaces (io_uring, AIO,
bpf, perf, keys); having the kernel send signals when a descriptor is ready (F_SETOWN). Where
nothing else closes the disk, also making, moving, and opening for writing any file; and where no
resource limit bounds their number (of the machine's root), threads. What needs a capability
(mounting, loading modules, setting the clock) is missing here, for a worker has none.

The worker runs this file: it imports only the standard library and the file beside it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from .landlock import libc

PR_SET_SECCOMP, FILTER_MODE = 22, 2
PR_SET_PDEATHSIG = 1
CLONE_THREAD = 0x00010000
X32 = 0x40000000
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data, little-endian

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

# Numbers on (x86_64, aarch64), None where the machine has no such call.
DENIED: dict[str, list[tuple[int | None, int | None]]] = {
    "processes": [(57, None), (58, None), (59, 221), (322, 281)],  # fork vfork execve execveat
    "sockets": [(41, 198)],  # socketpair stays: it reaches nobody
    # ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
    "tracing": [(101, 117), (310, 270), (311, 271), (440, 440), (448, 448), (312, 272)],
    # pidfd_open pidfd_getfd pidfd_send_signal tkill migrate_pages move_pages
    "others": [(434, 434), (438, 438), (424, 424), (200, 130), (256, 238), (279, 239)],
    # sched_setaffinity sched_setattr sched_setparam sched_setscheduler setpriority ioprio_set
    "scheduling": [(203, 122), (314, 274), (142, 118), (144, 119), (141, 140), (251, 30)],
    # chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat
    "permissions": [(90, None), (91, 52), (268, 53), (452, 452)],
    "owners": [(92, None), (93, 55), (94, None), (260, 54)],
    # utime utimes futimesat utimensat
    "times": [(132, None), (235, None), (261, None), (280, 88)],
    # setxattr lsetxattr fsetxattr setxattrat, removexattr lremovexattr fremovexattr removexattrat
    "attributes": [(188, 5), (189, 6), (190, 7), (463, 463), (197, 14), (198, 15), (199, 16)],
    "newer attributes": [(466, 466), (469, 469)],
    # memfd_create memfd_secret shmget msgget semget mq_open
    "memory": [(319, 279), (447, 447), (29, 194), (68, 186), (64, 190), (240, 180)],
    # io_uring_setup io_uring_enter io_uring_register bpf userfaultfd perf_event_open
    "interfaces": [(425, 425), (426, 426), (427, 427), (321, 280), (323, 282), (298, 241)],
    "asynchronous I/O": [(206, 0)],  # io_setup: a machine has but 65536 for everybody
    "keys": [(248, 217), (249, 218), (250, 219)],  # add_key request_key keyctl
    "namespaces": [(272, 97), (308, 268)],  # unshare setns
    "log": [(103, 116)],  # syslog
}
# creat mkdir mkdirat mknod mknodat link linkat symlink symlinkat rename renameat renameat2 truncate
# unlink unlinkat rmdir
CHANGES: list[tuple[int | None, int | None]] = [
    *[(85, None), (83, None), (258, 34), (133, None), (259, 33), (86, None), (265, 37)],
    *[(88, None), (266, 36), (82, None), (264, 38), (316, 276), (76, 45)],
    *[(87, None), (263, 35), (84, None)],
]
OPEN: tuple[int | None, int | None] = (2, None)
OPENAT, OPENAT2 = (257, 56), (437, 437)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
FCNTL, IOCTL = (72, 25), (16, 29)
OWNERS_BY_FCNTL = (8, 10, 15)  # F_SETOWN F_SETSIG F_SETOWN_EX
OWNERS_BY_IOCTL = (0x8901, 0x8902)  # FIOSETOWN SIOCSPGRP
CLONE, CLONE3, PRCTL, PRLIMIT64 = (56, 220), (435, 435), (157, 167), (302, 261)
SIGNALS = [(62, 129), (234, 131), (129, 138), (297, 240)]  # kill tgkill and their queued twins

# An instruction: what to do, its operand, and the labels to jump to if so and if not.
Instruction = tuple[int, int, str, str]
RETURNS = {
    "allow": ALLOW,
    "deny": ERRNO | errno.EPERM,
    "no such call": ERRNO | errno.ENOSYS,
    "kill": KILL_PROCESS,
}


def _rules(
    machine: int, architecture: int, pid: int, files: bool, threads: bool
) -> list[Instruction]:
    """Return the filter for a process, without its returns."""
    code: list[Instruction] = [
        (LOAD, ARCHITECTURE, "", ""),
        (EQUAL, architecture, "", "kill"),
        (LOAD, NUMBER, "", ""),
        (AT_LEAST, X32, "deny", ""),
    ]
    for calls in [*DENIED.values(), *([] if files else [CHANGES])]:
        numbers = (call[machine] for call in calls)
        code += [(EQUAL, number, "deny", "") for number in numbers if number is not None]
    # The C library falls back to clone, and to openat.
    for call in (CLONE3, *(() if files else (OPENAT2,))):
        code.append((EQUAL, call[machine], "no such call", ""))
    thread = "allow" if threads else "deny"
    code += _argument(CLONE[machine], 0, [(ANY_BIT, CLONE_THREAD, thread, "deny")])
    code += _argument(PRCTL[machine], 0, [(EQUAL, PR_SET_PDEATHSIG, "deny", "allow")])
    own = [(EQUAL, 0, "allow", ""), (EQUAL, pid, "allow", "deny")]
    code += _argument(PRLIMIT64[machine], 0, own)
    for call in SIGNALS:
        code += _argument(call[machine], 0, own[1:])
    for call, owners in ((FCNTL, OWNERS_BY_FCNTL), (IOCTL, OWNERS_BY_IOCTL)):
        code += _argument(call[machine], 1, [(EQUAL, owner, "deny", "") for owner in owners])
        code.append((LOAD, NUMBER, "", ""))
    if not files:
        for place, call in ((1, OPEN), (2, OPENAT)):
            number = call[machine]
            if number is not None:
                code += _argument(number, place, [(ANY_BIT, WRITING, "deny", "allow")])
    return code


def _argument(number: int, place: int, tests: list[Instruction]) -> list[Instruction]:
    """Return the tests of one argument of a call; any other call skips them."""
    skip = f"+{len(tests) + 1}"
    return [(EQUAL, number, "", skip), (LOAD, ARGUMENTS + 8 * place, "", ""), *tests]


def program(machine: str, pid: int, files: bool = True, threads: bool = True) -> bytes:
    """Return the filter as the kernel wants it.

    Parameters
    ----------
    machine : "x86_64" or "aarch64"; raises OSError for any other.
    pid : the process that may signal itself.
    files : whether files may be made and opened for writing, where something else bounds that.
    threads : whether they may be started, where something else bounds that.
    """
    if machine not in ARCHITECTURES:
        raise OSError(f"seccomp: no table of system calls for {machine}")
    code = _rules(*ARCHITECTURES[machine], pid, files, threads)
    targets = {label: len(code) + 1 + i for i, label in enumerate(RETURNS)}
    words = []
    for here, (what, operand, yes, no) in enumerate(code):
        jumps = [_distance(label, here, targets) for label in (yes, no)]
        words.append(struct.pack("=HBBI", what, *jumps, operand))
    last = [ALLOW, *RETURNS.values()]  # first what is reached by falling through
    return b"".join([*words, *(struct.pack("=HBBI", RETURN, 0, 0, value) for value in last)])


def _distance(label: str, here: int, targets: dict[str, int]) -> int:
    if not label:
        return 0
    return int(label) if label.startswith("+") else targets[label] - here - 1


def enforce(files: bool = True, threads: bool = True) -> None:
    """Put this process under the filter, for good; see `program`. Needs no_new_privs.

    Raises
    ------
    OSError
        where the kernel has no seccomp, or the machine no table here.
    """
    code = program(platform.machine(), os.getpid(), files, threads)
    instructions = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions))
    longs = [ctypes.c_ulong(FILTER_MODE), header, ctypes.c_ulong(0), ctypes.c_ulong(0)]
    if libc().prctl(PR_SET_SECCOMP, *longs) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
