import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_assignment
from click.testing import CliRunner

from minidl import cli, doctor, terminal
from minidl.grading import bulk
from minidl.grading.assignment import Assignment
from minidl.grading.confine import LEVELS
from minidl.grading.key import key_id
from minidl.grading.result import Result

SECRET = "5ec2e7" * 8


@pytest.fixture
def tiny(tmp_path):
    return tiny_assignment.write(tmp_path / "tiny-assignment")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "secret.key"
    path.write_text(SECRET)
    return path


def call(*words):
    return CliRunner().invoke(cli.main, [str(word) for word in words], prog_name="minidl")


def run(*words, env=None, **options):
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "minidl.cli", *map(str, words)]
    env = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, env=env, timeout=60, check=False, **options)


def submissions(folder, assignment):
    """Write one right, one wrong and one unwritten submission; return their paths."""
    texts = {
        "alice": assignment.solution(),
        "bob": assignment.with_mistake("mean_doubled"),
        "carol": assignment.starter(),
    }
    paths = []
    for name, text in texts.items():
        (folder / name).mkdir()
        paths.append(folder / name / "tiny.py")
        paths[-1].write_text(text)
    return paths


def assert_one_line(text, *words):
    assert len(text.strip().splitlines()) == 1, text
    assert "Traceback" not in text
    for word in words:
        assert word in text


class TestHelp:
    def test_it_lists_every_command_and_the_exit_codes(self):
        answer = call("--help")
        assert answer.exit_code == 0
        commands = ["demo", "course", "start", "check", "hint", "grade", "certify", "notebooks"]
        places = [answer.output.index(f"\n  {word} ") for word in [*commands, "doctor"]]
        assert places == sorted(places)
        assert "..." not in answer.output.partition("Options:")[2]
        for group in ("export", "gradebook"):
            assert "..." not in call(group, "--help").output.partition("Options:")[2]
        assert "0    fine" in answer.output
        assert "1    the work is wrong" in answer.output
        assert "2    the call is wrong" in answer.output

    @pytest.mark.parametrize("name", sorted(cli.main.commands))
    def test_every_command_explains_itself(self, name):
        answer = call(name, "--help")
        assert answer.exit_code == 0
        assert len(answer.output.splitlines()) > 3

    def test_help_imports_nothing_heavy(self):
        code = (
            "import sys\nfrom minidl.cli import main\n"
            "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
            "print([m for m in ('numba', 'matplotlib', 'nbformat', 'scipy', 'jinja2')"
            " if m in sys.modules])"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        assert answer.stdout.splitlines()[-1] == "[]"

    def test_version(self):
        assert call("--version").output.startswith("minidl, version 0")


class TestMistakesOfTheCall:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["nonsense"], "No such command 'nonsense'"),
            (["check", "--nonsense"], "No such option"),
            (["grade"], "Missing argument"),
            (["start", "nonsense"], "expected one of batch_norm"),
            (["check"], "expected a workspace, got none"),
            (["check", "nowhere.py"], "got nowhere.py (no such file)"),
            (["hint", "forward"], "expected a workspace, got none"),
            (["grade", "essay.py"], "got essay.py (no such file)"),
            (["grade", "batch_norm.py", "--public", "--key", "k"], "exclude each other"),
            (["grade", "batch_norm.py", "--assignment", "nonsense"], "expected one of batch_norm"),
            (["certify", "nonsense"], "expected one of batch_norm"),
            (["certify", "--secrets", "0"], "0 is not in the range"),
            (["notebooks"], "run this in a clone"),
            (["hint", "forward", "0"], "0 is not in the range"),
        ],
    )
    def test_exit_code_2_and_the_reason(self, here, words, said):
        answer = call(*words)
        assert answer.exit_code == 2
        assert said in answer.stderr
        assert answer.stdout == ""
        assert list(here.iterdir()) == []

    def test_a_file_of_another_name_asks_for_its_assignment(self, here):
        (here / "essay.py").write_text("x = 1\n")
        assert_one_line(call("grade", "essay.py").stderr, "say which one with --assignment")

    def test_in_a_process_of_its_own_it_is_one_line_on_standard_error(self, here):
        answer = run("check")
        assert answer.returncode == 2
        assert answer.stdout == b""
        assert_one_line(answer.stderr.decode(), "minidl: your work: expected a workspace")

    def test_a_damaged_key_is_refused_before_anything_is_graded(self, here, tiny):
        (here / "bad.key").write_text("zz")
        (here / "tiny.py").write_text("x = 1\n")
        answer = call("grade", "tiny.py", "--assignment", tiny, "--key", "bad.key")
        assert answer.exit_code == 2
        assert_one_line(answer.stderr, "at least 16 bytes in hexadecimal")

    def test_ctrl_c_is_one_line_and_130(self, monkeypatch):
        def interrupted():
            raise KeyboardInterrupt

        monkeypatch.setattr(doctor, "brief", interrupted)
        answer = call("doctor", "--brief")
        assert answer.exit_code == 130
        assert_one_line(answer.stderr, "minidl: interrupted")

    def test_a_fault_of_minidls_own_is_not_hidden(self, monkeypatch):
        def broken():
            raise ZeroDivisionError

        monkeypatch.setattr(doctor, "brief", broken)
        assert isinstance(call("doctor", "--brief").exception, ZeroDivisionError)


