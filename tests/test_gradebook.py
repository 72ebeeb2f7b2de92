import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from classroom import identity, result

from minidl.errors import ArgumentError
from minidl.grading import gradebook as module
from minidl.grading.gradebook import SCHEMA_VERSION, Gradebook, GradebookError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gradebook.sqlite"


@pytest.fixture
def book(path):
    with Gradebook(path) as opened:
        yield opened


def scores(book, which="latest"):
    return {attempt.identity.student: attempt.result.score for attempt in book.attempts(which)}


class TestHistory:
    def test_a_result_comes_back_whole(self, path):
        with Gradebook(path) as book:
            assert book.record(identity(), result(), "tiny.py")
        with Gradebook(path) as book:
            (attempt,) = book.attempts()
        assert attempt.result == result()
        assert attempt.identity == identity()

    def test_the_same_submission_is_one_attempt(self, book):
        assert book.record(identity(), result(4), "tiny.py")
        assert not book.record(identity(), result(3), "tiny.py")
        assert scores(book) == {"alice": 4}
        assert len(list(book.history("alice"))) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"student": "bob"},
            {"assignment": "other"},
            {"version": 2},
            {"key_id": "0ther"},
            {"sha256": "cd34"},
        ],
    )
    def test_each_part_of_the_identity_counts(self, book, change):
        book.record(identity(), result(), "tiny.py")
        assert not book.known(identity(**change))
        assert book.record(identity(**change), result(), "tiny.py")
        assert book.known(identity(**change))

    def test_latest_is_what_was_handed_in_last_and_best_the_most_points(self, book):
        for sha256, score in (("a", 5), ("b", 2), ("c", 3)):
            book.record(identity(sha256=sha256), result(score), "tiny.py")
        assert scores(book, "latest") == {"alice": 3}
        assert scores(book, "best") == {"alice": 5}
        assert [attempt.result.score for attempt in book.history("alice")] == [5, 2, 3]
        assert book.counts() == {("alice", "tiny"): 3}

    def test_returning_to_an_older_file_makes_its_score_the_latest(self, book):
        book.record(identity(sha256="a"), result(5), "tiny.py")
        book.record(identity(sha256="b"), result(2), "tiny.py")
        book.hand_in(identity(sha256="a"), "tiny.py")
        assert scores(book) == {"alice": 5}
        assert len(list(book.history("alice"))) == 2

    def test_a_regrade_replaces_the_score_and_keeps_the_old_one(self, book):
        book.record(identity(), result(5), "tiny.py")
        number = book.regrade()
        assert not book.known(identity(), number)
        assert book.record(identity(), result(1), "tiny.py", number)
        assert scores(book) == scores(book, "best") == {"alice": 1}
        assert [attempt.regrade for attempt in book.history("alice")] == [0, number]

    def test_a_regrade_that_was_stopped_goes_on(self, book):
        number = book.regrade()
        assert book.regrade() == number
        book.finish_regrade(number)
        assert book.regrade() == number + 1

    def test_the_order_is_that_of_recording_whatever_the_clock_says(self, book, monkeypatch):
        class Backwards(datetime):
            hours = 0

            @classmethod
            def now(cls, tz=None):
                cls.hours += 1
                return datetime(2026, 3, 29, tzinfo=UTC) - timedelta(hours=cls.hours)

        monkeypatch.setattr(module, "datetime", Backwards)
        for sha256, score in (("a", 1), ("b", 2), ("c", 3)):
            book.record(identity(sha256=sha256), result(score), "tiny.py")
        history = list(book.history("alice"))
        assert [attempt.result.score for attempt in history] == [1, 2, 3]
        assert history[0].graded_at > history[1].graded_at > history[2].graded_at
        assert scores(book) == {"alice": 3}

    def test_an_assignments_attempts_alone(self, book):
        book.record(identity(), result(), "tiny.py")
        book.record(identity(assignment="other"), result(3), "other.py")
        assert [a.result.score for a in book.attempts(assignment="other")] == [3]
        assert book.assignments() == ["tiny", "other"]
        assert book.students() == ["alice"]

    def test_which_is_one_of_two(self, book):
        with pytest.raises(ArgumentError, match="latest or best"):
            book.attempts("worst")


