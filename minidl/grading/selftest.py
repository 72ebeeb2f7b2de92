"""Does the sandbox hold, here and now? Every attack is graded, and what it left is looked for.

Each attack is handed in twice: as a submission with nothing else in it, which must score 0, and in
one function of a right submission, which must lose that task and nothing else. After each, no
process, no file and no trace may be left that the next submission could see, the grader's own
files and process must be as they were, it must have ended within its deadline, and the report must
say in words what happened.
"""

from __future__ import annotations

import json
import os
import queue
import re
import secrets
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from minidl.errors import ArgumentError, expected
from minidl.grading import confine
from minidl.grading.assignment import Assignment
from minidl.grading.attack import CATALOGUE, FOLDER, Attack, attacks
from minidl.grading.grade import grade_source
from minidl.grading.report import to_html
from minidl.grading.result import Result
from minidl.grading.sandbox import Limits, Sandbox
from minidl.terminal import cells, table

LIMITS = Limits(
    call_seconds=1.0, load_seconds=2.0, cpu_seconds=10, memory_bytes=320 * 2**20, open_files=64
)
TARGET = "centre"
PATIENCE = 8.0  # for all that is not waiting for a deadline, on a busy machine
JOBS = 4  # most of the time is spent waiting for endless loops
MARK = "minidl-attacked"
LEAK = re.compile(r"LEAK[^A-Za-z0-9{]{0,6}\d")

DETECTIVE = b"""
import builtins, ctypes, os, resource, signal, sys, threading
import numpy as np

def look():
    found = {
        "files": sorted(os.listdir(".")),
        "environment": sorted(os.environ),
        "threads": threading.active_count(),
        "blocked signals": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "handlers": [repr(signal.getsignal(number)) for number in range(1, 32)],
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "mode of new files": os.umask(0o77),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "processors": sorted(os.sched_getaffinity(0)),
        "limits": [resource.getrlimit(kind) for kind in range(10)],
        "builtins": len(dir(builtins)),
        "NumPy": [repr(getattr(np, name)) for name in ("all", "allclose", "abs")],
        "modules": sorted(sys.modules),
        "shared memory": ctypes.CDLL(None).shmget(0x6D646C31, 64, 0),
        "descriptors": [d for d in range(64) if is_open(d)],
    }
    return {name: str(value) for name, value in found.items()}

def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
"""


