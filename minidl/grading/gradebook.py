"""The gradebook: every attempt of every student, kept for good in one SQLite file.

A row of `attempts` is one submission graded once: student, assignment@version, key id, SHA-256 of
the file. Grading the same submission again adds nothing, unless the instructor regrades; so a run
that was killed goes on where it stopped. `handins` remembers which file a student handed in when,
for whoever returns to an older file has no new attempt, and yet another latest one.

The history is ordered by sequence numbers, never by the clock. The journal is SQLite's rollback
journal and not WAL: one process writes a small row every second or so, the gradebook may lie on a
network file system (where WAL does not work), and a single file can be copied and archived.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.result import Result

SCHEMA_VERSION = 1
APPLICATION = 0x6D444C47  # "mDLG", in the header of the file
PATIENCE = 10.0
PUBLIC_KEY = "public"

SCHEMA = f"""
CREATE TABLE attempts (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    student    TEXT NOT NULL,
    assignment TEXT NOT NULL,
    version    INTEGER NOT NULL,
    key_id     TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    regrade    INTEGER NOT NULL,
    score      REAL NOT NULL,
    points     REAL NOT NULL,
    seconds    REAL NOT NULL,
    result     TEXT NOT NULL,
    graded_at  TEXT NOT NULL,
    UNIQUE (student, assignment, version, key_id, sha256, regrade)
);
CREATE TABLE handins (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    student    TEXT NOT NULL,
    assignment TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    file       TEXT NOT NULL,
    seen_at    TEXT NOT NULL
);
CREATE INDEX handins_of_student ON handins (student, assignment, sequence);
CREATE TABLE regrades (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    finished INTEGER NOT NULL DEFAULT 0
);
CREATE VIEW latest AS
    SELECT a.* FROM attempts a WHERE a.sequence = (
        SELECT max(b.sequence) FROM attempts b
        WHERE b.student = a.student AND b.assignment = a.assignment AND b.sha256 = (
            SELECT h.sha256 FROM handins h
            WHERE h.student = a.student AND h.assignment = a.assignment
            ORDER BY h.sequence DESC LIMIT 1));
CREATE VIEW current AS
    SELECT a.* FROM attempts a WHERE a.sequence = (
        SELECT max(b.sequence) FROM attempts b
        WHERE b.student = a.student AND b.assignment = a.assignment AND b.sha256 = a.sha256);
CREATE VIEW best AS
    SELECT c.* FROM current c WHERE c.sequence = (
        SELECT d.sequence FROM current d
        WHERE d.student = c.student AND d.assignment = c.assignment
        ORDER BY d.score / d.points DESC, d.sequence DESC LIMIT 1);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {SCHEMA_VERSION};
