"""Prove an assignment's own quality: what its checks kill, name, and leave alone.

Over the public key and several secrets: the reference keeps every point; the emptied starter, and
impostors that return zeros, ones, NaN, nothing or their own arguments, score nothing on any task;
every known mistake loses points and is recognised by its name, and every collected wrong solution
loses points; no two mistakes give the same numbers; every alternative keeps every point; every
check kills something; the small calls that are offered have one right answer, and a short one;
systematic mutants of the reference lose points, or are listed as equivalent; and nothing that is
released holds a piece of a solution.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from rich.console import Console

from minidl.grading.assignment import Assignment, Task
from minidl.grading.check import Call, Outcome
from minidl.grading.compare import same
from minidl.grading.diagnosis import explain
from minidl.grading.grade import run_checks
from minidl.grading.impostor import EXPRESSIONS, VALUES, disguised, hollow, listening
from minidl.grading.leak import leaks
from minidl.grading.mistake import Alternative, Mistake
from minidl.grading.mutant import Mutant, mutants
from minidl.grading.recognise import Recogniser
from minidl.grading.rerun import unfit_examples
from minidl.grading.sandbox import Limits, Sandbox
from minidl.grading.student import LocalSandbox
from minidl.terminal import cells, table

# A mutant may never end: three seconds for a call that takes milliseconds.
MUTANT_LIMITS = Limits(call_seconds=3.0)


@dataclass(frozen=True)
class Row:
    """One task's line in the certificate."""

    task: str
    points: float
    checks: int
    mistakes: int
    killed: int
    recognised: int
    alternatives: int
    kept: int


@dataclass
class Certificate:
    """What certification found.

    Parameters
    ----------
    assignment : id and version, "batch_norm@1".
    keys : how many keys everything was run under, the public one included.
    problems : one sentence for each thing that does not hold; empty when all is well.
    rows : for each task how many mistakes there are, lose points under every key (killed), and are
        called by their name and no other under every key (recognised); how many alternatives there
        are and how many keep every point under every key (kept).
    kills : for each check, how many mistakes it fails under the public key.
    collected, collected_killed : how many wrong solutions by people who knew no mistake of ours
        there are, and lose points under the public key and a secret.
    strangers : those of them that were called by no known mistake's name.
    mutants, survivors : how many small systematic changes of the reference were tried under the
        last secret, and those that lost no point, by task, each with the reason for which it is
        listed as equivalent; without one it is a problem.
    isolation : of the run through the real sandbox.
    seconds : wall-clock time.
    """

    assignment: str
    keys: int
    problems: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    collected: int = 0
    collected_killed: int = 0
    strangers: list[str] = field(default_factory=list)
    mutants: int = 0
    survivors: list[str] = field(default_factory=list)
    isolation: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.problems

    @property
    def mistakes(self) -> int:
        """How many mistakes there are."""
        return sum(row.mistakes for row in self.rows)

    @property
    def kill_rate(self) -> float:
        """Part of the mistakes that lose points under every key."""
        return sum(row.killed for row in self.rows) / max(self.mistakes, 1)

    @property
    def recognition_rate(self) -> float:
        """Part of the mistakes that are called by their name under every key."""
        return sum(row.recognised for row in self.rows) / max(self.mistakes, 1)


