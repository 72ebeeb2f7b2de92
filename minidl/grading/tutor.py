"""What to say about each failed check of a task, in the light of all of them.

In this order: how it could not be called; what was seen in the result; which result is wrong
first; what tells the wrong calls from the right ones; the known mistake, or two; whether a backward
fits its own forward; and the smallest call that goes wrong. No expected value of a hidden check is
shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from minidl.grading import setting
from minidl.grading.assignment import Assignment, Task
from minidl.grading.check import Call, Outcome
from minidl.grading.compare import Mismatch, same
from minidl.grading.contrast import contrast
from minidl.grading.diagnosis import explain, first_wrong, is_unwritten
from minidl.grading.finding import Finding
from minidl.grading.mistake import Mistake
from minidl.grading.recognise import Recogniser
from minidl.grading.rerun import Opener, Rerun
from minidl.grading.setting import NOTHING, Setting
from minidl.grading.signature import Signatures
from minidl.grading.statistics import Unlikely
from minidl.grading.student import StudentFailure


@dataclass(frozen=True)
class Lesson:
    """What is said about one failed check: as in CheckResult; the mistakes are those recognised."""

    seen: str
    question: str
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
        shown: set[Any] = set()
        found = {}
        for outcome in failed:
            named = mistakes.get(outcome.check.name, ())
            last = self._last(task, outcome)
            kind = (named, getattr(outcome.failure, "name", ""))
            example = "" if kind in shown else self._rerun.example(task, outcome, last)
            shown.add(kind)
            found[outcome.check.name] = self._lesson(task, outcome, outcomes, named, example)
        return found

    def _lesson(
        self,
        task: Task,
        outcome: Outcome,
        outcomes: Sequence[Outcome],
        named: tuple[Mistake, ...],
        example: str,
    ) -> Lesson:
        failure = outcome.failure
        assert failure is not None
        finding = self._not_called(task, failure)
        parts = []
        if finding is None:
            last = self._last(task, outcome)
            at = self._setting(last) if last else NOTHING
            finding = explain(failure, _called(task, outcome), self.hidden, at)
            parts.append("" if example else finding.numbers)
            if last and isinstance(failure, Mismatch) and not isinstance(failure, Unlikely):
                parts.append(self._first_wrong(task, failure, last))
                parts += [] if named else [self._contrast(failure, last, outcomes)]
        if not is_unwritten(failure):
            parts.append(outcome.inputs)
        question = named[0].question if named else finding.question
        parts += [_says(named)] if named else self._notes(task, failure)
        seen = " ".join(part for part in (finding.seen, *parts) if part)
        return Lesson(seen, question, named, example)

    def _not_called(self, task: Task, failure: Mismatch | StudentFailure) -> Finding | None:
        """Describe a function that is missing, or that does not take what it is passed."""
        if not isinstance(failure, StudentFailure):
            return None
        if failure.kind == "missing":
            return self._signatures.missing(task.function)
        if failure.kind == "raised" and self.assignment.reference.kind(task.function) == "function":
            return self._signatures.unlike(task.function, self._parameters(task.function))
        return None

    def _notes(self, task: Task, failure: Mismatch | StudentFailure) -> Iterator[str]:
        """Yield what may be behind a result that no known mistake explains."""
        if not isinstance(failure, Mismatch) or failure.what not in ("values", "shape", "nan"):
            return
        wanted = self._parameters(task.function)
        order = self._signatures.unlike(task.function, wanted)
        yield order.seen if order else self._signatures.misnamed(task.function, wanted)
        if failure.what == "values":
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

    def _setting(self, call: Call) -> Setting:
        return setting.of_call(self.assignment, call, self.recogniser.reference(call))

    def _first_wrong(self, task: Task, failure: Mismatch, last: Call) -> str:
        """Say which of the arrays that a check's last call returned is the first to be wrong."""
        names = self.assignment.returns[last.function]
        right = self.recogniser.reference(last)
        if len(names) == 1 or right is None:
            return ""
        computed = self.assignment.computed(task, last.function)
        return first_wrong(failure.name, last.returned, right, names, computed)

    def _contrast(self, failure: Mismatch, last: Call, outcomes: Sequence[Outcome]) -> str:
        """Say what tells the calls with a wrong array of this name from those where it is right."""
        right: list[Setting] = []
        wrong: list[Setting] = []
        for call in (c for outcome in outcomes for c in outcome.calls):
            if call.function == last.function:
                at = self._setting(call)
                mine, want = at.returned.get(failure.name), at.right.get(failure.name)
                if mine is not None and want is not None:
                    (right if same(mine, want) else wrong).append(at)
        return contrast(right, wrong)


def _called(task: Task, outcome: Outcome) -> str:
    return task.function if outcome.inputs else "the file"


def _says(named: Sequence[Mistake]) -> str:
    if len(named) == 1:
        return named[0].says
    first, second = named
    return f"Two known mistakes at once. {first.says} And: {second.says}"
