"""What a submission gives back, and when, costs the grader neither its memory nor its time."""

import importlib
import json
import time
from contextlib import contextmanager

import numpy as np
import pytest
import tiny_assignment

from minidl.grading import check as check_module
from minidl.grading import signature
from minidl.grading.assignment import Assignment
from minidl.grading.check import MOST_VALUES, Explained, Recorder, timed
from minidl.grading.grade import grade_source
from minidl.grading.gradient import Gradient, Pair
from minidl.grading.protocol import MAX_EMPTY, ProtocolError, parse
from minidl.grading.rerun import Rerun
from minidl.grading.student import LocalSandbox, LocalStudent, StudentFailure, Until


def recorder(function, names=("y",)):
    return Recorder(LocalStudent({"f": function}), {"f": names}, {"f": ("x",)})


def failed(call, *args):
    with pytest.raises(StudentFailure) as caught:
        call(*args)
    return caught.value


@pytest.mark.parametrize("shape", [(2**31 - 1, 0), (0, 2**20, 2), (2**15, 0, 2**15)])
def test_no_axis_beside_an_empty_one_is_endless(shape):
    """A sum over the empty axis would take the memory of all the others, and a loop their time."""
    with pytest.raises(ProtocolError, match="empty array of an impossible shape"):
        parse(json.dumps({"array": ["int8", list(shape)]}).encode(), 0)


@pytest.mark.parametrize("shape", [(0, 3, 4), (MAX_EMPTY, 0), (0,)])
def test_other_empty_arrays_are_welcome(shape):
    value, _ = parse(json.dumps({"array": ["float64", list(shape)]}).encode(), 0)
    assert value.shape == shape


@pytest.mark.parametrize(
    "returned",
    [
        lambda x: np.zeros(MOST_VALUES + 65 * x.size, np.int8),
        lambda x: (np.zeros(MOST_VALUES, np.int8), {"more": [np.zeros((65, x.size), np.int8)]}),
    ],
)
def test_far_more_than_was_given_is_not_looked_at(returned):
    for call in (recorder(returned).f, lambda x: timed(recorder(returned), "f", [x])):
        failure = failed(call, np.ones(5))
        assert failure.kind == "memory"
        assert failure.message == "f returned far more values than it was given"


