"""Find the submissions in a folder, in whichever of the usual layouts it comes.

    batch_norm/alice.py                               one assignment's folder, or with --assignment
    FOLDER/alice/batch_norm.py                        a folder for each student
    FOLDER/submitted/alice/batch_norm/batch_norm.py   nbgrader's (FOLDER or FOLDER/submitted);
                                                      what lies beside submitted/ is not graded
    FOLDER/doejane_LATE_123_456_batch_norm-1.py       what Canvas makes of a file's name
    FOLDER/Jane Doe_123_assignsubmission_file_/...    what Moodle does

Links are never followed, and of two files for one student none is chosen: both are named.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minidl.errors import ArgumentError, expected
from minidl.grading.roster import Roster
from minidl.grading.submission import LIMITS, read_bytes

DEPTH = 3
# What nbgrader keeps beside submitted/.
_NBGRADERS = {"source", "release", "autograded", "feedback", "exchange"}
_CANVAS = re.compile(r"(?P<name>.+?)_(?:LATE_)?(?P<user>\d+)_\d+_(?P<stem>.+)", re.S)
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<user>\d+)_assignsubmission_file_?(?P<stem>.*)", re.S)


@dataclass(frozen=True)
class Entry:
    """One submission that was found.

    Parameters
    ----------
    student : the roster's id where there is a roster, else what the file's name says.
    assignment : its id.
    path : the file.
    top : the folder it was found in, however deep.
    """

    student: str
    assignment: str
    path: Path
    top: Path | None = None

    def read(self) -> bytes:
        """Return the file's bytes; raise ArgumentError as `read_bytes` does."""
        return read_bytes(self.path, self.top)


@dataclass(frozen=True)
class Found:
    """What is in a folder.

    Parameters
    ----------
    entries : sorted by assignment and student, one for both together.
    problems : what cannot be graded and why, a sentence each.
    ignored : files that are no submissions.
    """

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]
    ignored: tuple[Path, ...]


@dataclass(frozen=True)
class _Candidate:
    """A file that may be somebody's submission.

    Parameters
    ----------
    path : the file.
    student : whose it is, by the file's name alone.
    names : under which a roster may know the student, the surest first.
    assignment : its id; "" where no name says it.
    sure : whether the file's own name says it, and not only its folder's.
    """

    path: Path
    student: str
    names: tuple[str, ...]
    assignment: str
    sure: bool


def collect(
    folder: Path, ids: Sequence[str], only: str = "", roster: Roster | None = None
) -> Found:
    """Find every submission below a folder.

    Parameters
    ----------
    folder : in one of the layouts above.
    ids : of the assignments whose names are understood.
    only : the id of the one that all files answer, whatever their names; "" when names say it.
    roster : who is in the class; by default everybody.

    Raises
    ------
    ArgumentError
        when the folder cannot be read, or has nothing in it that could be a submission.
    """
    top = folder / "submitted" if (folder / "submitted").is_dir() else folder
    ignored: list[Path] = []
    problems: list[str] = list(_beside(folder, top, ids))
    groups: dict[str, list[_Candidate]] = {}
    present: set[str] = set()
    spelled: dict[str, str] = {}
    for path in _files(top, top, ignored, problems):
        candidate = _candidate(path, top, ids)
        present.add(path.relative_to(top).parts[0])
        student = candidate.student
        if roster is not None:
            known = roster.find(candidate.names)
            if isinstance(known, str):
                problems.append(f"{path}: {known}")
                continue
            student = known.id
        # Alice and alice are one student: not every file system can tell them apart. Nor can people
        # tell a letter with an accent from a letter and an accent.
        student = unicodedata.normalize("NFC", student)
        groups.setdefault(spelled.setdefault(student.casefold(), student), []).append(candidate)
    deep = [p for p in ignored if p.is_dir() and p.relative_to(top).parts[0] not in present]
    problems += [f"{path}: expected files at most {DEPTH - 1} folders deep" for path in deep]
    if not groups and not problems:
        hint = "put each student's file there as STUDENT/ASSIGNMENT.py"
        wish = "submissions (.py files or notebooks)"
        raise ArgumentError(expected("grade", wish, f"none in {folder}", hint))
    entries: list[Entry] = []
    for student, candidates in groups.items():
        found = _entries(student, candidates, only, ignored, problems)
        entries += [replace(entry, top=top) for entry in found]
    entries.sort(key=lambda entry: (entry.assignment, entry.student))
    return Found(tuple(entries), tuple(sorted(problems)), tuple(sorted(ignored)))


