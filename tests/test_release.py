"""What is released: complete, without any solution, and never over an instructor's own edits."""

import json

import pytest
import tiny_assignment

from minidl.errors import ArgumentError
from minidl.grading import release as module
from minidl.grading.assignment import Assignment
from minidl.grading.release import RECORD, LeakError, release


@pytest.fixture
def tiny(tmp_path):
    folder = tiny_assignment.write(tmp_path / "tiny")
    (folder / "lesson.md").write_text("# Tiny\n\n```python\nx = 1\n```\n")
    return Assignment.load(folder)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_starters_in_both_forms_and_lessons(tiny, out):
    done = release([tiny], out)
    assert set(done.written) == {
        f"tiny/{name}"
        for name in (
            *("script/tiny.py", "script/tiny_lesson.ipynb", "notebook/tiny.ipynb"),
            *(f"{form}/{n}" for form in ("script", "notebook") for n in ("lesson.md", "README.md")),
            *(f"{form}/.minidl.toml" for form in ("script", "notebook")),
        )
    }
    assert (out / "tiny/script/tiny.py").read_text() == tiny.starter()
    cells = json.loads((out / "tiny/notebook/tiny.ipynb").read_text())["cells"]
    assert any("def centre(x):" in "".join(cell["source"]) for cell in cells)


def test_a_second_release_changes_nothing(tiny, out):
    first = release([tiny], out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.py")}
    second = release([tiny], out)
    assert (second.written, second.edited) == ((), ())
    assert second.unchanged == tuple(sorted(first.written))
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.py")}


def test_an_edited_file_stays_and_the_others_are_brought_up_to_date(tiny, out):
    release([tiny], out)
    edited = out / "tiny/script/lesson.md"
    edited.write_text("my own words\n")
    (tiny.folder / "lesson.md").write_text("# Tiny, revised\n")
    done = release([Assignment.load(tiny.folder)], out)
    assert done.edited == ("tiny/script/lesson.md",)
    assert edited.read_text() == "my own words\n"
    assert (out / "tiny/notebook/lesson.md").read_text() == "# Tiny, revised\n"
    again = release([Assignment.load(tiny.folder)], out)
    assert again.edited == done.edited


def test_a_file_that_was_there_before_any_release_is_an_edited_one(tiny, out):
    path = out / "tiny/script/tiny.py"
    path.parent.mkdir(parents=True)
    path.write_text("mine\n")
    assert release([tiny], out).edited == ("tiny/script/tiny.py",)
    assert path.read_text() == "mine\n"


def test_nothing_is_written_when_a_lesson_gives_the_solution_away(tiny, out):
    solution = tiny.reference.functions["centre"]
    (tiny.folder / "lesson.md").write_text(f"# Tiny\n\n```python\n{solution}\n```\n")
    with pytest.raises(LeakError, match=r"lesson\.md: holds statements of centre.*nothing was"):
        release([Assignment.load(tiny.folder)], out)
    assert not out.exists()


@pytest.mark.parametrize("name", ["tiny/script/lesson.md", "notes/mine.ipynb"])
def test_a_solution_that_lies_in_the_folder_is_found(tiny, out, name):
    release([tiny], out)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text(json.dumps({"cells": [tiny.solution()]}))
    with pytest.raises(LeakError, match=rf"{name}: holds statements of centre.*take it out"):
        release([tiny], out)


def test_what_reaches_the_disk_is_what_is_looked_through(tiny, out, monkeypatch):
    real = module.write_results

    def swapped(text, path):
        return real(tiny.solution() if path.name == "tiny.py" else text, path)

    monkeypatch.setattr(module, "write_results", swapped)
    with pytest.raises(LeakError, match=r"tiny\.py: holds statements"):
        release([tiny], out)


def test_a_record_that_is_damaged(tiny, out):
    out.mkdir()
    (out / RECORD).write_text("[1, 2")
    with pytest.raises(ArgumentError, match="the record of a release"):
        release([tiny], out)
