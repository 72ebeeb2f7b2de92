"""Read what a student hands in: a .py file or a notebook, as data, whatever is in it.

A call that is wrong (no such file, a folder, a link, far too large) raises. A file that is there
but cannot be graded (empty, not text, not Python) is the student's work, and comes back with a
reason.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
import tokenize
import warnings
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from minidl.errors import ArgumentError, expected
from minidl.grading.cells import NoNotebook, notebook_source, too_much
from minidl.grading.syntax import parse

LIMITS = {".py": 1_000_000, ".ipynb": 20_000_000}
CODING = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)")
# Names of host, escapes: no text, and punycode takes hours for a megabyte.
NO_CODINGS = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"}
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Submission:
    """What was handed in.

    Parameters
    ----------
    name : the file's name.
    sha256 : of the file's bytes.
    source : Python, UTF-8 with line feeds; empty when there is a reason.
    reason : why it cannot be graded; "" when it can.
    notes : what was left out of a notebook.
    """

    name: str
    sha256: str
    source: bytes
    reason: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: str | Path, wanted: Collection[str] = ()) -> Submission:
        """Read a .py file or a notebook; `wanted` are the names that are asked for.

        Raises
        ------
        ArgumentError
            as `read_bytes` does.
        """
        path = Path(path)
        return cls.of(path.name, read_bytes(path), wanted)

    @classmethod
    def of(cls, name: str, data: bytes, wanted: Collection[str] = ()) -> Submission:
        """Read a file that is at hand: its name, whose ending says which kind it is, and bytes."""
        digest = hashlib.sha256(data).hexdigest()
        notes: tuple[str, ...] = ()
        try:
            text = _text(data)
            if name.endswith(".ipynb"):
                text, notes = notebook_source(text, wanted)
            _demand_python(text)
        except (_Ungradable, NoNotebook) as reason:
            return cls(name, digest, b"", str(reason))
        return cls(name, digest, text.encode(), notes=notes)


class _Ungradable(Exception):
    """Why a file that is there cannot be graded."""


def read_bytes(path: Path, top: Path | None = None) -> bytes:
    """Return what a .py file or a notebook holds, read once.

    Parameters
    ----------
    path : the file; it may not be a link itself.
    top : a folder above it, below which no folder may be a link either, put there in the meantime.

    Raises
    ------
    ArgumentError
        when there is no such file, or it is a folder, a link, another kind of file, larger than
        1 MB (20 MB for a notebook), or changed while it was read.
    """
    limit = LIMITS.get(path.suffix)
    if limit is None and not os.path.isdir(path):
        raise ArgumentError(expected("submission", "a .py file or a notebook", str(path)))
    try:
        with open(path, "rb", opener=partial(_open_safely, top=top)) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OSError(0, "not an ordinary file")
            data = file.read((limit or 0) + 1)
            after = os.fstat(file.fileno())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        why = "a link" if _linked(path, top) else why.lower()
        wish = "a file that can be read"
        raise ArgumentError(expected("submission", wish, f"{path} ({why})")) from None
    if len(data) > (limit or 0):
        wish = f"at most {(limit or 0) // 1_000_000} MB"
        got = f"{path} ({path.stat().st_size / 1e6:.0f} MB)"
        hint = "hand in your code alone, without data or pictures"
        raise ArgumentError(expected("submission", wish, got, hint))
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        wish = "a file that stays as it is while it is read"
        hint = "run this again when it has been written"
        raise ArgumentError(expected("submission", wish, f"{path}, which changed", hint))
    return data


def _open_safely(path: str, flags: int, top: Path | None) -> int:
    """Open without following a link and without waiting for the other end of a pipe."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    if top is None or os.open not in os.supports_dir_fd:
        return os.open(path, flags)
    *folders, name = Path(path).relative_to(top).parts
    with ExitStack() as stack:
        above = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, above)
        for folder in folders:
            above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
            stack.callback(os.close, above)
        return os.open(name, flags, dir_fd=above)


def _linked(path: Path, top: Path | None) -> bool:
    """Whether a path is a link, or leads through one below `top`."""
    inside = [] if top is None else [folder for folder in path.parents if top in folder.parents]
    return path.is_symlink() or any(folder.is_symlink() for folder in inside)


def _text(data: bytes) -> str:
    """Decode as Python would: UTF-8, or what a coding line says; UTF-16 where it says so itself."""
    try:
        coding = "utf-16" if data.startswith(UTF_16) else tokenize.detect_encoding(_lines(data))[0]
        if codecs.lookup(coding).name.replace("_", "-") in NO_CODINGS:  # Punycode and U7, too
            raise LookupError(coding)
        text = data.decode(coding)
    except (UnicodeError, SyntaxError, LookupError) as error:
        at = data.count(b"\n", 0, error.start) + 1 if isinstance(error, UnicodeDecodeError) else 1
        hint = "save it as UTF-8"
        raise _Ungradable(f"the file is not UTF-8 text (line {at}); {hint}") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise _Ungradable("the file is empty")
    first = text.split("\n", 2)
    first[:2] = [CODING.sub(r"\1utf-8", line) for line in first[:2]]  # for so it goes on from here
    return "\n".join(first)


def _lines(data: bytes) -> Callable[[], bytes]:
    """Return what reads line by line, whichever way they end."""
    return io.BytesIO(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).readline


def _demand_python(text: str) -> None:
    """Parse, or say in which line Python stops understanding it."""
    if reason := too_much(text):
        raise _Ungradable(reason)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parse(text)
    except SyntaxError as error:
        at = f" in line {error.lineno}" if error.lineno else ""
        raise _Ungradable(f"syntax error{at}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _Ungradable(f"not Python ({type(error).__name__})") from None
