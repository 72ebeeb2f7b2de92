"""Gradescope: a zip that grades an assignment there, and the run inside it.

    setup.sh, run_autograder      at the zip's root, as Gradescope asks
    requirements.txt, lib/        what minidl needs from PyPI, and minidl itself: nothing to compile
    assignment/, grading.key, settings.json

At run time /autograder holds source/ (the zip), submission/ and results/. Students' code is
confined there as everywhere: it sees neither the key nor the results of earlier submissions.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading import report
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade, grade_source
from minidl.grading.key import load_or_create_key
from minidl.grading.result import CheckResult, Result, TaskResult, write_results
from minidl.grading.submission import read_bytes

Visibility = Literal["visible", "after_due_date", "after_published", "hidden"]
# What grading needs of the packages: code, assignments and texts, and nothing that was compiled.
KINDS = {".py", ".toml", ".md", ".html", ".json", ".typed", ".npz", ".sh", ""}
LEFT_OUT = {"__pycache__", "bench", "demo", "simd"}
TEMPLATES = Path(__file__).parent / "templates"


def export(
    assignment: Assignment, key: bytes, to: Path, visibility: Visibility = "visible"
) -> Path:
    """Write the zip to upload under "Configure Autograder".

    Parameters
    ----------
    assignment : what it grades.
    key : the secret that the hidden checks draw from. It travels in the zip.
    to : the zip's file; an older one is replaced at once or not at all.
    visibility : when students see the checks: "visible", "after_due_date", "after_published" or
        "hidden". Where they are hidden, students do not see their points either.

    Raises
    ------
    ArgumentError
        when the file cannot be written.
    """
    settings = {"assignment": assignment.id, "visibility": visibility}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("setup.sh", "run_autograder"):
            _add(archive, name, (TEMPLATES / name).read_bytes(), executable=True)
        _add(archive, "requirements.txt", "\n".join(_requirements()) + "\n")
        _add(archive, "grading.key", key.hex() + "\n")
        _add(archive, "settings.json", json.dumps(settings, indent=2) + "\n")
        for name, path in _library():
            _add(archive, f"lib/{name}", path.read_bytes())
        known = metadata.distribution("minidl")
        about = known.read_text("METADATA") or known.read_text("PKG-INFO") or ""
        _add(archive, f"lib/minidl-{known.version}.dist-info/METADATA", about)
        for path in _files(assignment.folder):
            within = path.relative_to(assignment.folder).as_posix()
            _add(archive, f"assignment/{assignment.id}/{within}", path.read_bytes())
    return write_results(made.getvalue(), to)


def _add(archive: zipfile.ZipFile, name: str, data: str | bytes, executable: bool = False) -> None:
    """Add a file whose bytes depend on nothing but its content: no clock, no owner."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    mode = 0o755 if executable else 0o600 if name == "grading.key" else 0o644
    info.external_attr = (0o100000 | mode) << 16
    archive.writestr(info, data)


def _requirements() -> list[str]:
    """Return what minidl needs at run time, without its extras."""
    needed = metadata.requires("minidl") or []
    return [line for line in needed if "extra ==" not in line]


