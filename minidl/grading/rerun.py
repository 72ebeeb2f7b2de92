"""Call a failing submission again: for the smallest call that goes wrong, and its own gradients.

The student's code runs in its sandbox, on inputs that everybody may know: those of the public
checks, small numbers, and random ones of a fixed seed. All of it together is bounded in time, for
each submission.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from minidl.grading import setting, shrink
from minidl.grading.assignment import Assignment, Task
from minidl.grading.case import PUBLIC
from minidl.grading.check import Call, Check, Outcome, Recorder, run_check
from minidl.grading.compare import Mismatch, same
from minidl.grading.finding import listed
from minidl.grading.gradient import Gradient, Pair
from minidl.grading.recognise import Recogniser
from minidl.grading.statistics import Unlikely
from minidl.grading.student import StudentFailure, Until

MOST_SECONDS = 2.0
# What a small call can show, of all that can be wrong with a result.
SHOWN = ("shape", "dtype", "nan", "values")

Opener = Callable[[], AbstractContextManager[Any]]
Given = dict[str, Any]


class Rerun:
    """Calls one submission again.

    Parameters
    ----------
    assignment : what was asked for.
    recogniser : holds the reference and the other right solutions.
    open : opens a fresh student.
    hidden : whether the checks were hidden, so that their inputs may not be shown.
    """

    def __init__(
        self, assignment: Assignment, recogniser: Recogniser, open: Opener, hidden: bool
    ) -> None:
        """Start with the whole time left."""
        self.assignment = assignment
        self.recogniser = recogniser
        self.hidden = hidden
        self._open = open
        self._left = MOST_SECONDS
        self._forward: dict[str, str] = {}

    @contextmanager
    def _hurried(self) -> Iterator[Until]:
        """Open a student who is asked nothing more once the time left is over; take it off."""
        start = time.monotonic()
        try:
            with self._open() as student:
                yield Until(student, start + self._left)
        finally:
            self._left -= time.monotonic() - start

    def example(self, task: Task, outcome: Outcome, last: Call, focus: Mismatch) -> str:
        """Return the smallest call found that goes wrong, in words; "" where there is none.

        It is one that the assignment offers, or else what is left of the call that failed. Where
        checks are hidden it is one of public numbers, and what is right is left to be found.

        Parameters
        ----------
        task : whose check failed.
        outcome : of the check.
        last : the call whose result ended it.
        focus : what is wrong in the result.
        """
        derived = isinstance(focus, Unlikely) or (
            focus.name not in self.assignment.returns[last.function]
        )
        if not self._may(task) or not (derived or focus.what in SHOWN):
            return ""
        try:
            if derived:
                return self._certain(task)
            found = self._offered(task, last, focus)
            said = self._said(last.function, focus, found)
            if not said and self._may(task):
                found = self._shrunk(task, outcome, last, focus)
                said = self._said(last.function, focus, found)
        except StudentFailure:
            return ""
        return said

    def _said(self, function: str, focus: Mismatch, found: shrink.Wrong | None) -> str:
        return shrink.sentence(function, focus.name, found, self.hidden) if found else ""

    def _certain(self, task: Task) -> str:
        """Return an offered call whose result is wrong and no matter of chance: drop nothing, say.

        For checks of what was worked out from results, as their statistics are.
        """
        call = Call(task.function, (), {}, None)
        for name in self.assignment.returns.get(task.function, ()):
            like = Mismatch("values", name, 0.0, 0.0)
            said = self._said(task.function, like, self._offered(task, call, like))
            if said:
                return said
        return ""

    def _offered(self, task: Task, last: Call, focus: Mismatch) -> shrink.Wrong | None:
        """Return the first of the calls that the assignment offers which goes wrong."""
        calls = self.assignment.examples.get(last.function, ())
        if not calls:
            return None
        parameters = self.assignment.parameters[last.function]
        with self._hurried() as student:
            ask = self._asked(task, last.function, focus, student)
            tried = (
                _in_dtype_of(last.args, call) if focus.what == "dtype" else call for call in calls
            )
            found = (ask.wrong(dict(zip(parameters, call, strict=True))) for call in tried)
            return next(filter(None, found), None)

    def _shrunk(
        self, task: Task, outcome: Outcome, last: Call, focus: Mismatch
    ) -> shrink.Wrong | None:
        """Return the smallest call that is left of a public one which failed likewise."""
        public = self._as_public(task, outcome) if self.hidden else last
        if public is None:
            return None
        with self._hurried() as student:
            given, shapes, ask = self._questions(task, public, focus, student)
            return shrink.smallest(given, shapes, ask)

    def _may(self, task: Task) -> bool:
        """Whether there is time left, in a task that takes calls with numbers of our own choice."""
        return task.example and not task.compiled and self._left > 0

    def neutral(self, task: Task, last: Call, focus: Mismatch) -> str:
        """Say with which one argument or axis neutral the result is right; "" where with none."""
        known = focus.name in self.assignment.returns[last.function]
        if not known or not task.example or self._left <= 0:
            return ""
        try:
            with self._hurried() as student:
                given, shapes, ask = self._questions(task, last, focus, student)
                found = shrink.neutral(given, shapes, ask)
        except StudentFailure:
            return ""
        return f"With {listed(found[:3], 'or')} {focus.name} is right." if found else ""

    def _as_public(self, task: Task, outcome: Outcome) -> Call | None:
        """Return the call that ends the public twin of a hidden check, if it fails likewise."""
        with self._hurried() as student:
            public = self._run(task, outcome.check, student)
        same_array = getattr(public.failure, "name", "") == getattr(outcome.failure, "name", "")
        return public.calls[-1] if same_array and public.calls else None

    def _run(self, task: Task, check: Check, student: Any) -> Outcome:
        label = f"{self.assignment.id}@{self.assignment.version}/{task.id}/{check.name}"
        recorder = Recorder(student, self.assignment.returns, self.assignment.parameters)
        return run_check(check, recorder, PUBLIC, label, False)

    def _questions(
        self, task: Task, last: Call, focus: Mismatch, student: Any
    ) -> tuple[Given, Mapping[str, tuple[str, ...]], shrink.Questions]:
        """Return what may be shrunk, the names of its axes, and who is asked about it."""
        function = last.function
        given = setting.arguments(self.assignment, last)
        shapes = setting.documented(self.assignment, function)
        make: Callable[[Given], Given | None] = dict
        gradient = task.gradient
        if gradient is not None and function == task.function:
            forward = self.assignment.task(gradient.of).function
            given = self._forward_arguments(gradient)
            shapes = setting.documented(self.assignment, forward)
            shapes |= {gradient.comes: shapes.get(gradient.result, ())}

            def make(named: Given) -> Given | None:
                results = self._reference(forward, named)
                return gradient.arguments(named, results, self.assignment.parameters[function])

        return given, shapes, self._asked(task, function, focus, student, make)

    def _asked(
        self,
        task: Task,
        function: str,
        focus: Mismatch,
        student: Any,
        make: Callable[[Given], Given | None] = dict,
    ) -> shrink.Questions:
        """Return who is asked about one function, and about which of its arrays."""
        right = [getattr(other, function) for other in self.recogniser.right(task)]
        position = self.assignment.returns[function].index(focus.name)

        def call(*arguments: Any) -> Any:  # looked up each time: so the time is looked at
            return getattr(student, function)(*arguments)

        return shrink.Questions(call, right, position, make, focus)

    def own_forward(self, task: Task) -> str:
        """Say that a backward is the gradient of a wrong forward, or that forward is right."""
        if task.id not in self._forward:
            self._forward[task.id] = self._own_forward(task)
        return self._forward[task.id]

    def _own_forward(self, task: Task) -> str:
        gradient = task.gradient
        if gradient is None or not self._may(task):
            return ""
        forward = self.assignment.task(gradient.of).function
        given = self._forward_arguments(gradient)
        try:
            with self._hurried() as student:
                pair = Pair(
                    gradient,
                    lambda named: self._results(student, forward, named),
                    lambda named: self._results(student, task.function, named),
                    self.assignment.parameters[task.function],
                )
                fits = pair.consistent(given, np.random.default_rng(0))
                own = self._results(student, forward, given)
        except StudentFailure:
            return ""
        right = self._reference(forward, given)
        forward_right = all(same(own.get(name), right[name]) for name in right)
        if fits and not forward_right:
            return (
                f"But it is the gradient of your own {forward}, as central differences show: "
                f"{forward} is what is wrong."
            )
        if forward_right and fits is False:
            return f"Your {forward} is right, so the mistake is in {task.function} itself."
        return ""

    def _forward_arguments(self, gradient: Gradient) -> Given:
        """Return arguments of the forward function, and a gradient that comes in, all public."""
        task = self.assignment.task(gradient.of)
        check = self.assignment.checks_of(task)[0]
        call = self._run(task, check, self.recogniser.right(task)[0]).calls[0]
        given = setting.arguments(self.assignment, call)
        result = self._reference(task.function, given)[gradient.result]
        rng = np.random.default_rng(1)
        return {**given, gradient.comes: rng.normal(size=result.shape).astype(result.dtype)}

    def _results(self, student: Any, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        values = [given[name] for name in self.assignment.parameters[function]]
        returned = setting.arrays(getattr(student, function)(*values))
        return dict(zip(self.assignment.returns[function], returned, strict=False))

    def _reference(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        values = tuple(given[name] for name in self.assignment.parameters[function])
        right = self.recogniser.reference(Call(function, values, {}, None))
        returned = setting.arrays(right)
        return dict(zip(self.assignment.returns[function], returned, strict=False))


def _in_dtype_of(given: Sequence[Any], call: Sequence[Any]) -> tuple[Any, ...]:
    """Return the arguments of a call with floats of the dtype of those that were given."""
    dtype = next((v.dtype for v in given if _is_float(v)), np.dtype(np.float64))
    return tuple(v.astype(dtype) if _is_float(v) else v for v in call)


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def unfit_examples(assignment: Assignment, recogniser: Recogniser) -> Iterator[str]:
    """Yield a sentence for each offered call without one right answer, or too long to be shown."""
    owners = {task.function: task for task in assignment.tasks}
    owners |= {s.name: assignment.task(s.task) for s in assignment.scenarios}
    for function, calls in assignment.examples.items():
        right = [getattr(other, function) for other in recogniser.right(owners[function])]
        names = assignment.returns[function]
        for call in calls:
            given = dict(zip(assignment.parameters[function], call, strict=True))
            with np.errstate(all="ignore"):
                agreed = shrink.Questions(right[0], right, 0).agreed(given, finite=False)
            what = f"example {function}{call}"
            if agreed is None:
                yield f"{what}: right solutions fail, or disagree"
            elif not all(
                shrink.sentence(function, name, (given, array, array), hidden=False)
                for name, array in zip(names, agreed, strict=True)
            ):
                yield f"{what} is too long to be shown"
