import ast
import base64
import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import tiny_assignment

from minidl.course import execution, notebook, workspace
from minidl.course.check import check, find
from minidl.course.notebook import LessonError
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment
from minidl.grading.diagnosis import says_unwritten
from minidl.grading.leak import leaks

ROOT = Path(__file__).parents[1]
LESSON = """# Tiny

Some text with `code` and a list.

```text
```python is not a cell
## nor is this a section
```

```python
a = 20
```

## Second

~~~python
print(a + 1)
~~~
"""


@pytest.fixture
def tiny(tmp_path):
    folder = tiny_assignment.write(tmp_path / "tiny-assignment")
    (folder / "lesson.md").write_text(LESSON)
    return Assignment.load(folder)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "notebooks"
    made.mkdir()
    return made


def test_python_blocks_are_code_and_sections_are_cells():
    assert list(notebook.split(LESSON)) == [
        (
            "markdown",
            "# Tiny\n\nSome text with `code` and a list.\n\n```text\n```python is not a cell\n"
            "## nor is this a section\n```",
        ),
        ("code", "a = 20"),
        ("markdown", "## Second"),
        ("code", "print(a + 1)"),
    ]


@pytest.mark.parametrize(
    ("lesson", "kinds"),
    [
        ("", []),
        ("\n\n", []),
        ("```python\nx\n```\n```python\ny\n```", ["code", "code"]),
        ("```python\nnever closed", ["code"]),
        ("````python\n```\n````", ["code"]),
        ("```python\n```\nempty", ["markdown"]),
        ("```python yours\nmine\n```", ["yours"]),
        ("```python other\nx\n```", ["markdown"]),
        ("```\nplain\n```", ["markdown"]),
        ("### One\n### Two", ["markdown", "markdown"]),
        ("```python\n## a comment\n```", ["code"]),
    ],
)
def test_odd_lessons(lesson, kinds):
    assert [kind for kind, _ in notebook.split(lesson)] == kinds


def test_building_twice_gives_the_same_file_and_ids_follow_the_text():
    first, second = notebook.build(LESSON), notebook.build(LESSON)
    assert notebook.text(first) == notebook.text(second)
    changed = notebook.build("New beginning\n\n```python\n0\n```\n" + LESSON)
    assert {cell.id for cell in first.cells} - {cell.id for cell in changed.cells} == set()


def test_what_runs_on_the_students_code_is_a_cell_in_a_workspace_only(tiny):
    lesson = "```python yours\nmine.centre\n```"
    (listing,) = notebook.build(lesson).cells
    assert (listing.cell_type, listing.source) == ("markdown", "```python\nmine.centre\n```")
    mine, cell, *_ = notebook.beside_script(lesson, tiny).cells
    assert (cell.cell_type, cell.source) == ("code", "mine.centre")
    assert "import tiny as mine" in mine.source
    _, mine, cell, *_ = notebook.with_tasks(lesson, tiny).cells
    assert (cell.cell_type, cell.source) == ("code", "mine.centre")
    assert 'mine = importlib.import_module("__main__")' in mine.source


def test_equal_cells_have_ids_of_their_own():
    cells = notebook.build("```python\nx\n```\n```python\nx\n```").cells
    assert len({cell.id for cell in cells}) == 2


def test_rebuild_executes_and_leaves_no_trace_of_the_machine(tiny, folder):
    path = notebook.rebuild(tiny, folder)
    made = json.loads(path.read_text())
    assert made["cells"][3]["outputs"][0]["text"] == ["21\n"]
    assert made["cells"][3]["execution_count"] == 2
    assert made["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert all(cell["metadata"] == {} for cell in made["cells"])
    assert [p.name for p in folder.iterdir()] == ["tiny.ipynb"]
    before = path.read_bytes()
    assert notebook.rebuild(tiny, folder).read_bytes() == before
    notebook.demand_current(tiny, folder)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("total = 1\ntotal / 0", "ZeroDivisionError: division by zero"),
        ("import warnings\nwarnings.warn('mind the gap')", "mind the gap"),
        ("import os\nprint(os.getcwd())", "in its output"),
        ("import os\nos._exit(3)", "died"),
        ("import time\ntime.sleep(60)", "timed out"),
    ],
)
def test_a_failing_cell_is_one_error_with_its_source(code, said):
    made = notebook.build(
        f"```python\nfine = 1\n```\n```python\n{code}\n```\n```python\nlast = 1\n```"
    )
    with pytest.raises(LessonError) as error:
        notebook.execute(made, "odd", seconds=2 if "sleep" in code else 60)
    assert said in str(error.value)
    assert "lesson odd: expected every cell to run" in str(error.value)
    assert f"    {code.splitlines()[-1]}" in str(error.value)
    assert "fine" not in str(error.value)
    assert "last" not in str(error.value)
    assert "Traceback" not in str(error.value)


