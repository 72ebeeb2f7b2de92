"""Who is who: rosters, and the layouts in which submissions come."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from minidl.errors import ArgumentError
from minidl.grading.collect import collect
from minidl.grading.roster import Roster, simple

IDS = ["batch_norm", "conv2d"]
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section
    Points Possible,,,,
"Doe, Jane",101,u1,jane,A
"Müller, Zoë",102,u2,zoe,A
"""
MOODLE = (
    "First name;Surname;ID number;Email address\nJane;Doe;m1;jane@x.org\nAnn;Lee;m2;ann@x.org\n"
)


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")
    return folder


def roster(tmp_path, text):
    (tmp_path / "roster.csv").write_text(text, encoding="utf-8")
    return Roster.read(tmp_path / "roster.csv")


def found(folder, only="", **options):
    return {
        (entry.student, entry.assignment): entry.path.relative_to(folder).as_posix()
        for entry in collect(folder, [only] if only else IDS, only, **options).entries
    }


class TestLayouts:
    def test_a_folder_for_each_student(self, tmp_path):
        make(tmp_path, "alice/batch_norm.py", "bob/batch_norm.ipynb", "bob/conv2d.py")
        assert found(tmp_path) == {
            ("alice", "batch_norm"): "alice/batch_norm.py",
            ("bob", "batch_norm"): "bob/batch_norm.ipynb",
            ("bob", "conv2d"): "bob/conv2d.py",
        }

    def test_whole_workspaces_with_lessons_notes_and_caches(self, tmp_path):
        make(
            tmp_path,
            *("a/batch_norm.py", "a/batch_norm_lesson.ipynb", "a/README.md", "a/.minidl.toml"),
            *("a/__pycache__/batch_norm.py", "a/.ipynb_checkpoints/batch_norm.py", "a/utils.py"),
        )
        assert found(tmp_path) == {("a", "batch_norm"): "a/batch_norm.py"}
        ignored = {path.name for path in collect(tmp_path, IDS).ignored}
        assert ignored == {"batch_norm_lesson.ipynb", "README.md", "utils.py"}

    def test_files_named_after_students(self, tmp_path):
        make(tmp_path / "batch_norm", "alice.py", "bob.ipynb")
        want = {("alice", "batch_norm"): "alice.py", ("bob", "batch_norm"): "bob.ipynb"}
        assert found(tmp_path / "batch_norm") == want
        make(tmp_path / "week3", "alice.py", "bob.ipynb")
        assert found(tmp_path / "week3", "batch_norm") == want

    def test_nbgraders(self, tmp_path):
        make(tmp_path, "submitted/alice/batch_norm/batch_norm.ipynb", "source/batch_norm.ipynb")
        make(tmp_path, "submitted/alice/batch_norm/scratch.ipynb", "submitted/bob/conv2d/mine.py")
        want = {
            ("alice", "batch_norm"): "alice/batch_norm/batch_norm.ipynb",
            ("bob", "conv2d"): "bob/conv2d/mine.py",
        }
        assert found(tmp_path / "submitted") == want
        assert len(collect(tmp_path, IDS).entries) == 2

    def test_what_lies_beside_submitted_is_named(self, tmp_path):
        make(tmp_path, "submitted/alice/batch_norm/batch_norm.py", "bob/batch_norm.py")
        make(tmp_path, "release/batch_norm/batch_norm.ipynb", "nbgrader_config.py")
        made = collect(tmp_path, IDS)
        assert [entry.student for entry in made.entries] == ["alice"]
        (problem,) = made.problems
        assert problem.startswith(f"{tmp_path / 'bob/batch_norm.py'}: expected all submissions in")

    def test_canvas(self, tmp_path):
        make(tmp_path, "doejane_101_9_batch_norm.py", "mullerzoe_LATE_102_8_batch_norm-2.ipynb")
        make(tmp_path, "doe_jane_101_9_conv2d.py")
        assert found(tmp_path, roster=roster(tmp_path, CANVAS)) == {
            ("101", "batch_norm"): "doejane_101_9_batch_norm.py",
            ("101", "conv2d"): "doe_jane_101_9_conv2d.py",
            ("102", "batch_norm"): "mullerzoe_LATE_102_8_batch_norm-2.ipynb",
        }
        (tmp_path / "roster.csv").unlink()
        assert ("doejane_101", "batch_norm") in found(tmp_path)

    def test_moodle(self, tmp_path):
        make(tmp_path, "Jane Doe_77_assignsubmission_file_/batch_norm.py")
        make(tmp_path, "Ann Lee_78_assignsubmission_file_batch_norm.py")
        assert found(tmp_path, roster=roster(tmp_path, MOODLE)) == {
            ("m1", "batch_norm"): "Jane Doe_77_assignsubmission_file_/batch_norm.py",
            ("m2", "batch_norm"): "Ann Lee_78_assignsubmission_file_batch_norm.py",
        }

    def test_the_folder_of_one_student(self, tmp_path):
        make(tmp_path, "alice/batch_norm.py")
        assert found(tmp_path / "alice") == {("alice", "batch_norm"): "batch_norm.py"}

    def test_one_assignment_whatever_the_files_are_called(self, tmp_path):
        make(tmp_path, "alice/homework.py", "bob/batch_norm.py", "bob/utils.py")
        assert found(tmp_path, "batch_norm") == {
            ("alice", "batch_norm"): "alice/homework.py",
            ("bob", "batch_norm"): "bob/batch_norm.py",
        }