class TestStudent:
    def test_the_loop_start_check_hint_write_check(self, here, tiny):
        answer = call("start", tiny)
        assert answer.exit_code == 0
        assert "wrote tiny/tiny.py" in answer.output
        answer = call("check")
        assert answer.exit_code == 1
        assert "0 of 5 points (0 %)" in answer.output
        answer = call("hint", "centre")
        assert "Hint 1 of 1: What is left?" in answer.output
        (here / "tiny" / "tiny.py").write_text(Assignment.load(tiny).solution())
        answer = call("check", "tiny")
        assert answer.exit_code == 0
        assert "5 of 5 points (100 %)" in answer.output

    def test_one_right_task_alone_is_exit_code_0(self, here, tiny):
        call("start", tiny)
        path = here / "tiny" / "tiny.py"
        path.write_text(Assignment.load(tiny).with_mistake("mean_doubled"))
        assert call("check", "centre").exit_code == 0
        assert call("check", "moments").exit_code == 1

    def test_a_second_start_keeps_and_says_so(self, here, tiny):
        call("start", tiny)
        answer = call("start", tiny)
        assert answer.exit_code == 0
        assert "kept tiny/tiny.py (already there, left as it is)" in answer.output
        assert "wrote" not in answer.output

    def test_a_start_after_the_course_has_changed_says_so(self, here, tiny):
        call("start", tiny)
        toml = tiny / "assignment.toml"
        toml.write_text(toml.read_text().replace("version = 1", "version = 2"))
        answer = call("start", tiny)
        assert answer.exit_code == 0
        assert "Note: this workspace was made from version 1" in answer.output

    def test_hints_come_one_at_a_time(self, here):
        call("start", "batch_norm")
        first = call("hint", "backward").output
        assert "Hint 1 of 5" in first
        assert "Hint 2" not in first
        assert "minidl hint backward 2" in first
        assert "Hint 5 of 5" in call("hint", "backward", "9").output

    def test_a_submission_that_is_no_python_is_told_why(self, here, tiny):
        call("start", tiny)
        (here / "tiny" / "tiny.py").write_text("def centre(x:\n")
        answer = call("check")
        assert answer.exit_code == 1
        assert "Not graded: syntax error in line 1" in answer.output

    def test_course_lists_the_assignments(self):
        answer = call("course")
        assert answer.exit_code == 0
        assert "batch_norm" in answer.output
        rows = [line.split() for line in answer.output.splitlines()]
        assert ["batch_norm", "Batch", "normalization", "7", "100", "150"] in rows

    def test_where_it_is_narrow_titles_stay_away(self, monkeypatch):
        monkeypatch.setattr(terminal, "PIPE_WIDTH", 46)
        rows = [line.split() for line in call("course").output.splitlines()]
        assert ["batch_norm", "7", "100", "150"] in rows

    def test_the_next_hint_is_in_the_same_place(self, here):
        start = call("start", "batch_norm", "--to", "work")
        assert start.exit_code == 0
        said = call("hint", "fold", "--in", "work").output
        assert said.endswith("One more: minidl hint fold 2 --in work\n")