def test_an_installed_kernel_of_the_same_name_is_not_used(monkeypatch, tmp_path):
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    other = {"argv": ["false"], "display_name": "Another Python", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(other))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    made = notebook.build("```python\nimport sys\nassert sys.prefix\n```")
    assert notebook.execute(made, "own", seconds=30).cells[0].execution_count == 1


def test_a_failing_lesson_leaves_the_old_notebook(tiny, folder):
    old = folder / "tiny.ipynb"
    old.write_text("the old one")
    (tiny.folder / "lesson.md").write_text("```python\n1 / 0\n```")
    with pytest.raises(LessonError):
        notebook.rebuild(tiny, folder)
    assert old.read_text() == "the old one"
    assert list(folder.iterdir()) == [old]


def test_a_notebook_that_is_too_large_is_refused(tiny, folder):
    (tiny.folder / "lesson.md").write_text("```python\nprint('x' * 2_000_000)\n```")
    with pytest.raises(LessonError, match="at most 1000000 bytes"):
        notebook.rebuild(tiny, folder)
    assert list(folder.iterdir()) == []


def test_a_missing_folder_is_one_clear_error(tiny, tmp_path):
    with pytest.raises(ArgumentError, match="run this in a clone"):
        notebook.rebuild(tiny, tmp_path / "nowhere")


def current(tiny, folder):
    """Write what `rebuild` would, with execution counts but without running anything."""
    made = notebook.build(LESSON)
    codes = [cell for cell in made.cells if cell.cell_type == "code"]
    for number, cell in enumerate(codes, start=1):
        cell.execution_count = number
    return made


def test_an_executed_notebook_of_this_lesson_is_current(tiny, folder):
    (folder / "tiny.ipynb").write_text(notebook.text(current(tiny, folder)))
    notebook.demand_current(tiny, folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda made: made.cells.pop(), "other cells"),
        (lambda made: made.cells[1].update(source="a = 21"), "other cells"),
        (lambda made: made.cells[0].update(source="# Tinier"), "other cells"),
        (lambda made: made.cells[0].update(id="other"), "other cells"),
        (lambda made: made.cells[3].update(execution_count=None), "one that is not"),
        (
            lambda made: made.cells[3].update(
                outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
            ),
            "one that is not",
        ),
    ],
)
def test_a_notebook_out_of_date_is_noticed(tiny, folder, spoil, said):
    made = current(tiny, folder)
    spoil(made)
    (folder / "tiny.ipynb").write_text(json.dumps(made))
    with pytest.raises(LessonError, match=said):
        notebook.demand_current(tiny, folder)


def test_a_missing_or_damaged_notebook_is_noticed(tiny, folder):
    with pytest.raises(LessonError, match="rebuild it with"):
        notebook.demand_current(tiny, folder)
    (folder / "tiny.ipynb").write_text("{")
    with pytest.raises(LessonError, match="rebuild it with"):
        notebook.demand_current(tiny, folder)


def test_a_lesson_without_a_file_is_one_clear_error(tiny, folder, tmp_path):
    with pytest.raises(ArgumentError, match="expected a lesson"):
        notebook.rebuild(replace(tiny, folder=tmp_path), folder)


# What the last cells of a lesson print when the student's code has served a network.
PROOF = {
    "batch_norm": "('batch_norm', 'backward'): 600",
    "optimizers": "adam      720 calls",
    "early_stopping_and_ensembles": "the best was epoch",
    "dropout_family": "('drop_block', 'forward'): 120",
    "conv2d": "('conv2d', 'backward_weight'): ",
}


