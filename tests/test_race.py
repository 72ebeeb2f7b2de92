"""Compiled tasks: workers with Numba, races by the grader's clock, Cython's pure-Python mode."""

import time
from types import SimpleNamespace

import compiled_assignment
import numpy as np
import pytest
import tiny_assignment

from minidl.errors import ArgumentError
from minidl.grading import race as race_module
from minidl.grading.assignment import Assignment
from minidl.grading.check import Call, CheckError, Recorder, timed
from minidl.grading.compare import Mismatch
from minidl.grading.grade import grade_source
from minidl.grading.mistake import Mistake
from minidl.grading.race import CALL_SECONDS, Slow, as_slow_as, race
from minidl.grading.sandbox import Limits, Sandbox
from minidl.grading.student import LocalSandbox, LocalStudent, StudentFailure
from minidl.grading.zygote import SandboxError

SECRET = b"a secret of the instructor's own"

PARALLEL = b"""
import os
import cython
import numpy as np
from numba import njit, prange

calls = 0

@njit(cache=True)
def kept(x):
    return x + 1

@njit(parallel=True)
def parallel(x):
    y = np.zeros(1)
    total = 0.0
    for i in prange(len(x)):
        total += x[i]
    y[0] = total
    return y

@njit
def broken(x):
    return x.nowhere

def count():
    global calls
    calls += 1
    return calls

def stop():
    os._exit(3)

def loop(x):
    while True:
        pass

def find(name):
    __import__(name)
    return cython.compiled
"""
FUNCTIONS = ["kept", "parallel", "broken", "count", "stop", "loop", "find"]


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    return Assignment.load(compiled_assignment.write(tmp_path_factory.mktemp("fast")))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(call_seconds=5.0)) as opened:
        yield opened


@pytest.fixture
def compiled(sandbox):
    return sandbox.student(PARALLEL, "fast.py", FUNCTIONS, compiler=True)


def failed(call, *args):
    with pytest.raises(StudentFailure) as caught:
        call(*args)
    return caught.value


# --- workers with Numba


def test_every_worker_compiles_for_itself_even_in_parallel(compiled):
    x = np.arange(5.0)
    for _ in range(2):  # the second worker is forked after the first one has compiled
        with compiled as student:
            np.testing.assert_array_equal(student.kept(x), x + 1)
            np.testing.assert_array_equal(student.parallel(x), [10.0])
            assert student.output == ""


def test_what_cannot_be_compiled_names_the_students_line(compiled):
    with compiled as student:
        failure = failed(student.broken, np.ones(2))
    assert (failure.kind, failure.line) == ("raised", 24)
    assert failure.message.startswith("TypingError")


def test_a_hidden_check_still_says_that_it_is_about_types(sandbox):
    with sandbox.student(PARALLEL, "fast.py", FUNCTIONS, True, compiler=True) as student:
        assert failed(student.broken, np.ones(2)).message.startswith("TypingError (line 24: `")


def test_confinement_is_the_same(compiled, sandbox):
    with compiled as student:
        for name in ("scipy", "minidl", "yaml", "Cython.Build", "Cython.Compiler.Main"):
            assert "ModuleNotFoundError" in failed(student.find, name).message
        assert student.find("numba.typed") is False
    ordinary = sandbox.student(b"import cython\ndef f(): return cython.compiled", functions=["f"])
    with ordinary as student:
        assert student.f() is False


def test_workers_with_numba_reach_the_layers_that_were_reported(monkeypatch):
    with Sandbox() as sandbox:
        monkeypatch.setattr(sandbox._zygote, "reached", ["another layer"])
        opened = sandbox.student(PARALLEL, "fast.py", FUNCTIONS, compiler=True)
        with (
            pytest.raises(SandboxError, match="layers another layer for workers with Numba"),
            opened,
        ):
            pytest.fail("a worker less confined than was reported")


def test_only_calls_with_new_types_may_take_longer(compiled):
    with compiled as student:
        seconds = [
            student._seconds("kept", args, {})
            for args in [(np.ones(2),), (np.ones(3),), (np.ones((2, 2)),), (1,), ([1, 2.0],), (2,)]
        ]
    assert seconds == [25.0, 5.0, 25.0, 25.0, 25.0, 5.0]


def test_ordinary_workers_have_no_compiler_and_less_time(sandbox):
    with sandbox.student(b"def f(x): return x", functions=["f"]) as student:
        assert student._seconds("f", (np.ones(2),), {}) == 5.0
        assert student._limits.memory_bytes < sandbox.limits.with_compiler().memory_bytes


# --- grading


