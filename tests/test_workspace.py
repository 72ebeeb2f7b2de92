import json
import os

import pytest
import tiny_assignment

from minidl.course import workspace
from minidl.course.workspace import RECORD, Workspace, start
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade
from minidl.grading.starter import emptied
from minidl.grading.student import LocalSandbox


@pytest.fixture
def tiny(tmp_path):
    """The folder of an assignment that is not the course's, with a lesson."""
    folder = tiny_assignment.write(tmp_path / "tiny-assignment")
    lesson = "# Tiny\n\n```python\na = 1\n```\n\n## `tiny.moments`\n\nWrite it.\n\n## The end\n"
    (folder / "lesson.md").write_text(lesson)
    return folder


def texts(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def codes(path):
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_a_script_workspace_holds_starter_lesson_readme_and_record(tmp_path):
    started = start("batch_norm", tmp_path / "w")
    assignment = Assignment.load("batch_norm")
    assert set(started.written) == set(texts(tmp_path / "w"))
    assert set(started.written) == {
        "batch_norm.py",
        "batch_norm_lesson.ipynb",
        "lesson.md",
        "README.md",
        RECORD,
    }
    assert (tmp_path / "w" / "batch_norm.py").read_text() == assignment.starter()
    assert Workspace.read(tmp_path / "w") == started.workspace
    assert started.workspace.starter_sha256 == assignment.starter_hash
    readme = (tmp_path / "w" / "README.md").read_text()
    assert "minidl submit" in readme
    assert all(f"`{task.function}`" in readme for task in assignment.tasks)


def test_by_default_it_is_named_after_the_assignment_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert start("batch_norm").workspace.folder.resolve() == tmp_path / "batch_norm"


def test_the_lesson_beside_a_script_imports_the_students_file(tmp_path):
    start("batch_norm", tmp_path / "w")
    assert any(
        "import batch_norm as mine" in code
        for code in codes(tmp_path / "w/batch_norm_lesson.ipynb")
    )
    assert not any(
        "def forward(x, gamma" in c for c in codes(tmp_path / "w/batch_norm_lesson.ipynb")
    )


def test_a_notebook_workspace_holds_the_functions_under_their_headings(tiny, tmp_path):
    started = start(tiny, tmp_path / "w", "notebook")
    assert started.workspace.path.name == "tiny.ipynb"
    assert not (tmp_path / "w" / "tiny.py").exists()
    cells = json.loads((tmp_path / "w" / "tiny.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    heading = next(i for i, source in enumerate(sources) if source.startswith("## `tiny.moments`"))
    assert sources[heading + 1].startswith("def moments(x):")
    assert "NotImplementedError" in sources[heading + 1]
    end = next(i for i, source in enumerate(sources) if source.startswith("## The end"))
    assert sources[end + 1].startswith("def centre(x):")  # no heading names it


def test_a_notebook_with_every_function_written_is_gradable(tmp_path):
    """Nothing in the lesson's own cells may break the functions that are taken out of it."""
    start("batch_norm", tmp_path / "w", "notebook")
    path = tmp_path / "w" / "batch_norm.ipynb"
    assignment = Assignment.load("batch_norm")
    made = json.loads(path.read_text())
    for cell in made["cells"]:
        for name, source in assignment.reference.functions.items():
            task = next(t for t in assignment.tasks if t.function == name)
            if "".join(cell["source"]) == emptied(source, task.id):
                cell["source"] = source
    path.write_text(json.dumps(made))
    assert grade(path, assignment, None, LocalSandbox()).percent == 100


@pytest.mark.parametrize("form", ["script", "notebook"])
def test_a_second_start_changes_nothing(tmp_path, form):
    folder = tmp_path / "w"
    graded = start("batch_norm", folder, form).workspace.path
    graded.write_text("my own work\n")
    before = texts(folder)
    again = start("batch_norm", folder)
    assert again.written == ()
    assert set(again.kept) == set(before)
    assert texts(folder) == before


def test_a_second_start_brings_back_what_is_missing(tmp_path):
    folder = tmp_path / "w"
    start("batch_norm", folder)
    (folder / "batch_norm.py").write_text("mine\n")
    (folder / "README.md").unlink()
    again = start("batch_norm", folder)
    assert again.written == ("README.md",)
    assert (folder / "batch_norm.py").read_text() == "mine\n"


def test_a_file_from_elsewhere_is_kept(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "batch_norm.py").write_text("mine\n")
    assert "batch_norm.py" in start("batch_norm", folder).kept
    assert (folder / "batch_norm.py").read_text() == "mine\n"


def test_a_dangling_link_is_left_alone(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "batch_norm.py").symlink_to(tmp_path / "elsewhere.py")
    assert "batch_norm.py" in start("batch_norm", folder).kept
    assert not (tmp_path / "elsewhere.py").exists()


def test_a_file_that_appears_meanwhile_is_left_alone(tmp_path, monkeypatch):
    real = os.link

    def link(source, target):
        target.write_text("another process was faster\n")
        real(source, target)

    monkeypatch.setattr(workspace.os, "link", link)
    path = tmp_path / "new.txt"
    assert not workspace._write_new(path, "ours\n")
    assert path.read_text() == "another process was faster\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_links_works_too(tmp_path, monkeypatch):
    def link(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(workspace.os, "link", link)
    assert workspace._write_new(tmp_path / "new.txt", "ours\n")
    assert not workspace._write_new(tmp_path / "new.txt", "again\n")
    assert (tmp_path / "new.txt").read_text() == "ours\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_half_written_stays_when_the_disk_is_full(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workspace.os, "fsync", full)
    with pytest.raises(ArgumentError, match="No space left"):
        start("batch_norm", tmp_path / "w")
    assert list((tmp_path / "w").iterdir()) == []


def test_another_form_in_the_same_folder_is_refused(tmp_path):
    start("batch_norm", tmp_path / "w", "script")
    before = texts(tmp_path / "w")
    with pytest.raises(ArgumentError, match=r"the form .* was started in, script, got notebook"):
        start("batch_norm", tmp_path / "w", "notebook")
    assert texts(tmp_path / "w") == before


def test_another_assignment_in_the_same_folder_is_refused(tiny, tmp_path):
    start("batch_norm", tmp_path / "w")
    with pytest.raises(ArgumentError, match="without another workspace for"):
        start(tiny, tmp_path / "w")


def test_a_workspace_is_not_written_among_the_files_of_the_assignment(tmp_path, monkeypatch):
    folder = tiny_assignment.write(tmp_path / "tiny")
    before = sorted(folder.iterdir())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=r"not that of the assignment itself.*--to DIR"):
        start("./tiny")
    assert sorted(folder.iterdir()) == before


def test_a_folder_in_the_way_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="a folder that can be written to"):
        start("batch_norm", tmp_path / "file")
    with pytest.raises(ArgumentError, match="a folder that can be written to"):
        start("batch_norm", tmp_path / "file" / "below")


def test_an_unknown_assignment_is_named(tmp_path):
    with pytest.raises(ArgumentError, match="expected one of batch_norm"):
        start("bach_norm", tmp_path / "w")
    assert not (tmp_path / "w").exists()


GOOD_RECORD = """assignment = "batch_norm"
version = 1
starter_sha256 = ""
form = "script"
file = "x.py"
"""


@pytest.mark.parametrize(
    "record",
    [
        "not toml",
        "",
        GOOD_RECORD.replace("version = 1", 'version = "1"'),
        GOOD_RECORD.replace("version = 1", "version = true"),
        GOOD_RECORD.replace('"script"', '"pdf"'),
        GOOD_RECORD.replace("x.py", "../x.py"),
        GOOD_RECORD.replace("x.py", ""),
        GOOD_RECORD + "more = 1\n",
    ],
)
def test_a_damaged_record_is_one_clear_error(tmp_path, record):
    (tmp_path / RECORD).write_text(GOOD_RECORD)
    assert Workspace.read(tmp_path) is not None
    (tmp_path / RECORD).write_text(record)
    with pytest.raises(ArgumentError, match="the record `minidl start` wrote"):
        Workspace.read(tmp_path)


def test_a_workspace_says_when_it_no_longer_fits(tiny, tmp_path):
    made = start(tiny, tmp_path / "w").workspace
    assert made.fits(Assignment.load(tiny)) == ""
    toml = tiny / "assignment.toml"
    toml.write_text(toml.read_text().replace("version = 1", "version = 2"))
    assert "made from version 1 of tiny, the course is at 2" in made.fits(Assignment.load(tiny))
    toml.write_text(toml.read_text().replace("version = 2", "version = 1"))
    solution = tiny / "solution.py"
    solution.write_text(solution.read_text().replace("Take the mean", "Remove the mean"))
    assert "another starter of tiny" in made.fits(Assignment.load(tiny))


def test_an_instructors_own_folder_is_found_again(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny.parent)
    made = start(tiny.name, tmp_path / "w").workspace
    monkeypatch.chdir(tmp_path / "w")
    assert Assignment.load(made.assignment).id == "tiny"


def test_the_readme_and_record_survive_odd_folder_names(tmp_path):
    folder = tmp_path / 'a "quoted" \\ name é'
    assert start("batch_norm", folder).workspace == Workspace.read(folder)


def test_what_is_released_names_both_forms():
    names = workspace.released(Assignment.load("batch_norm"))
    assert "script: batch_norm.py" in names
    assert "notebook: batch_norm.ipynb" in names
    assert "script: lesson.md" in names


def test_the_readme_names_what_can_be_raced(tmp_path):
    start("conv2d", tmp_path / "w")
    start("optimizers", tmp_path / "v")
    assert "minidl race forward_numba" in (tmp_path / "w" / "README.md").read_text()
    assert "minidl race" not in (tmp_path / "v" / "README.md").read_text()