def test_as_much_as_was_given_may_come_back_many_times_over():
    student = recorder(lambda x: np.zeros((60, x.size), np.int8))
    assert student.f(np.zeros(MOST_VALUES // 16, np.int8)).size > 3 * MOST_VALUES


def test_what_a_check_keeps_is_bounded(monkeypatch):
    monkeypatch.setattr(check_module, "MOST_IN_ALL", 30)
    student = recorder(lambda x: np.zeros(8))
    for _ in range(3):
        student.f(np.ones(1))
    assert failed(student.f, np.ones(1)).message == "f has returned too many values in all"
    assert len(student.calls) == 3


def test_it_is_told_in_words(tmp_path):
    tiny = Assignment.load(tiny_assignment.write(tmp_path))
    source = "import numpy as np\ndef centre(x):\n    return np.zeros((2**21,), np.int8)\n"
    result = grade_source(source, tiny, b"a" * 32, LocalSandbox())
    assert "centre returned far more values than it was given." in result.tasks[0].checks[0].seen


@pytest.mark.parametrize("value", ["1e308", "-1e300 * np.arange(5)", "5e-324"])
def test_numbers_at_the_ends_of_their_range_are_explained_in_silence(tmp_path, value):
    tiny = Assignment.load(tiny_assignment.write(tmp_path))
    source = "import numpy as np\n"
    source += f"def centre(x):\n    return 0 * x + {value}\n"
    source += f"def moments(x):\n    return np.array([{value}]).ravel()[-1:], np.full(1, 1e308)\n"
    result = grade_source(source, tiny, None, LocalSandbox())  # a warning would be an error here
    assert result.score == 0
    assert all(check.seen for task in result.tasks for check in task.checks)


# --- time


def test_nothing_is_asked_after_the_moment():
    student = LocalStudent({"f": lambda x: x})
    assert Until(student, time.monotonic() + 60).f(1) == 1
    late = Until(student, time.monotonic() - 1)
    assert late.damaged == set()
    assert failed(lambda: late.f(1)).kind == "timeout"


def test_the_cap_holds_within_a_check(tmp_path, monkeypatch):
    """Each call may take nearly its deadline, and a check may make hundreds."""
    module = importlib.import_module("minidl.grading.grade")
    monkeypatch.setattr(module, "MOST_SECONDS", 0.25)
    many = "    x = case.normal(5, mean=3.0)\n"
    asked = many + "    for _ in range(1000):\n        student.centre(x)\n"
    changed = ("checks.py", many, asked)
    tiny = Assignment.load(tiny_assignment.write(tmp_path, *changed))
    source = "import time\ndef centre(x):\n    time.sleep(0.05)\n    return x - x.mean()\n"
    start = time.monotonic()
    result = grade_source(source, tiny, None, LocalSandbox())
    assert time.monotonic() - start < 5
    assert result.score == 0
    assert "centre did not come back in time" in result.tasks[0].checks[0].seen


def test_calls_made_again_end_with_their_time(monkeypatch):
    class Opened:
        def __enter__(self):
            return LocalStudent({"f": lambda x: x})

        def __exit__(self, *_):
            pass

    rerun = Rerun(None, None, Opened, True)
    with rerun._hurried() as student:
        assert student.f(1) == 1
    rerun._left = -1.0
    with rerun._hurried() as student:
        assert failed(lambda: student.f(1)).kind == "timeout"


def test_one_of_fifty_thousand_names_is_looked_for_once(monkeypatch):
    compared = []
    monkeypatch.setattr(
        signature.difflib,
        "get_close_matches",
        lambda name, names, **_: compared.append(len(names)) or [],
    )
    many = signature.Signatures("\n".join(f"def a{i}(): 0" for i in range(3000)).encode())
    assert [many.missing("centre") for _ in range(3)] == [None] * 3
    assert compared == [signature.MOST_NAMES]


# --- a submission's own forward


def test_the_gradient_of_a_result_that_outgrows_it_is_not_formed():
    """Beside a gradient of another shape, a product would have as many values as both together."""
    pair = Pair(
        Gradient("square", "y", "dy", {"dx": "x"}),
        lambda given: {"y": np.ones((50_000, 1, 1))},
        lambda given: {"dx": np.ones((3, 2))},
        ["dy"],
    )
    given = {"x": np.ones((3, 2)), "dy": Untouched((3, 2))}
    assert pair.consistent(given, np.random.default_rng(0)) is False


class Untouched(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        pytest.fail("a product of arrays that do not fit")


class Turncoat(LocalSandbox):
    """Opens a few students that are what they are, and then some that answer with `junk`."""

    def __init__(self, junk, honest, names):
        self.left = honest
        self.other = LocalStudent({name: lambda *_: junk for name in names})

    @contextmanager
    def student(self, source, *rest):
        self.left -= 1
        with super().student(source, *rest) as student:
            yield student if self.left >= 0 else self.other


@pytest.mark.parametrize("later", range(4))
@pytest.mark.parametrize("junk", [2.5, {"a": 1, "b": 2, "c": 3}, [None] * 3])
def test_whoever_explains_a_failure_may_be_answered_with_anything(junk, later):
    """After the checks the gradients of one's own forward are looked at, for one."""
    assignment = Assignment.load("batch_norm")
    task = assignment.task("backward")
    wrong = assignment.solution() + (
        "\n_right = backward\ndef backward(*args):\n"
        "    return tuple(1.01 * d + 0.1 for d in _right(*args))\n"
    )
    sandbox = Turncoat(junk, len(assignment.checks_of(task)) + later, assignment.targets)
    result = grade_source(wrong, assignment, b"a secret of sixteen", sandbox, tasks=[task])
    assert sandbox.left < 0
    assert result.score == 0


def test_what_comes_back_to_whoever_explains_has_its_structure():
    student = LocalStudent({"f": lambda x: x, "g": lambda x: (x, [x])})
    explained = Explained(student, {"f": ("y",), "g": ("y", "z")})
    assert explained.f(2.5).shape == ()
    assert explained.damaged == set()
    for call in (lambda: explained.f("x"), lambda: explained.g(np.ones(3))):
        assert failed(call).kind == "protocol"
