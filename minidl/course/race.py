"""`minidl race`: a student's own compiled functions beside NumPy's and the library's.

The student's function is compiled by Cython, where there is a C compiler, and runs with all the
others in a process of its own (contest.py): compiled code that writes outside of its arrays ends
that process, not this one. An assignment's race.py says what runs, and on which arrays:

    STUDENT            names of the student's functions that may run
    arguments()        what everybody is called with
    runners(yours)     everybody, by name; `yours` are the student's functions
"""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from minidl.course.check import Found
from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.assignment import Task
from minidl.grading.starter import Source
from minidl.grading.submission import Submission
from minidl.terminal import cells, clean, table

SECONDS = 300


class RaceError(MinidlError):
    """A function that cannot run: not written, not compiled, or it ended its process."""


@dataclass(frozen=True)
class Runner:
    """One line of the table; the first call, in which Numba compiles, and later ones, in ms."""

    name: str
    first: float
    later: float
    right: bool


@dataclass
class Race:
    """Who ran on what, and what there is to say about those who did not."""

    task: str
    on: str = ""
    runners: list[Runner] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether everybody's result was right."""
        return all(runner.right for runner in self.runners)


def race(found: Found) -> Race:
    """Run a race for the one task that `found` is narrowed down to.

    Raises
    ------
    ArgumentError
        when it is not one task, or one that is not raced.
    RaceError
        when the student's function is not written, cannot be compiled, or crashes.
    """
    task = _only_task(found)
    submission = Submission.read(found.path, found.assignment.targets)
    if submission.reason:
        raise RaceError(expected("race", "a file that can be run", submission.reason))
    with tempfile.TemporaryDirectory(prefix="minidl-race-") as name:
        source = Path(name) / "submission.py"
        source.write_bytes(submission.source)
        made = Race(task.id)
        extension = None
        if task.function.endswith("_cython"):
            missing = missing_tool()
            if not missing:
                extension = compile_cython(source, task.function)
            else:
                made.notes.append(
                    f"there is no {missing}, so your {task.function} could not be compiled and did "
                    "not run; it is graded as plain Python all the same"
                )
        _run(made, task, found.assignment.folder / "race.py", source, extension)
    return made


def _only_task(found: Found) -> Task:
    rules = found.assignment.folder / "race.py"
    names = runpy.run_path(str(rules))["STUDENT"] if rules.is_file() else ()
    tasks = found.assignment.tasks
    if len(tasks) != 1 or tasks[0].function not in names:
        if not names:
            raise ArgumentError(
                expected("race", "an assignment that is raced", found.assignment.id)
            )
        wish = f"one of the tasks {', '.join(names)}"
        raise ArgumentError(expected("race", wish, ", ".join(task.id for task in tasks)))
    return tasks[0]


def missing_tool() -> str:
    """Return what is missing here to compile Cython, and how to get it; "" for nothing."""
    for module in ("Cython", "setuptools"):
        if importlib.util.find_spec(module) is None:
            return f"{module} (pip install {module})"
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    if os.name == "posix" and shutil.which(compiler.split()[0]) is None:
        return f"C compiler {compiler.split()[0]} (on Debian: apt install build-essential)"
    return ""


def compile_cython(source: Path, name: str) -> Path:
    """Compile one function of a file, with what it needs of it, and return the extension's path.

    Raises
    ------
    RaceError
        with what Cython or the C compiler said.
    """
    try:
        text = Source("your file", source).alone(name)
    except ArgumentError:
        raise RaceError(expected("race", f"a function {name} in your file", "none")) from None
    module = source.with_name(f"{name}.py")
    module.write_text(text, encoding="utf-8")
    command = ["-m", "Cython.Build.Cythonize", "-i", "-3", "-q", module.name]
    done = _python(command, module.parent, f"{name} to compile")
    for suffix in (str(sysconfig.get_config_var("EXT_SUFFIX")), ".so", ".pyd"):
        if (made := module.with_name(f"{name}{suffix}")).is_file():
            return made
    said = _reason(done.stdout + done.stderr)
    raise RaceError(expected("race", f"{name} to compile", f"this from the compiler:\n{said}"))


def _python(command: list[str], folder: Path, wish: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RaceError(expected("race", wish, f"nothing after {SECONDS} s")) from None


def _reason(said: str) -> str:
    """Return the part of a compiler's output that names the mistake."""
    lines = [line for line in said.splitlines() if line.strip() and set(line) != {"-"}]
    errors = [i for i, line in enumerate(lines) if "error" in line.lower()]
    start = max(errors[0] - 6, 0) if errors else max(len(lines) - 12, 0)
    return clean("\n".join(f"  {line}" for line in lines[start : start + 12]), 3000)


def _run(made: Race, task: Task, rules: Path, source: Path, extension: Path | None) -> None:
    """Let everybody run in a process of their own, and read what was measured."""
    out = source.with_name("measured.json")
    wish = {"race": str(rules), "source": str(source), "task": task.function}
    wish["extension"] = str(extension or "")
    command = ["-m", "minidl.course.contest", json.dumps(wish), str(out)]
    done = _python(command, source.parent, f"{task.function} to come back")
    if done.returncode or not out.is_file():
        raise RaceError(_end(task.function, done.returncode, done.stderr))
    measured = json.loads(out.read_text(encoding="utf-8"))
    made.on = measured["on"]
    made.notes += measured["notes"]
    made.runners = [Runner(**values) for values in measured["runners"]]


def _end(function: str, code: int, said: str) -> str:
    if code < 0:
        hint = "without its bounds checks C writes outside of arrays: switch them on and run again"
        return expected("race", f"{function} to run", f"a crash ({signal.strsignal(-code)})", hint)
    last = said.strip().splitlines()[-1:] or [f"exit code {code}"]
    return expected("race", f"{function} to run", clean(last[0], 500))


def present(made: Race, console: Console) -> None:
    """Print a race as a table, the fastest first, and who did not take part."""
    numbers = ("ms", "first call", "times the fastest")
    shown = table("who", *numbers, "result", title=f"{made.task}, one thread", right=numbers)
    in_order = sorted(made.runners, key=lambda runner: runner.later)
    for runner in in_order:
        times = runner.later, runner.first, runner.later / in_order[0].later
        said = "right" if runner.right else "WRONG"
        shown.add_row(*cells(runner.name, *map(_short, times), said))
    console.print(shown)
    console.print(f"Arrays: {made.on}.", soft_wrap=True)
    for note in made.notes:
        console.print(f"Note: {clean(note)}.", soft_wrap=True)
    if not made.right:
        task = made.task.partition(".")[2]
        console.print(f"What is wrong: minidl check {task}", soft_wrap=True)


def _short(number: float) -> str:
    """Return three digits, and those before the point.

    Examples
    --------
    >>> _short(0.4861), _short(22940.0)
    ('0.486', '22,940')
    """
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"
