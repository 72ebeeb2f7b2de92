"""Grade many submissions: nothing is lost, nothing is graded twice, and none stops another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.assignment import Assignment, course
from minidl.grading.collect import Entry
from minidl.grading.confine import in_words
from minidl.grading.gradebook import Gradebook, Identity
from minidl.grading.report import show_table
from minidl.grading.result import Result
from minidl.grading.schedule import Done, Job, Scheduler


@dataclass(frozen=True)
class Graded:
    """One of the submissions: its result, or why there is none through no fault of its author.

    Parameters
    ----------
    path : the file.
    label : a name for it: the student's, where it is known.
    result, error : one of the two.
    again : whether the result is that of an earlier run.
    """

    path: Path
    label: str
    result: Result | None = None
    error: str = ""
    again: bool = False


def assignment_of(paths: Sequence[Path]) -> str:
    """Return the id of the assignment that every file is named after.

    Raises
    ------
    ArgumentError
        when a file bears no assignment's name, they bear different ones, or none is there.
    """
    stems = sorted({path.stem for path in paths})
    if len(stems) == 1 and stems[0] in course():
        return stems[0]
    if not any(path.exists() for path in paths):
        got = f"{', '.join(map(str, paths[:5]))} (no such file)"
        raise ArgumentError(expected("grade", "submissions, or a folder of them", got))
    wish = f"files named after one assignment ({', '.join(course())})"
    got = ", ".join(stems[:5])
    raise ArgumentError(expected("grade", wish, got, "say which one with --assignment"))


def labels(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path, safe as a file name and unlike every other.

    It is the file's stem; where stems repeat, as in alice/batch_norm.py and bob/batch_norm.py, the
    folders that tell them apart come first.

    Examples
    --------
    >>> labels([Path("alice/batch_norm.py"), Path("bob/batch_norm.py"), Path("carol.py")])
    ['alice-batch_norm', 'bob-batch_norm', 'carol']
    """
    parts = [(*path.absolute().parts[1:-1], path.stem) for path in paths]
    found: list[str] = []
    for own in parts:
        depth = 1
        while depth < len(own) and sum(p[-depth:] == own[-depth:] for p in parts) > 1:
            depth += 1
        label = re.sub(r"[^\w.-]", "_", "-".join(own[-depth:]), flags=re.ASCII) or "_"
        number = 2
        unlike = label
        while unlike.lower() in {name.lower() for name in found}:
            unlike = f"{label}-{number}"
            number += 1
        found.append(unlike)
    return found


@dataclass(frozen=True)
class Plan:
    """How a batch is graded.

    Parameters
    ----------
    assignments : by id.
    key : the secret; None for the public checks.
    gradebook : keeps every attempt, and knows what has been graded before.
    scheduler : hands out the work.
    regrade : grade what has been graded before once more; one that was stopped goes on.
    report : called with an entry and its result, also for what has been graded before, so that
        reports which a killed run did not get to are written by the next.
    """

    assignments: Mapping[str, Assignment]
    key: bytes | None
    gradebook: Gradebook
    scheduler: Scheduler
    regrade: bool = False
    report: Callable[[Entry, Result], None] = lambda entry, result: None


def grade_all(entries: Sequence[Entry], plan: Plan) -> Iterator[Graded]:
    """Grade what has not been graded, and yield every entry once, as soon as it is settled.

    A result is in the gradebook before its report is written, and both before it is yielded: after
    a kill at any moment the next call goes on from there.

    Raises
    ------
    MinidlError
        when the gradebook or a report cannot be written. A submission that cannot be graded does
        not raise: it comes back with an `error`.
    """
    with plan.gradebook.grading():
        batch = _Batch(entries, plan)
        with closing(plan.scheduler.run(batch.jobs())) as ended:
            for done in ended:
                yield from batch.settled()
                yield from batch.keep(done)
        yield from batch.settled()
        batch.finish()


def grade_files(
    paths: Sequence[Path], assignment: Assignment, plan: Plan, each: Callable[[Graded], None]
) -> list[Graded]:
    """Grade files that answer one assignment; return what came of each, in the order given."""
    order = labels(paths)
    entries = [Entry(n, assignment.id, path) for n, path in zip(order, paths, strict=True)]
    found = {}
    for graded in grade_all(entries, plan):
        found[graded.label] = graded
        each(graded)
    return [found[label] for label in order]


class _Batch:
    """The entries on their way: waiting, known from before, handed out, settled."""

    def __init__(self, entries: Sequence[Entry], plan: Plan) -> None:
        self.plan = plan
        self.entries = entries
        self.number = plan.gradebook.regrade() if plan.regrade else 0
        self._open: dict[tuple[str, str], Entry] = {}
        self._aside: list[tuple[Entry, Identity | str]] = []
        self._complete = True

    def jobs(self) -> Iterator[Job]:
        """Read one file after the other; what needs no grading is put aside."""
        for entry in self.entries:
            try:
                data = entry.read()
            except MinidlError as error:
                self._aside.append((entry, str(error)))
                continue
            assignment = self.plan.assignments[entry.assignment]
            job = Job.of(entry.student, entry.path.name, data, assignment, self.plan.key)
            if self.plan.gradebook.known(job.identity, self.number):
                self.plan.gradebook.hand_in(job.identity, job.name)
                self._aside.append((entry, job.identity))
            else:
                self._open[entry.student, entry.assignment] = entry
                yield job

    def settled(self) -> Iterator[Graded]:
        """Yield what was put aside since the last call."""
        aside, self._aside = self._aside, []
        for entry, found in aside:
            if isinstance(found, str):
                self._complete = False
                yield Graded(entry.path, entry.student, error=found)
            elif attempt := self.plan.gradebook.latest(found):
                self.plan.report(entry, attempt.result)
                yield Graded(entry.path, entry.student, attempt.result, again=True)

    def keep(self, done: Done) -> Iterator[Graded]:
        """Put what came of a job into the gradebook, then into a report; the second time nothing.

        A scheduler that loses a worker may well grade a submission twice.
        """
        identity = done.job.identity
        entry = self._open.pop((identity.student, identity.assignment), None)
        if entry is None:
            return
        if done.result is None:
            self._complete = False
            yield Graded(entry.path, entry.student, error=done.error)
            return
        self.plan.gradebook.record(identity, done.result, done.job.name, self.number)
        self.plan.report(entry, done.result)
        yield Graded(entry.path, entry.student, done.result)

    def finish(self) -> None:
        """A regrade is over when nothing of it is left to grade."""
        if self.number and self._complete:
            self.plan.gradebook.finish_regrade(self.number)


def show(found: Sequence[Graded], console: Console) -> None:
    """Print a table of what was graded, each submission by its label."""
    rows = [replace(g.result, submission=g.label) for g in found if g.result is not None]
    show_table(rows, console)
    levels = {in_words(row.isolation) for row in rows if not row.reason}
    for level in sorted(levels):
        console.print(f"Isolation: {level}.", soft_wrap=True)


def to_json(found: Sequence[Graded]) -> str:
    """Return a JSON list of objects with path, label, error, and result (null after an error)."""
    rows = [asdict(graded) | {"path": str(graded.path)} for graded in found]
    return json.dumps(rows, indent=2)


def exit_code(found: Sequence[Graded]) -> int:
    """Return 2 if any call was wrong, else 1 if any work is not all right, else 0."""
    if any(graded.result is None for graded in found):
        return 2
    return int(any(g.result is not None and g.result.score < g.result.points for g in found))
