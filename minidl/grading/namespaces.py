"""Namespaces: a worker's own network, and a file system in which only what it needs exists.

The zygote leaves the machine's namespaces once: as root directly, as a user inside a user namespace
(Linux 3.8 and newer; containers and some distributions refuse both). Its file system is then built
anew: an empty one in memory, onto which the interpreter and a few packages are bound, read-only. No
other name can be seen, not even by stat. Each child adds a scratch folder of its own, in memory,
with a bound on the sum and on the number of its files; with the child it is gone.

The worker runs this file: it imports only the standard library and the file beside it.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Sequence
from contextlib import suppress

from .landlock import libc

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 1 << 12, 1 << 14, 1 << 18
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE, READ_ONLY = -100, 0x8000, 1
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
MOUNT_SETATTR = 442
SCRATCH = "/scratch"
INSTALLED = ("site-packages", "dist-packages")


def check(result: int) -> None:
    """Raise OSError from errno unless a C function answered 0."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def leave() -> None:
    """Give this process its own network, IPC and mounts.

    Raises
    ------
    OSError
        where the kernel refuses it, to a user inside a user namespace as well.
    """
    if libc().unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) == 0:
        return
    uid, gid = os.getuid(), os.getgid()
    check(libc().unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        # Root without capabilities may not map itself: it is nobody there, confined all the same.
        with suppress(OSError), open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    texts = [os.fsencode(text) or None for text in (source, target, kind)]
    check(libc().mount(*texts, ctypes.c_ulong(flags), options.encode() or None))


def enter(root: str, paths: Sequence[str]) -> None:
    """Make `paths` all there is, for this process and its children: everything else is gone.

    Parameters
    ----------
    root : an empty folder, to build on; nothing of it is seen from outside.
    paths : folders and files. Installed packages inside a folder are not seen unless named.

    Raises
    ------
    OSError
        where the kernel refuses; then nothing has changed but this process's own mounts.
    """
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    _mount("minidl", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
    for path in sorted(map(os.path.abspath, paths)):
        if not os.path.lexists(root + path):
            _show(path, root + path)
    with os.scandir("/") as entries:
        for entry in entries:  # /lib -> usr/lib, where the dynamic loader looks
            if entry.is_symlink() and not os.path.lexists(root + entry.path):
                os.symlink(os.readlink(entry.path), root + entry.path)
    os.mkdir(root + SCRATCH)
    read_only = (ctypes.c_uint64 * 4)(READ_ONLY, 0, 0, 0)
    arguments = (ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, os.fsencode(root), AT_RECURSIVE)
    check(libc().syscall(*arguments, read_only, ctypes.c_size_t(32)))
    os.chdir(root)
    check(libc().syscall(ctypes.c_long(PIVOT_ROOT.get(platform.machine(), -1)), b".", b"."))
    check(libc().umount2(b".", MNT_DETACH))  # the old root lay on top of the new one
    os.chdir("/")


def _show(path: str, target: str) -> None:
    """Bind a file or folder; hide the installed packages in it."""
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "x"):
            pass
    else:
        os.makedirs(target, exist_ok=True)
    _mount(path, target, "", MS_BIND | MS_REC)
    for name in INSTALLED:
        if os.path.isdir(os.path.join(target, name)):
            hidden = os.path.join(target, name)
            _mount("minidl", hidden, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755")


def scratch(size: int, files: int) -> None:
    """Put an empty folder in memory at SCRATCH, for this process alone; it goes when it goes.

    Parameters
    ----------
    size : bytes of all files together.
    files : how many files, folders and links there may be, one of them the folder itself.
    """
    check(libc().unshare(CLONE_NEWNS))
    options = f"size={size},nr_inodes={files},mode=777"
    _mount("minidl", SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)