class TestGrade:
    def test_a_table_with_scores_points_and_mistakes(self, here, tiny, key):
        paths = submissions(here, Assignment.load(tiny))
        answer = call("grade", *paths, "--assignment", tiny, "--key", key)
        assert answer.exit_code == 1
        rows = [line.split() for line in answer.output.splitlines() if line.strip()]
        lines = {name: numbers for name, *numbers in rows}
        assert lines["alice-tiny"] == ["5", "of", "5"]
        assert lines["carol-tiny"] == ["0", "of", "5", "all"]
        assert lines["bob-tiny"] == ["4", "of", "5", "moments", "1"]
        assert "bob-tiny: mean doubled" in answer.output
        assert any(f"Isolation: {level} (" in answer.output for level in LEVELS)

    def test_all_right_is_exit_code_0(self, here, tiny, key):
        paths = submissions(here, Assignment.load(tiny))[:1]
        assert call("grade", *paths, "--assignment", tiny, "--key", key).exit_code == 0

    def test_wrong_calls_are_one_line_each_and_the_others_are_graded(self, here, tiny, key):
        (good, *_) = submissions(here, Assignment.load(tiny))
        (here / "folder").mkdir()
        (here / "empty.py").write_text("")
        (here / "syntax.py").write_text("def f(:\n")
        with (here / "large.py").open("wb") as file:
            file.truncate(100_000_000)
        names = ["missing.py", "folder", "empty.py", "syntax.py", "large.py", good]
        answer = call("grade", *names, "--assignment", tiny, "--key", key, "--out", "reports")
        assert answer.exit_code == 2
        errors = answer.stderr.strip().splitlines()
        assert len(errors) == 3
        assert "missing.py (no such file" in errors[0]
        assert "folder" in errors[1]
        assert "at most 1 MB, got large.py (100 MB)" in errors[2]
        assert "empty: not graded: the file is empty" in answer.stdout
        assert "syntax: not graded: syntax error in line 1" in answer.stdout
        assert "5 of 5" in next(line for line in answer.stdout.splitlines() if "tiny" in line)
        written = {path.name for path in (here / "reports").iterdir()}
        assert written == {
            f"{name}.{end}"
            for name in ("empty", "syntax", "tiny")
            for end in ("json", "html", "md")
        }

    def test_unreadable_work_is_exit_code_1_when_every_call_is_right(self, here, tiny, key):
        (here / "empty.py").write_text("")
        assert call("grade", "empty.py", "--assignment", tiny, "--key", key).exit_code == 1

    def test_reports_hold_the_result_and_the_key_id(self, here, tiny, key):
        (_, bob, _) = submissions(here, Assignment.load(tiny))
        call("grade", bob, "--assignment", tiny, "--key", key, "--out", "a/b")
        result = Result.from_json((here / "a" / "b" / "tiny.json").read_text())
        assert result.score == 4
        assert result.key_id == key_id(bytes.fromhex(SECRET))
        assert "mean doubled" in (here / "a" / "b" / "tiny.html").read_text()
        assert SECRET not in (here / "a" / "b" / "tiny.html").read_text()

    def test_a_report_that_cannot_be_written_is_one_clear_error(self, here, tiny, key):
        paths = submissions(here, Assignment.load(tiny))
        (here / "taken").write_text("mine")
        answer = call("grade", *paths, "--assignment", tiny, "--key", key, "--out", "taken")
        assert answer.exit_code == 2
        assert_one_line(answer.stderr, "a folder for the reports")
        assert (here / "taken").read_text() == "mine"

    def test_json_is_all_there_is_on_standard_output(self, here, tiny, key):
        paths = submissions(here, Assignment.load(tiny))[:2]
        answer = call("grade", *paths, "no.py", "--assignment", tiny, "--key", key, "--json")
        rows = json.loads(answer.stdout)
        assert [row["label"] for row in rows] == ["alice-tiny", "bob-tiny", "no"]
        assert rows[1]["result"]["score"] == 4
        assert rows[2]["result"] is None
        assert "no such file" in rows[2]["error"]

    def test_the_assignment_is_taken_from_the_files_names(self, here, key):
        (here / "batch_norm.py").write_text("")
        answer = call("grade", "batch_norm.py", "--key", key)
        assert answer.exit_code == 1
        assert "the file is empty" in answer.output

    def test_public_needs_no_key(self, here, tiny, monkeypatch):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "config"))
        paths = submissions(here, Assignment.load(tiny))[:1]
        assert call("grade", *paths, "--assignment", tiny, "--public").exit_code == 0
        assert not (here / "config").exists()

    def test_a_key_is_made_once(self, here, tiny):
        paths = submissions(here, Assignment.load(tiny))[:1]
        for _ in range(2):
            assert call("grade", *paths, "--assignment", tiny, "--key", "new.key").exit_code == 0
            made = (here / "new.key").read_text()
        assert (here / "new.key").read_text() == made

    def test_hidden_grading_says_no_expected_value(self, here, tiny, key):
        paths = submissions(here, Assignment.load(tiny))
        answer = call("grade", *paths, "--assignment", tiny, "--key", key, "--out", "out", "--json")
        html = "".join(path.read_text() for path in (here / "out").glob("*.html"))
        assert "expected" not in answer.stdout
        assert "expected" not in html