def show(certificate: Certificate, console: Console) -> None:
    """Print a certificate: its tables, its rates and its problems."""
    numbers = ("points", "checks", "killed", "recognised", "alternatives")
    title = f"{certificate.assignment}: certified under {certificate.keys} keys"
    tasks = table("task", *numbers, title=title, right=numbers)
    for row in certificate.rows:
        killed, named = (f"{n} of {row.mistakes}" for n in (row.killed, row.recognised))
        kept = f"{row.kept} of {row.alternatives}"
        tasks.add_row(*cells(row.task, f"{row.points:g}", row.checks, killed, named, kept))
    console.print(tasks)
    kills = table("check", "mistakes it kills", right=("mistakes it kills",))
    for check, count in certificate.kills.items():
        kills.add_row(*cells(check, count))
    console.print(kills)
    console.print(
        f"kill rate {certificate.kill_rate:.0%}, recognition rate "
        f"{certificate.recognition_rate:.0%} of {certificate.mistakes} mistakes, "
        f"in {certificate.seconds:.0f} s"
    )
    if certificate.collected:
        known = certificate.collected - len(certificate.strangers)
        console.print(
            f"collected wrong solutions: kill rate "
            f"{certificate.collected_killed / certificate.collected:.0%}, recognition rate "
            f"{known / certificate.collected:.0%} of {certificate.collected}; without a name:"
        )
    for stranger in certificate.strangers:
        console.print(f"  {stranger}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{certificate.mutants - len(certificate.survivors)} of {certificate.mutants} mutants "
        "killed; those that live:"
    )
    for survivor in certificate.survivors:
        console.print(f"  {survivor}", markup=False, highlight=False, soft_wrap=True)
    for problem in certificate.problems:
        console.print(f"problem: {problem}", markup=False, highlight=False, soft_wrap=True)


def certify(
    assignment: Assignment,
    secrets: int = 3,
    released: Mapping[str, str | bytes] | None = None,
    sandbox: Sandbox | LocalSandbox | None = None,
) -> Certificate:
    """Certify an assignment.

    Parameters
    ----------
    assignment : whose checks, mistakes and alternatives are measured.
    secrets : how many secrets besides the public key; always the same ones, so a run repeats.
    released : what students receive besides the starter (a notebook's JSON, a .pyc), by name: it
        is searched for pieces of the solution, as the starter is.
    sandbox : where the reference and the starter run once more as submissions do; by default one is
        started.

    Returns
    -------
    Certificate
    """
    start = time.perf_counter()
    keys: dict[str, bytes | None] = {"public": None}
    for i in range(secrets):
        keys[f"secret {i + 1}"] = hashlib.sha256(f"certify {i + 1}".encode()).digest()
    certificate = Certificate(f"{assignment.id}@{assignment.version}", len(keys))
    run = _Certification(assignment, keys, certificate)
    run.reference_and_impostors()
    for task in assignment.tasks:
        run.task(task)
    run.checks_that_kill_nothing()
    certificate.problems += unfit_examples(assignment, run.recogniser)
    solution = assignment.reference.functions
    texts = {"starter": assignment.starter(), **(released or {})}
    certificate.problems += leaks(solution, texts)
    with Sandbox(MUTANT_LIMITS) if sandbox is None else nullcontext(sandbox) as opened:
        run.as_submissions(opened)
        run.collected(opened)
        run.mutants(opened)
    certificate.seconds = time.perf_counter() - start
    return certificate


