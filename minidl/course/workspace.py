"""A student's folder for one assignment: made once, never written over.

batch_norm/
  batch_norm.py             the code that is graded (`form = "script"`), or
  batch_norm.ipynb          the same as a notebook (`form = "notebook"`)
  batch_norm_lesson.ipynb   beside a script: the lesson, to read and to experiment in
  lesson.md, README.md
  .minidl.toml              assignment, version and starter it was made from
"""

from __future__ import annotations

import json
import os
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import jinja2

from minidl.course import notebook
from minidl.errors import ArgumentError, expected
from minidl.grading.assignment import Assignment

Form = Literal["script", "notebook"]
RECORD = ".minidl.toml"


@dataclass(frozen=True)
class Workspace:
    """A folder that `start` made.

    Parameters
    ----------
    folder : where it is.
    assignment : id or folder of the assignment.
    version, starter_sha256 : what it was made from.
    form : "script" or "notebook".
    file : name of the file that is graded.
    """

    folder: Path
    assignment: str
    version: int
    starter_sha256: str
    form: Form
    file: str

    @property
    def path(self) -> Path:
        """The file that is graded."""
        return self.folder / self.file

    @classmethod
    def read(cls, folder: Path) -> Workspace | None:
        """Return the workspace in a folder, or None where there is no record of one.

        Raises
        ------
        ArgumentError
            when the record is there but cannot be understood.
        """
        path = folder / RECORD
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise ArgumentError(
                expected(str(path), "the record `minidl start` wrote", error, _HINT)
            ) from None
        kinds = {"assignment": str, "version": int, "starter_sha256": str, "form": str, "file": str}
        fits = values.keys() == kinds.keys() and all(
            type(values[name]) is kind for name, kind in kinds.items()
        )
        names_a_file = fits and values["file"] == Path(values["file"]).name != ""
        if not names_a_file or values["form"] not in get_args(Form):
            wish = f"the record `minidl start` wrote ({', '.join(kinds)})"
            raise ArgumentError(expected(str(path), wish, values, _HINT))
        return cls(folder, **values)

    def fits(self, assignment: Assignment) -> str:
        """Return why this workspace no longer fits its assignment; "" when it does."""
        if self.version != assignment.version:
            what = (
                f"version {self.version} of {assignment.id}, the course is at {assignment.version}"
            )
        elif self.starter_sha256 != assignment.starter_hash:
            what = f"another starter of {assignment.id} than the course has now"
        else:
            return ""
        return (
            f"this workspace was made from {what}; your file stays as it is, and "
            f"`minidl start {assignment.id} --to DIR` in a new folder shows what has changed"
        )


_HINT = "move the file away and run `minidl start` here again: your own files are kept"


@dataclass(frozen=True)
class Started:
    """What `start` did: the workspace, the files written, and those that were there already."""

    workspace: Workspace
    written: tuple[str, ...]
    kept: tuple[str, ...]


def start(where: str | Path, to: str | Path | None = None, form: Form | None = None) -> Started:
    """Write a workspace; what is there already is left alone.

    Parameters
    ----------
    where : an assignment's id, or a folder that holds one.
    to : the workspace's folder, made if need be; by default one named after the assignment, here.
    form : "script" (the default of a new workspace) or "notebook": the one place of the code.

    Returns
    -------
    Started
        A second `start` writes what is missing and keeps the rest, whatever is in it.

    Raises
    ------
    ArgumentError
        when there is no such assignment, the folder is the assignment's own, holds another one's
        workspace or one of the other form, or cannot be written to.
    """
    assignment = Assignment.load(where)
    folder = Path(assignment.id if to is None else to)
    old = Workspace.read(folder)
    if (folder / "assignment.toml").exists():
        wish = "a folder for your work, not that of the assignment itself"
        raise ArgumentError(expected("start", wish, folder, "name another one: --to DIR"))
    form = form or (old.form if old else "script")
    workspace = _workspace(where, assignment, folder, form)
    if old is not None:
        _demand_the_same(old, workspace)
        workspace = old
    written: list[str] = []
    kept: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in _files(assignment, workspace).items():
            (written if _write_new(folder / name, text) else kept).append(name)
    except OSError as error:
        got = f"{error.filename or folder} ({error.strerror})"
        raise ArgumentError(expected("start", "a folder that can be written to", got)) from None
    return Started(workspace, tuple(written), tuple(kept))


def _workspace(where: str | Path, assignment: Assignment, folder: Path, form: Form) -> Workspace:
    # An instructor's own folder is remembered as such; the course's assignments by their id.
    own = (Path(where) / "assignment.toml").is_file()
    return Workspace(
        folder,
        str(Path(where).absolute()) if own else assignment.id,
        assignment.version,
        assignment.starter_hash,
        form,
        f"{assignment.id}.ipynb" if form == "notebook" else assignment.file_name,
    )


def _demand_the_same(old: Workspace, new: Workspace) -> None:
    hint = "start in another folder: --to DIR"
    if old.assignment != new.assignment:
        wish = f"a folder without another workspace for {new.assignment}"
        raise ArgumentError(expected("start", wish, f"{old.folder} with {old.assignment}", hint))
    if old.form != new.form:
        wish = f"the form {old.folder} was started in, {old.form}"
        raise ArgumentError(expected("start", wish, new.form, hint))


def _files(assignment: Assignment, workspace: Workspace) -> dict[str, str]:
    """Return the text of every file; the record comes last, when all it speaks of is there."""
    lesson_path = assignment.folder / "lesson.md"
    lesson = lesson_path.read_text(encoding="utf-8") if lesson_path.is_file() else ""
    files = {}
    if workspace.form == "notebook":
        files[workspace.file] = notebook.text(notebook.with_tasks(lesson, assignment))
    else:
        files[workspace.file] = assignment.starter()
        if lesson:
            name = f"{assignment.id}_lesson.ipynb"
            files[name] = notebook.text(notebook.beside_script(lesson, assignment))
    if lesson:
        files["lesson.md"] = lesson
    files["README.md"] = _readme(assignment, workspace)
    files[RECORD] = _record(workspace)
    return files


def released(assignment: Assignment) -> dict[str, str]:
    """Return, by name, the text of everything a student receives, in both forms of workspace."""
    found: dict[str, str] = {}
    for form in get_args(Form):
        workspace = _workspace(assignment.id, assignment, Path(), form)
        found |= {f"{form}: {name}": text for name, text in _files(assignment, workspace).items()}
    return found


def _readme(assignment: Assignment, workspace: Workspace) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("minidl.course"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("workspace.md")
    kernels = f"minidl.kernels.{assignment.id}_numpy:"
    serves = any(t.target == kernels + t.function for t in assignment.tasks)
    return template.render(assignment=assignment, workspace=workspace, kernels=serves)


def _record(workspace: Workspace) -> str:
    values = {
        "assignment": workspace.assignment,
        "version": workspace.version,
        "starter_sha256": workspace.starter_sha256,
        "form": workspace.form,
        "file": workspace.file,
    }
    # A JSON string or number is a TOML string or number.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(["# Written by `minidl start`, read by `minidl check`.", *lines, ""])


def _write_new(path: Path, text: str) -> bool:
    """Write a file that is not there yet, whole or not at all; return whether it was written."""
    if os.path.lexists(path):
        return False
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return _rename_to_new(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _rename_to_new(beside: Path, path: Path) -> bool:
    """Give a file its name unless another file has taken it meanwhile."""
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    except OSError:
        # A file system without hard links: renaming would replace what appeared meanwhile.
        if os.path.lexists(path):
            return False
        beside.rename(path)
    return True
