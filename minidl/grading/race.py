"""A race: the student's function against a reference, by the grader's clock.

Both have one processor: what several threads use at once is added up. Calls take turns, so that
whatever else the machine does slows both; the fastest counts, of as many as it takes to be fast
enough, within bounds. The first call, in which a compiler runs, is timed apart. Each turn has
inputs of its own, which nobody can foresee, and its values are compared, so that nothing computed
before, and nothing wrong, wins.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import threadpoolctl

from minidl.errors import expected
from minidl.grading.check import Call, CheckError, Recorder, timed
from minidl.grading.compare import Mismatch, close, same
from minidl.grading.mistake import Mistake

MOST_TURNS, MOST_SECONDS = 30, 4.0
FAIR_TURNS, HOPELESS = 5, 5.0
ALIKE = 3.0
# Of a call to another process, which on a crowded machine waits for its turn, and of what is sent.
CALL_SECONDS, SECONDS_PER_BYTE = 8e-3, 1e-9


class Slow(Mismatch):
    """A race that was lost.

    Parameters
    ----------
    call : the first one.
    got, want : seconds of the student's and of the reference's fastest call.
    allowed : seconds that would have been fast enough.
    compiling : seconds of the first call, beyond those of a later one.
    processor : processor seconds of the student's fastest call; 0.0 where unknown.
    """

    def __init__(
        self,
        call: Call,
        got: float,
        want: float,
        allowed: float,
        compiling: float,
        processor: float = 0.0,
    ) -> None:
        """Keep the parts."""
        super().__init__("slow", call.function, got, want, allowed)
        self.call = call
        self.compiling = compiling
        self.processor = processor


def race(
    student: Recorder,
    function: str,
    args: Sequence[Any],
    reference: Callable[..., Any],
    at_most: float = 3.0,
    rtol: float | None = None,
) -> None:
    """Raise Slow unless the student's function is fast enough, and Mismatch where it is wrong.

    Parameters
    ----------
    student : what the check was given.
    function : what is called.
    args : its arguments; enough work for some milliseconds. In each turn the values of the float
        arrays among them stand in other places, drawn anew: no secret key, no seed gives them away.
    reference : returns what is right; runs here, compiled and on one thread.
    at_most : how many times as long as the reference the student may take, 2 or more.
    rtol : accepted difference in the values, as in `close`.
    """
    if at_most < 2:
        hint = "clocks are not exact"
        raise CheckError(expected("race", "at_most of 2 or more", at_most, hint))
    with threadpoolctl.threadpool_limits(1):
        right = reference(*args)
        start = time.perf_counter()
        getattr(student, function)(*args)
        first = time.perf_counter() - start
        call = student.calls[-1]
        _compare(student, call, right, rtol)
        mine, yours, processor, turn = math.inf, math.inf, math.inf, 0
        rng = np.random.default_rng()
        overhead = CALL_SECONDS + SECONDS_PER_BYTE * (_bytes(args) + _bytes(right))
        until = time.perf_counter() + MOST_SECONDS
        while turn < FAIR_TURNS or (turn < MOST_TURNS and time.perf_counter() < until):
            turn += 1
            given = tuple(_moved(value, rng) for value in args)
            start = time.perf_counter()
            right = reference(*given)
            mine = min(mine, time.perf_counter() - start)
            returned, clock, worked = timed(student, function, given)
            yours, processor = min(yours, max(clock, worked)), min(processor, worked)
            _compare(student, Call(function, given, {}, returned), right, rtol)
            allowed = at_most * mine + overhead
            hopeless = turn >= FAIR_TURNS and yours > HOPELESS * allowed
            if hopeless or (turn >= 2 and yours <= allowed):
                break
    if yours > allowed:
        raise Slow(call, yours, mine, allowed, max(first - yours, 0.0), processor)


def _compare(student: Recorder, call: Call, right: Any, rtol: float | None) -> None:
    names = student.names(call.function)
    wanted = right if isinstance(right, (tuple, list)) else (right,)
    returned = call.returned if len(names) > 1 else (call.returned,)
    for name, got, want in zip(names, returned, wanted, strict=True):
        close(got, want, name, rtol=rtol)


def _moved(value: Any, rng: np.random.Generator) -> Any:
    """Return a float array with its values in other places; anything else as it is."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    return rng.permutation(value.reshape(-1)).reshape(value.shape)


def _bytes(value: Any) -> int:
    if isinstance(value, (tuple, list)):
        return sum(map(_bytes, value))
    return value.nbytes if isinstance(value, np.ndarray) else 0


def as_slow_as(
    slow: Slow,
    known: Sequence[tuple[Mistake, ...]],
    again: Callable[[tuple[Mistake, ...], Call], Any],
) -> tuple[Mistake, ...]:
    """Return the known mistake that gives the right values in about the student's time.

    Within a factor of 3, and clearly nearer than any other; else none. Processor time is compared:
    on a crowded machine the clock goes on while a call waits for its turn.

    Parameters
    ----------
    slow : the race that was lost.
    known : mistakes of the task.
    again : makes a call again with some mistakes, or with none.
    """
    right = again((), slow.call)
    took = slow.processor or slow.got
    found = []
    for mistakes in known:
        if same(again(mistakes, slow.call), right):
            seconds = min(_seconds(again, mistakes, slow.call) for _ in range(3))
            found.append((abs(math.log(seconds / took)), mistakes))
    found.sort(key=lambda pair: pair[0])
    if not found or found[0][0] > math.log(ALIKE):
        return ()
    alone = len(found) == 1 or found[1][0] > found[0][0] + math.log(2)
    return found[0][1] if alone else ()


def _seconds(again: Callable[..., Any], mistakes: tuple[Mistake, ...], call: Call) -> float:
    start = time.process_time()
    again(mistakes, call)
    return time.process_time() - start
