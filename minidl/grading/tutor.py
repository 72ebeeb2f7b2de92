"""What to say about each failed check of a task, in the light of all of them.

In this order: how it could not be called; what was seen in the result; which result is wrong
first; what tells the wrong calls from the right ones; the known mistake, or two; whether a backward
fits its own forward; and the smallest call that goes wrong. No expected value of a hidden check is
shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from minidl.grading import setting
from minidl.grading.assignment import Assignment, Task
from minidl.grading.check import Call, Outcome
from minidl.grading.compare import Mismatch, same, tolerance
from minidl.grading.contrast import contrast
from minidl.grading.diagnosis import explain, first_wrong, is_unwritten
from minidl.grading.finding import Finding, listed
from minidl.grading.mistake import Mistake
from minidl.grading.recognise import Recogniser
from minidl.grading.rerun import Opener, Rerun
from minidl.grading.setting import Setting
from minidl.grading.signature import Signatures
from minidl.grading.statistics import Unlikely
from minidl.grading.student import StudentFailure

MOST_TWINS = 3


@dataclass(frozen=True)
class Lesson:
    """What is said about one failed check: as in CheckResult; the mistakes are those recognised."""

    seen: str
    question: str
    cause: str
    mistakes: tuple[Mistake, ...] = ()
    example: str = ""


class Tutor:
    """Explains the failures of one submission.

    Parameters
    ----------
    assignment : what was asked for.
    recogniser : of its known mistakes; it also holds the reference.
    source : the submission's bytes, for its names and signatures.
    open : opens a fresh student.
    hidden : whether the checks were hidden.
    """

    def __init__(
        self,
        assignment: Assignment,
        recogniser: Recogniser,
        source: bytes,
        open: Opener,
        hidden: bool,
    ) -> None:
        """Read the names in the source."""
        self.assignment = assignment
        self.recogniser = recogniser
        self.hidden = hidden
        self._signatures = Signatures(source)
        self._rerun = Rerun(assignment, recogniser, open, hidden)

    def lessons(self, task: Task, outcomes: Sequence[Outcome]) -> dict[str, Lesson]:
        """Return what to say about each failed check of a task, by the check's name."""
        failed = [outcome for outcome in outcomes if outcome.failure is not None]
        if not failed:
            return {}
        mistakes = self.recogniser.mistakes(task, outcomes)
        told: set[str] = set()
        explained: set[str] = set()
        found = {}
        for outcome in failed:
            named = mistakes.get(outcome.check.name, ())
            function, does = self._scenario(outcome)
            if does and function not in explained:
                outcome = replace(outcome, inputs=f"{outcome.inputs} {does}")
            lesson = self._lesson(task, outcome, outcomes, named, told)
            if lesson.cause not in told:  # what is told for the second time is not shown
                explained.add(function)
            told.add(lesson.cause)
            found[outcome.check.name] = lesson
        return found

    def _scenario(self, outcome: Outcome) -> tuple[str, str]:
        """Return the scenario that a check called last, and what it does; "" where it was none."""
        for scenario in self.assignment.scenarios:
            if outcome.inputs.startswith(f"({scenario.name} with ") and scenario.says:
                return scenario.name, f"What {scenario.name} does: {scenario.says}"
        return "", ""

    def _lesson(
        self,
        task: Task,
        outcome: Outcome,
        outcomes: Sequence[Outcome],
        named: tuple[Mistake, ...],
        told: Set[str],
    ) -> Lesson:
        """Return a lesson; what takes calls made anew only where the cause is not in `told` yet."""
        failure = outcome.failure
        assert failure is not None
        finding = self._not_called(task, failure)
        if finding is not None:
            seen = f"{finding.seen} {outcome.inputs}".strip()
            return Lesson(seen, finding.question, finding.question)
        last = self._last(task, outcome)
        if last is None:
            finding = explain(failure, _called(task, outcome), self.hidden)
            place = "" if is_unwritten(failure) else outcome.inputs
            return self._whole([finding.seen, finding.numbers, place], finding, named)
        assert isinstance(failure, Mismatch)
        good, focus = self._first_wrong(task, failure, last)
        if named and not any(self._spoils(mistake, last, focus.name) for mistake in named):
            good, focus = [], failure  # what else is wrong has a cause of its own
        at = self._setting(last, focus.name, outcomes)
        finding = explain(focus, _called(task, outcome), self.hidden, at)
        cause = " ".join([focus.name, finding.question, *(m.id for m in named)])
        new = cause not in told
        example = self._rerun.example(task, outcome, last, focus) if new else ""
        lead = _lead(failure, focus, good)
        parts = [lead, finding.seen, "" if example else finding.numbers]
        if not named and new:
            parts += [*self._notes(task, focus, last, outcomes)]
        lesson = self._whole([*parts, outcome.inputs], finding, named)
        return replace(lesson, cause=cause, example=example)

    def _whole(self, parts: Sequence[str], finding: Finding, named: tuple[Mistake, ...]) -> Lesson:
        says = [_says(named)] if named else []
        seen = " ".join(part for part in (*parts, *says) if part)
        question = named[0].question if named else finding.question
        return Lesson(seen, question, finding.question, named)

    def _not_called(self, task: Task, failure: Mismatch | StudentFailure) -> Finding | None:
        """Describe a function that is missing, or that does not take what it is passed."""
        if not isinstance(failure, StudentFailure):
            return None
        if failure.kind == "missing":
            return self._signatures.missing(task.function)
        if failure.kind == "raised" and self.assignment.reference.kind(task.function) == "function":
            return self._signatures.unlike(task.function, self._parameters(task.function))
        return None

    def _notes(
        self, task: Task, focus: Mismatch, last: Call, outcomes: Sequence[Outcome]
    ) -> Iterator[str]:
        """Yield what may be behind a result that no known mistake explains."""
        wanted = self._parameters(task.function)
        order = self._signatures.unlike(task.function, wanted)
        yield order.seen if order else self._signatures.misnamed(task.function, wanted)
        yield self._contrast(focus.name, last, outcomes)
        if focus.what == "values" and not isinstance(focus, Unlikely):
            yield self._rerun.neutral(task, last, focus)
            yield self._rerun.own_forward(task)

    def _parameters(self, function: str) -> Sequence[str]:
        return self.assignment.parameters.get(function, ())

    # --- the calls that were made

    def _last(self, task: Task, outcome: Outcome) -> Call | None:
        """Return the call whose result ended a check, if it is one of this task's functions."""
        if not outcome.calls or not isinstance(outcome.failure, Mismatch):
            return None
        last = outcome.calls[-1]
        others = set(self.assignment.targets) - {task.function}
        return None if last.function in others or outcome.failure.what == "structure" else last

    def _setting(self, last: Call, name: str, outcomes: Sequence[Outcome]) -> Setting:
        """Return the setting of a call, beside others that get the same result wrong."""
        _, wrong = self._sorted(name, last, outcomes)
        others = [at for call, at in wrong if call is not last]
        at = setting.of_call(self.assignment, last, self.recogniser.reference(last))
        return replace(at, twins=tuple(others[:MOST_TWINS]))

    def _sorted(
        self, name: str, last: Call, outcomes: Sequence[Outcome]
    ) -> tuple[list[tuple[Call, Setting]], list[tuple[Call, Setting]]]:
        """Return the calls of one function in which a result is right, and those where not."""
        right: list[tuple[Call, Setting]] = []
        wrong: list[tuple[Call, Setting]] = []
        for call in (c for outcome in outcomes for c in outcome.calls):
            if call.function == last.function:
                known = self.recogniser.reference(call)
                at = setting.of_call(self.assignment, call, known)
                if name in at.returned and name in at.right:
                    alike = same(at.returned[name], at.right[name])
                    (right if alike else wrong).append((call, at))
        return right, wrong

    def _first_wrong(self, task: Task, failure: Mismatch, last: Call) -> tuple[list[str], Mismatch]:
        """Return what is right in the result of a call, and what goes wrong first in it."""
        names = self.assignment.returns[last.function]
        right = self.recogniser.reference(last)
        if right is None or failure.name not in names or isinstance(failure, Unlikely):
            return [], failure
        computed = self.assignment.computed(task, last.function)
        largest = tolerance(np.asarray(failure.want), 1.0)
        rtol = failure.allowed / largest if largest else 0.0
        returned = setting.arrays(last.returned)
        good, first = first_wrong(returned, setting.arrays(right), names, computed, rtol)
        if first is None or first.name == failure.name:
            return [name for name in good if name != failure.name], failure
        return [], first

    def _spoils(self, mistake: Mistake, last: Call, name: str) -> bool:
        """Whether a known mistake makes a result of a call other than it should be."""
        names = self.assignment.returns[last.function]
        made, right = self.recogniser.with_mistake(mistake, last), self.recogniser.reference(last)
        if name not in names or made is None or right is None:
            return True
        place = names.index(name)
        return not same(setting.arrays(made)[place], setting.arrays(right)[place])

    def _contrast(self, name: str, last: Call, outcomes: Sequence[Outcome]) -> str:
        """Say what tells the calls with a wrong array of this name from those where it is right."""
        right, wrong = self._sorted(name, last, outcomes)
        return contrast([at for _, at in right], [at for _, at in wrong])


def _lead(failure: Mismatch, focus: Mismatch, good: Sequence[str]) -> str:
    """Say which results are right, or that another one is wrong before the one that was checked."""
    if focus is not failure:
        return f"{failure.name} is wrong, but {focus.name} comes before it:"
    if not good:
        return ""
    return f"{listed(good)} {'is' if len(good) == 1 else 'are'} right."


def _called(task: Task, outcome: Outcome) -> str:
    return task.function if outcome.inputs else "the file"


def _says(named: Sequence[Mistake]) -> str:
    if len(named) == 1:
        return named[0].says
    first, second = named
    return f"Two known mistakes at once. {first.says} And: {second.says}"
