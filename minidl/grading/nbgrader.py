"""nbgrader: a source notebook that nbgrader releases, collects and autogrades by itself.

    FOLDER/source/batch_norm/batch_norm.ipynb   tasks with their solutions, and the cells that grade
    FOLDER/source/batch_norm/lesson.md          the lesson, released beside it

nbgrader runs graders in the students' own kernel. So the cell that grades holds nothing to find: it
asks another process, which reads the notebook from the disk, takes the definitions out of it, and
grades them confined, as `minidl grade` does. What a student's code can still do there is forge the
number on its way through the kernel, and read whatever the instructor may read, the secret too, for
nbgrader runs it with the instructor's rights; where that matters, run `minidl grade FOLDER` on
nbgrader's submitted/ folder, which trusts no kernel.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

from minidl.errors import ArgumentError, expected
from minidl.grading import feedback, report
from minidl.grading.assignment import Assignment, shipped_folder
from minidl.grading.grade import grade
from minidl.grading.key import load_or_create_key
from minidl.grading.result import Result, write_results
from minidl.grading.syntax import parse

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
INTRODUCTION = """# {title}

Write the functions below; each docstring says what must hold. They are graded one by one, so one
that is missing costs the others nothing. The cell after each checks it here and now; your final
score comes from other inputs, shapes and edge cases. The lesson is in `lesson.md`."""
TESTS = """%check {task}
### BEGIN HIDDEN TESTS
from minidl.grading.nbgrader import points

points("{task}", "{file}"{where})
### END HIDDEN TESTS"""


def export(assignment: Assignment, folder: Path) -> Path:
    """Write an assignment's source notebook into a course folder of nbgrader's.

    Parameters
    ----------
    assignment : what it asks for; it is found again under the same id or folder when it is graded.
    folder : the course; `source/ID` is made in it.

    Returns
    -------
    Path
        Of the notebook. One that is there already and differs is left alone.

    Raises
    ------
    ArgumentError
        when there is another notebook already, or the folder cannot be written to.
    """
    own = folder / "source" / assignment.id
    path = own / f"{assignment.id}.ipynb"
    text = nbformat.writes(source(assignment)).rstrip("\n") + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        hint = "move yours away to get this version's"
        raise ArgumentError(expected("export", "no notebook, or this one", str(path), hint))
    feedback.make_folder(own)
    lesson = assignment.folder / "lesson.md"
    if lesson.is_file():
        write_results(lesson.read_bytes(), own / "lesson.md")
    return write_results(text, path)


def source(assignment: Assignment) -> NotebookNode:
    """Return the source notebook: for each task a heading, its solution, and the tests."""
    made = v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    reference, file = assignment.reference, f"{assignment.id}.ipynb"
    helpers = "\n\n\n".join(marked(text) for text in reference.helpers)
    start = "%load_ext minidl\n\n" + "\n".join(reference.imports)
    made.cells.append(
        _cell("markdown", "introduction", INTRODUCTION.format(title=assignment.title))
    )
    made.cells.append(_cell("code", "start", start))
    if helpers:
        made.cells.append(_cell("code", "helpers", helpers))
        if BEGIN in helpers:
            made.cells[-1].metadata.nbgrader = _metadata("helpers", solution=True)
    shipped = assignment.folder == shipped_folder() / assignment.id
    where = "" if shipped else f", assignment={str(assignment.folder.absolute())!r}"
    for task in assignment.tasks:
        name = task.id.replace(".", "-").replace("_", "-")
        effort = f"{task.points:g} points, {task.minutes} minutes"
        heading = f"## `{task.function}`: {task.title}\n\n{effort}"
        made.cells.append(_cell("markdown", f"{name}-task", heading))
        answer = _cell("code", f"{name}-code", marked(reference.functions[task.function]))
        answer.metadata.nbgrader = _metadata(name, solution=True)
        tests = _cell("code", f"{name}-tests", TESTS.format(task=task.id, file=file, where=where))
        tests.metadata.nbgrader = _metadata(f"{name}-tests", points=task.points)
        made.cells += [answer, tests]
    nbformat.validate(made)
    return made


def _cell(kind: str, name: str, text: str) -> NotebookNode:
    make = v4.new_code_cell if kind == "code" else v4.new_markdown_cell
    return make(text, id=name[:64])


def _metadata(name: str, solution: bool = False, points: float | None = None) -> dict:
    """Return a cell's metadata, version 3 of nbgrader's schema."""
    known = {
        "schema_version": 3,
        "grade_id": name,
        "grade": points is not None,
        "solution": solution,
        "locked": not solution,
        "task": False,
        "cell_type": "code",
    }
    return known if points is None else known | {"points": points}


def marked(text: str) -> str:
    """Return a definition whose bodies, but for the docstrings, are regions nbgrader empties.

    Examples
    --------
    >>> print(marked('def double(x):\\n    "Twice x."\\n    return 2 * x'))
    def double(x):
        "Twice x."
        ### BEGIN SOLUTION
        return 2 * x
        ### END SOLUTION
    """
    lines = text.splitlines()
    tree = parse(text)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            functions += [n for n in node.body if isinstance(n, ast.FunctionDef)]
    for function in sorted(functions, key=lambda n: n.lineno, reverse=True):
        documented = ast.get_docstring(function) is not None
        body = function.body[1:] if documented else function.body
        if not body:
            continue
        # Comments above the first statement belong to the solution, too.
        before = function.body[0].end_lineno if documented else _end_of_signature(lines, body[0])
        assert before is not None
        margin = " " * body[0].col_offset
        lines.insert(function.end_lineno or 0, margin + END)
        lines.insert(before, margin + BEGIN)
    return "\n".join(lines)


def _end_of_signature(lines: list[str], first: ast.stmt) -> int:
    """Return how many lines stand above a body's first statement and the comments before it."""
    line = first.lineno - 1
    while lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def points(task: str, file: str, assignment: str | None = None) -> float:
    """Print what the hidden checks found in a notebook, and return the points of one task.

    Parameters
    ----------
    task : its id, "batch_norm.forward".
    file : the notebook on the disk, beside which nbgrader runs it.
    assignment : its folder, where it is not one of the course's.
    """
    # With -P nothing that was handed in beside the notebook is imported.
    command = [sys.executable, "-P", "-m", "minidl.grading.nbgrader"]
    command += [file, task, assignment or ""]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "no answer")
    answer = json.loads(done.stdout)
    print("\n".join(answer["said"]))
    return float(answer["points"])


def answer(file: str, task: str, where: str = "") -> str:
    """Grade one task of a notebook under the instructor's key; return what `points` reads."""
    assignment = Assignment.load(where or task.partition(".")[0])
    one = replace(assignment, tasks=(assignment.task(task),))
    result = grade(Path(file), one, load_or_create_key())
    return json.dumps({"points": result.score, "said": _said(result)})


def _said(result: Result) -> list[str]:
    said = [report.headline(result)]
    if result.reason:
        return [*said, f"Not graded: {report.clean(result.reason)}."]
    for remark in report.remarks(result.tasks[0]):
        said += [remark.brief, *(f"    {line}" for line in remark.lines)]
    return [*said, f"SHA-256 {result.sha256}. Isolation: {result.isolation}."]


if __name__ == "__main__":
    print(answer(*sys.argv[1:]))
