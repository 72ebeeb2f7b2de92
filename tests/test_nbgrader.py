"""The nbgrader export, taken through nbgrader itself: released, handed in, autograded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import tiny_assignment
from click.testing import CliRunner

from minidl.cli import main
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment, course
from minidl.grading.grade import grade_source
from minidl.grading.leak import leaks
from minidl.grading.nbgrader import BEGIN, END, export, marked, source

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Assignment.load(tiny_assignment.write(tmp_path_factory.mktemp("course") / "tiny"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """An instructor's home with a secret of its own, and nothing of this machine's."""
    folder = tmp_path_factory.mktemp("home")
    key = folder / "config" / "minidl" / "grading.key"
    key.parent.mkdir(parents=True)
    key.write_text(KEY.hex())
    return folder


def nbgrader(home, folder, *words):
    """Run one of nbgrader's commands in a course."""
    kernels = {"JUPYTER_DATA_DIR": str(home / "data"), "IPYTHONDIR": str(home / "ipython")}
    known = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), **kernels}
    bin_ = Path(sys.executable).parent
    environment = {**os.environ, **known, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    # Its own warnings about itself are not ours.
    environment["PYTHONWARNINGS"] = "ignore"
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def graded(tiny, home, tmp_path_factory):
    """A course in which a student has handed in one task right, and a known mistake."""
    folder = tmp_path_factory.mktemp("nbgrader")
    export(tiny, folder)
    done = nbgrader(home, folder, "generate_assignment", "tiny", "--create")
    assert done.returncode == 0, done.stderr
    functions = dict(tiny.reference.functions)
    functions["moments"] = next(m.source for m in tiny.mistakes if m.id == "mean_doubled")
    notebook = nbformat.read(folder / "release" / "tiny" / "tiny.ipynb", as_version=4)
    for cell in notebook.cells:
        for name, text in functions.items():
            if cell.source.startswith(f"def {name}("):
                cell.source = "\n\n".join([*tiny.reference.helpers, text])
    own = folder / "submitted" / "alice" / "tiny"
    own.mkdir(parents=True)
    nbformat.write(notebook, own / "tiny.ipynb")
    done = nbgrader(home, folder, "autograde", "tiny", "--create")
    assert done.returncode == 0, done.stderr
    return folder


LIST_SCORES = """
import json
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    found = [[s.student.id, g.name, g.auto_score] for s in book.assignment_submissions("tiny")
             for notebook in s.notebooks for g in notebook.grades]
print(json.dumps(found))
"""


def scores(folder):
    """Return each student's points for each cell that grades, as nbgrader's database has them."""
    command = [sys.executable, "-W", "ignore", "-c", LIST_SCORES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return {(student, cell): score for student, cell, score in json.loads(done.stdout)}


def test_nbgrader_gives_the_points_minidl_gives(graded, tiny):
    found = scores(graded)
    for task in grade_source(tiny.with_mistake("mean_doubled"), tiny, KEY).tasks:
        cell = task.task.replace(".", "-") + "-tests"
        assert found.pop(("alice", cell)) == task.earned
    assert found == {}
    assert task.task == "tiny.moments"
    assert 0 < task.earned < task.points


def test_feedback_names_the_mistake_and_the_evidence(graded):
    notebook = nbformat.read(graded / "autograded" / "alice" / "tiny" / "tiny.ipynb", 4)
    shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "The mean is twice too large." in shown
    assert "SHA-256" in shown
    assert "seccomp" in shown


def test_what_is_released_holds_neither_solutions_nor_hidden_tests(graded, tiny):
    text = (graded / "release" / "tiny" / "tiny.ipynb").read_text()
    assert leaks(tiny.reference.functions, {"notebook": text}) == []
    for word in ("HIDDEN", "SOLUTION", "points(", "half_sum(x) / len"):
        assert word not in text
    assert "%check tiny.centre" in text
    assert "raise NotImplementedError" in text


@pytest.mark.parametrize("name", course())
def test_every_assignment_has_a_valid_source_that_runs_and_gives_nothing_away(name):
    assignment = Assignment.load(name)
    made = source(assignment)
    cells = [cell for cell in made.cells if "nbgrader" in cell.metadata]
    helpers = [cell for cell in made.cells if cell.id == "helpers"]
    ids = [cell.metadata.nbgrader.grade_id for cell in cells]
    assert len(ids) == len(set(ids))
    assert len(set(ids) - {"helpers"}) == 2 * len(assignment.tasks)
    assert sum(c.metadata.nbgrader.get("points", 0) for c in cells) == assignment.points
    start = next(cell.source for cell in made.cells if cell.id == "start")
    answers = [c for c in cells if c.metadata.nbgrader.solution and c.id != "helpers"]
    codes = [start.partition("\n")[2], *(cell.source for cell in (*helpers, *answers))]
    namespace = {"__name__": "notebook"}
    for code in codes:
        exec(compile(code, "cell", "exec"), namespace)
    assert {task.function for task in assignment.tasks} <= set(namespace)
    stripped = "\n".join(_cleared(code) for code in codes)
    assert leaks(assignment.reference.functions, {"released": stripped}) == []


def _cleared(code):
    """Do what nbgrader does with the regions."""
    kept, inside = [], False
    for line in code.splitlines():
        if line.strip() == BEGIN:
            kept.append(line.replace(BEGIN, "raise NotImplementedError()"))
            inside = True
        if not inside:
            kept.append(line)
        inside &= line.strip() != END
    return "\n".join(kept)


def test_comments_and_bodies_are_marked_and_docstrings_are_not():
    text = 'class A:\n    """Doc."""\n\n    def f(self):\n        """Doc."""\n        # why\n'
    text += "        return 1\n\n    def g(self):\n        # so\n        return 2"
    assert _cleared(marked(text)) == (
        'class A:\n    """Doc."""\n\n    def f(self):\n        """Doc."""\n'
        "        raise NotImplementedError()\n\n    def g(self):\n"
        "        raise NotImplementedError()"
    )


def test_the_command_keeps_what_was_edited(tiny, tmp_path):
    command = ["export", "nbgrader", str(tiny.folder), "--to", str(tmp_path)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(main, command).exit_code == 0
    path = tmp_path / "source" / "tiny" / "tiny.ipynb"
    path.write_text(path.read_text().replace("Write the functions", "Please write the functions"))
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert "Please write" in path.read_text()
    with pytest.raises(ArgumentError, match="expected no notebook, or this one"):
        export(tiny, tmp_path)