class TestClass:
    @pytest.fixture
    def graded(self, here, tiny, key):
        """A folder of three students, graded once."""
        (here / "class").mkdir()
        submissions(here / "class", Assignment.load(tiny))
        answer = call("grade", "class", "--assignment", tiny, "--key", key, "--jobs", "1")
        assert answer.exit_code == 1, answer.output
        return answer

    def test_a_folder_is_graded_once(self, graded, here, tiny, key):
        assert "3 submissions graded: 1 with every point." in graded.output
        assert any(f"Isolation: {level} (" in graded.output for level in LEVELS)
        assert (here / "graded" / "feedback" / "bob" / "tiny.html").is_file()
        assert "mean doubled" in (here / "graded" / "class.html").read_text()
        answer = call("grade", "class", "--assignment", tiny, "--key", key, "--similarity")
        assert "0 submissions graded, 3 known from before: 1 with every point." in answer.output
        assert "submissions were compared" in (here / "graded" / "class.md").read_text()

    def test_the_gradebook_is_shown_and_exported(self, graded, here):
        book = here / "graded" / "gradebook.sqlite"
        shown = call("gradebook", "show", book)
        assert re.search(r"bob +tiny +4 +5 +1", shown.output)
        assert re.search(r"tiny@1 +4 +5", call("gradebook", "history", book, "bob").output)
        assert call("gradebook", "export", book).output.count("\n") == 4
        (here / "roster.csv").write_text("id,name\nbob,Bob\neve,Eve\n")
        words = ["--as", "moodle", "--roster", "roster.csv", "--to", "points.csv"]
        assert call("gradebook", "export", book, *words).exit_code == 0
        assert "bob,Bob,,4" in (here / "points.csv").read_text()

    def test_a_roster_names_who_is_not_in_it_and_who_is_missing(self, graded, here, tiny, key):
        (here / "roster.csv").write_text("id,name\nalice,Alice\ncarol,Carol\neve,Eve\n")
        words = ["--assignment", tiny, "--key", key, "--roster", "roster.csv"]
        answer = call("grade", "class", *words)
        assert answer.exit_code == 2
        assert_one_line(answer.stderr, "bob/tiny.py: 'bob' is not in the roster")
        assert (
            "1 could not be graded, for the reason below; the next run tries again."
            in answer.output
        )
        assert "<h3>Nothing handed in</h3>\n<p>eve" in (here / "graded/class.html").read_text()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["grade", "class"], "none in class"),
            (["grade", "class", "--json"], "--json is for files"),
            (["grade", "a.py", "--regrade"], "--regrade is for a folder"),
            (["grade", "class", "--roster", "no.csv"], "no such file"),
            (["grade", "nothing"], "a folder of them, got nothing (no such file)"),
            (["gradebook", "show", "no.sqlite"], "`minidl grade FOLDER` makes one"),
            (["release", "batch_norm"], "Missing option '--to'"),
            (["release", "nonsense", "--to", "out"], "expected one of batch_norm"),
            (["similarity", "class"], "none in class"),
        ],
    )
    def test_mistakes_of_the_call(self, here, key, words, said):
        (here / "class").mkdir()
        more = ["--key", key] if words[0] == "grade" else []
        answer = call(*words, *more)
        assert answer.exit_code == 2, answer.output
        assert said in answer.stderr
        assert {path.name for path in here.iterdir()} == {"class"}

    def test_an_unknown_student_is_named(self, graded):
        answer = call("gradebook", "history", "graded/gradebook.sqlite", "eve")
        assert answer.exit_code == 2
        assert_one_line(answer.stderr, "a student of it (alice, bob, carol), got 'eve'")

    def test_release_writes_once_and_keeps_edits(self, here, tiny):
        assert "wrote out/tiny/script/tiny.py" in call("release", tiny, "--to", "out").output
        (here / "out/tiny/script/tiny.py").write_text("mine\n")
        answer = call("release", tiny, "--to", "out")
        assert answer.exit_code == 0
        assert "kept out/tiny/script/tiny.py (edited since it was released" in answer.output
        (here / "out/solution.txt").write_text(Assignment.load(tiny).solution())
        answer = call("release", tiny, "--to", "out")
        assert answer.exit_code == 1
        assert_one_line(answer.stderr, "solution.txt: holds statements of centre")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.py"], ["a"]),
        (["x/a.py", "y/a.py", "b.py"], ["x-a", "y-a", "b"]),
        (["1/x/a.py", "2/x/a.py"], ["1-x-a", "2-x-a"]),
        (["a.py", "a.ipynb"], None),
        (["a.py", "a.py"], None),
        (["a.py", "A.py"], ["a", "A-2"]),
        (["x/a.py", "y/a.py", "x-a.py"], ["x-a", "y-a", "x-a-2"]),
        (["a b;c.py"], ["a_b_c"]),
    ],
)
def test_reports_have_names_of_their_own_that_every_file_system_takes(paths, names):
    found = bulk.labels([Path(path) for path in paths])
    assert names is None or found == names
    assert len({name.lower() for name in found}) == len(paths)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in found)


