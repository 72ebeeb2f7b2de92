"""How long a class takes to grade, and how much memory.

    python benchmarks/grading.py --students 100              a first look
    python benchmarks/grading.py --students 100 500 1000 --output benchmarks/grading.md

Each class is made of submissions of batch_norm: 70 % right (the reference and its alternatives,
each with a comment of its own, so that no two files are the same), 26 % with a mistake drawn from
the bank, 2 % that crash and 2 % that hang in one of their functions. It is graded by `minidl grade`
in a process of its own, with an empty gradebook, and the processes below it are watched.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from minidl import threads
from minidl.grading.assignment import Assignment

WRONG, CRASHING, HANGING = 0.26, 0.02, 0.02
CRASH = "    import os\n    os._exit(3)"
HANG = "    while True:\n        pass"
SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class Measured:
    """One class.

    Parameters
    ----------
    students, jobs : how many there were, and how many processes graded them.
    seconds : wall clock, from start to end of the command.
    graded, right : what the command says.
    grader_mb, process_mb : the largest resident memory of the command itself, and of one of the
        processes below it that grade.
    cpu_share : processor time used by all of them, of what the cores had; 1.0 is busy throughout.
    load : of the machine at the start, other work included.
    """

    students: int
    jobs: int
    seconds: float
    graded: int
    right: int
    grader_mb: float
    process_mb: float
    cpu_share: float
    load: float


def hand_in(folder: Path, students: int, seed: int = 0) -> None:
    """Write a class's submissions: FOLDER/student0001/batch_norm.py."""
    assignment = Assignment.load("batch_norm")
    rng = random.Random(seed)
    counts = [round(students * share) for share in (WRONG, CRASHING, HANGING)]
    kinds = [
        name for name, n in zip(("wrong", "crash", "hang"), counts, strict=True) for _ in range(n)
    ]
    kinds += ["right"] * (students - len(kinds))
    rng.shuffle(kinds)
    for number, kind in enumerate(kinds, start=1):
        path = folder / f"student{number:04d}" / "batch_norm.py"
        path.parent.mkdir(parents=True)
        path.write_text(f"{_source(assignment, kind, rng)}\n# student {number}\n")


def _source(assignment: Assignment, kind: str, rng: random.Random) -> str:
    if kind == "wrong":
        return assignment.with_mistake(rng.choice(assignment.mistakes).id)
    if kind == "right":
        names = ["", *(alternative.id for alternative in assignment.alternatives)]
        name = rng.choice(names)
        return assignment.with_alternative(name) if name else assignment.solution()
    task = rng.choice(assignment.tasks)
    label = f'    raise NotImplementedError("{task.id}: write this function")'
    body = CRASH if kind == "crash" else HANG
    own = assignment.starter().split(label)
    parameters = own[0].rpartition(f"def {task.function}(")[2].partition("\n")[0]
    function = f"def {task.function}({parameters}\n{body}\n"
    return f"{assignment.solution()}\n\n{function}"


def measure(students: int, jobs: int, public: bool = False) -> Measured:
    """Grade a class of this size."""
    with tempfile.TemporaryDirectory(prefix="minidl-bench-") as name:
        folder = Path(name)
        hand_in(folder / "class", students)
        (folder / "secret.key").write_text("5ec2e7" * 8)
        command = [sys.executable, "-m", "minidl.cli", "grade", "class", "--jobs", str(jobs)]
        command += ["--public"] if public else ["--key", "secret.key"]
        load, before, start = os.getloadavg()[0], os.times(), time.perf_counter()
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            watch = _Watch(process.pid)
            watch.start()
            said = process.communicate()[0]
        seconds, after = time.perf_counter() - start, os.times()
        watch.join()
    graded = int(said.partition(" submissions graded")[0])
    right = int(said.partition(" with every point")[0].rpartition(" ")[2])
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return Measured(
        students,
        jobs,
        round(seconds, 1),
        graded,
        right,
        round(watch.grader, 1),
        round(watch.process, 1),
        round(used / seconds / threads.available_cores(), 2),
        round(load, 2),
    )


class _Watch(threading.Thread):
    """Looks at the memory of a process and its children while it runs."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.grader = self.process = 0.0

    def run(self) -> None:
        while (own := _peak_mb(self.pid)) > 0:
            self.grader = max(self.grader, own)
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
            try:
                below = children.read_text().split()
            except OSError:
                return
            self.process = max([self.process, *(_peak_mb(int(pid)) for pid in below)])
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM:" in status else 0.0


def report(rows: list[Measured]) -> str:
    """Return the table of grading.md."""
    lines = [
        "| submissions | processes | time | each | right | grader | process | cores busy | load |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        minutes = f"{int(row.seconds // 60)} min {row.seconds % 60:.0f} s"
        lines.append(
            f"| {row.students} | {row.jobs} | {minutes} | {row.seconds / row.students:.2f} s "
            f"| {row.right} | {row.grader_mb:.0f} MB | {row.process_mb:.0f} MB "
            f"| {100 * row.cpu_share:.0f} % | {row.load:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--students", type=int, nargs="+", default=[100])
    parser.add_argument("--jobs", type=int, default=threads.available_cores())
    parser.add_argument("--output", type=Path, help="write the table between its two marks here")
    options = parser.parse_args()
    rows = []
    for students in options.students:
        rows.append(measure(students, options.jobs))
        print(json.dumps(asdict(rows[-1])), flush=True)
    table = report(rows)
    print(table)
    if options.output:
        text = options.output.read_text(encoding="utf-8")
        head, _, rest = text.partition("<!-- table -->\n")
        tail = rest.partition("<!-- end -->")[2]
        options.output.write_text(
            f"{head}<!-- table -->\n{table}<!-- end -->{tail}", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
