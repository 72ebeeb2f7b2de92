"""lesson.md to a notebook, and the notebook executed.

A lesson is plain Markdown. Its fenced `python` blocks become code cells, its sections (## and ###)
Markdown cells. A block fenced as `python yours` runs on the student's code, a module named `mine`:
in a workspace it is a cell, elsewhere it is there to read. Nothing else is marked up. Cells are
named after their text, so building the same lesson again gives the same file.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.assignment import Assignment, course
from minidl.grading.result import write_results
from minidl.grading.syntax import parse

SECONDS_PER_CELL = 300
MOST_BYTES = 1_000_000
_CODE = {"python": "code", "python yours": "yours"}
_FENCE = re.compile(r"^(`{3,}|~{3,})(.*)$")


class LessonError(MinidlError):
    """A lesson that does not run, or a notebook that is not the one its lesson makes."""


def split(lesson: str) -> Iterator[tuple[str, str]]:
    """Yield ("markdown" | "code" | "yours", text) for each part of a lesson.

    Examples
    --------
    >>> list(split("# Sum\\n\\n```python\\n1 + 1\\n```\\nWhy?"))
    [('markdown', '# Sum'), ('code', '1 + 1'), ('markdown', 'Why?')]
    """
    kind, fence = "markdown", ""
    part: list[str] = []
    for line in lesson.splitlines():
        mark = _FENCE.match(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence) and not mark[2].strip()
            if closes and kind != "markdown":
                yield from _part(kind, part)
                kind, part = "markdown", []
            else:
                part.append(line)
            fence = "" if closes else fence
        elif mark is not None and mark[2].strip() in _CODE:
            yield from _part(kind, part)
            kind, part, fence = _CODE[mark[2].strip()], [], mark[1]
        elif line.startswith("##"):
            yield from _part(kind, part)
            part = [line]
        else:
            part.append(line)
            fence = mark[1] if mark is not None else ""
    yield from _part(kind, part)


def _part(kind: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    if any(line.strip() for line in lines):
        yield kind, "\n".join(lines).strip("\n")


def build(lesson: str) -> NotebookNode:
    """Return a lesson as a notebook that has not been executed."""
    listing = "```python\n{}\n```".format
    parts = [("markdown", listing(t)) if k == "yours" else (k, t) for k, t in split(lesson)]
    return _notebook(parts)


def with_tasks(lesson: str, assignment: Assignment) -> NotebookNode:
    """Return the lesson as a workspace: what is to be written are cells under their headings.

    Each stands after the section whose heading names its task (``### `batch_norm.fold` ``); one
    that no heading names stands at the end.
    """
    imports, functions = _starter_parts(assignment.starter())
    waiting = {task.id: functions[task.function] for task in assignment.tasks}
    parts = []
    for kind, text in _with_mine(lesson, _MINE_IN_NOTEBOOK):
        parts.append((kind, text))
        heading = text.partition("\n")[0]
        named = re.findall(r"`([\w.]+)`", heading) if heading.startswith("#") else []
        parts += [("code", waiting.pop(name)) for name in named if name in waiting]
    parts += [("code", text) for text in waiting.values()]
    return _notebook([("code", imports), *parts, *_CHECK])


def beside_script(lesson: str, assignment: Assignment) -> NotebookNode:
    """Return the lesson to read beside a script: its `yours` cells import the student's file."""
    return _notebook([*_with_mine(lesson, _MINE_IN_SCRIPT.format(assignment.id)), *_CHECK])


def _with_mine(lesson: str, mine: str) -> Iterator[tuple[str, str]]:
    """Yield a lesson's parts; a cell that finds the student's code stands before each `yours`."""
    for kind, text in split(lesson):
        if kind == "yours":
            yield "code", mine
        yield "code" if kind == "yours" else kind, text


_MINE_IN_SCRIPT = """import importlib

import {} as mine

mine = importlib.reload(mine)  # what you have saved since"""
_MINE_IN_NOTEBOOK = """import importlib

mine = importlib.import_module("__main__")  # the functions in this notebook"""
_CHECK = [
    (
        "markdown",
        "## Your own score\n\nThe public checks of what you have *saved*, as `minidl check`.",
    ),
    ("code", "from minidl.course import check\n\ncheck.show()"),
]


def _starter_parts(starter: str) -> tuple[str, dict[str, str]]:
    """Return the imports of a starter, and the text of each of its functions and classes."""
    lines = starter.splitlines()
    imports, functions = [], {}
    for node in parse(starter).body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        text = "\n".join(lines[first - 1 : node.end_lineno])
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.append(text)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            functions[node.name] = text
    return "\n".join(imports), functions


def _notebook(parts: list[tuple[str, str]]) -> NotebookNode:
    made = v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    seen: set[str] = set()
    for kind, text in parts:
        number = 0
        while (name := _cell_id(kind, text, number)) in seen:
            number += 1
        seen.add(name)
        cell = v4.new_code_cell if kind == "code" else v4.new_markdown_cell
        made.cells.append(cell(text, id=name))
    nbformat.validate(made)
    return made


def _cell_id(kind: str, text: str, number: int) -> str:
    return f"{kind}-{hashlib.sha256(f'{kind}/{number}/{text}'.encode()).hexdigest()[:10]}"


def text(made: NotebookNode) -> str:
    """Return a notebook as the text of its file."""
    return nbformat.writes(made).rstrip("\n") + "\n"


def execute(made: NotebookNode, name: str, seconds: int = SECONDS_PER_CELL) -> NotebookNode:
    """Run a notebook's cells in a fresh kernel of this very interpreter, in an empty folder.

    Parameters
    ----------
    made : changed in place: it gets the outputs.
    name : of the lesson, for messages.
    seconds : for each cell.

    Raises
    ------
    LessonError
        when a cell raises, takes too long or warns, or an output names a path of this machine. The
        message holds the cell and the exception.
    """
    try:
        from minidl.course import execution
    except ImportError as error:
        hint = "pip install 'minidl[notebooks]'"
        raise ArgumentError(expected("notebooks", "nbclient and ipykernel", error, hint)) from None
    try:
        paths = execution.run(made, seconds)
    except execution.CellError as error:
        raise LessonError(_message(name, error.cell, error.got)) from None
    _demand_clean(made, name, paths)
    made.metadata.language_info = {"name": "python"}
    return made


def _message(name: str, cell: NotebookNode, got: str) -> str:
    wish = "every cell to run without errors and warnings"
    return f"{expected(f'lesson {name}', wish, got)}\nin the cell\n{_indented(cell.source)}"


def _indented(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.splitlines())


def _demand_clean(made: NotebookNode, name: str, paths: list[str]) -> None:
    for cell in made.cells:
        for output in cell.get("outputs", []):
            shown = str(output)
            if output.get("name") == "stderr":
                raise LessonError(_message(name, cell, output.text.strip()))
            for path in paths:
                if len(path) > 1 and path in shown:
                    raise LessonError(_message(name, cell, f"the path {path} in its output"))


def rebuild(assignment: Assignment, folder: Path) -> Path:
    """Build and execute an assignment's lesson, and put it into `folder` as ID.ipynb.

    The old file stays until the new one is whole.

    Raises
    ------
    LessonError
        as `execute` does, and when the notebook is larger than 1 MB.
    """
    if not folder.is_dir():
        hint = "run this in a clone of minidl, or give --to DIR"
        raise ArgumentError(expected("notebooks", "a folder for the notebooks", folder, hint))
    made = text(execute(build(_lesson(assignment)), assignment.id))
    if len(made.encode()) > MOST_BYTES:
        got = f"{len(made.encode())} bytes"
        raise LessonError(expected(f"lesson {assignment.id}", f"at most {MOST_BYTES} bytes", got))
    return write_results(made, folder / f"{assignment.id}.ipynb")


def demand_current(assignment: Assignment, folder: Path) -> None:
    """Raise LessonError unless `folder` holds the executed notebook of today's lesson."""
    path = folder / f"{assignment.id}.ipynb"
    label, hint = f"notebook {path}", "rebuild it with `minidl notebooks`"
    try:
        found = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise LessonError(expected(label, "a notebook", error, hint)) from None
    want = [(c.cell_type, c.id, c.source) for c in build(_lesson(assignment)).cells]
    if [(c.cell_type, c.get("id"), c.source) for c in found.cells] != want:
        got = "other cells"
        raise LessonError(expected(label, f"the cells of {assignment.id}/lesson.md", got, hint))
    outputs = [output for cell in found.cells for output in cell.get("outputs", [])]
    codes = [cell for cell in found.cells if cell.cell_type == "code"]
    failed = any(output.output_type == "error" for output in outputs)
    if failed or any(cell.execution_count is None for cell in codes):
        raise LessonError(expected(label, "every cell executed", "one that is not", hint))


def _lesson(assignment: Assignment) -> str:
    path = assignment.folder / "lesson.md"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        got = f"{path} ({error.strerror})"
        raise ArgumentError(expected("notebooks", "a lesson", got)) from None


def lessons() -> list[Assignment]:
    """Return the course's assignments that have a lesson, in order."""
    found = [Assignment.load(name) for name in course()]
    return [assignment for assignment in found if (assignment.folder / "lesson.md").is_file()]
