"""Step 2: what a student lives through, played against the real grader.

The starter, three wrong solutions and the right one are written to files and graded as any
submission is: hidden checks, a secret made for this run, every check in a confined process.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from minidl.demo.failure import require
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade
from minidl.grading.result import CheckResult, Result
from minidl.grading.sandbox import Sandbox

ASSIGNMENT = "batch_norm"
# One slip in each of three tasks: forward, backward, the running statistics.
MISTAKES = (
    "unbiased_variance_in_the_batch",
    "mean_held_constant",
    "momentum_the_other_way_round",
)


@dataclass(frozen=True)
class Attempt:
    """One submission and what came of it.

    Parameters
    ----------
    label : what was handed in, in words
    mistake : the id of the mistake it holds, or None
    path : the graded file
    says : what the grader has to say about that mistake; "" without one
    path : the graded file
    result : what the grader found
    """

    label: str
    mistake: str | None
    says: str
    path: Path
    result: Result

    @property
    def lost(self) -> list[CheckResult]:
        """The checks that failed."""
        checks = [check for task in self.result.tasks for check in task.checks]
        return [check for check in checks if check.status != "passed"]

    @property
    def named(self) -> CheckResult | None:
        """The first failed check in which the grader recognised a mistake."""
        return next((check for check in self.lost if check.mistake), None)


def play(folder: Path, console: Console) -> list[Attempt]:
    """Grade the starter, each of the mistakes and the solution; return the attempts in that order.

    Raises
    ------
    DemoFailure
        unless the starter scores 0, each mistake loses points and is recognised, and the solution
        scores everything
    """
    assignment = Assignment.load(ASSIGNMENT)
    bank = {mistake.id: mistake for mistake in assignment.mistakes}
    drafts: list[tuple[str, str | None, str]]
    drafts = [("the starter as handed out", None, assignment.starter())]
    for name in MISTAKES:
        drafts.append((f"{bank[name].target}, with a slip", name, assignment.with_mistake(name)))
    drafts.append(("the right solution", None, assignment.solution()))
    key = secrets.token_bytes(32)
    attempts = []
    with Sandbox() as sandbox:
        for number, (label, mistake, source) in enumerate(drafts, 1):
            path = folder / f"attempt_{number}" / assignment.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
            with console.status(f"grading attempt {number} of {len(drafts)} ..."):
                result = grade(path, assignment, key, sandbox)
            says = bank[mistake].says if mistake else ""
            attempts.append(Attempt(label, mistake, says, path, result))
            _tell(attempts[-1], number, console)
    _judge(attempts)
    return attempts


def _tell(attempt: Attempt, number: int, console: Console) -> None:
    """Print an attempt as a short exchange between student and grader."""
    result = attempt.result
    score = f"{result.score:g} of {result.points:g} points"
    console.print(f"attempt {number}: {attempt.label:<34}{score:>20}")
    if attempt.named is not None:
        lost = result.points - result.score
        console.print(f"    lost {lost:g} points; known mistake: {attempt.named.mistake}")
        console.print(f"    the grader says: {attempt.says}", soft_wrap=True)
        console.print(f"    and asks: {attempt.named.question}", soft_wrap=True)
    elif attempt.lost:
        console.print(f"    {attempt.lost[0].seen}", soft_wrap=True)


def _judge(attempts: list[Attempt]) -> None:
    first, *wrong, last = attempts
    require(first.result.score == 0, f"the starter scored {first.result.score:g}, expected 0")
    for attempt in wrong:
        result = attempt.result
        require(result.score < result.points, f"{attempt.mistake} lost no points")
        got = ", ".join(result.mistakes) or "nothing"
        require(
            result.mistakes == [attempt.mistake],
            f"{attempt.mistake} was not recognised: the grader named {got}",
        )
        told = any(attempt.says in check.seen for check in attempt.lost)
        require(told, f"the student was not told what {attempt.mistake} is")
    score = f"{last.result.score:g} of {last.result.points:g}"
    require(last.result.score == last.result.points, f"the right solution scored {score}")