class TestProblems:
    def test_nothing_in_it(self, tmp_path):
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(ArgumentError, match=r"none in .*STUDENT/ASSIGNMENT\.py"):
            collect(tmp_path, IDS)

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(ArgumentError, match="no such file"):
            collect(tmp_path / "no", IDS)

    @pytest.mark.parametrize(
        "names",
        [
            ("alice/batch_norm.py", "alice/batch_norm.ipynb"),
            ("alice/batch_norm.py", "Alice/batch_norm.py"),
            ("alice/batch_norm.py", "alice/batch_norm-1.py"),
        ],
    )
    def test_two_files_for_one_student_are_both_named_and_neither_taken(self, tmp_path, names):
        make(tmp_path, *names, "bob/batch_norm.py")
        collected = collect(tmp_path, IDS)
        assert [entry.student for entry in collected.entries] == ["bob"]
        (problem,) = collected.problems
        assert "expected one file for batch_norm, got" in problem
        for name in names:
            assert str(tmp_path / name) in problem

    def test_a_file_without_an_assignment(self, tmp_path):
        make(tmp_path, "alice/homework.py", "bob/batch_norm.py")
        (problem,) = collect(tmp_path, IDS).problems
        assert "homework.py" in problem
        assert "--assignment" in problem

    def test_links_are_not_followed(self, tmp_path):
        make(tmp_path, "secret/batch_norm.py", "class/bob/batch_norm.py")
        (tmp_path / "class" / "alice").symlink_to(tmp_path / "secret")
        collected = collect(tmp_path / "class", IDS)
        assert [entry.student for entry in collected.entries] == ["bob"]
        assert "got a link" in collected.problems[0]

    def test_a_name_that_is_no_text(self, tmp_path):
        make(tmp_path, "bob/batch_norm.py", "al\udcffice/batch_norm.py")
        collected = collect(tmp_path, IDS)
        assert [entry.student for entry in collected.entries] == ["bob"]
        assert r"al\xffice: expected a name in UTF-8; rename it" in collected.problems[0]

    def test_a_folder_that_is_closed_stops_nobody_else(self, tmp_path, monkeypatch):
        make(tmp_path, "alice/batch_norm.py", "bob/batch_norm.py")
        scan = os.scandir

        def closed(folder):
            if Path(folder).name == "alice":
                raise PermissionError(errno.EACCES, "Permission denied")
            return scan(folder)

        monkeypatch.setattr(os, "scandir", closed)
        collected = collect(tmp_path, IDS)
        assert [entry.student for entry in collected.entries] == ["bob"]
        (problem,) = collected.problems
        assert f"expected a folder that can be read, got {tmp_path / 'alice'}" in problem

    def test_nothing_that_looks_like_a_submission_is_passed_over_in_silence(self, tmp_path):
        make(tmp_path, "alice/batch_norm.PY", "bob/batch_norm.py", "bob/data/old/more/notes.py")
        make(tmp_path, "carol/week/one/src/batch_norm.py")
        (tmp_path / "dave").mkdir()
        os.mkfifo(tmp_path / "dave" / "batch_norm.py")
        collected = collect(tmp_path, IDS)
        assert [entry.student for entry in collected.entries] == ["bob"]
        alice, carol, dave = collected.problems
        assert "alice/batch_norm.PY: expected an ordinary file whose name ends in .py" in alice
        assert "carol/week/one: expected files at most 2 folders deep" in carol
        assert "dave/batch_norm.py: expected an ordinary file" in dave

    def test_a_letter_with_an_accent_is_one_however_it_is_written(self, tmp_path):
        make(tmp_path, "zo\u00eb/batch_norm.py", "zoe\u0308/conv2d.py")
        assert {entry.student for entry in collect(tmp_path, IDS).entries} == {"zo\u00eb"}

    def test_a_folder_that_becomes_a_link_is_not_followed(self, tmp_path):
        """A student's folder may be replaced between being found and being read."""
        make(tmp_path, "class/alice/batch_norm.py", "class/bob/week/batch_norm.py")
        make(tmp_path, "secret/batch_norm.py", "secret/week/batch_norm.py")
        entries = collect(tmp_path / "class", IDS).entries
        for name in ("alice", "bob"):
            shutil.rmtree(tmp_path / "class" / name)
            (tmp_path / "class" / name).symlink_to(tmp_path / "secret")
        for entry in entries:
            with pytest.raises(ArgumentError, match=r"a file that can be read, got .* \(a link\)"):
                entry.read()

    def test_somebody_the_roster_does_not_know(self, tmp_path):
        make(tmp_path / "class", "jane/batch_norm.py", "eve/batch_norm.py")
        collected = collect(tmp_path / "class", IDS, roster=roster(tmp_path, CANVAS))
        assert [entry.student for entry in collected.entries] == ["101"]
        (problem,) = collected.problems
        assert "eve/batch_norm.py: 'eve' is not in the roster" in problem

    def test_two_names_of_one_student_are_two_files(self, tmp_path):
        make(tmp_path / "class", "jane/batch_norm.py", "u1/batch_norm.py")
        collected = collect(tmp_path / "class", IDS, roster=roster(tmp_path, CANVAS))
        assert collected.entries == ()
        assert "101: expected one file for batch_norm" in collected.problems[0]


