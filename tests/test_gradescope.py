"""The Gradescope zip, unpacked and run in the layout that Gradescope documents."""

import json
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tiny_assignment
from click.testing import CliRunner

from minidl.cli import main
from minidl.errors import ArgumentError
from minidl.grading import gradescope
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade_source
from minidl.grading.gradescope import export, results

KEY = bytes(range(32))
PACKAGES = str(Path(np.__file__).parent.parent)
# The same files, but as somebody who is not root and has no rights of root's.
AS_A_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Assignment.load(tiny_assignment.write(tmp_path_factory.mktemp("course") / "tiny"))


@pytest.fixture(scope="module")
def autograder(tiny, tmp_path_factory):
    """/autograder as it is after Gradescope has built the image."""
    base = tmp_path_factory.mktemp("gradescope") / "autograder"
    with zipfile.ZipFile(export(tiny, KEY, base.parent / "tiny.zip")) as archive:
        archive.extractall(base / "source")
    for name in ("submission", "results"):
        (base / name).mkdir()
    (base / "submission_metadata.json").write_text('{"previous_submissions": ["secret"]}')
    # What pip would fetch is found where this interpreter has it; the rest is as it is there.
    built = run(["bash", base / "source" / "setup.sh"])
    assert built.returncode == 0, built.stderr
    assert "tiny is ready" in built.stdout
    shutil.copy(base / "source" / "run_autograder", base)
    return base


def run(command, **options):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGES, "HOME": "/nowhere"}
    return subprocess.run(
        [str(word) for word in command],
        env=environment,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=120,
        **options,
    )


def graded(autograder, files, prefix=()):
    """Hand in files by name; return results.json."""
    for name in ("submission", "results"):
        shutil.rmtree(autograder / name)
        (autograder / name).mkdir()
    for name, text in files.items():
        (autograder / "submission" / name).write_text(text)
    done = run([*prefix, autograder / "run_autograder"])
    assert done.returncode == 0, done.stderr
    return json.loads((autograder / "results" / "results.json").read_text())


@pytest.mark.parametrize("prefix", [[], AS_A_USER], ids=["as it is", "as a user"])
def test_scores_are_those_of_minidl_grade(autograder, tiny, prefix):
    found = graded(autograder, {"tiny.py": tiny.solution()}, prefix)
    assert found["score"] == tiny.points
    assert {test["status"] for test in found["tests"]} == {"passed"}
    assert "seccomp" in found["extra_data"]["isolation"]
    wrong = tiny.with_mistake("mean_doubled")
    found = graded(autograder, {"anything.py": wrong}, prefix)
    here = grade_source(wrong, tiny, KEY)
    assert found["score"] == here.score < tiny.points
    assert found["extra_data"]["mistakes"] == ["mean_doubled"]
    assert any("The mean is twice too large." in test["output"] for test in found["tests"])
    assert sum(test["max_score"] for test in found["tests"]) == tiny.points


def test_a_submission_sees_neither_key_nor_earlier_results(autograder, tiny):
    spy = tiny.solution() + (
        "\nimport os\nfound = ''\n"
        f"for path in ({str(autograder / 'source' / 'grading.key')!r},"
        f" {str(autograder / 'submission_metadata.json')!r}):\n"
        "    try:\n        found += open(path).read()\n    except OSError:\n        pass\n"
        "if found:\n    raise ValueError(found)\n"
    )
    assert graded(autograder, {"tiny.py": spy})["score"] == tiny.points


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "got none"),
        ({"a.py": "", "b.py": ""}, "got a.py, b.py"),
        ({"tiny.py": "", "tiny.ipynb": ""}, "got tiny.ipynb, tiny.py"),
    ],
)
def test_what_was_handed_in_by_mistake_is_told_to_the_student(autograder, files, says):
    found = graded(autograder, files)
    assert found["score"] == 0
    assert "expected one file, tiny.py or tiny.ipynb" in found["output"]
    assert says in found["output"]


def test_a_file_that_is_far_too_large_is_told_to_the_student(autograder):
    """Not an autograder that failed: that would be the instructor's to look at."""
    found = graded(autograder, {"tiny.py": "#" * 1_100_000, "\x1b[2Jodd.txt": ""})
    assert found["score"] == 0
    assert "expected at most 1 MB" in found["output"]


def test_no_python_scores_nothing_and_says_why(autograder, tiny):
    found = graded(autograder, {"tiny.py": "def centre(:\n"})
    assert found["score"] == 0
    assert "Not graded: syntax error" in found["output"]
    assert {test["status"] for test in found["tests"]} == {"failed"}


def test_the_zip_is_the_same_every_time_and_holds_nothing_compiled(tiny, tmp_path):
    first, second = (export(tiny, KEY, tmp_path / f"{n}.zip").read_bytes() for n in "ab")
    assert first == second
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert {"setup.sh", "run_autograder"} <= set(names)
    assert modes["run_autograder"] & stat.S_IXUSR
    assert modes["grading.key"] & 0o077 == 0
    assert not [name for name in names if name.endswith((".so", ".pyc", ".pyx", ".c"))]
    assert "lib/minidl/kernels/batch_norm_numpy.py" in names


def test_every_field_is_one_that_gradescope_knows(tiny):
    found = results(grade_source(tiny.starter(), tiny, KEY), "after_due_date")
    known = {"score", "execution_time", "output", "output_format", "visibility"}
    known |= {"stdout_visibility", "extra_data", "tests", "leaderboard"}
    of_tests = {"score", "max_score", "status", "name", "number", "output", "output_format"}
    of_tests |= {"tags", "visibility"}
    assert set(found) <= known
    for test in found["tests"]:
        assert set(test) <= of_tests
        assert test["status"] in ("passed", "failed")
        assert test["visibility"] == "after_due_date"


def test_a_reference_that_fails_stops_the_image(autograder, monkeypatch):
    checks = autograder / "source" / "assignment" / "tiny" / "checks.py"
    before = checks.read_text()
    try:
        checks.write_text(before.replace("close(", "close(1 + ", 1))
        with pytest.raises(SystemExit, match=r"minidl: gradescope: expected .* for the reference"):
            gradescope.main([str(autograder), "--verify"])
    finally:
        checks.write_text(before)


def test_the_command(tiny, tmp_path):
    key = tmp_path / "grading.key"
    key.write_text(KEY.hex())
    to = tmp_path / "tiny.zip"
    command = ["export", "gradescope", str(tiny.folder), "--key", str(key), "--to", str(to)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert to.read_bytes() == export(tiny, KEY, tmp_path / "again.zip").read_bytes()
    done = CliRunner().invoke(main, [*command[:-1], str(tmp_path / "no" / "tiny.zip")])
    assert done.exit_code == 2
    with pytest.raises(ArgumentError):
        export(tiny, KEY, tmp_path / "no" / "tiny.zip")
