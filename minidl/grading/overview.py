"""A class at a glance: how the points are spread, which mistakes how often, and how long it took.

Results are read from the gradebook one at a time, and only counts are kept: a class of thousands
takes no more memory than one of ten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, quantiles

from minidl.grading.assignment import Assignment
from minidl.grading.diagnosis import says_unwritten
from minidl.grading.gradebook import Attempt, Gradebook
from minidl.grading.report import template
from minidl.grading.result import Result, TaskResult, write_results
from minidl.grading.roster import Roster
from minidl.grading.similarity import Likeness

BINS = ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90-99")
MOST_LISTED = 200


@dataclass
class TaskOverview:
    """One task over the whole class.

    Parameters
    ----------
    task, title, points : as in the results.
    students, full, none : how many answered it, earned everything, earned nothing.
    earned : points of all together.
    no_result : how many got no value in at least one check (it raised, hung, died).
    mistakes : how many students made each known mistake.
    unwritten : how many left it as the starter has it, or out.
    unnamed : how many others lost points through none of these.
    seconds : of each student's checks.
    """

    task: str
    title: str
    points: float
    students: int = 0
    full: int = 0
    none: int = 0
    earned: float = 0.0
    no_result: int = 0
    mistakes: Counter[str] = field(default_factory=Counter)
    unwritten: int = 0
    unnamed: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, found: TaskResult) -> None:
        """Count one student's result."""
        self.students += 1
        self.full += found.earned == found.points
        self.none += found.earned == 0
        self.earned += found.earned
        self.no_result += any(check.status == "error" for check in found.checks)
        named = {name for check in found.checks for name in (check.mistake, check.also) if name}
        self.mistakes.update(named)
        unwritten = all(says_unwritten(check.seen) for check in found.checks)
        self.unwritten += unwritten
        self.unnamed += found.earned < found.points and not named and not unwritten
        self.seconds.append(sum(check.seconds for check in found.checks))

    @property
    def percent(self) -> float:
        """The share of the points that the class earned."""
        possible = self.points * self.students
        return 100 * self.earned / possible if possible else 0.0


@dataclass
class Overview:
    """One assignment over the whole class.

    Parameters
    ----------
    id, title, points : of the assignment.
    says : for each known mistake the sentence of a tutor, where the assignment is at hand.
    percents : each student's score, from 0 to 100.
    seconds : each submission's time to grade.
    tasks : in the assignment's order.
    unreadable : students whose file could not be graded, and why.
    missing : students of the roster who handed in nothing.
    alike : what similarity found.
    """

    id: str
    title: str = ""
    points: float = 0.0
    says: Mapping[str, str] = field(default_factory=dict)
    percents: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tasks: dict[str, TaskOverview] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    alike: Likeness | None = None

    def add(self, attempt: Attempt) -> None:
        """Count one student's attempt."""
        result: Result = attempt.result
        self.points = max(self.points, result.points)
        self.percents.append(result.percent)
        if result.reason:
            self.unreadable.append((attempt.identity.student, result.reason))
            return
        self.seconds.append(result.seconds)
        for task in result.tasks:
            found = TaskOverview(task.task, task.title, task.points)
            self.tasks.setdefault(task.task, found).add(task)

    @property
    def bins(self) -> list[tuple[str, int]]:
        """How many students scored 0-9 %, ..., 90-99 %, and all of 100 %."""
        counts = Counter(min(int(percent // 10), len(BINS)) for percent in self.percents)
        return [(name, counts[i]) for i, name in enumerate((*BINS, "100"))]

    @property
    def mean(self) -> float:
        """The mean score in percent."""
        return fmean(self.percents) if self.percents else 0.0

    @property
    def quarters(self) -> tuple[float, float, float]:
        """The scores that a quarter, half and three quarters of the class do not exceed."""
        return _quarters(self.percents)


def overviews(
    gradebook: Gradebook,
    roster: Roster | None = None,
    assignments: Mapping[str, Assignment] | None = None,
    which: str = "latest",
) -> list[Overview]:
    """Return an overview of each assignment in a gradebook.

    Parameters
    ----------
    gradebook : with the results.
    roster : says who has handed in nothing.
    assignments : give titles, and words to mistakes.
    which : "latest" or "best" attempts.
    """
    found = []
    for name in gradebook.assignments():
        overview = Overview(name)
        if assignments and name in assignments:
            overview.title = assignments[name].title
            overview.says = {m.id: m.says for m in assignments[name].mistakes}
        present: set[str] = set()
        for attempt in gradebook.attempts(which, name):
            overview.add(attempt)
            present.add(attempt.identity.student.casefold())
        students = roster.students if roster else ()
        overview.missing = [s.id for s in students if s.id.casefold() not in present]
        found.append(overview)
    return found


def write(found: Sequence[Overview], out: Path) -> None:
    """Write class.html and class.md, each whole or not at all.

    Raises
    ------
    ArgumentError
        when they cannot be written.
    """
    write_results(to_html(found), out / "class.html")
    write_results(to_markdown(found), out / "class.md")


def to_html(found: Sequence[Overview]) -> str:
    """Return one standalone page with its plots, everything escaped."""
    return _filled("class.html", found)


def to_markdown(found: Sequence[Overview]) -> str:
    """Return the same as Markdown, with bars of characters."""
    return _filled("class.md", found)


def _filled(name: str, found: Sequence[Overview]) -> str:
    page = template(name)
    return page.render(overviews=found, most=MOST_LISTED, middle=_middle, late=_late)


def _middle(values: Sequence[float]) -> float:
    return _quarters(values)[1]


def _late(values: Iterable[float]) -> float:
    """Return what 95 of 100 values do not exceed."""
    known = sorted(values)
    return known[min(len(known) - 1, int(0.95 * len(known)))] if known else 0.0


def _quarters(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        only = values[0] if values else 0.0
        return only, only, only
    low, middle, high = quantiles(values, method="inclusive")
    return low, middle, high