def _beside(folder: Path, top: Path, ids: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each file beside submitted/ that bears an assignment's name."""
    if folder == top:
        return
    for path in _files(folder, folder, [], []):
        inside = path.relative_to(folder).parts[0]
        if inside not in {top.name, *_NBGRADERS} and _candidate(path, folder, ids).sure:
            wish = f"all submissions in {top}, where there is such a folder"
            yield f"{path}: expected {wish}; move it there, or grade its folder by itself"


def _entries(
    student: str,
    candidates: Sequence[_Candidate],
    only: str,
    ignored: list[Path],
    problems: list[str],
) -> Iterator[Entry]:
    """Yield one student's submissions, and put the other files where they belong."""
    chosen = _chosen(candidates, only)
    taken = {path for paths in chosen.values() for path in paths}
    rest = [candidate.path for candidate in candidates if candidate.path not in taken]
    if chosen:
        ignored += rest
    else:
        hint = "say which one with --assignment"
        problems += [f"{p}: expected an assignment's name in its path; {hint}" for p in rest]
    for assignment, paths in chosen.items():
        if len(paths) == 1:
            yield Entry(student, assignment, paths[0])
        else:
            both = " and ".join(map(str, paths))
            problems.append(f"{student}: expected one file for {assignment}, got {both}")


def _files(folder: Path, top: Path, ignored: list[Path], problems: list[str]) -> Iterator[Path]:
    """Yield the files that could be submissions, sorted, none of them through a link."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        got = f"{folder} ({str(error.strerror).lower()})"
        said = expected("grade", "a folder that can be read", got)
        if folder == top:
            raise ArgumentError(said) from None
        problems.append(said)  # whoever closes a folder of their own stops nobody else
        return
    for entry in found:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if not _is_text(entry.name):
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            problems.append(f"{shown}: expected a name in UTF-8; rename it")
        elif entry.is_symlink():
            problems.append(f"{path}: expected a file, got a link; hand in the file itself")
        elif entry.is_dir() and len(path.relative_to(top).parts) < DEPTH:
            yield from _files(path, top, ignored, problems)
        elif entry.is_file() and path.suffix in LIMITS:
            yield path
        elif path.suffix.lower() in LIMITS:
            wish = "an ordinary file whose name ends in .py or .ipynb"
            problems.append(f"{path}: expected {wish}")
        else:
            ignored.append(path)


def _is_text(name: str) -> bool:
    """Whether a name is text: a file system may hold bytes that are none."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _candidate(path: Path, top: Path, ids: Sequence[str]) -> _Candidate:
    *folders, _ = path.relative_to(top).parts
    stem = path.stem
    names: tuple[str, ...]
    outer = folders[0] if folders else stem
    if match := _MOODLE.fullmatch(outer):
        # The number belongs to this one hand-in: the name is all that a roster can know.
        student, names = f"{match['name']}_{match['user']}", (match["name"],)
        stem = stem if folders else match["stem"]
    elif not folders and (match := _CANVAS.fullmatch(stem)):
        # The number is Canvas's own for the student; the name alone may be two people's.
        student, names = f"{match['name']}_{match['user']}", (match["user"], match["name"])
        stem = match["stem"]
    else:
        if not folders and stem in ids:
            outer = top.absolute().name  # the folder of one student alone
        student, names = outer, (outer,)
    stem = re.sub(r"-\d+$", "", stem)  # what Canvas adds when somebody hands in again
    if stem in ids:
        return _Candidate(path, student, names, stem, True)
    inner = folders[-1] if len(folders) > 1 else top.absolute().name
    return _Candidate(path, student, names, inner if inner in ids else "", False)


def _chosen(candidates: Sequence[_Candidate], only: str) -> dict[str, list[Path]]:
    """Return a student's files for each assignment: a file's own name goes before its folder's."""
    wanted = [c for c in candidates if not _is_lesson(c.path)]
    if only:
        named = [c for c in wanted if c.assignment == only]
        surest = [c for c in named if c.sure] or named or wanted
        return {only: [c.path for c in surest]} if surest else {}
    chosen: dict[str, list[Path]] = {}
    for assignment in dict.fromkeys(c.assignment for c in wanted if c.assignment):
        named = [c for c in wanted if c.assignment == assignment]
        chosen[assignment] = [c.path for c in named if c.sure] or [c.path for c in named]
    return chosen


def _is_lesson(path: Path) -> bool:
    """Whether it is the notebook that lies beside a script in a workspace."""
    return path.stem.endswith("_lesson")