@pytest.mark.parametrize("assignment", notebook.lessons(), ids=lambda assignment: assignment.id)
class TestLessons:
    def test_every_task_has_a_heading(self, assignment):
        text = (assignment.folder / "lesson.md").read_text()
        for task in assignment.tasks:
            assert f"### Your task: `{task.id}`" in text

    def test_the_committed_notebook_is_the_lessons(self, assignment):
        notebook.demand_current(assignment, ROOT / "notebooks")

    def test_it_gives_no_solution_away(self, assignment):
        text = (ROOT / "notebooks" / f"{assignment.id}.ipynb").read_text()
        functions = assignment.reference.functions
        assert leaks(functions, {"notebook": text}) == []
        cell = nbformat.v4.new_code_cell(next(iter(functions.values())))
        spoiled = notebook.text(nbformat.v4.new_notebook(cells=[cell]))
        assert leaks(functions, {"notebook": spoiled})

    def test_it_runs_afresh_and_draws_as_many_pictures_as_were_committed(self, assignment):
        fresh = notebook.execute(
            notebook.build((assignment.folder / "lesson.md").read_text()), assignment.id
        )
        committed = json.loads((ROOT / "notebooks" / f"{assignment.id}.ipynb").read_text())
        assert pictures(fresh["cells"]) == pictures(committed["cells"]) > 0

    def test_a_workspace_as_a_notebook_is_graded_with_all_its_experiments(
        self, assignment, tmp_path
    ):
        path = workspace.start(assignment.id, tmp_path, "notebook").workspace.path
        task, last = assignment.tasks[0], assignment.tasks[-1]
        book = nbformat.read(path, as_version=4)
        (cell,) = (c for c in book.cells if c.source.startswith(f"def {task.function}("))
        cell.source = assignment.reference.functions[task.function]
        nbformat.write(book, path)
        first, other = check(find([str(path), task.name, last.name])).tasks
        assert first.earned == task.points
        assert {says_unwritten(c.seen) for c in other.checks} == {True}

    def test_the_last_cells_of_a_workspace_run_a_network_on_the_students_code(
        self, assignment, tmp_path
    ):
        made = workspace.start(assignment.id, tmp_path, "notebook").workspace
        assert_proved(assignment, tmp_path / made.file, assignment.solution())


def test_beside_a_script_the_last_cells_run_on_the_students_file(tmp_path):
    assignment = notebook.lessons()[0]
    made = workspace.start(assignment.id, tmp_path, "script").workspace
    made.path.write_text(assignment.solution())
    assert_proved(assignment, tmp_path / f"{assignment.id}_lesson.ipynb")


def assert_proved(assignment, path, solution=""):
    """Assert that a network is run on the student's code by a notebook's last cells."""
    book = nbformat.read(path, as_version=4)
    codes = [cell for cell in book.cells if cell.cell_type == "code"]
    place = next(i for i, cell in enumerate(codes) if "mine = " in cell.source)
    tools = needed(codes[:place], codes[place:])
    here = f"import os, sys\nos.chdir({str(path.parent)!r})\nsys.path.insert(0, '')"
    first = [nbformat.v4.new_code_cell(text) for text in (here, solution)]
    book.cells = [*first, *tools, *codes[place:]]
    execution.run(book, 120)
    shown = "".join(o.get("text", "") for cell in book.cells for o in cell.get("outputs", []))
    assert PROOF[assignment.id] in shown
    assert f"public checks of {assignment.id}" in shown


def needed(before, cells):
    """Return those of the cells before that define what the cells use, themselves or in turn."""
    wanted = names(cells, ast.Load)
    chosen = []
    for cell in reversed(before):
        made = names([cell], ast.Store)
        if made & wanted or "import" in cell.source:
            chosen.insert(0, cell)
            wanted |= names([cell], ast.Load)
    return chosen


def names(cells, context):
    """Return the names that cells load or store; what they define counts as stored."""
    nodes = [node for cell in cells for node in ast.walk(ast.parse(cell.source))]
    found = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, context)}
    if context is ast.Store:
        found |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    return found


def pictures(cells):
    """Return how many PNG pictures the outputs hold, each checked to be one."""
    found = [
        base64.b64decode(output["data"]["image/png"])
        for cell in cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert all(picture.startswith(b"\x89PNG") for picture in found)
    return len(found)