@dataclass(frozen=True)
class Trial:
    """What one attack came to.

    Parameters
    ----------
    attack, rows : its name, and its rows in the catalogue.
    wrong : whether it scored 0 with every solution wrong.
    right : whether it lost its own task, and nothing else, in a right submission.
    seconds : wall-clock time of both.
    verdict : what the report said about it, or what is wrong.
    problems : what should not have happened; empty when all is well.
    """

    attack: str
    rows: tuple[int, ...]
    wrong: bool
    right: bool
    seconds: float
    verdict: str
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the attack failed in every respect."""
        return self.wrong and self.right and not self.problems


def choose(names: Sequence[str] = ()) -> list[Attack]:
    """Return the attacks of these names, in words or joined by underscores; by default all.

    Raises
    ------
    ArgumentError
        when there is none of that name.
    """
    every = {attack.name: attack for attack in attacks()}
    wanted = [name.replace(" ", "_") for name in names]
    unknown = [name for name in wanted if name not in every]
    if unknown:
        raise ArgumentError(expected("selftest", f"names among {', '.join(every)}", unknown[0]))
    return [every[name] for name in wanted] if wanted else list(every.values())


def run(
    chosen: Sequence[Attack],
    each: Callable[[Trial], None] = lambda trial: None,
    jobs: int = JOBS,
) -> tuple[list[Trial], str]:
    """Try attacks, a few at a time.

    Parameters
    ----------
    chosen : see `choose`.
    each : called after each, one at a time.
    jobs : sandboxes at the same time.

    Returns
    -------
    trials : in the order of `chosen`.
    isolation : the layers reached.

    Raises
    ------
    SandboxError
        where there is no sandbox to try.
    """
    waiting: queue.SimpleQueue[Attack] = queue.SimpleQueue()
    for attack in sorted(chosen, key=lambda attack: "time" not in attack.ends):
        waiting.put(attack)  # the ones that wait for a deadline come first
    done: dict[str, Trial] = {}
    failed: list[BaseException] = []
    isolation: list[str] = []
    lock = threading.Lock()
    assignment, key = Assignment.load(FOLDER / "assignment"), secrets.token_bytes(32)

    def work() -> None:
        try:
            with _Range(assignment, key) as at:
                isolation.append(at.sandbox.isolation)
                while not failed:
                    attack = waiting.get_nowait()
                    trial = at.try_out(attack)
                    with lock:
                        done[attack.name] = trial
                        each(trial)
        except queue.Empty:
            return
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(min(jobs, len(chosen)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [done[attack.name] for attack in chosen], min(isolation, default="")


class _Range:
    """A sandbox to shoot at, and what it looked like before."""

    def __init__(self, assignment: Assignment, key: bytes) -> None:
        self.assignment, self.key = assignment, key
        self.solution = assignment.solution()
        self.sandbox = Sandbox(LIMITS)

    def __enter__(self) -> _Range:
        self.sandbox.__enter__()
        self.files, self.process = _own_files(), _own_process()
        self.trace = self._trace()
        return self

    def __exit__(self, *error: Any) -> None:
        self.sandbox.__exit__(*error)

    def try_out(self, attack: Attack) -> Trial:
        """Hand an attack in, in both forms."""
        start = time.perf_counter()
        problems: list[str] = []
        alone = self._graded(attack, attack.everywhere(self.solution), problems)
        among = self._graded(attack, attack.in_one(self.solution, TARGET), problems)
        earned = {task.task.partition(".")[2]: task.earned for task in among.tasks}
        own = earned.pop(TARGET)
        others = sum(t.points for t in among.tasks) - self.assignment.task(TARGET).points
        right = own == 0 and sum(earned.values()) == others
        if alone.score:
            problems.append(f"earned {alone.score:g} points with every solution wrong")
        if own:
            problems.append(f"earned {own:g} points in a right submission")
        if sum(earned.values()) != others:
            problems.append(f"cost other tasks {others - sum(earned.values()):g} points")
        said = _said(among)
        if not any(word in said for word in attack.ends):
            problems.append(f"the report says: {said or 'nothing'}")
        seconds = time.perf_counter() - start
        verdict = "; ".join(problems) or said
        return Trial(
            attack.name, attack.rows, not alone.score, right, seconds, verdict, tuple(problems)
        )

    def _graded(self, attack: Attack, source: str, problems: list[str]) -> Result:
        """Grade a source, and note what went wrong besides."""
        start = time.monotonic()
        result = grade_source(source, self.assignment, self.key, self.sandbox)
        waits = len(result.tasks) * LIMITS.call_seconds + LIMITS.load_seconds
        if time.monotonic() - start > waits + PATIENCE:
            problems.append(f"took {time.monotonic() - start:.1f} s")
        if 20 in attack.rows:  # where messages are shown as they are, they must be clean as well
            problems += _in_feedback(grade_source(source, self.assignment, None, self.sandbox))
        problems += [*_in_feedback(result), *self._left()]
        if LEAK.search(result.to_json()):
            problems.append("a hidden input stands in the report")
        return result

    def _left(self) -> list[str]:
        """Return what is left of the last submission, and what it has changed."""
        found = [f"process {pid} is left" for pid in _below(self.sandbox.pid)]
        for folder in {"/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), os.getcwd()}:
            for path in Path(folder).glob(f"*{MARK}*"):
                found.append(f"{path} is left")
                with suppress(OSError):
                    path.unlink()
        found += [f"{path} is left" for path in self.sandbox.leftovers()]
        trace = self._trace()
        found += [
            f"the next sees other {name}" for name in trace if trace[name] != self.trace[name]
        ]
        files, before = _own_files(), self.files
        self.files = files
        changed = [name for name in {*files, *before} if files.get(name) != before.get(name)]
        found += [f"{name} has changed" for name in changed]
        if _own_process() != self.process:
            found.append("the grader's process has changed")
        return found

    def _trace(self) -> dict[str, str]:
        with self.sandbox.student(DETECTIVE, functions=["look"]) as student:
            return student.look()


def _said(result: Result) -> str:
    """Return what a result says about the attacked task."""
    checks = [check for task in result.tasks for check in task.checks if not check.earned]
    return result.reason or next((check.seen for check in checks if check.seen), "")


def _in_feedback(result: Result) -> list[str]:
    """Return what no report may hold."""
    page = to_html(result)
    found = ["markup in the HTML report"] if re.search("<(script|img)", page) else []
    texts = [page, *(check.seen for task in result.tasks for check in task.checks)]
    kinds = {unicodedata.category(c) for text in texts for c in text if c not in "\n\t"}
    return found + ["control characters in the report"] * bool(kinds & {"Cc", "Cf", "Cs"})


def _own_files() -> dict[str, tuple[int, int, int]]:
    """Return inode, size and time of files that every worker reads, or would like to."""
    here = Path(__file__).parent
    paths = [*here.glob("attacks/**/*.*"), Path(os.__file__), Path(os.__file__).parent]
    paths += [Path(np.__file__), Path(np.__file__).parent, *Path(np.__file__).parent.glob("*/*.py")]
    stats = {str(path): path.stat() for path in paths}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def _own_process() -> tuple[Any, ...]:
    """Return what other processes could do to this one."""
    import resource
    import signal

    limits = [resource.getrlimit(kind) for kind in (resource.RLIMIT_CPU, resource.RLIMIT_AS)]
    signals = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGIO)]
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    return os.sched_getaffinity(0), os.sched_getscheduler(0), priority, limits, signals


def _below(pid: int) -> set[int]:
    """Return the ids of the processes below one; only the grader's own workers may be there."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):  # glob fails where one ends meanwhile
        with suppress(OSError):
            status = Path("/proc", name, "stat").read_bytes()
            parents[int(name)] = int(status.rpartition(b")")[2].split()[1])
    below: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - below
        below |= new
    return below


