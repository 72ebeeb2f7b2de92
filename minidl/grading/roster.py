"""The class list: who is who in the names that files and learning-management systems use.

A roster is a CSV file with a header. One column holds the student's id (`id`, `student`, Canvas's
`SIS User ID` or `ID`, Moodle's `ID number` or `Username`, ...); names, e-mail address, section and
other ids are optional, and each of them is a name under which a submission may come in.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidl.errors import ArgumentError, expected

MOST_BYTES = 10_000_000
ID_COLUMNS = ("id", "student id", "sis user id", "id number", "username", "login", "sid")
NAME_COLUMNS = ("name", "full name", "student", "student name")
FIRST_COLUMNS = ("first name", "firstname", "given name")
LAST_COLUMNS = ("last name", "lastname", "surname", "family name")
MAIL_COLUMNS = ("email", "e mail", "email address", "mail")
OTHER_IDS = ("sis login id", "canvas id", "moodle id", "lms id", "user id")


@dataclass(frozen=True)
class Student:
    """One line of the roster.

    Parameters
    ----------
    id : the name the gradebook uses.
    name : in full, for people; "" when there is none.
    columns : every entry by its column's title, as an export back to the same system needs it.
    aliases : other names under which files may come in, in lower case.
    line : where it ends in the file.
    """

    id: str
    name: str
    columns: Mapping[str, str]
    aliases: frozenset[str]
    line: int = 0


class Roster:
    """The students of a class, found by any of their names.

    Parameters
    ----------
    students : with ids that are all different.
    label : the file, for messages.

    Raises
    ------
    ArgumentError
        when two students have the same id.
    """

    def __init__(self, students: Sequence[Student], label: str = "roster") -> None:
        """Index the names; one that fits two students fits none."""
        self.students = tuple(students)
        self._ids: dict[str, Student] = {}
        own: dict[str, list[Student]] = {}
        self._found: dict[str, list[Student]] = {}
        for student in students:
            first = self._ids.setdefault(student.id.casefold(), student)
            if first is not student:
                got = f"{student.id!r} in lines {first.line} and {student.line}"
                wish = "every student once"
                raise ArgumentError(expected(label, wish, got, "take one of the lines out"))
            own.setdefault(simple(student.id), []).append(student)
            for name in student.aliases:
                self._found.setdefault(name, []).append(student)
        self._found |= own  # an id goes before any alias
        self._found.pop("", None)  # a name of signs alone is like every other such name

    @classmethod
    def read(cls, path: str | Path) -> Roster:
        """Read a CSV file: UTF-8, with a header, separated by commas, semicolons or tabs.

        Raises
        ------
        ArgumentError
            when it cannot be read, has no column of ids, or names a student twice.
        """
        path = Path(path)
        label = f"roster {path}"
        try:
            with path.open("rb") as file:
                text = file.read(MOST_BYTES).decode("utf-8-sig")
        except OSError as error:
            got = str(error.strerror).lower()
            raise ArgumentError(expected(label, "a file that can be read", got)) from None
        except UnicodeDecodeError:
            hint = "save it as CSV UTF-8"
            raise ArgumentError(expected(label, "UTF-8 text", "another encoding", hint)) from None
        head = text.partition("\n")[0]
        separator = max(",;\t", key=head.count)
        try:
            reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise ArgumentError(expected(label, "CSV", error)) from None
        found = list(_students(rows, label, [part.strip() for part in head.split(separator)]))
        if not found:
            raise ArgumentError(expected(label, "a line for each student", "none"))
        return cls(found, label)

    def find(self, names: Sequence[str]) -> Student | str:
        """Return the one student whom any of the names fits, or why there is none, in words."""
        for name in names:
            exact = self._ids.get(name.casefold())
            fitting = [exact] if exact else self._found.get(simple(name), [])
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                ids = ", ".join(student.id for student in fitting)
                return f"{name!r} fits more than one student of the roster: {ids}"
        return f"{names[0]!r} is not in the roster"


def simple(name: str) -> str:
    """Return a name without case, accents, spaces and signs, as file names have it.

    Examples
    --------
    >>> simple("Müller, Zoë-Ann"), simple("mullerzoeann")
    ('mullerzoeann', 'mullerzoeann')
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]|[\u0300-\u036f]", "", plain)


def _students(
    rows: Sequence[tuple[int, Mapping[str, str | None]]], label: str, head: Sequence[str]
) -> Iterator[Student]:
    for line, row in rows:
        columns = {str(title): str(value or "").strip() for title, value in row.items() if title}
        by_title = {_title(title): value for title, value in columns.items()}
        if not any(columns.values()) or "points possible" in _title(next(iter(columns.values()))):
            continue  # an empty line; Canvas's line below the header
        name = _first(by_title, NAME_COLUMNS)
        first, last = _first(by_title, FIRST_COLUMNS), _first(by_title, LAST_COLUMNS)
        if not (first or last) and "," in name:
            last, first = (part.strip() for part in name.split(",", 1))
        mail = _first(by_title, MAIL_COLUMNS)
        own = _first(by_title, ID_COLUMNS) or mail.partition("@")[0]
        if not any(title in by_title for title in (*ID_COLUMNS, *MAIL_COLUMNS)):
            raise ArgumentError(expected(label, "a column `id`", ", ".join(head)))
        if not own:
            raise ArgumentError(expected(label, "an id for each student", f"none for {columns}"))
        others = [by_title.get(title, "") for title in (*ID_COLUMNS, *OTHER_IDS)]
        names = [name, mail, mail.partition("@")[0], *others]
        names += [last + first, first + last] if first and last else []
        aliases = frozenset(filter(None, map(simple, names)))
        yield Student(own, f"{first} {last}".strip() or name, columns, aliases, line)


def first_of(columns: Mapping[str, str], titles: Sequence[str]) -> str:
    """Return the first entry that is not empty among columns of any of these titles."""
    return _first({_title(title): value for title, value in columns.items()}, titles)


def _title(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().lower()


def _first(by_title: Mapping[str, str], titles: Sequence[str]) -> str:
    return next((by_title[title] for title in titles if by_title.get(title)), "")
