"""Points as a CSV file, for people and for learning-management systems."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

from minidl.errors import ArgumentError, expected
from minidl.grading.gradebook import Attempt, Gradebook
from minidl.grading.roster import MAIL_COLUMNS, Roster, Student, first_of
from minidl.terminal import clean

Rows = Iterator[Sequence[object]]
FORMULA = ("=", "+", "-", "@")
_WIDE = [chr(ord(sign) + 0xFEE0) for sign in FORMULA]
_CELL = re.compile(rf"([;\t\n]\s*)(?=[{re.escape(''.join((*FORMULA, *_WIDE)))}])")
CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


def to_csv(
    gradebook: Gradebook, form: str = "plain", which: str = "latest", roster: Roster | None = None
) -> str:
    """Return the points of a class.

    Parameters
    ----------
    gradebook : with the results.
    form : "plain", a row for each student and assignment; "canvas" or "moodle", a row for each
        student and a column for each assignment, as these import them.
    which : "latest" or "best" attempts.
    roster : names and numbers of the students; in Canvas's and Moodle's form, whoever handed in
        nothing has an empty entry.

    Raises
    ------
    ArgumentError
        for another form, or without a roster where the system needs its numbers.

    Notes
    -----
    A name that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    if form not in FORMS:
        raise ArgumentError(expected("gradebook", f"one of {', '.join(FORMS)}", repr(form)))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(FORMS[form](gradebook, which, roster))
    return text.getvalue()


def _plain(gradebook: Gradebook, which: str, roster: Roster | None) -> Rows:
    yield (
        *("student", "name", "assignment", "version", "score", "points", "percent", "files"),
        *("mistakes", "reason", "sha256", "key", "graded at"),
    )
    names = {student.id: student.name for student in roster.students} if roster else {}
    files = gradebook.counts()
    for attempt in gradebook.attempts(which):
        own, result = attempt.identity, attempt.result
        yield (
            *(_safe(own.student), _safe(names.get(own.student, "")), own.assignment, own.version),
            *(f"{result.score:g}", f"{result.points:g}", f"{result.percent:g}"),
            *(files[own.student, own.assignment], " ".join(result.mistakes), _safe(result.reason)),
            *(own.sha256, own.key_id, attempt.graded_at),
        )


def _canvas(gradebook: Gradebook, which: str, roster: Roster | None) -> Rows:
    students = _students("canvas", roster)
    columns = gradebook.assignments()
    points, possible = _points(gradebook, which)
    yield (*CANVAS_COLUMNS, *columns)
    yield ("    Points Possible", "", "", "", "", *(possible.get(name, "") for name in columns))
    for student in students:
        given = {title.strip(): value for title, value in student.columns.items()}
        own = [_safe(given.get(title, "")) for title in CANVAS_COLUMNS]
        own[0] = own[0] or _safe(student.name or student.id)
        if not any(own[1:4]):
            own[2] = student.id
        yield (*own, *(points.get((student.id.casefold(), name), "") for name in columns))


def _moodle(gradebook: Gradebook, which: str, roster: Roster | None) -> Rows:
    students = _students("moodle", roster)
    columns = gradebook.assignments()
    points, _ = _points(gradebook, which)
    yield ("ID number", "Full name", "Email address", *columns)
    for student in students:
        mail = first_of(student.columns, MAIL_COLUMNS)
        own = (student.id, _safe(student.name), _safe(mail))
        yield (*own, *(points.get((student.id.casefold(), name), "") for name in columns))


FORMS: Mapping[str, Callable[[Gradebook, str, Roster | None], Rows]] = {
    "plain": _plain,
    "canvas": _canvas,
    "moodle": _moodle,
}


def _students(form: str, roster: Roster | None) -> Sequence[Student]:
    if roster is None:
        wish = f"a roster, for {form} finds its students by their numbers"
        hint = f"export the class list there and give it with --roster, or choose --as {_FIRST}"
        raise ArgumentError(expected("gradebook", wish, "none", hint))
    return roster.students


_FIRST = next(iter(FORMS))


def _points(gradebook: Gradebook, which: str) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Return the points of each (student, assignment), and what each assignment is worth."""
    points, possible = {}, {}
    attempt: Attempt
    for attempt in gradebook.attempts(which):
        own = attempt.identity
        points[own.student.casefold(), own.assignment] = f"{attempt.result.score:g}"
        possible[own.assignment] = f"{attempt.result.points:g}"
    return points, possible


def _safe(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    plain = clean(text, 400)
    # Spaces in front are skipped by some, and wide signs are taken for narrow ones.
    first = unicodedata.normalize("NFKC", plain.lstrip())[:1]
    # Where cells are separated by another sign than the comma, one may begin in the middle.
    inside = _CELL.sub(r"\1'", plain)
    return f"'{inside}" if first in FORMULA or plain[:1] in ("\t", "\r") else inside
