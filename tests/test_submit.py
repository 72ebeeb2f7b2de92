"""minidl submit: one file, and what it holds."""

import hashlib
import io

import pytest
import tiny_assignment
from click.testing import CliRunner
from rich.console import Console

from minidl.cli import main
from minidl.course import check, submit
from minidl.course.workspace import start
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The current folder is a workspace of the tiny assignment."""
    tiny = tiny_assignment.write(tmp_path / "tiny-assignment")
    start(tiny, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def text_of(made):
    out = io.StringIO()
    submit.present(made, Console(file=out, width=100))
    return out.getvalue()


def test_the_file_is_a_copy_with_the_name_graders_know(work):
    source = Assignment.load(work.parent / "tiny-assignment").solution().replace("\n", "\r\n")
    (work / "tiny.py").write_bytes(b"\xef\xbb\xbf" + source.encode())
    made = submit.submit(check.find())
    assert made.path.read_bytes() == (work / "tiny.py").read_bytes()
    assert made.path.resolve() == work / "submission-1" / "tiny.py"
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert [part.written for part in made.parts] == [True, True]
    assert made.others == ("half_sum",)
    text = text_of(made)
    assert "2 of 2 tasks written" in text
    assert "Also in it: half_sum" in text
    assert made.sha256 in text


def test_what_was_put_together_stays_and_the_same_bytes_serve_again(work):
    first = submit.submit(check.find())
    again = submit.submit(check.find())
    assert (first.new, again.new) == (True, False)
    assert again.path == first.path
    before = first.path.read_bytes()
    (work / "tiny.py").write_text("def centre(x):\n    return x - x.mean()\n")
    second = submit.submit(check.find())
    assert second.path.parent.name == "submission-2"
    assert first.path.read_bytes() == before
    assert [part.holds for part in second.parts] == ["lines 1 to 2", "missing"]


def test_the_starter_is_said_to_be_unwritten(work):
    made = submit.submit(check.find())
    assert [part.holds for part in made.parts] == ["not written yet"] * 2
    assert "0 of 2 tasks written" in text_of(made)


def test_a_notebook_is_handed_in_as_a_notebook(work, tmp_path):
    start(tmp_path / "tiny-assignment", tmp_path / "book", "notebook")
    made = submit.submit(check.find([str(tmp_path / "book")]), tmp_path / "out")
    assert made.path == tmp_path / "out" / "submission-1" / "tiny.ipynb"
    assert [part.task for part in made.parts] == ["tiny.centre", "tiny.moments"]


def test_a_file_that_cannot_be_graded_is_put_together_and_named(work):
    (work / "tiny.py").write_text("def centre(x:\n")
    run = CliRunner().invoke(main, ["submit"])
    assert run.exit_code == 1
    assert "This cannot be graded as it is: syntax error" in run.output
    assert (work / "submission-1" / "tiny.py").is_file()


def test_a_folder_that_cannot_be_written_to(work):
    (work / "file").write_text("")
    with pytest.raises(ArgumentError, match=r"submit: expected a folder that can be written to"):
        submit.submit(check.find(), work / "file")


def test_no_work_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(main, ["submit"])
    assert run.exit_code == 2
    assert "expected a workspace" in run.output