def _library() -> Iterator[tuple[str, Path]]:
    """Yield names below lib/ and files: minidl, and its kernels in Python."""
    for package in ("minidl", "minidl.kernels"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        folder = Path(next(iter(spec.submodule_search_locations)))
        for path in _files(folder):
            inside = path.relative_to(folder)
            if package == "minidl" and inside.parts[0] in ("kernels", "assignments"):
                continue  # links of an editable installation, or counted twice
            yield f"{package.replace('.', '/')}/{inside.as_posix()}", path
    spec = importlib.util.find_spec("minidl.assignments")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    for name in ("__init__.py", "course.toml"):
        yield f"minidl/assignments/{name}", folder / name


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        wanted = path.suffix in KINDS and not LEFT_OUT.intersection(inside.parts)
        if wanted and path.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield path


def run(base: Path) -> Result | None:
    """Grade what is in `base`/submission and write `base`/results/results.json.

    Returns
    -------
    Result or None
        None where no file could be graded; results.json then says what was expected.

    Raises
    ------
    MinidlError
        when the fault is not the student's: Gradescope then shows that the autograder failed.
    """
    assignment, key, settings = _installed(base)
    path = _handed_in(base / "submission", assignment)
    if isinstance(path, str):
        result, values = None, {"score": 0.0, "output": path, "output_format": "text", "tests": []}
    else:
        result = grade(path, assignment, key)
        values = results(result, settings["visibility"])
    write_results(json.dumps(values, indent=2) + "\n", base / "results" / "results.json")
    return result


def _installed(base: Path) -> tuple[Assignment, bytes, dict[str, Any]]:
    source = base / "source"
    settings = json.loads((source / "settings.json").read_text(encoding="utf-8"))
    assignment = Assignment.load(source / "assignment" / settings["assignment"])
    return assignment, load_or_create_key(source / "grading.key"), settings


def _handed_in(folder: Path, assignment: Assignment) -> Path | str:
    """Return the file to grade, or a sentence for the student: the named one, else the only one."""
    names = [assignment.file_name, f"{assignment.id}.ipynb"]
    found = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink()]
    found = [path for path in found if path.suffix in (".py", ".ipynb")]
    chosen = [path for path in found if path.name in names] or found
    if len(chosen) == 1:
        try:
            read_bytes(chosen[0])
        except ArgumentError as error:  # far too large, say: for the student to know, not for us
            return report.clean(error)
        return chosen[0]
    got = report.clean(", ".join(sorted(path.name for path in chosen)), 400) or "none"
    return expected("submission", f"one file, {' or '.join(names)}", got, "upload that one alone")


def results(result: Result, visibility: Visibility = "visible") -> dict[str, Any]:
    """Return a result in the form of results.json: one test for each check."""
    tests = [
        _test(f"{i}.{j}", task, check, result, visibility)
        for i, task in enumerate(result.tasks, start=1)
        for j, check in enumerate(task.checks, start=1)
    ]
    lines = [report.headline(result), *result.notes]
    lines += [f"Not graded: {result.reason}."] if result.reason else []
    names = ("assignment", "version", "sha256", "key_id", "isolation", "library_version")
    return {
        "score": result.score,
        "execution_time": round(result.seconds, 3),
        "output": "\n".join(report.clean(line) for line in lines),
        "output_format": "text",
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "extra_data": {name: getattr(result, name) for name in names}
        | {"mistakes": result.mistakes, "environment": result.environment},
        "tests": tests,
    }


def _test(
    number: str, task: TaskResult, check: CheckResult, result: Result, visibility: Visibility
) -> dict[str, Any]:
    alone = TaskResult(task.task, task.title, check.points, check.earned, (check,))
    said = [] if result.reason else report.remarks(alone)
    return {
        "name": f"{task.title}: {check.name}",
        "number": number,
        "score": check.earned,
        "max_score": check.points,
        "status": "passed" if check.status == "passed" else "failed",
        "output": "\n".join(line for remark in said for line in remark.lines),
        "output_format": "text",
        "tags": [task.task, *([check.mistake] if check.mistake else [])],
        "visibility": visibility,
    }


def verify(base: Path) -> None:
    """Grade the reference where this zip was unpacked: all of it must be right.

    Raises
    ------
    ArgumentError
        when it is not.
    """
    assignment, key, _ = _installed(base)
    result = grade_source(assignment.solution(), assignment, key)
    if result.score != result.points:
        wish = f"{result.points:g} points for the reference"
        raise ArgumentError(expected("gradescope", wish, report.headline(result)))
    print(f"{assignment.id} is ready. {result.environment}. Isolation: {result.isolation}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the autograder, or with --verify see whether it would."""
    parser = argparse.ArgumentParser(prog="minidl.grading.gradescope")
    parser.add_argument("base", type=Path)
    parser.add_argument("--verify", action="store_true")
    given = parser.parse_args(arguments)
    try:
        if given.verify:
            verify(given.base)
        else:
            run(given.base)
    except MinidlError as error:
        raise SystemExit(f"minidl: {error}") from None


if __name__ == "__main__":
    main()
