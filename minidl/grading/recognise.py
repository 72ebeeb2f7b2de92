"""Which known mistake, or which two at once, give exactly these numbers?

The calls a check made are made again on every known mistake of that task. A mistake is recognised
when, wherever it changes a returned array, the student's array is the same as the mistake's. Where
none is, two are tried together: patches of the reference in different places, both made; and
different mistakes in different arrays. Numbers that were drawn, in an order of the student's own,
are compared by their statistics (minidl/grading/likeness.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment, Task
from minidl.grading.check import Call, Outcome
from minidl.grading.compare import Mismatch, same
from minidl.grading.likeness import Likeness, Mistakes
from minidl.grading.mistake import Mistake, patched
from minidl.grading.race import Slow, as_slow_as
from minidl.grading.student import LocalStudent, StudentFailure

MOST_PAIRS = 120
MOST_SECONDS = 10.0


class Recogniser:
    """Knows an assignment's reference and mistakes, and runs them when asked.

    Parameters
    ----------
    assignment : whose mistakes are known.
    """

    def __init__(self, assignment: Assignment) -> None:
        """Start with nothing compiled: most submissions need only a few mistakes, or none."""
        self.assignment = assignment
        self._students: dict[Mistakes, LocalStudent | None] = {}
        self._right: dict[str, list[LocalStudent]] = {}
        self._asked: dict[int, Call] = {}
        self._answers: dict[tuple[Mistakes, int], Any] = {}
        self._likeness = Likeness(self._again)

    def reference(self, call: Call) -> Any:
        """Return what the reference gives for a call; None where it raises."""
        return self._again((), call)

    def with_mistake(self, mistake: Mistake, call: Call) -> Any:
        """Return what a known mistake gives for a call; None where it raises."""
        return self._again((mistake,), call)

    def right(self, task: Task) -> list[LocalStudent]:
        """Return those who solve a task: the reference, and every other right solution known."""
        if task.name not in self._right:
            known = [a for a in self.assignment.alternatives if a.target == task.name]
            texts = [self.assignment.with_alternative(a.id) for a in known]
            self._right[task.name] = [
                self._trusted(text) for text in (self.assignment.solution(), *texts)
            ]
        return self._right[task.name]

    def mistakes(self, task: Task, outcomes: Sequence[Outcome]) -> dict[str, Mistakes]:
        """Return the mistake, or the two, behind each failed check of a task, by the check's name.

        The calls of all the task's checks are taken together first: one mistake that fits them all
        is the best explanation, then two made together. Failing that, each check is tried alone,
        and then each array.
        """
        failed = [
            outcome
            for outcome in outcomes
            if isinstance(outcome.failure, Mismatch)
            and outcome.failure.what != "structure"
            and outcome.calls
        ]
        if not failed:
            return {}
        known = [(m,) for m in self.assignment.mistakes if m.target == task.name]
        slow = {o.check.name: o.failure for o in failed if isinstance(o.failure, Slow)}
        if slow:
            raced = {name: as_slow_as(s, known, self._again) for name, s in slow.items()}
            rest = [o for o in outcomes if o.check.name not in slow]
            return self.mistakes(task, rest) | {name: m for name, m in raced.items() if m}
        every = [call for outcome in outcomes for call in outcome.calls]
        # Kept until the next task: what is alive keeps its id to itself.
        self._asked, self._answers = {id(call): call for call in every}, {}
        together = self._fitting(known, every)
        found: dict[str, Mistakes] = {}
        for outcome in failed:
            alone = self._fitting(known, outcome.calls)
            candidates = [m for m in together if m in alone] or alone
            candidates = [m for m in candidates if self._changes(m, outcome)]
            if len(candidates) == 1:
                found[outcome.check.name] = candidates[0]
        if len(found) < len(failed):
            both = self._both(task, [call for outcome in failed for call in outcome.calls])
            for outcome in failed:
                parts = [m for m in both if self._changes((m,), outcome)] or both
                named = tuple(parts) or self._by_array(known, outcome)
                if named and outcome.check.name not in found:
                    found[outcome.check.name] = named
            if both and not set(both) <= {m for named in found.values() for m in named}:
                # The array that ends every check is wrong for one of the two; both are made.
                found[failed[0].check.name] = both
            missing = [outcome for outcome in failed if outcome.check.name not in found]
            found |= self._likeness.named(known, outcomes, missing)
        return found

    def _fitting(self, known: Iterable[Mistakes], calls: Sequence[Call]) -> list[Mistakes]:
        """Return what fits all calls: that which explains every array, else some."""
        fits = {mistakes: self._fit(mistakes, calls) for mistakes in known}
        best = max(fits.values(), default=0)
        return [mistakes for mistakes, fit in fits.items() if fit == best > 0]

    def _fit(self, mistakes: Mistakes, calls: Sequence[Call]) -> int:
        """2 when every array is the mistaken one, 1 when every array that changes is, else 0."""
        changed, exactly = False, True
        for call in calls:
            wrong, right = self._again(mistakes, call), self.reference(call)
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

    def _both(self, task: Task, calls: Sequence[Call]) -> Mistakes:
        """Return the one pair of mistakes that, made together, explains every array of every call.

        Bounded in number, and in time for assignments with slow functions: a task has few mistakes,
        most pairs differ from the student's numbers at the first call, and what was compiled once
        is kept. None of a task that is to be compiled.
        """
        if task.compiled:
            return ()
        patches = [m for m in self.assignment.mistakes if m.target == task.name and m.patches]
        deadline = time.monotonic() + MOST_SECONDS
        fitting = []
        for pair in list(combinations(patches, 2))[:MOST_PAIRS]:
            if time.monotonic() > deadline:
                break
            if self._fit(pair, calls) == 2:
                fitting.append(pair)
        return fitting[0] if len(fitting) == 1 else ()

    def _by_array(self, known: Iterable[Mistakes], outcome: Outcome) -> Mistakes:
        """Return the mistakes that alone give the wrong arrays, the one that ended the check first.

        Only where every wrong array of the check is some mistake's, and of one mistake only.
        """
        right = [_arrays(self.reference(call)) for call in outcome.calls]
        own = [_arrays(call.returned) for call in outcome.calls]
        if any(len(a) != len(b) for a, b in zip(own, right, strict=True)):
            return ()
        named: dict[int, Mistake] = {}
        for position in range(max(map(len, own))):
            places = [i for i, arrays in enumerate(own) if position < len(arrays)]
            if all(same(own[i][position], right[i][position]) for i in places):
                continue
            fitting = [
                mistake
                for (mistake,) in known
                if all(
                    (wrong := _arrays(self.with_mistake(mistake, outcome.calls[i])))
                    and same(own[i][position], wrong[position])
                    for i in places
                )
            ]
            if len(fitting) != 1:
                return ()
            named[position] = fitting[0]
        order = sorted(named, key=lambda i: i != self._position(outcome))
        return tuple(dict.fromkeys(named[i] for i in order))[:2]

    def _changes(self, mistakes: Mistakes, outcome: Outcome) -> bool:
        """Whether the mistakes change the very array that ended the check."""
        position = self._position(outcome)
        if position is None:
            return True
        last = outcome.calls[-1]
        wrong, right = self._again(mistakes, last), self.reference(last)
        if wrong is None:
            return True
        return not same(_arrays(wrong)[position], _arrays(right)[position])

    def _position(self, outcome: Outcome) -> int | None:
        """Return which of the last call's arrays ended a check, where it is one of these."""
        if not isinstance(outcome.failure, Mismatch) or not outcome.calls:
            return None
        names = self.assignment.returns[outcome.calls[-1].function]
        name = outcome.failure.name
        return names.index(name) if name in names else None

    def _again(self, mistakes: Mistakes, call: Call) -> Any:
        """Return what the reference gives for a call with some mistakes made; None for no value."""
        if id(call) not in self._asked:
            return self._answer(mistakes, call)
        key = (mistakes, id(call))
        if key not in self._answers:
            self._answers[key] = self._answer(mistakes, call)
        return self._answers[key]

    def _answer(self, mistakes: Mistakes, call: Call) -> Any:
        if mistakes not in self._students:
            self._students[mistakes] = self._student(mistakes)
        student = self._students[mistakes]
        if student is None:
            return None
        try:
            return getattr(student, call.function)(*call.args, **call.kwargs)
        except StudentFailure:
            return None

    def _student(self, mistakes: Mistakes) -> LocalStudent | None:
        """Return somebody who makes these mistakes; None where they cannot be made together."""
        if len(mistakes) < 2:
            named = self.assignment.with_mistake(mistakes[0].id) if mistakes else ""
            text = named or self.assignment.solution()
        else:
            function = self.assignment.task(mistakes[0].target).function
            old, new = zip(*(patch for m in mistakes for patch in m.patches), strict=True)
            source = self.assignment.reference.functions[function]
            try:
                both = patched("both", source, old, new)
            except ArgumentError:
                return None
            text = self.assignment.reference.solution("Two mistakes.", {function: both})
        return self._trusted(text)

    def _trusted(self, text: str) -> LocalStudent:
        """Return somebody who runs a text of ours; what it compiles serves everybody here."""
        given = self.assignment
        return LocalStudent.from_source(text, given.file_name, given.scenarios, given.compiled)


def _arrays(returned: Any) -> tuple[np.ndarray, ...]:
    if returned is None:
        return ()
    return (returned,) if isinstance(returned, np.ndarray) else tuple(returned)