class TestCertify:
    def test_a_good_assignment_is_exit_code_0(self, here, tiny):
        answer = call("certify", tiny, "--secrets", "1")
        assert answer.exit_code == 0, answer.output
        assert "kill rate 100%" in answer.output

    def test_a_lesson_that_gives_the_solution_away_is_exit_code_1(self, here, tiny):
        solution = Assignment.load(tiny).reference.functions["centre"]
        (tiny / "lesson.md").write_text(f"# Tiny\n\n```python\n{solution}\n```\n")
        answer = call("certify", tiny, "--secrets", "1")
        assert answer.exit_code == 1
        assert "lesson.md" in answer.output
        assert "expected everything to hold" in answer.stderr


class TestNotebooks:
    def test_check_of_an_empty_folder_is_exit_code_1(self, here):
        answer = call("notebooks", "--check", "--to", here)
        assert answer.exit_code == 1
        assert "rebuild it with" in answer.stderr


class TestDoctor:
    def test_it_is_fine_without_cython(self, monkeypatch):
        monkeypatch.delenv("MINIDL_REQUIRE_CYTHON", raising=False)
        monkeypatch.setattr(doctor, "extensions", lambda: {"conv2d": "not built"})
        assert call("doctor", "--brief").exit_code == 0

    def test_it_is_not_where_cython_is_demanded(self, monkeypatch):
        monkeypatch.setenv("MINIDL_REQUIRE_CYTHON", "1")
        monkeypatch.setattr(doctor, "extensions", lambda: {"conv2d": "not built"})
        answer = call("doctor", "--brief")
        assert answer.exit_code == 1
        assert "Cython kernels missing: conv2d (not built)" in answer.output


class TestConsoles:
    @pytest.mark.parametrize(
        "env",
        [
            {"PYTHONIOENCODING": "cp1252"},
            {"PYTHONIOENCODING": "ascii", "TERM": "dumb"},
            {"NO_COLOR": "1", "COLUMNS": "30"},
        ],
    )
    def test_narrow_old_and_plain_ones_work(self, here, tiny, env):
        call("start", tiny)
        odd = '"""Grüße, 漢字, \\u2714 ✔"""\nraise ValueError("✔ 漢字")\n'
        (here / "tiny" / "tiny.py").write_text(odd, encoding="utf-8")
        answer = run("check", env=env)
        assert answer.returncode == 1
        assert b"Traceback" not in answer.stderr
        assert b"ValueError" in answer.stdout
        assert b"\x1b" not in answer.stdout

    def test_nothing_is_coloured_in_a_file(self, here):
        with (here / "out.txt").open("wb") as file:
            command = [sys.executable, "-m", "minidl.cli", "doctor"]
            subprocess.run(command, stdout=file, timeout=60, check=True)
        assert b"\x1b" not in (here / "out.txt").read_bytes()
