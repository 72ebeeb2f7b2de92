"""Release assignments to a class: what students receive, written to a folder and looked through.

    FOLDER/batch_norm/script/      a workspace around batch_norm.py, with the lesson to read
    FOLDER/batch_norm/notebook/    the same with batch_norm.ipynb
    FOLDER/.minidl-release.json    the SHA-256 of every file as it was released

Nothing is written unless what is to be written holds no solution, and afterwards everything in the
folder is read again, byte by byte, whoever has put it there. A file that has been edited since it
was released is the instructor's own and stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidl.course.workspace import released
from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.assignment import Assignment
from minidl.grading.feedback import make_folder
from minidl.grading.leak import leaks
from minidl.grading.result import write_results

RECORD = ".minidl-release.json"


class LeakError(MinidlError):
    """Something to be released gives a solution away."""


@dataclass(frozen=True)
class Released:
    """What a release did.

    Parameters
    ----------
    written, unchanged : files, relative to the folder.
    edited : files that differ from what was released before, and were left as they are.
    """

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    edited: tuple[str, ...]


def release(assignments: Sequence[Assignment], folder: Path) -> Released:
    """Write what students of these assignments receive.

    Parameters
    ----------
    assignments : whose starters, lessons and notes are released.
    folder : made if need be. A second release brings what has not been edited up to date.

    Raises
    ------
    LeakError
        when something gives two statements of a solution away: if it is to be written, nothing is;
        if it lies in the folder already, it is named.
    ArgumentError
        when the folder cannot be written to, or its record cannot be read.
    """
    wanted = {path: text.encode() for a in assignments for path, text in _files(a).items()}
    _demand_no_leak(assignments, wanted, "nothing was written")
    make_folder(folder)
    record = _read_record(folder)
    written, unchanged, edited = [], [], []
    for name, data in sorted(wanted.items()):
        path = folder / name
        there = _bytes(path)
        if there == data:
            unchanged.append(name)
        elif there is not None and _digest(there) != record.get(name):
            edited.append(name)
            continue
        else:
            make_folder(path.parent)
            write_results(data.decode(), path)
            written.append(name)
        record[name] = _digest(data)
    write_results(json.dumps(record, indent=2, sort_keys=True) + "\n", folder / RECORD)
    _demand_no_leak(assignments, _everything(folder), "take it out before students see it")
    return Released(tuple(written), tuple(unchanged), tuple(edited))


def _files(assignment: Assignment) -> dict[str, str]:
    """Return the text of every file by its path in the release."""
    found = {}
    for label, text in released(assignment).items():
        form, _, name = label.partition(": ")
        found[f"{assignment.id}/{form}/{name}"] = text
    return found


def _demand_no_leak(
    assignments: Sequence[Assignment], content: Mapping[str, bytes], hint: str
) -> None:
    for assignment in assignments:
        found = leaks(assignment.reference.functions, content)
        if found:
            wish = "no statements of a solution in what is released"
            raise LeakError(expected("release", wish, "; ".join(found), hint))


def _everything(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file there is, whoever wrote it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        data = _bytes(path) if path.is_file() else None
        if data is not None:
            found[path.relative_to(folder).as_posix()] = data
    return found


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        got = f"{path} ({str(error.strerror).lower()})"
        raise ArgumentError(expected("release", "a file that can be read", got)) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_record(folder: Path) -> dict[str, str]:
    data = _bytes(folder / RECORD)
    try:
        record = json.loads(data) if data is not None else {}
    except ValueError:
        record = None
    if not isinstance(record, dict):
        got = f"something else in {folder / RECORD}"
        hint = "release to another folder"
        raise ArgumentError(expected("release", "the record of a release", got, hint))
    return record
