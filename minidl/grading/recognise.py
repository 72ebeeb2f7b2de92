"""Which known mistake gives exactly these numbers?

The calls a check made are made again on every known mistake of that task. A mistake is recognised
when, wherever it changes a returned array, the student's array is the same as the mistake's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.grading.assignment import Assignment, Task
from minidl.grading.check import Call, Outcome
from minidl.grading.compare import Mismatch, same
from minidl.grading.mistake import Mistake
from minidl.grading.student import LocalStudent, StudentFailure


class Recogniser:
    """Knows an assignment's reference and mistakes, and runs them when asked.

    Parameters
    ----------
    assignment : whose mistakes are known.
    """

    def __init__(self, assignment: Assignment) -> None:
        """Start with nothing compiled: most submissions need only a few mistakes, or none."""
        self.assignment = assignment
        self._students: dict[str, LocalStudent] = {}

    def reference(self, call: Call) -> Any:
        """Return what the reference gives for a call."""
        return _again(self._student(""), call)

    def with_mistake(self, mistake: Mistake, call: Call) -> Any:
        """Return what a known mistake gives for a call; None where it raises."""
        return _again(self._student(mistake.id), call)

    def mistakes(self, task: Task, outcomes: Sequence[Outcome]) -> dict[str, Mistake]:
        """Return the mistake behind each failed check of a task, by the check's name.

        The calls of all the task's checks are taken together first: one mistake that fits them all
        is the best explanation. Failing that (two mistakes at once), each check is tried alone.
        """
        failed = [
            outcome
            for outcome in outcomes
            if isinstance(outcome.failure, Mismatch) and outcome.failure.what != "structure"
        ]
        together = self._fitting(task, [call for outcome in outcomes for call in outcome.calls])
        found = {}
        for outcome in failed:
            alone = self._fitting(task, outcome.calls)
            candidates = [m for m in together if m in alone] or alone
            candidates = [m for m in candidates if self._changes(m, outcome, task)]
            if len(candidates) == 1:
                found[outcome.check.name] = candidates[0]
        return found

    def _fitting(self, task: Task, calls: Sequence[Call]) -> list[Mistake]:
        """Return the mistakes that fit all calls: those that explain every array, else some."""
        known = [mistake for mistake in self.assignment.mistakes if mistake.target == task.name]
        fits = {mistake: self._fit(mistake, calls) for mistake in known}
        best = max(fits.values(), default=0)
        return [mistake for mistake, fit in fits.items() if fit == best > 0]

    def _fit(self, mistake: Mistake, calls: Sequence[Call]) -> int:
        """2 when every array is the mistake's, 1 when every array it changes is, else 0."""
        changed, exactly = False, True
        for call in calls:
            wrong, right = self.with_mistake(mistake, call), self.reference(call)
            if wrong is None or right is None:
                return 0
            for got, bad, good in zip(*map(_arrays, (call.returned, wrong, right)), strict=True):
                like_mistake = same(got, bad)
                if not same(bad, good):
                    changed = True
                    if not like_mistake:
                        return 0
                exactly &= like_mistake
        return (2 if exactly else 1) if changed else 0

    def _changes(self, mistake: Mistake, outcome: Outcome, task: Task) -> bool:
        """Whether the mistake changes the very array that ended the check."""
        if not isinstance(outcome.failure, Mismatch) or not outcome.calls:
            return True
        last = outcome.calls[-1]
        names = self.assignment.returns[last.function]
        if outcome.failure.name not in names:
            return True
        position = names.index(outcome.failure.name)
        wrong, right = self.with_mistake(mistake, last), self.reference(last)
        return not same(_arrays(wrong)[position], _arrays(right)[position])

    def _student(self, name: str) -> LocalStudent:
        if name not in self._students:
            text = self.assignment.with_mistake(name) if name else self.assignment.solution()
            self._students[name] = LocalStudent.from_source(
                text, scenarios=self.assignment.scenarios
            )
        return self._students[name]


def _again(student: LocalStudent, call: Call) -> Any:
    try:
        return getattr(student, call.function)(*call.args, **call.kwargs)
    except StudentFailure:
        return None


def _arrays(returned: Any) -> tuple[np.ndarray, ...]:
    return (returned,) if isinstance(returned, np.ndarray) else tuple(returned)