class TestRoster:
    @pytest.mark.parametrize(
        ("name", "own"),
        [
            ("101", "101"),
            ("U1", "101"),
            ("jane", "101"),
            ("DoeJane", "101"),
            ("jane doe", "101"),
            ("muller_zoe", "102"),
        ],
    )
    def test_a_student_is_found_by_any_name(self, tmp_path, name, own):
        assert roster(tmp_path, CANVAS).find([name]).id == own

    def test_a_name_that_fits_two_fits_neither(self, tmp_path):
        text = "id,name,email\na1,Jane Doe,jane@x.org\na2,Jane Doe,jd@x.org\n"
        students = roster(tmp_path, text)
        assert "fits more than one student of the roster: a1, a2" in students.find(["Jane Doe"])
        assert students.find(["jd"]).id == "a2"

    def test_an_id_goes_before_anothers_name(self, tmp_path):
        assert roster(tmp_path, "id,name\nann,Bob\nbob,Ann\n").find(["ann"]).id == "ann"

    def test_ids_that_differ_in_signs_alone_are_two_students(self, tmp_path):
        students = roster(tmp_path, "id,name\nsmith1,Ann\nSmith_1,Bob\n---,Eve\n")
        for name in ("smith1", "Smith_1", "---"):
            assert students.find([name]).id == name
        assert students.find(["SMITH1"]).id == "smith1"
        assert "more than one student of the roster: smith1, Smith_1" in students.find(["smith 1"])
        assert students.find(["___"]) == "'___' is not in the roster"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('id,name\n\na,"An\nn"\nA,Anna\n', r"'A' in lines 4 and 5; take one"),
            (CANVAS + "x,101,u3,x,A\n", r"'101' in lines 3 and 5; take one"),
            ("id,name\na,Ann\nb,Bob\nA,Anna\n", r"'A' in lines 2 and 4; take one"),
            ("name,section\nAnn,A\n", "a column `id`, got name, section"),
            ("id,name\n,Ann\n", "an id for each student"),
            ("id,name\n", "a line for each student, got none"),
            ("", "a line for each student, got none"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path, text, said):
        with pytest.raises(ArgumentError, match=said):
            roster(tmp_path, text)

    def test_other_encodings_and_no_file(self, tmp_path):
        (tmp_path / "roster.csv").write_bytes("id,name\na,Zoë\n".encode("latin-1"))
        with pytest.raises(ArgumentError, match="save it as CSV UTF-8"):
            Roster.read(tmp_path / "roster.csv")
        with pytest.raises(ArgumentError, match="no such file"):
            Roster.read(tmp_path / "no.csv")

    def test_a_byte_order_mark_and_tabs(self, tmp_path):
        assert roster(tmp_path, "\ufeffid\tname\na\tAnn\n").find(["Ann"]).id == "a"

    def test_simple(self):
        assert simple("Ó'Brien, José-María") == "obrienjosemaria"