"""


class GradebookError(MinidlError):
    """The gradebook cannot be read or written now; what it holds is unharmed."""


class Identity(NamedTuple):
    """What makes an attempt: the same five are graded once, however often they come along."""

    student: str
    assignment: str
    version: int
    key_id: str
    sha256: str


@dataclass(frozen=True)
class Attempt:
    """One row: a submission that was graded.

    Parameters
    ----------
    sequence : the order in which attempts were recorded.
    identity : whose it is, and what was graded with which key.
    regrade : number of the regrade it belongs to; 0 for the first grading.
    result : what was found.
    graded_at : UTC, by the machine's clock at that time: for people, never for the order.
    """

    sequence: int
    identity: Identity
    regrade: int
    result: Result
    graded_at: str


class Gradebook:
    """A gradebook file, made where there is none.

    Parameters
    ----------
    path : the file; ":memory:" for one that is forgotten.
    patience : seconds to wait for another process that is writing; by default PATIENCE.
    create : whether to make it where it is not.

    Raises
    ------
    GradebookError
        when the file cannot be opened, is no gradebook, is one of a newer minidl, or stays locked.
    """

    def __init__(
        self, path: str | Path, patience: float | None = None, create: bool = True
    ) -> None:
        """Open the file and look whose it is."""
        self.path = path
        self._lock = threading.Lock()
        if not create and str(path) != ":memory:" and not Path(path).is_file():
            hint = "`minidl grade FOLDER` makes one"
            raise GradebookError(expected("gradebook", "a gradebook", f"no file {path}", hint))
        with self._clear("opened"):
            self._database = sqlite3.connect(
                path,
                timeout=PATIENCE if patience is None else patience,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._clear("read"):
                self._demand_ours()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Gradebook:
        """Return the gradebook, which is closed at the end."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def grading(self) -> Iterator[None]:
        """Keep every other grading run away from this gradebook meanwhile; readers may read.

        Raises
        ------
        GradebookError
            when another one is at work, or the gradebook's folder cannot be written to.
        """
        if str(self.path) == ":memory:":
            yield
            return
        import fcntl

        path = Path(self.path)
        with ExitStack() as stack:
            try:
                file = stack.enter_context(path.with_name(f".{path.name}.lock").open("a"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                hint = "wait until it has ended, or name another --gradebook"
                got = f"another `minidl grade` at work on {path}"
                raise GradebookError(expected("gradebook", "to grade alone", got, hint)) from None
            except OSError as error:
                wish, got = "a folder that can be written to", str(error.strerror).lower()
                raise GradebookError(expected("gradebook", wish, f"{path} ({got})")) from None
            yield

    def _demand_ours(self) -> None:
        run = self._database.execute
        run("PRAGMA synchronous = FULL")
        version = run("PRAGMA user_version").fetchone()[0]
        application = run("PRAGMA application_id").fetchone()[0]
        tables = run("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not tables and not application:
            self._make()
        elif application != APPLICATION:
            got = f"a database of something else in {self.path}"
            raise GradebookError(expected("gradebook", "a gradebook", got, "name another file"))
        elif version > SCHEMA_VERSION:
            wish = f"a gradebook of schema version {SCHEMA_VERSION} or older"
            got = f"version {version} in {self.path}"
            raise GradebookError(expected("gradebook", wish, got, "update minidl; it is unharmed"))

    def _make(self) -> None:
        with self._transaction() as run:
            # Whoever waited for another process that made it finds it made.
            if not run("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                for statement in filter(str.strip, SCHEMA.split(";\n")):
                    run(statement)

    @contextmanager
    def _clear(self, verb: str) -> Iterator[None]:
        """Turn SQLite's errors into messages that say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            words, hint = str(error), "nothing is lost: run the command again"
            if "locked" in words or "busy" in words:
                words = "one that another process is writing"
            elif "full" in words or "I/O" in words:
                hint = "make room; nothing is lost: run the command again"
            elif "not a database" in words or "malformed" in words:
                hint = "restore it from a copy, or name another file"
            wish = f"a gradebook that can be {verb}"
            got = f"{words} ({self.path})"
            raise GradebookError(expected("gradebook", wish, got, hint)) from None

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Do all of it or nothing."""
        with self._lock, self._clear("written"):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database.execute
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._clear("read"), closing(self._database.cursor()) as cursor:
            return cursor.execute(query, values).fetchall()

    def known(self, identity: Identity, regrade: int = 0) -> bool:
        """Return whether this submission has been graded, in this regrade or at all (0)."""
        more = " AND regrade = ?" if regrade else ""
        query = (
            "SELECT 1 FROM attempts WHERE student = ? AND assignment = ? AND version = ?"
            f" AND key_id = ? AND sha256 = ?{more} LIMIT 1"
        )
        return bool(self._rows(query, [*identity, *([regrade] if regrade else [])]))

    def record(self, identity: Identity, result: Result, file: str, regrade: int = 0) -> bool:
        """Keep a result, whole and for good; return whether it is new.

        Raises
        ------
        GradebookError
            when it cannot be written; then nothing of it is.
        """
        values = [*identity, regrade, result.score, result.points, result.seconds]
        with self._transaction() as run:
            cursor = run(
                "INSERT OR IGNORE INTO attempts (student, assignment, version, key_id, sha256,"
                " regrade, score, points, seconds, result, graded_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [*values, result.to_json(), _now()],
            )
            _hand_in(run, identity, file)
        return bool(cursor.rowcount > 0)

    def hand_in(self, identity: Identity, file: str) -> None:
        """Note that this is what the student hands in now; the same as before adds nothing."""
        last = self._rows(_LAST_HANDIN, identity[:2])
        if last != [(identity.sha256,)]:
            with self._transaction() as run:
                _hand_in(run, identity, file)

    def regrade(self) -> int:
        """Return the number of the regrade that is going on, else of a new one."""
        with self._transaction() as run:
            found = run("SELECT max(number) FROM regrades WHERE NOT finished").fetchone()[0]
            if found is None:
                found = run("INSERT INTO regrades DEFAULT VALUES").lastrowid
        return int(found)

    def finish_regrade(self, number: int) -> None:
        """Note that a regrade is complete, so that the next one is another."""
        with self._transaction() as run:
            run("UPDATE regrades SET finished = 1 WHERE number = ?", [number])

    def latest(self, identity: Identity) -> Attempt | None:
        """Return the newest attempt at exactly this submission, if there is one."""
        found = self._attempts(
            "attempts WHERE student = ? AND assignment = ? AND version = ? AND key_id = ?"
            " AND sha256 = ? ORDER BY sequence DESC LIMIT 1",
            identity,
        )
        return next(found, None)

    def attempts(self, which: str = "latest", assignment: str = "") -> Iterator[Attempt]:
        """Yield one attempt for each student and assignment, sorted by name.

        Parameters
        ----------
        which : "latest" (of what was handed in last) or "best" (the highest share of the points).
        assignment : only this one's.
        """
        if which not in ("latest", "best"):
            raise ArgumentError(expected("gradebook", "latest or best", repr(which)))
        condition = " WHERE assignment = ?" if assignment else ""
        return self._attempts(
            f"{which}{condition} ORDER BY assignment, student", [assignment] if assignment else []
        )

    def history(self, student: str) -> Iterator[Attempt]:
        """Yield all attempts of a student, in the order in which they were graded."""
        return self._attempts("attempts WHERE student = ? ORDER BY sequence", [student])

    def students(self) -> list[str]:
        """Return the names of all students with an attempt, sorted."""
        return [
            str(row[0]) for row in self._rows("SELECT DISTINCT student FROM handins ORDER BY 1")
        ]

    def assignments(self) -> list[str]:
        """Return the ids of all assignments with an attempt, in the order first graded."""
        query = "SELECT assignment FROM attempts GROUP BY assignment ORDER BY min(sequence)"
        return [str(row[0]) for row in self._rows(query)]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many different files each (student, assignment) was graded on."""
        query = "SELECT student, assignment, count(DISTINCT sha256) FROM attempts GROUP BY 1, 2"
        return {(student, name): number for student, name, number in self._rows(query)}

    def _attempts(self, rest: str, values: Sequence[object] = ()) -> Iterator[Attempt]:
        """Read rows one by one: a class's results are larger than one wants to hold."""
        numbers = self._rows(f"SELECT sequence FROM {rest}", values)
        query = (
            "SELECT sequence, student, assignment, version, key_id, sha256, regrade, result,"
            " graded_at FROM attempts WHERE sequence = ?"
        )
        for number in numbers:
            for sequence, *identity, regrade, result, at in self._rows(query, number):
                found = Result.from_json(result)
                yield Attempt(sequence, Identity(*identity), regrade, found, at)


_LAST_HANDIN = (
    "SELECT sha256 FROM handins WHERE student = ? AND assignment = ? ORDER BY sequence DESC LIMIT 1"
)


def _hand_in(run: Any, identity: Identity, file: str) -> None:
    if run(_LAST_HANDIN, identity[:2]).fetchone() != (identity.sha256,):
        run(
            "INSERT INTO handins (student, assignment, sha256, file, seen_at) VALUES (?,?,?,?,?)",
            [identity.student, identity.assignment, identity.sha256, file, _now()],
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