def test_a_compiled_task_keeps_one_worker_for_all_its_checks(fast, sandbox):
    source = fast.solution() + "\n\ncalls = [0]\ninner = total\n"
    source += "def total(x):\n    calls[0] += 1\n"
    source += "    return inner(x) if calls[0] < 3 else np.full(1, 1.0 * calls[0])\n"
    result = grade_source(source, fast, None, sandbox)
    first, second = result.tasks[0].checks
    assert first.status == "passed"
    assert second.status == "failed"
    assert grade_source(fast.solution(), fast, SECRET, sandbox).score == 4


def test_a_dead_worker_costs_one_check(fast, sandbox):
    source = fast.solution() + "\n\ninner = total\nimport os\n"
    source += "def total(x):\n    return inner(x) if len(x) > 30 else os._exit(1)\n"
    result = grade_source(source, fast, None, sandbox)
    assert [check.status for check in result.tasks[0].checks] == ["error", "passed"]


def test_a_slow_solution_is_told_from_its_time(fast, sandbox):
    for opened in (sandbox, LocalSandbox()):
        result = grade_source(fast.with_mistake("not_compiled"), fast, None, opened)
        passed, lost = result.tasks[0].checks
        assert passed.status == "passed"
        assert lost.mistake == "not_compiled"
        assert "total is right, but took" in lost.seen
        assert "Nothing compiles the loop" in lost.seen
        assert lost.question == "Which line makes a compiled function of it?"


def test_other_tasks_of_such_a_file_can_be_graded_too(fast, sandbox):
    result = grade_source(fast.with_mistake("not_doubled"), fast, None, sandbox)
    assert [task.earned for task in result.tasks] == [3, 0]
    assert result.tasks[1].checks[0].mistake == "not_doubled"


def test_numba_imported_for_nothing_costs_nothing(sandbox, tmp_path):
    tiny = Assignment.load(tiny_assignment.write(tmp_path / "tiny"))
    source = f"from numba import njit\n{tiny.solution()}"
    assert grade_source(source, tiny, None, sandbox).score == tiny.points


@pytest.mark.parametrize("name", ["cython", "numba"])
def test_a_package_that_is_not_installed_is_named(fast, monkeypatch, name):
    real = race_module.np  # any module that is there

    def find_spec(wanted):
        return None if wanted == name else real.__spec__

    monkeypatch.setattr("minidl.grading.assignment.importlib.util.find_spec", find_spec)
    with pytest.raises(ArgumentError, match=rf"fast: expected the package {name}, got none; pip"):
        grade_source(fast.solution(), fast, None, LocalSandbox())


def test_another_compiler_is_no_compiler(tmp_path):
    changed = ("assignment.toml", '"numba"', '"jax"')
    with pytest.raises(ArgumentError, match='expected compiled = "numba", or nothing, got jax'):
        Assignment.load(compiled_assignment.write(tmp_path / "fast", *changed))


# --- races


def recorder(function):
    return Recorder(LocalStudent({"f": function}), {"f": ("y",)}, {"f": ("x", "n")})


def waiting(seconds, factor=2.0):
    def function(x, n=0):
        time.sleep(seconds)
        return factor * x

    return function


def test_fast_enough_passes_and_only_the_first_call_is_recorded():
    student = recorder(waiting(0.002))
    race(student, "f", [np.ones(3)], waiting(0.002))
    assert len(student.calls) == 1
    assert student.inputs == "(f with x of shape (3,), float64.)"


def test_slow_is_told_in_seconds():
    with pytest.raises(Slow) as caught:
        race(recorder(waiting(0.03)), "f", [np.ones(3), 1], waiting(0.004))
    slow = caught.value
    assert (slow.what, slow.name, slow.call.args[1]) == ("slow", "f", 1)
    assert slow.got >= 0.03
    assert slow.want >= 0.004
    assert slow.allowed == pytest.approx(3 * slow.want + CALL_SECONDS, abs=1e-6)


def test_the_first_call_is_not_counted():
    calls = []

    def function(x):
        calls.append(1)
        time.sleep(0.002 if len(calls) > 1 else 0.1)
        return 2 * x

    race(recorder(function), "f", [np.ones(3)], waiting(0.002))
    assert len(calls) == 3


def test_one_slow_turn_is_forgiven():
    calls = []

    def function(x):
        calls.append(1)
        time.sleep(0.1 if len(calls) in (2, 3) else 0.002)
        return 2 * x

    race(recorder(function), "f", [np.ones(3)], waiting(0.004), at_most=30.0)


