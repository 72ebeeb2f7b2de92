import ast
from functools import cache

import numpy as np
import pytest
import tiny_assignment

from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment, course
from minidl.grading.student import LocalStudent


@cache
def batch_norm():
    return Assignment.load("batch_norm")


def test_every_assignment_of_the_course_loads():
    assert "batch_norm" in course()
    for name in course():
        assert Assignment.load(name).id == name


def test_tasks_points_and_hints():
    assignment = batch_norm()
    assert assignment.points == 100
    assert assignment.file_name == "batch_norm.py"
    for task in assignment.tasks:
        assert task.id == f"batch_norm.{task.name}"
        assert len(task.hints) >= 2
        assert task.hints[0].endswith("?")
        assert assignment.checks_of(task)
        assert assignment.task(task.name) is assignment.task(task.id) is task


def test_hints_do_not_give_the_answer_away():
    assignment = batch_norm()
    for task in assignment.tasks:
        answer = ast.parse(assignment.reference.functions[task.function])
        formulas = {ast.unparse(n) for n in ast.walk(answer) if isinstance(n, ast.BinOp)}
        for hint in task.hints:
            for formula in formulas - {"n * s"}:
                assert formula.replace(" ", "") not in hint.replace(" ", "")


def test_mistakes_speak_and_ask():
    assignment = batch_norm()
    assert len(assignment.mistakes) >= 14
    for mistake in assignment.mistakes:
        assert mistake.says.endswith("."), mistake.id
        assert mistake.question.endswith("?"), mistake.id
        assert mistake.id.replace("_", "").isalnum()
    for task in assignment.tasks:
        assert sum(m.target == task.name for m in assignment.mistakes) >= 4
        assert sum(a.target == task.name for a in assignment.alternatives) >= 3


def test_with_mistake_changes_one_function_of_a_whole_module():
    assignment = batch_norm()
    right = LocalStudent.from_source(assignment.solution())
    wrong = LocalStudent.from_source(assignment.with_mistake("mean_held_constant"))
    rng = np.random.default_rng(0)
    dy, x_hat = rng.normal(size=(2, 5, 3, 4))
    inv_std, gamma = rng.uniform(0.5, 2, size=(2, 3))
    given = (dy, x_hat, inv_std, gamma)
    assert not np.allclose(right.backward(*given)[0], wrong.backward(*given)[0])
    assert np.allclose(right.backward(*given)[1], wrong.backward(*given)[1])
    x = rng.normal(size=(5, 3, 4))
    assert np.allclose(
        right.forward(x, gamma, gamma, 0.1)[0], wrong.forward(x, gamma, gamma, 0.1)[0]
    )


def test_an_unknown_mistake_lists_the_known_ones():
    with pytest.raises(ArgumentError, match=r"mean_held_constant.*'no_such'"):
        batch_norm().with_mistake("no_such")


@pytest.mark.parametrize("where", ["no_such_assignment", "..", ""])
def test_no_such_assignment(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="assignment: expected one of batch_norm"):
        Assignment.load(where)


def test_an_assignment_in_any_folder(tmp_path):
    assignment = Assignment.load(tiny_assignment.write(tmp_path / "anywhere"))
    assert [task.id for task in assignment.tasks] == ["tiny.centre", "tiny.moments"]
    assert assignment.task("moments").computed == ("mean", "square")


def test_submissions_in_a_folder_named_after_an_assignment_are_not_taken_for_it(
    tmp_path, monkeypatch
):
    """Whoever hands in an assignment.toml and a checks.py would have them run in the grader."""
    monkeypatch.chdir(tmp_path)
    forged = tiny_assignment.write(tmp_path / "batch_norm")
    assert Assignment.load("batch_norm").id == "batch_norm"
    for where in ("./batch_norm", str(forged), forged):
        assert Assignment.load(where).id == "tiny"


def test_two_folders_do_not_share_their_modules(tmp_path):
    one = Assignment.load(tiny_assignment.write(tmp_path / "one"))
    changed = ("definitions.py", "/ len(values)", "/ 1")
    other = Assignment.load(tiny_assignment.write(tmp_path / "other", *changed))
    averages = [a.checks[0].function.__globals__["average"]([2.0, 4.0]) for a in (one, other)]
    assert averages == [3.0, 6.0]


@pytest.mark.parametrize(
    ("changed", "old", "new", "message"),
    [
        ("assignment.toml", "points = 2", "points = 4", "worth 4 points together, got 2"),
        ("assignment.toml", "version = 1", "", "version missing"),
        ("assignment.toml", "version = 1", "verse = 1\nversion = 1", "verse unknown"),
        ("assignment.toml", 'id = "tiny"', 'id = "tiny', "expected a TOML file"),
        ("assignment.toml", "tiny.centre", "tiny.4", "task ids like tiny.word"),
        ("assignment.toml", "solution:centre", "solution:center", "or class center"),
        ("assignment.toml", "solution:centre", "minidl.nowhere:centre", "Python source"),
        ("assignment.toml", 'returns = ["y"]', "", "with `returns`"),
        ("checks.py", 'task="centre"', 'task="center"', "worth 2 points together, got 0"),
        ("checks.py", "def first_moment", "def second_moment", "worth 3 points together"),
        ("checks.py", "import numpy as np", "import nowhere", "ModuleNotFoundError"),
        ("checks.py", "points=2)", "points=-2)", "points > 0"),
        ("mistakes.toml", "x - np.float64(mean)", "x - 1", "exactly once.*0 matches"),
        ("mistakes.toml", "x - np.float64(mean)", "x", "exactly once.*3 matches"),
        ("mistakes.toml", "x - np.float64(mean)", "x -", "expected Python in"),
        ("mistakes.toml", 'target = "centre"', 'target = "center"', "a task as target"),
        ("mistakes.toml", "mean_doubled", "square_not_averaged", "names of their own"),
        ("mistakes.toml", 'says = "The mean is still in there."', "", "says missing"),
        ("alternatives.py", 'target="centre"', 'target="center"', "a task as target"),
        ("solution.py", '"""Mean and mean square."""', "", "with a docstring"),
    ],
)
def test_parts_that_do_not_fit_together(tmp_path, changed, old, new, message):
    folder = tiny_assignment.write(tmp_path / "tiny", changed, old, new)
    with pytest.raises(ArgumentError, match=message):
        Assignment.load(folder)


def test_checks_are_required(tmp_path):
    folder = tiny_assignment.write(tmp_path / "tiny")
    (folder / "checks.py").unlink()
    with pytest.raises(ArgumentError, match=r"a file checks\.py"):
        Assignment.load(folder)


def test_patches_ignore_spaces_and_reach_several_places(tmp_path):
    new = (
        'replace = ["x-np.float64( mean )", "mean = np.sum(x) / len(x)"]\n'
        'by = ["x+mean", "mean = 7.0"]'
    )
    old = 'replace = "x - np.float64(mean)"\nby = "x * 1.0"'
    assignment = Assignment.load(tiny_assignment.write(tmp_path / "t", "mistakes.toml", old, new))
    student = LocalStudent.from_source(assignment.with_mistake("nothing_taken_away"))
    assert student.centre(np.array([1.0])).tolist() == [8.0]