def show(trials: Sequence[Trial], isolation: str, console: Console) -> None:
    """Print a table of the trials, and the isolation that was tried."""
    shown = table("attack", "row", "all wrong", "one of three", "seconds", "verdict")
    words = {True: "scored 0", False: "FAILED"}
    for trial in trials:
        rows = ", ".join(map(str, trial.rows))
        form_b = "lost it" if trial.right else "FAILED"
        state = (words[trial.wrong], form_b, f"{trial.seconds:.1f}", trial.verdict)
        shown.add_row(*cells(trial.attack.replace("_", " "), rows, *state))
    console.print(shown)
    covered = {row for trial in trials for row in trial.rows}
    failed = [trial.attack for trial in trials if not trial.ok]
    console.print(f"Isolation: {confine.level(isolation)} ({isolation})", soft_wrap=True)
    console.print(
        f"{len(trials)} attacks in two forms, {len(covered)} of {len(CATALOGUE)} rows of the "
        f"catalogue: {len(failed) or 'none'} had any success or left something behind"
        f"{': ' * bool(failed)}{', '.join(failed)}.",
        soft_wrap=True,
    )


def to_json(trials: Sequence[Trial], isolation: str) -> str:
    """Return the trials and the isolation as JSON."""
    rows = [{**asdict(trial), "ok": trial.ok} for trial in trials]
    level = confine.level(isolation)
    return json.dumps({"isolation": isolation, "level": level, "attacks": rows}, indent=2)
