"""A whole class: a folder of submissions in, a gradebook, feedback and a report of the class out.

OUT/gradebook.sqlite              every attempt, for good
OUT/feedback/STUDENT/batch_norm.html, .md, .json
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from minidl import threads
from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading import feedback, overview
from minidl.grading.assignment import Assignment, course
from minidl.grading.bulk import Graded, Plan, grade_all
from minidl.grading.collect import Entry, collect
from minidl.grading.confine import in_words
from minidl.grading.gradebook import Gradebook
from minidl.grading.processes import Processes
from minidl.grading.result import Result
from minidl.grading.roster import Roster
from minidl.grading.schedule import Here, Scheduler
from minidl.grading.similarity import Likeness, compare
from minidl.grading.submission import Submission


@dataclass(frozen=True)
class Settings:
    """How a class is graded.

    Parameters
    ----------
    key : the secret; None for the public checks.
    assignment : id or folder of the one that all files answer; by default their names say it.
    out : folder for all that is written.
    gradebook : by default gradebook.sqlite in `out`, or gradebook-public.sqlite without a key.
    roster : a CSV file; by default everybody is in the class.
    regrade : grade once more what has been graded before.
    likeness : whether the class report says which submissions are near copies.
    jobs : processes; 0 for one on each core.
    scheduler : hands out the work in place of local processes.
    """

    key: bytes | None
    assignment: str = ""
    out: Path = Path("graded")
    gradebook: Path | None = None
    roster: Path | None = None
    regrade: bool = False
    likeness: bool = False
    jobs: int = 0
    scheduler: Scheduler | None = None


@dataclass
class Summary:
    """What became of a class, in numbers that stay small however large it is.

    Parameters
    ----------
    graded, again : submissions graded now, and in an earlier run.
    right, unreadable : those with every point, and those that are no Python.
    problems : what could not be graded and why, a sentence each.
    isolation : the levels reached, in words.
    """

    graded: int = 0
    again: int = 0
    right: int = 0
    unreadable: int = 0
    problems: list[str] = field(default_factory=list)
    isolation: set[str] = field(default_factory=set)

    def add(self, graded: Graded) -> None:
        """Count one more."""
        if graded.result is None:
            self.problems.append(f"{graded.label}: {graded.error}")
            return
        self.again += graded.again
        self.graded += not graded.again
        self.right += graded.result.score == graded.result.points
        self.unreadable += bool(graded.result.reason)
        if not graded.result.reason:
            self.isolation.add(in_words(graded.result.isolation))

    @property
    def exit_code(self) -> int:
        """2 when something could not be graded, else 1 unless every point was earned, else 0."""
        return 2 if self.problems else int(self.right < self.graded + self.again)

    def lines(self, out: Path, gradebook: Path) -> Iterator[str]:
        """Yield what to tell the instructor at the end."""
        known = f", {self.again} known from before" if self.again else ""
        yield f"{_counted(self.graded)} graded{known}: {self.right} with every point."
        if self.unreadable:
            verb = "is" if self.unreadable == 1 else "are"
            yield f"{self.unreadable} of them {verb} no Python; the feedback says why."
        if self.problems:
            number, why = len(self.problems), "reason" if len(self.problems) == 1 else "reasons"
            yield f"{number} could not be graded, for the {why} below; the next run tries again."
        for level in sorted(self.isolation):
            yield f"Isolation: {level}."
        yield f"Gradebook: {gradebook}"
        yield f"Feedback for each student: {out / 'feedback'}; the class: {out / 'class.html'}"


def _counted(number: int) -> str:
    return "1 submission" if number == 1 else f"{number} submissions"


class Classroom:
    """A folder of submissions, found and ready to be graded.

    Parameters
    ----------
    folder : in one of the layouts of collect.py.
    settings : how it is graded.

    Raises
    ------
    ArgumentError
        when folder or roster cannot be used; nothing has been written then.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Read the roster, and find the submissions."""
        self.folder, self.settings = folder, settings
        self.roster = Roster.read(settings.roster) if settings.roster else None
        named = [Assignment.load(settings.assignment)] if settings.assignment else []
        only = named[0].id if named else ""
        self.found = collect(folder, [only] if only else course(), only, self.roster)
        wanted = dict.fromkeys(entry.assignment for entry in self.found.entries)
        self.assignments = {found.id: found for found in named}
        self.assignments |= {i: Assignment.load(i) for i in wanted if i not in self.assignments}

    @property
    def gradebook(self) -> Path:
        """The gradebook's file."""
        name = "gradebook-public.sqlite" if self.settings.key is None else "gradebook.sqlite"
        return self.settings.gradebook or self.settings.out / name

    def grade(self, each: Callable[[Graded], None] = lambda graded: None) -> Summary:
        """Grade what has not been graded yet.

        Parameters
        ----------
        each : called with every submission as soon as it is settled.

        Raises
        ------
        MinidlError
            when the gradebook or a report cannot be written. The next call goes on from there.
        """
        self._demand_own()
        summary = Summary(problems=list(self.found.problems))
        number = len(self.found.entries)
        feedback.make_folder(self.settings.out)
        with Gradebook(self.gradebook) as gradebook:
            plan = Plan(
                assignments=self.assignments,
                key=self.settings.key,
                gradebook=gradebook,
                scheduler=self.settings.scheduler or on_this_machine(number, self.settings.jobs),
                regrade=self.settings.regrade,
                report=self._report,
            )
            for graded in grade_all(self.found.entries, plan):
                summary.add(graded)
                each(graded)
            found = overview.overviews(gradebook, self.roster, self.assignments)
            if self.settings.likeness:
                for one in found:
                    one.alike = self.alike(one.id)
            overview.write(found, self.settings.out)
        return summary

    def alike(self, assignment: str) -> Likeness | None:
        """Compare what was handed in for an assignment; None where it is not among these files.

        Raises
        ------
        ArgumentError
            when copydetect is not installed.
        """
        entries = [entry for entry in self.found.entries if entry.assignment == assignment]
        if not entries:
            return None
        loaded, sources = self.assignments[assignment], {}
        for entry in entries:
            with suppress(MinidlError):
                read = Submission.of(entry.path.name, entry.read(), loaded.targets)
                sources[entry.student] = read.source.decode()
        return compare(sources, loaded)

    def _demand_own(self) -> None:
        """Raise ArgumentError where somebody else has put a gradebook among the submissions.

        Whoever may hand in there could bring one along in which all is graded, and well.
        """
        top, own = Path(os.path.abspath(self.folder)), getattr(os, "geteuid", lambda: 0)()
        for path in (self.settings.out, self.gradebook):
            inside = top in Path(os.path.abspath(path)).parents
            if inside and os.path.lexists(path) and os.lstat(path).st_uid != own:
                wish, got = f"results elsewhere than in {self.folder}", f"{path} of somebody else"
                raise ArgumentError(expected("grade", wish, got, "name another folder with --out"))

    def _report(self, entry: Entry, result: Result) -> None:
        folder = self.settings.out / "feedback" / feedback.file_name(entry.student)
        feedback.write(folder, entry.assignment, result)


def on_this_machine(submissions: int, jobs: int = 0) -> Scheduler:
    """Return what grades on this machine: `jobs` processes, by default one for each core.

    A single process is this one: starting another costs a second.
    """
    number = min(jobs or threads.available_cores(), submissions)
    return Processes(number) if number > 1 else Here()
