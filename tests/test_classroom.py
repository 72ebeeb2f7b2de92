"""Grading a class: whatever happens on the way, nothing is lost and nothing is graded twice."""

import importlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_assignment
from classroom import KEY, Quick, result
from sandboxes import descendants

from minidl.errors import ArgumentError, MinidlError
from minidl.grading import bulk, feedback, submission
from minidl.grading.assignment import Assignment
from minidl.grading.classroom import Classroom, Settings
from minidl.grading.collect import Entry
from minidl.grading.gradebook import Gradebook
from minidl.grading.processes import Processes
from minidl.grading.result import Result
from minidl.grading.schedule import Here, Job

NAMES = ["alice", "bob", "carol", "dave"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_assignment.write(tmp_path_factory.mktemp("course") / "tiny")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folder(here, tiny):
    """Four students' folders: two right solutions, a wrong one, no Python."""
    assignment = Assignment.load(tiny)
    right = assignment.solution()
    texts = [right, assignment.with_mistake("mean_doubled"), "def f(:\n", right + "\n# mine\n"]
    for name, text in zip(NAMES, texts, strict=True):
        hand_in(here / "class", name, text)
    return here / "class"


def hand_in(folder, name, text):
    path = folder / name / "tiny.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def grade(folder, tiny, scheduler=None, **changes):
    settings = Settings(KEY, str(tiny), scheduler=scheduler or Quick(), **changes)
    return Classroom(folder, settings).grade()


def attempts(out="graded"):
    """Every attempt, in order: (student, score)."""
    with Gradebook(Path(out) / "gradebook.sqlite", create=False) as book:
        return [(a.identity.student, a.result.score) for n in NAMES for a in book.history(n)]


def assert_whole(out="graded", names=NAMES):
    """Every student has exactly one attempt and three whole files, and nothing else lies about."""
    assert sorted(name for name, _ in attempts(out)) == sorted(names)
    found = sorted(path.relative_to(out).as_posix() for path in Path(out, "feedback").rglob("*.*"))
    assert found == [f"feedback/{n}/tiny.{end}" for n in names for end in ("html", "json", "md")]
    for name in names:
        folder = Path(out, "feedback", name)
        Result.from_json((folder / "tiny.json").read_text())
        assert (folder / "tiny.html").read_text().rstrip().endswith("</html>")
        assert "SHA-256" in (folder / "tiny.md").read_text()


class TestRuns:
    def test_two_processes_grade_a_class(self, folder, tiny):
        summary = grade(folder, tiny, Processes(2))
        assert attempts() == [("alice", 5), ("bob", 4), ("carol", 0), ("dave", 5)]
        assert (summary.graded, summary.right, summary.unreadable) == (4, 2, 1)
        assert summary.problems == []
        assert summary.exit_code == 1
        assert "mean doubled" in Path("graded/feedback/bob/tiny.html").read_text()
        assert "mean doubled" in Path("graded/feedback/bob/tiny.md").read_text()
        assert_whole()

    def test_nothing_is_imported_from_among_the_submissions(self, folder, tiny, monkeypatch):
        """Grading processes start where the instructor is: perhaps where files are handed in."""
        monkeypatch.chdir(folder)
        for name in ("minidl", "numpy", "socket", "threadpoolctl"):
            text = f"open('attacked', 'w').close()\nraise ImportError({name!r})\n"
            Path(f"{name}.py").write_text(text)
        summary = grade(folder, tiny, Processes(2), out=folder.parent / "graded")
        assert not Path("attacked").exists()
        assert (summary.graded, summary.right) == (8, 2)

    def test_nothing_is_configured_from_among_the_submissions(self, folder, monkeypatch):
        """Numba takes its settings from a process's own folder, where there are any."""
        own = tiny_assignment.write(folder.parent / "tiny")
        importlib.import_module("numba")  # here with the settings of where the tests run
        refuses = "import numba\nassert not numba.config.DISABLE_JIT\n"
        (own / "checks.py").write_text(refuses + (own / "checks.py").read_text())
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PYTHONPATH", "elsewhere")
        Path(".numba_config.yaml").write_text("disable_jit: 1")
        summary = grade(folder, own, Processes(2), out=folder.parent / "graded")
        assert (summary.graded, summary.right) == (4, 2)

    def test_a_gradebook_that_a_student_has_put_there_is_not_believed(
        self, folder, tiny, monkeypatch
    ):
        """With `minidl grade .` results lie among the submissions: perhaps somebody's own."""
        monkeypatch.chdir(folder)
        grade(Path(), tiny)
        grade(Path(), tiny)
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
        with pytest.raises(ArgumentError, match=r"got graded of somebody else; .*--out"):
            grade(Path(), tiny)
        grade(Path(), tiny, out=folder.parent / "elsewhere")
        grade(Path(), tiny, out=folder.parent / "elsewhere")

    def test_what_is_known_is_not_graded_again(self, folder, tiny):
        grade(folder, tiny)
        again = Quick()
        summary = grade(folder, tiny, again)
        assert again.graded == []
        assert (summary.graded, summary.again) == (0, 4)
        hand_in(folder, "bob", "new = 1\n")
        grade(folder, tiny, again)
        assert again.graded == ["bob"]

    def test_a_regrade_grades_everything_and_goes_on_after_a_stop(self, folder, tiny):
        grade(folder, tiny)
        with pytest.raises(KeyboardInterrupt):
            grade(folder, tiny, Quick(most=3), regrade=True)
        rest = Quick()
        grade(folder, tiny, rest, regrade=True)
        assert rest.graded == ["dave"]
        assert len(attempts()) == 8
        grade(folder, tiny, rest, regrade=True)
        assert len(attempts()) == 12

    def test_a_scheduler_that_repeats_itself_counts_once(self, folder, tiny):
        summary = grade(folder, tiny, Quick(twice=True))
        assert summary.graded == 4
        assert_whole()

    def test_an_interrupted_run_goes_on(self, folder, tiny):
        with pytest.raises(KeyboardInterrupt):
            grade(folder, tiny, Quick(most=2))
        assert [name for name, _ in attempts()] == ["alice", "bob"]
        rest = Quick()
        grade(folder, tiny, rest)
        assert rest.graded == ["carol", "dave"]
        assert_whole()

    def test_feedback_that_was_lost_is_written_again(self, folder, tiny):
        grade(folder, tiny)
        for path in Path("graded/feedback/bob").iterdir():
            path.unlink()
        grade(folder, tiny)
        assert_whole()

    def test_public_results_have_a_gradebook_of_their_own(self, folder, tiny):
        settings = Settings(None, str(tiny), scheduler=Quick())
        Classroom(folder, settings).grade()
        assert {p.name for p in Path("graded").glob("*.sqlite")} == {"gradebook-public.sqlite"}


class TestBrokenOnes:
    def test_a_process_that_dies_is_replaced_and_one_that_dies_twice_is_named(self, tiny, here):
        jobs = [job(tiny, name) for name in NAMES]
        code = "raise SystemExit('out of memory')"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("minidl.grading.processes.SERVE", code)
            done = list(Processes(2).run(jobs))
        assert sorted(d.job.identity.student for d in done) == NAMES
        assert {d.error for d in done} == {
            "grade: the process grading tiny.py died twice: out of memory"
        }

    def test_one_that_hangs_is_killed(self, tiny):
        code = "import time; time.sleep(600)"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("minidl.grading.processes.SERVE", code)
            patch.setattr("minidl.grading.processes.LEAVE_SECONDS", 0.1)
            (done,) = Processes(1, seconds=0.2).run([job(tiny, "alice")])
        assert done.error == "grade: the process grading tiny.py took more than 0 s"

    def test_another_version_of_the_course_is_named(self, tiny):
        wanted = job(tiny, "alice")
        changed = Job(wanted.identity._replace(version=9), wanted.where, "tiny.py", b"x = 1")
        (done,) = Here().run([changed])
        assert "expected version 9 of tiny, got version 1" in done.error

    def test_files_that_cannot_be_read_are_named_and_tried_again(self, folder, tiny):
        with (folder / "bob" / "tiny.py").open("wb") as file:
            file.truncate(100_000_000)
        summary = grade(folder, tiny)
        assert summary.exit_code == 2
        (problem,) = summary.problems
        assert problem.startswith("bob: submission: expected at most 1 MB")
        hand_in(folder, "bob", "x = 1\n")
        rest = Quick()
        assert grade(folder, tiny, rest).problems == []
        assert rest.graded == ["bob"]
        assert_whole()

    def test_halves_of_characters_stop_nothing(self, folder, tiny):
        broken = result(0, reason="half \ud800 of one", submission="b\udcff.py")
        summary = grade(folder, tiny, Quick(found=broken))
        assert (summary.graded, summary.problems) == (4, [])
        assert_whole()

    def test_a_file_that_changes_while_it_is_read(self, folder, tiny, monkeypatch):
        real = os.fstat
        looks = []

        def fstat(descriptor):
            looks.append(descriptor)
            if len(looks) == 2:  # alice's, after it was read
                (folder / "alice" / "tiny.py").write_text("half a fi")
            return real(descriptor)

        monkeypatch.setattr(submission.os, "fstat", fstat)
        summary = grade(folder, tiny)
        (problem,) = summary.problems
        assert "alice/tiny.py, which changed; run this again when it has been written" in problem
        rest = Quick()
        grade(folder, tiny, rest)
        assert rest.graded == ["alice"]
        assert_whole()

    def test_what_was_hashed_is_what_is_graded(self, folder, tiny):
        class Late(Quick):
            def run(self, jobs):
                for found in jobs:
                    (folder / found.identity.student / "tiny.py").write_text("x = 1\n")
                    yield from Here().run([found])

        grade(folder, tiny, Late())
        assert dict(attempts())["alice"] == 5


@contextmanager
def read_only(folder):
    """Make a folder and those in it read-only, for root as for everybody."""
    uid, folders = os.geteuid(), [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    above = [(path, path.stat().st_mode) for path in folder.parents if path.owner() == "root"]
    for path in folders:
        path.chmod(0o555)
    if uid == 0:
        for path, mode in above:
            path.chmod(mode | 0o055)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(uid)
        for path in folders:
            path.chmod(0o755)
        for path, mode in above if uid == 0 else []:
            path.chmod(mode)


def job(tiny, student):
    return Job.of(student, "tiny.py", b"x = 1\n", Assignment.load(tiny), KEY)


class TestTheMachine:
    def test_a_full_disk_stops_the_run_and_the_next_goes_on(self, folder, tiny, monkeypatch):
        real, written = os.fsync, []

        def full(descriptor):
            written.append(descriptor)
            if len(written) == 5:  # in the middle of bob's files
                raise OSError(28, "No space left on device")
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr("minidl.grading.result.os.fsync", full)
            with pytest.raises(MinidlError, match="No space left on device"):
                grade(folder, tiny)
        rest = Quick()
        grade(folder, tiny, rest)
        assert rest.graded == ["carol", "dave"]
        assert_whole()

    def test_a_gradebook_that_is_locked_stops_the_run_and_the_next_goes_on(
        self, folder, tiny, monkeypatch
    ):
        monkeypatch.setattr("minidl.grading.gradebook.PATIENCE", 0.1)
        grade(folder, tiny, Quick(), out=Path("other"))
        locked = []

        class Locking(Quick):
            def run(self, jobs):
                for number, done in enumerate(super().run(jobs)):
                    if number == 2:
                        path = Path("graded/gradebook.sqlite")
                        locked.append(sqlite3.connect(path, isolation_level=None))
                        locked[0].execute("BEGIN EXCLUSIVE")
                    yield done

        with pytest.raises(MinidlError, match=r"another process is writing.*run the command"):
            grade(folder, tiny, Locking())
        locked[0].close()
        rest = Quick()
        grade(folder, tiny, rest)
        assert rest.graded == ["carol", "dave"]
        assert_whole()

    def test_an_out_folder_that_cannot_be_written_to(self, folder, tiny, here):
        closed = here / "closed"
        grade(folder, tiny, out=closed / "old")
        rest = Quick()
        old = Settings(KEY, str(tiny), scheduler=rest, out=closed / "old", regrade=True)
        new = replace(old, out=closed / "new")
        classes = [Classroom(folder, settings) for settings in (old, new)]
        with read_only(closed):
            with pytest.raises(MinidlError, match="that can be written to"):
                classes[0].grade()
            with pytest.raises(MinidlError, match=r"folder for the reports.*permission denied"):
                classes[1].grade()
        assert rest.graded == []
        classes[0].grade()
        assert rest.graded == NAMES

    def test_durations_do_not_follow_the_clock(self, folder, tiny, monkeypatch):
        hours = iter(range(10**6, 0, -1))
        monkeypatch.setattr(time, "time", lambda: 3600.0 * next(hours))
        grade(folder, tiny, Here())
        with Gradebook(Path("graded/gradebook.sqlite")) as book:
            assert all(0 < attempt.result.seconds < 60 for attempt in book.attempts())


KILLED = """
import os, signal, sys
from pathlib import Path
from classroom import KEY, Quick
from minidl.grading import gradebook, result
from minidl.grading.classroom import Classroom, Settings

folder, tiny, moment, number = sys.argv[1:]
count = 0

def dying(function):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

if moment == "commit":
    gradebook._hand_in = dying(gradebook._hand_in)
elif moment == "write":
    result.os.fsync = dying(os.fsync)
elif moment == "rename":
    Path.replace = dying(Path.replace)
elif moment == "report":
    Classroom._report = dying(Classroom._report)
Classroom(Path(folder), Settings(KEY, tiny, scheduler=Quick())).grade()
"""


class TestKilled:
    @pytest.mark.parametrize(
        ("moment", "number"),
        [("commit", 2), ("report", 2), ("write", 5), ("rename", 4), ("rename", 6)],
    )
    def test_at_any_moment_nothing_is_lost_or_doubled(self, folder, tiny, moment, number):
        path = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, folder, tiny, moment, str(number)],
            env={**os.environ, "PYTHONPATH": path},
            timeout=60,
            check=False,
        )
        assert ended.returncode == -signal.SIGKILL
        before = attempts()
        rest = Quick()
        grade(folder, tiny, rest)
        assert sorted([*rest.graded, *(name for name, _ in before)]) == NAMES
        assert_whole()

    def test_its_processes_end_and_the_next_run_goes_on(self, folder, tiny, here):
        (here / "key").write_text(KEY.hex())
        command = [sys.executable, "-m", "minidl.cli", "grade", "class", "--assignment", tiny]
        command += ["--key", "key", "--jobs", "2"]
        hangs = "while True:\n        pass\n"  # twice ten seconds, unless somebody ends it
        hand_in(folder, "bob", f"def centre(x):\n    {hangs}def moments(x):\n    {hangs}")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as grader:
            until = time.monotonic() + 30
            while not Path("graded/feedback/alice/tiny.json").exists():
                assert time.monotonic() < until
                time.sleep(0.02)
            below = descendants(grader.pid)
            assert len(below) >= 3
            grader.kill()
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}/exe").exists() for pid in below):
            assert time.monotonic() < until, "processes of a killed run are still there"
            time.sleep(0.05)
        before = dict(attempts())
        assert before["alice"] == 5
        rest = Quick()
        grade(folder, tiny, rest)
        assert rest.graded == [name for name in NAMES if name not in before]
        assert_whole()


