"""Landlock through ctypes: what a process may still open, connect and signal.

Landlock is the kernel's confinement for unprivileged processes (Linux 5.13 and newer): a process
names the files it will need and gives up all others for good, for itself and its children.

The worker runs this file: it imports only the standard library.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from functools import cache

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_DIR, MAKE_REG, MAKE_FIFO, MAKE_SYM = 1 << 7, 1 << 8, 1 << 10, 1 << 12
REFER, TRUNCATE = 1 << 13, 1 << 14
READ = READ_FILE | READ_DIR
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
SCRATCH = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM
SCRATCH |= REFER | TRUNCATE

# The rights a kernel of each ABI knows: a ruleset that names an unknown one is refused.
KNOWN_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
NEWEST_RIGHTS = (1 << 16) - 1
TCP = 0b11
ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


@cache
def libc() -> ctypes.CDLL:
    """Return the C library, opened on first use: only a confined process needs it."""
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *args: object) -> int:
    result = libc().syscall(ctypes.c_long(number), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    return result


def abi() -> int:
    """Return the version of Landlock this kernel offers; 0 where there is none."""
    try:
        return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG))
    except OSError:
        return 0


def covers(version: int) -> list[str]:
    """Return in words what a version of Landlock confines."""
    return ["files"] + ["TCP"] * (version >= 4) + ["signals"] * (version >= 6)


class Rules:
    """What a process may still open, collected before it is confined.

    Attributes
    ----------
    paths : list of str
        What has been allowed, and exists.

    Examples
    --------
    >>> rules = Rules()
    >>> rules.allow("/usr/lib/python3.11", READ)
    >>> rules.allow("/tmp/scratch", SCRATCH)
    >>> rules.enforce()                                             # doctest: +SKIP
    """

    def __init__(self) -> None:
        """Start with nothing allowed."""
        self.paths: list[str] = []
        self._beneath: list[tuple[int, int]] = []

    def allow(self, path: str, rights: int) -> None:
        """Allow `rights` on a file or on all beneath a folder; a missing path is ignored."""
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= FILE_RIGHTS
        self.paths.append(path)
        self._beneath.append((rights, descriptor))

    def enforce(self) -> None:
        """Confine this process to the rules, for good. Needs no_new_privs, or root.

        Raises
        ------
        OSError
            where the kernel has no Landlock.
        """
        version = abi()
        known = KNOWN_RIGHTS.get(version, NEWEST_RIGHTS)
        attributes = struct.pack("=Q", known)
        if version >= 4:
            attributes += struct.pack("=Q", TCP)
        if version >= 6:
            attributes += struct.pack("=Q", ABSTRACT_SOCKETS_AND_SIGNALS)
        ruleset = _call(
            CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)
        )
        try:
            for rights, descriptor in self._beneath:
                rule = struct.pack("=Qi", rights & known, descriptor)
                _call(ADD_RULE, ruleset, PATH_BENEATH, rule, ctypes.c_uint32(0))
            _call(RESTRICT_SELF, ruleset, ctypes.c_uint32(0))
        finally:
            os.close(ruleset)