class _Certification:
    """One run over an assignment, collecting problems."""

    def __init__(
        self, assignment: Assignment, keys: Mapping[str, bytes | None], certificate: Certificate
    ) -> None:
        self.assignment = assignment
        self.keys = keys
        self.certificate = certificate
        self.problems = certificate.problems
        self.recogniser = Recogniser(assignment)
        for check in assignment.checks:
            certificate.kills[f"{assignment.task(check.task).id}/{check.name}"] = 0

    def reference_and_impostors(self) -> None:
        """The reference keeps every point; whoever knows nothing scores nothing."""
        solution, starter = self.assignment.solution(), self.assignment.starter()
        for name, key in self.keys.items():
            for task in self.assignment.tasks:
                self._keeps_all("the reference", solution, task, (name, key))
                self._scores_nothing("the emptied starter", starter, task, (name, key))
                for returns, make in VALUES.items():
                    who = f"a student that returns {returns}"
                    self._scores_nothing(who, solution, task, (name, key), disguised(make))
                for returns, source in self._hollow_classes(task):
                    who = f"a class whose methods return {returns}"
                    self._scores_nothing(who, source, task, (name, key))

    def as_submissions(self, sandbox: Sandbox | LocalSandbox) -> None:
        """The same through the sandbox, as a submission is graded."""
        key = ("sandbox", list(self.keys.values())[-1])
        self.certificate.isolation = sandbox.isolation
        solution, starter = self.assignment.solution(), self.assignment.starter()
        for task in self.assignment.tasks:
            self._keeps_all("the reference, as a submission,", solution, task, key, sandbox)
            who = "the emptied starter, as a submission,"
            self._scores_nothing(who, starter, task, key, sandbox)
        for other in self.assignment.alternatives:
            who, task = (
                f"alternative {other.id}, as a submission,",
                self.assignment.task(other.target),
            )
            source = self.assignment.with_alternative(other.id)
            self._keeps_all(who, source, task, key, sandbox)

    def _keeps_all(
        self, who: str, source: str, task: Task, key: tuple[str, bytes | None], sandbox: Any = None
    ) -> bool:
        lost = [o for o in self._outcomes(source, key[1], task, sandbox) if o.failure is not None]
        self.problems += [
            f"{who} loses {task.id}/{o.check.name} ({key[0]}): {_why(o, task)}" for o in lost
        ]
        return not lost

    def _outcomes(
        self, source: str, key: bytes | None, task: Task, sandbox: Any = None
    ) -> Iterator[Outcome]:
        """Run the checks of a task on trusted code, in this process unless told otherwise."""
        opened = sandbox or LocalSandbox()
        return run_checks(source, self.assignment, key, opened, self.recogniser, task)

    def _hollow_classes(self, task: Task) -> Iterator[tuple[str, str]]:
        """Yield, for each kind of hollow class, what its methods return and the whole source."""
        reference, name = self.assignment.reference, task.function
        for returns, value in EXPRESSIONS.items() if reference.kind(name) == "class" else ():
            instead = {name: hollow(reference.functions[name], value)}
            yield returns, reference.solution("A hollow class.", instead)

    def _scores_nothing(
        self, who: str, source: str, task: Task, key: tuple[str, bytes | None], sandbox: Any = None
    ) -> None:
        outcomes = self._outcomes(source, key[1], task, sandbox)
        passed = [o.check.name.replace("_", " ") for o in outcomes if o.failure is None]
        if passed:
            self.problems.append(f"{who} passes {task.id}: {', '.join(passed)} ({key[0]})")

    def task(self, task: Task) -> None:
        """Every mistake of a task loses points under its own name; every alternative loses none."""
        mistakes = [m for m in self.assignment.mistakes if m.target == task.name]
        alternatives = [a for a in self.assignment.alternatives if a.target == task.name]
        verdicts = [self._mistake(task, mistake) for mistake in mistakes]
        kept = [self._alternative(task, alternative) for alternative in alternatives]
        self._twins(task, mistakes)
        self.certificate.rows.append(
            Row(
                task.id,
                task.points,
                len(self.assignment.checks_of(task)),
                len(mistakes),
                sum(killed for killed, _ in verdicts),
                sum(recognised for _, recognised in verdicts),
                len(alternatives),
                sum(kept),
            )
        )

    def _mistake(self, task: Task, mistake: Mistake) -> tuple[bool, bool]:
        """Whether the mistake loses points, and is called by its name alone, under every key."""
        source = self.assignment.with_mistake(mistake.id)
        killed = recognised = True
        for name, key in self.keys.items():
            outcomes = list(self._outcomes(source, key, task))
            failed = [outcome.check for outcome in outcomes if outcome.failure is not None]
            named = {found[0].id for found in self.recogniser.mistakes(task, outcomes).values()}
            if name == "public":
                for check in failed:
                    self.certificate.kills[f"{task.id}/{check.name}"] += 1
            if not failed:
                killed = False
                self.problems.append(f"mistake {mistake.id} loses no point ({name})")
            if named != {mistake.id}:
                recognised = False
                other = ", ".join(map(str, sorted(map(str, named)))) or "nothing"
                self.problems.append(f"mistake {mistake.id} is recognised as {other} ({name})")
        return killed, recognised

    def _alternative(self, task: Task, alternative: Alternative) -> bool:
        who, source = (
            f"alternative {alternative.id}",
            self.assignment.with_alternative(alternative.id),
        )
        return all(self._keeps_all(who, source, task, key) for key in self.keys.items())

    def _twins(self, task: Task, mistakes: Sequence[Mistake]) -> None:
        """No two mistakes give the same numbers on everything that is asked.

        Those that give the right ones have another fault, slowness: their time is looked at.
        """
        for name, key in self.keys.items():
            calls = self._calls(task, key)
            right = [self.recogniser.reference(call) for call in calls]
            given = {m: [self.recogniser.with_mistake(m, call) for call in calls] for m in mistakes}
            wrong = [m for m in mistakes if not all(map(same, given[m], right))]
            for one, other in combinations(wrong, 2):
                if all(map(same, given[one], given[other])):
                    self.problems.append(f"{one.id} and {other.id} give the same numbers ({name})")

    def _calls(self, task: Task, key: bytes | None) -> list[Call]:
        calls: list[Call] = []
        list(self._outcomes(self.assignment.solution(), key, task, listening(calls)))
        return calls

    def collected(self, sandbox: Sandbox | LocalSandbox) -> None:
        """Wrong solutions by people who knew no mistake of ours lose points; some have a name."""
        for collected in self.assignment.collected:
            task = self.assignment.task(collected.target)
            source = self.assignment.submitted(collected)
            lost: list[bool] = []
            named: set[Any] = set()
            for key in list(self.keys.values())[:2]:
                outcomes = list(self._outcomes(source, key, task, sandbox))
                lost.append(any(outcome.failure is not None for outcome in outcomes))
                named |= set(self.recogniser.mistakes(task, outcomes).values())
            self.certificate.collected += 1
            self.certificate.collected_killed += all(lost)
            if not all(lost):
                self.problems.append(f"collected/{collected.id}.py loses no point of {task.id}")
            if not named:
                self.certificate.strangers.append(f"{task.id}: {collected.id}")

    def mutants(self, sandbox: Sandbox | LocalSandbox) -> None:
        """Every mutant of the reference loses points, or is listed as equivalent, with a reason."""
        key = list(self.keys.values())[-1]
        for task in self.assignment.tasks:
            excused = {
                e.change: e.reason for e in self.assignment.equivalents if e.task == task.name
            }
            living = set()
            for mutant in self._living(task, key, sandbox):
                living.add(mutant.change)
                why = excused.get(mutant.change, "no reason is listed")
                found = f"{task.id}, line {mutant.line}: {mutant.change} ({why})"
                self.certificate.survivors.append(found)
            self.problems += [
                f"mutant of {task.id} loses no point: {change}"
                for change in sorted(living - excused.keys())
            ]
            self.problems += [
                f"equivalents.toml: no mutant of {task.id} that keeps its points is {change}"
                for change in sorted(excused.keys() - living)
            ]

    def _living(
        self, task: Task, key: bytes | None, sandbox: Sandbox | LocalSandbox
    ) -> Iterator[Mutant]:
        reference = self.assignment.reference
        for mutant in mutants(reference.functions[task.function]):
            source = reference.solution("A mutant.", {task.function: mutant.source})
            self.certificate.mutants += 1
            if all(o.failure is None for o in self._outcomes(source, key, task, sandbox)):
                yield mutant

    def checks_that_kill_nothing(self) -> None:
        """Every check earns its place by what it kills."""
        for check, count in self.certificate.kills.items():
            if not count:
                self.problems.append(f"check {check} kills no mistake")


def _why(outcome: Outcome, task: Task) -> str:
    """Say why a check failed; where it raised itself, also where in checks.py."""
    failure = outcome.failure
    assert failure is not None
    cause = failure.__cause__
    if cause is None:
        return explain(failure, task.function, hidden=False).seen
    last = traceback.extract_tb(cause.__traceback__)[-1]
    return f"{type(cause).__name__}: {cause} ({Path(last.filename).name}, line {last.lineno})"