def test_files_are_graded_in_the_order_given(folder, tiny, here):
    assignment = Assignment.load(tiny)
    paths = [folder / name / "tiny.py" for name in ("dave", "alice")]
    paths.insert(1, folder / "nobody.py")
    paths.append(hand_in(folder, "od\udcffd", "x = 1\n"))
    plan = bulk.Plan({"tiny": assignment}, KEY, Gradebook(":memory:"), Here())
    found = bulk.grade_files(paths, assignment, plan, lambda graded: None)
    assert [g.label for g in found] == ["dave-tiny", "nobody", "alice-tiny", "od_d-tiny"]
    assert [bool(g.error) for g in found] == [False, True, False, False]
    plan.gradebook.close()


@pytest.mark.parametrize(
    ("student", "name"),
    [
        *(("alice", "alice"), ("a.b-c_d", "a.b-c_d"), ("..", "student-"), ("é", "")),
        *(("con", "con-"), ("con.txt", "con.txt-"), ("-rf", "rf-"), ("--help", "help-")),
    ],
)
def test_names_of_folders_are_safe(student, name):
    made = feedback.file_name(student)
    assert made.startswith(name)
    assert (made == student) == (name == student)
    assert made.isascii()


def test_no_name_is_anothers_folder():
    """Whoever may choose a name could else have another's feedback written over."""
    made = feedback.file_name("../Zoë & co")
    assert feedback.file_name(made) != made
    assert feedback.file_name(made.upper()).lower() != made.lower()


def test_an_entry_is_a_student_an_assignment_and_a_file():
    assert Entry("alice", "tiny", Path("x")) == Entry("alice", "tiny", Path("x"))


def test_a_result_is_the_same_after_the_gradebook(tmp_path, folder, tiny):
    grade(folder, tiny, Quick(found=result(2, reason="<b>"), most=9))
    with Gradebook(Path("graded/gradebook.sqlite")) as book:
        assert {attempt.result.reason for attempt in book.attempts()} == {"<b>"}


def test_an_assignment_that_is_not_there(folder):
    with pytest.raises(ArgumentError, match="expected one of"):
        Classroom(folder, Settings(KEY, "nonsense"))


def test_key_stays_out_of_what_comes_back(tiny):
    (done,) = Here().run([job(tiny, "alice")])
    assert done.job.key is None
    assert KEY.hex() not in textwrap.dedent(repr(job(tiny, "alice")))
    assert repr(KEY) not in repr(job(tiny, "alice"))