class TestBadFiles:
    def test_one_of_a_newer_minidl_is_left_alone(self, path):
        with Gradebook(path) as book:
            book.record(identity(), result(), "tiny.py")
        with sqlite3.connect(path) as database:
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        database.close()
        before = path.read_bytes()
        with pytest.raises(GradebookError, match=r"version 2 in .*; update minidl"):
            Gradebook(path)
        assert path.read_bytes() == before

    def test_a_database_of_something_else(self, path):
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE notes (text)")
        database.close()
        with pytest.raises(GradebookError, match="a database of something else"):
            Gradebook(path)

    def test_a_file_that_is_no_database(self, path):
        path.write_bytes(b"name,score\n" * 500)
        with pytest.raises(GradebookError, match="restore it from a copy"):
            Gradebook(path)

    def test_none_where_one_is_wanted(self, path):
        with pytest.raises(GradebookError, match="`minidl grade FOLDER` makes one"):
            Gradebook(path, create=False)
        assert not path.exists()

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(GradebookError, match="can be opened"):
            Gradebook(tmp_path / "no" / "gradebook.sqlite")


class TestOthersAtWork:
    def test_locked_by_another_process_it_says_so_and_loses_nothing(self, path):
        with Gradebook(path, patience=0.1) as book:
            book.record(identity(sha256="a"), result(1), "tiny.py")
            code = (
                "import sqlite3, sys\n"
                f"database = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
                "database.execute('BEGIN EXCLUSIVE')\n"
                "print('locked', flush=True)\nsys.stdin.read()\n"
            )
            with subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as other:
                assert other.stdout.readline() == b"locked\n"
                with pytest.raises(GradebookError, match=r"another process is writing.*run the"):
                    book.record(identity(sha256="b"), result(2), "tiny.py")
                with pytest.raises(GradebookError, match="another process is writing"):
                    Gradebook(path, patience=0.1)
                other.stdin.close()
            assert not book.known(identity(sha256="b"))
            assert book.record(identity(sha256="b"), result(2), "tiny.py")
            assert scores(book) == {"alice": 2}

    def test_it_waits_for_a_short_lock(self, path):
        with Gradebook(path) as book:
            other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN EXCLUSIVE")
            timer = threading.Timer(0.3, lambda: other.execute("COMMIT"))
            timer.start()
            assert book.record(identity(), result(), "tiny.py")
            timer.join()
            other.close()

    def test_two_runs_at_once_are_refused_and_readers_are_not(self, path):
        with Gradebook(path) as book, Gradebook(path) as second:
            with book.grading():
                with pytest.raises(GradebookError, match="another `minidl grade` at work"):
                    second.grading().__enter__()
                assert list(second.attempts()) == []
                book.record(identity(), result(), "tiny.py")
                assert scores(second) == {"alice": 4}
            with second.grading():
                pass

    def test_a_full_disk_leaves_the_gradebook_as_it_was(self, path):
        with Gradebook(path) as book:
            book.record(identity(sha256="a"), result(1), "tiny.py")
            pages = book._database.execute("PRAGMA page_count").fetchone()[0]
            book._database.execute(f"PRAGMA max_page_count = {pages}")
            large = result(2, reason="x" * 100_000)
            with pytest.raises(GradebookError, match=r"full.*make room; nothing is lost"):
                book.record(identity(sha256="b"), large, "tiny.py")
            assert scores(book) == {"alice": 1}
            book._database.execute("PRAGMA max_page_count = 1000000")
            assert book.record(identity(sha256="b"), large, "tiny.py")
            assert scores(book) == {"alice": 2}