def test_what_was_kept_from_the_first_call_does_not_win():
    kept = []

    def function(x):
        kept.append(2 * x)
        return kept[0]

    with pytest.raises(Mismatch) as caught:
        race(recorder(function), "f", [np.arange(30.0)], waiting(0.002))
    assert caught.value.what == "values"


def test_turns_cannot_be_worked_out_beforehand():
    """A submission has half a minute for the first call: it could answer all it foresees."""
    runs = []
    for _ in range(2):
        given = []

        def function(x, n, given=given):
            given.append(x.copy())
            return 2 * x

        args = [np.arange(12, dtype=np.float32).reshape(3, 4), 1]
        race(recorder(function), "f", args, waiting(0.002))
        runs.append(given)
    (first, *turns), (_, *others) = runs
    for x in turns:
        np.testing.assert_array_equal(np.sort(x, axis=None), first.ravel())
        assert (x.shape, x.dtype) == (first.shape, first.dtype)
        assert not any(np.array_equal(x, y) for y in others)
        assert not any(np.array_equal(x, np.roll(first, shift)) for shift in range(12))


@pytest.mark.parametrize(
    ("returned", "what"), [(lambda x: 0 * x, "values"), (lambda x: None, "structure")]
)
def test_fast_and_wrong_does_not_win(returned, what):
    with pytest.raises(Mismatch) as caught:
        race(recorder(returned), "f", [np.ones(3)], waiting(0.002))
    assert caught.value.what == what


def test_processor_time_counts_where_it_is_more_than_the_clock_says():
    """Of a student with two threads: each second of the clock is two of the processor."""
    student = SimpleNamespace(processor_seconds=7.0, damaged=set())

    def function(x):
        student.processor_seconds += 2.0
        return x

    student.f = function
    two_threads = Recorder(student, {"f": ("y",)}, {"f": ("x",)})
    returned, clock, processor = timed(two_threads, "f", [np.ones(3)])
    assert (processor, clock < 2.0) == (2.0, True)
    np.testing.assert_array_equal(returned, np.ones(3))
    with pytest.raises(Slow) as caught:
        race(two_threads, "f", [np.ones(3)], lambda x: x)
    assert (caught.value.got, caught.value.processor) == (2.0, 2.0)
    _, clock, processor = timed(recorder(waiting(0.03)), "f", [np.ones(3)])
    assert processor < 0.03 <= clock


THREADS = b"""
import hashlib, threading, time

def busy(x):
    start = time.process_time()
    work = lambda: hashlib.sha256(bytes(10**7)).digest()  # without Python's lock
    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return time.process_time() - start
"""


def test_the_time_of_all_threads_of_a_worker_is_seen(sandbox):
    with sandbox.student(THREADS, "busy.py", ["busy"]) as student:
        before = student.processor_seconds
        own = student.busy(np.ones(2))
        seen = student.processor_seconds - before
        assert own <= seen <= 1.5 * own
    assert student.processor_seconds == 0.0  # it is no more


def test_a_margin_too_small_to_measure():
    with pytest.raises(CheckError, match=r"at_most of 2 or more, got 1\.5"):
        race(recorder(waiting(0)), "f", [np.ones(3)], waiting(0), at_most=1.5)


def working(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def known_by_time(times, wait=0.0):
    """Mistakes that take some processor time each, and wait besides; `wrong` is so."""
    made = {name: (Mistake(name, "t", "", "", ""),) for name in times}

    def again(mistakes, call):
        name = mistakes[0].id if mistakes else ""
        time.sleep(wait)
        working(times.get(name, 0.0))
        return np.zeros(1) if name == "wrong" else np.ones(1)

    return made, again


def test_the_mistake_nearest_in_time_is_named():
    made, again = known_by_time({"quick": 0.002, "slow": 0.03, "wrong": 0.03})
    call = Call("f", (), {}, np.ones(1))
    known = list(made.values())
    assert as_slow_as(Slow(call, 0.04, 0.001, 0.003, 0.0), known, again) == made["slow"]
    assert as_slow_as(Slow(call, 0.4, 0.001, 0.003, 0.0), known, again) == ()
    assert as_slow_as(Slow(call, 0.0075, 0.001, 0.003, 0.0), known, again) == ()


def test_a_mistake_is_known_on_a_crowded_machine():
    """There the clock goes on while a call waits, a student's as well as a mistake's."""
    made, again = known_by_time({"slow": 0.02}, wait=0.1)
    call = Call("f", (), {}, np.ones(1))
    for got in (0.03, 0.3):
        slow = Slow(call, got, 0.001, 0.003, 0.0, processor=0.025)
        assert as_slow_as(slow, [made["slow"]], again) == made["slow"]
