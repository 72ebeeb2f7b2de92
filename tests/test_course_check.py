import io
from dataclasses import replace

import pytest
import tiny_assignment
from rich.console import Console

from minidl.course import check
from minidl.course.workspace import RECORD, start
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment


@pytest.fixture
def tiny(tmp_path):
    return tiny_assignment.write(tmp_path / "tiny-assignment")


@pytest.fixture
def work(tiny, tmp_path, monkeypatch):
    """The current folder is a workspace of the tiny assignment."""
    folder = tmp_path / "work"
    start(tiny, folder)
    monkeypatch.chdir(folder)
    return folder


def shown(found, result):
    console = Console(file=io.StringIO(), width=100)
    check.present(found, result, console)
    return console.file.getvalue()


def test_the_starter_scores_nothing_and_is_told_so(work):
    found = check.find()
    result = check.check(found)
    assert result.score == 0
    assert result.key_id == "public"
    text = shown(found, result)
    assert "centre and moments are not written yet. What do their docstrings ask for" in text
    assert "Seen:" not in text
    assert "hidden checks" in text
    assert "minidl hint centre" in text


def test_the_solution_scores_everything(work, tiny):
    (work / "tiny.py").write_text(Assignment.load(tiny).solution())
    result = check.check(check.find())
    assert result.percent == 100
    assert "Resource" not in result.reason
    assert "separate process" in result.isolation


def test_a_known_mistake_is_named_with_its_question(work, tiny):
    (work / "tiny.py").write_text(Assignment.load(tiny).with_mistake("mean_doubled"))
    found = check.find(["moments"])
    text = shown(found, check.check(found))
    assert "mean doubled" in text
    assert "The mean is twice too large." in " ".join(text.split())
    assert "What is the mean of ones?" in text


def test_the_name_of_the_assignment_means_all_of_it(work):
    assert len(check.find(["tiny"]).assignment.tasks) == len(check.find().assignment.tasks) > 1


def test_a_task_alone_is_checked_alone(work):
    found = check.find(["moments"])
    assert [task.id for task in found.assignment.tasks] == ["tiny.moments"]
    assert [task.task for task in check.check(found).tasks] == ["tiny.moments"]
    assert check.check(check.find(["tiny.moments"])).points == 3


@pytest.mark.parametrize(
    "task", ["batch_norm.backward", "conv2d.backward_input", "optimizers.adam"]
)
def test_a_task_alone_is_explained_as_it_is_among_all(task, tmp_path):
    assignment = Assignment.load(task.partition(".")[0])
    (one,) = [found for found in assignment.tasks if found.id == task]
    wrong = next(m.id for m in assignment.mistakes if m.target == one.name)
    path = tmp_path / assignment.file_name
    path.write_text(assignment.with_mistake(wrong))
    (alone,) = check.check(check.find([str(path), one.name])).tasks
    assert wrong in {found.mistake for found in alone.checks}
    narrowed = replace(assignment, tasks=(one,))
    assert narrowed.starter() == assignment.starter()


def test_a_workspace_is_found_by_folder_file_or_from_the_folder_above(work, monkeypatch):
    want = (work / "tiny.py").resolve()
    assert check.find([str(work)]).path.resolve() == want
    assert check.find([str(work / "tiny.py")]).path.resolve() == want
    assert check.find(["tiny.py"]).path.resolve() == want
    monkeypatch.chdir(work.parent)
    assert check.find().path.resolve() == want
    assert check.find(["work", "centre"]).path.resolve() == want


def test_two_workspaces_below_are_one_too_many(work, tiny, monkeypatch):
    start(tiny, work.parent / "work2")
    monkeypatch.chdir(work.parent)
    with pytest.raises(ArgumentError, match="expected one workspace, got work, work2"):
        check.find()


def test_a_file_named_after_an_assignment_needs_no_workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "batch_norm.py").write_text("x = 1\n")
    assert check.find().assignment.id == "batch_norm"
    assert check.find(["batch_norm.py"]).path.name == "batch_norm.py"


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ([], "expected a workspace, got none"),
        (["other.py"], "named after an assignment"),
        (["missing.py"], r"got missing\.py \(no such file\)"),
        (["a.py", "b.py"], "one workspace or file"),
    ],
)
def test_what_is_not_there_is_one_clear_error(tmp_path, monkeypatch, what, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(ArgumentError, match=match):
        check.find(what)


def test_an_unknown_task_is_told_the_known_ones(work):
    with pytest.raises(ArgumentError, match="one of the tasks centre, moments"):
        check.find(["center"])


def test_a_deleted_file_is_one_clear_error(work):
    (work / "tiny.py").unlink()
    with pytest.raises(ArgumentError, match="no such file"):
        check.check(check.find())


def test_a_changed_assignment_is_noticed(work):
    record = work / RECORD
    record.write_text(record.read_text().replace("version = 1", "version = 7"))
    found = check.find()
    assert "version 7" in found.notice
    assert "Note: this workspace was made from version 7" in shown(found, check.check(found))


def test_show_is_what_a_notebook_calls(work, capsys):
    check.show("centre")
    assert (
        "centre is not written yet. What does its docstring ask for first?"
        in capsys.readouterr().out
    )


def test_where_nothing_can_be_confined_ones_own_code_is_checked_all_the_same(
    work, tiny, monkeypatch
):
    (work / "tiny.py").write_text(Assignment.load(tiny).with_mistake("mean_doubled"))
    monkeypatch.setattr("sys.platform", "darwin")
    result = check.check(check.find())
    monkeypatch.undo()
    assert result.isolation.startswith("none")
    assert 0 < result.score < result.points
    assert result.mistakes == ["mean_doubled"]
