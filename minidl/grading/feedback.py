"""What is written for each submission: a page, the same as Markdown, and the result as JSON."""

from __future__ import annotations

import glob
import hashlib
import re
from pathlib import Path

from minidl.errors import ArgumentError, expected
from minidl.grading.report import to_html, to_markdown
from minidl.grading.result import Result, write_results


def write(folder: Path, name: str, result: Result) -> None:
    """Write NAME.html, NAME.md and, last, NAME.json, each whole or not at all.

    Where that JSON says the same already, all three have been written before, and stay.

    Raises
    ------
    ArgumentError
        when they cannot be written.
    """
    text = result.to_json() + "\n"
    path = folder / f"{name}.json"
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):
        make_folder(folder)
    for unfinished in folder.glob(f".{glob.escape(name)}.*"):  # of a run that was killed
        unfinished.unlink(missing_ok=True)
    write_results(to_html(result), folder / f"{name}.html")
    write_results(to_markdown(result), folder / f"{name}.md")
    write_results(text, path)


def make_folder(folder: Path) -> None:
    """Make a folder for reports, and those above it.

    Raises
    ------
    ArgumentError
        when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        got = f"{folder} ({str(error.strerror).lower()})"
        raise ArgumentError(expected("grade", "a folder for the reports", got)) from None


def file_name(student: str) -> str:
    """Return a student's name as every file system takes it, unlike any other student's.

    It begins with a letter or a digit, so that no program takes it for an option. A name that ends
    like one made here is made anew: it could be another's.

    Examples
    --------
    >>> file_name("alice"), file_name("../Zoë & co")
    ('alice', 'Zo_co-0c1d178012f4ff28')
    """
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", student).strip("._-")[:60]
    own = safe == student and not _MADE.search(safe)
    if own and safe.upper().partition(".")[0] not in _DEVICES:
        return safe
    return f"{safe or 'student'}-{hashlib.sha256(student.encode()).hexdigest()[:DIGITS]}"


DIGITS = 16  # few enough to read, and too many for somebody to find a name with the same ones
_MADE = re.compile(rf"-[0-9a-fA-F]{{{DIGITS}}}$")
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{d}{n}" for d in ("COM", "LPT") for n in range(10))}
