from functools import cache

import numpy as np
import pytest

from minidl.errors import ArgumentError
from minidl.grading import case as case_module
from minidl.grading.assignment import Assignment
from minidl.grading.case import PUBLIC, Case
from minidl.grading.check import Recorder, check, run_check
from minidl.grading.compare import Mismatch, close, same
from minidl.grading.grade import grade_source
from minidl.grading.student import LocalSandbox, LocalStudent, StudentFailure

SECRET = b"a secret of the instructor's own"


@cache
def batch_norm():
    return Assignment.load("batch_norm")


# --- cases


def test_a_case_draws_the_same_numbers_again():
    one, again = (Case(PUBLIC, "a@1/a.b/c", 3) for _ in range(2))
    np.testing.assert_array_equal(one.normal(2, 3), again.normal(2, 3))
    assert one.integer(0, 10**9) == again.integer(0, 10**9)


@pytest.mark.parametrize(
    "other",
    [
        Case(SECRET, "a@1/a.b/c", 3),
        Case(PUBLIC, "a@2/a.b/c", 3),
        Case(PUBLIC, "a@1/a.b/d", 3),
        Case(PUBLIC, "a@1/a.b/c", 2),
    ],
)
def test_key_version_check_and_number_all_matter(other):
    assert not np.any(Case(PUBLIC, "a@1/a.b/c", 3).normal(4) == other.normal(4))


def test_what_a_case_draws():
    case = Case(PUBLIC, "a@1/a.b/c", 4)
    assert case.normal(3, 2, dtype=np.float32).dtype == np.float32
    far = case.normal(1000, mean=5.0, scale=0.1)
    assert abs(far.mean() - 5) < 0.02
    assert 0.08 < far.std() < 0.12
    even = case.uniform(1000, low=2.0, high=3.0)
    assert 2 <= even.min() < 2.02 < 2.98 < even.max() < 3
    assert {case.integer(1, 3) for _ in range(50)} == {1, 2, 3}
    assert case.turn("a", "b", "c") == "b"


# --- comparison


def test_what_a_case_works_out_it_works_out_once(monkeypatch):
    calls = []

    def expected_of(case):
        return case.once("y", lambda: calls.append(case.number) or np.full(2, case.number))

    for _ in range(2):
        for number in (3, 4):
            np.testing.assert_array_equal(expected_of(Case(SECRET, "once@1/a.b/c", number)), number)
    assert calls == [3, 4]
    again = Case(SECRET, "once@1/a.b/c", 3)
    assert again.once("other", lambda: calls.append("other") or np.zeros(1)) == 0
    assert again.once("y", lambda: np.ones(1)) == 1, "what works it out counts too"
    with pytest.raises(ValueError, match="read-only"):
        again.once("y", lambda: np.ones(1))[0] = 7
    monkeypatch.setattr("minidl.grading.case.MOST_KNOWN", len(case_module._known))
    expected_of(Case(SECRET, "once@1/a.b/c", 9))
    assert len(case_module._known) == case_module.MOST_KNOWN


def test_close_accepts_rounding_and_nothing_more():
    want = np.array([1.0, -100.0])
    close(want + 9e-6, want)
    with pytest.raises(Mismatch) as info:
        close(want + 1.1e-5, want, "dx")
    assert (info.value.what, info.value.name) == ("values", "dx")
    close(want.astype(np.float32) * np.float32(1.00005), want.astype(np.float32))
    with pytest.raises(Mismatch):
        close(want.astype(np.float32) * np.float32(1.0002), want.astype(np.float32))
    close(want * 1.01, want, rtol=0.02)
    close(np.array([1e-9]), np.array([0.0]), atol=1e-8)


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize(
    ("got", "what"),
    [
        (None, "type"),
        (2.0, "type"),
        ([1.0, 2.0], "type"),
        (np.array([1.0, 2.0]).view(Subclass), "type"),
        (np.ma.masked_array([1.0, 2.0]), "type"),
        (np.array([[1.0, 2.0]]), "shape"),
        (np.array([1.0, 2.0], np.float32), "dtype"),
        (np.array([1, 2]), "dtype"),
        (np.array([1.0, np.nan]), "nan"),
        (np.array([1.0, np.inf]), "nan"),
        (np.array([1.0, 2.1]), "values"),
    ],
)
def test_close_names_the_first_difference(got, what):
    with pytest.raises(Mismatch) as info:
        close(got, np.array([1.0, 2.0]))
    assert info.value.what == what


def test_nan_passes_through_where_it_is_expected():
    want = np.array([1.0, np.nan, np.inf])
    close(want.copy(), want)
    for got in ([1.0, np.inf, np.nan], [1.0, np.nan, -np.inf], [np.nan] * 3):
        with pytest.raises(Mismatch):
            close(np.array(got), want)


def test_same_looks_into_tuples():
    one, other = np.array([1.0]), np.array([2.0])
    assert same((one, other), [one.copy(), other.copy()])
    assert not same((one, other), (one, one))
    assert not same((one,), (one, one))
    assert not same(one, one.astype(np.float32))
    assert not same(one, 1.0)
    assert same(None, None)


# --- checks


def recorder(function, **code):
    return Recorder(LocalStudent(code), {function: ("y", "z")}, {function: ("x", "w")})


def test_a_check_passes_only_if_every_case_does():
    @check(task="f", points=1, public=2, hidden=4)
    def third_case_counts(student, case):
        """The third case."""
        y, _ = student.f(np.array([float(case.number)]))
        close(y, np.array([float(min(case.number, 1))]))

    assert third_case_counts.says == "The third case."
    public = run_check(third_case_counts, recorder("f", f=lambda x: (x, x)), PUBLIC, "l", False)
    assert public.failure is None
    assert len(public.calls) == 2
    hidden = run_check(third_case_counts, recorder("f", f=lambda x: (x, x)), SECRET, "l", True)
    assert isinstance(hidden.failure, Mismatch)
    assert hidden.case == 2
    assert hidden.inputs == "(f with x of shape (1,), float64.)"


def test_what_a_check_cannot_use_is_a_failure_of_the_student():
    @check(task="f", points=1)
    def adds(student, case):
        """Adds arrays that do not fit."""
        y, _ = student.f(np.zeros(2))
        close(y + np.zeros(3), np.zeros(3))

    outcome = run_check(adds, recorder("f", f=lambda x: (x, x)), PUBLIC, "l", False)
    assert isinstance(outcome.failure, StudentFailure)
    assert outcome.failure.kind == "protocol"
    assert "ValueError" in outcome.failure.message


@pytest.mark.parametrize("options", [{"points": 0}, {"public": 0}, {"hidden": 1}])
def test_a_check_worth_nothing_or_without_cases(options):
    with pytest.raises(ArgumentError, match="check: expected points > 0"):
        check(**{"task": "f", "points": 1, **options})


@pytest.mark.parametrize(
    "returned",
    [None, 1.0, (np.zeros(1),), (np.zeros(1),) * 3, (np.zeros(1), "2"), np.zeros((2, 1))],
)
def test_the_structure_is_looked_at_before_a_check_sees_it(returned):
    with pytest.raises(Mismatch) as info:
        recorder("f", f=lambda x: returned).f(np.zeros(1))
    assert info.value.what == "structure"
    assert info.value.want == ("y", "z")


def test_damage_is_noticed_by_name():
    def damages(x, w):
        w += 1
        return x, w

    record = recorder("f", f=damages)
    given = np.zeros(2), np.zeros(2)
    record.f(*given)
    assert record.damaged == {"f": {"w"}}
    assert not given[1].any()


# --- students


class EqualsEverything:
    """Says yes to whatever it is compared with."""

    __array_priority__ = 1e9

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


@pytest.mark.parametrize(
    "value",
    [
        EqualsEverything(),
        (np.zeros(1), EqualsEverything()),
        np.array([1, "a"], dtype=object),
        np.zeros(1, complex),
        np.ma.masked_array([1.0]),
        np.zeros(1).view(Subclass),
        {1, 2},
        b"bytes",
    ],
)
def test_only_exact_values_come_back(value):
    with pytest.raises(StudentFailure) as info:
        LocalStudent({"f": lambda: value}).f()
    assert info.value.kind == "protocol"


def test_a_local_student_fails_as_a_sandboxed_one_does():
    source = (
        "import numpy as np\ndef f(x):\n    return 1 / x\ndef g(x):\n    raise MemoryError\nh = 3\n"
    )
    student = LocalStudent.from_source(source)
    for call, kind, line in [
        (lambda: student.f(0), "raised", 3),
        (lambda: student.g(0), "memory", None),
        (lambda: student.h(0), "missing", None),
        (lambda: student.k(0), "missing", None),
        (lambda: student.f(), "raised", None),
    ]:
        with pytest.raises(StudentFailure) as info:
            call()
        assert (info.value.kind, info.value.line) == (kind, line)
    with pytest.raises(StudentFailure, match="ZeroDivisionError"):
        LocalStudent.from_source("1 / 0")


def test_results_are_copies():
    kept = np.zeros(2)
    student = LocalStudent({"f": lambda: kept, "g": lambda x: x})
    first = student.f()
    first += 1
    assert not kept.any()
    given = np.zeros(2)
    assert student.g(given) is not given


# --- the batch-norm checks


def test_every_check_says_what_it_demands():
    for one in batch_norm().checks:
        assert one.says.endswith("."), one.name
        assert one.hidden > one.public or one.points <= 2


@pytest.mark.parametrize("key", [None, SECRET])
def test_the_reference_keeps_every_point(key):
    result = grade_source(batch_norm().solution(), batch_norm(), key, LocalSandbox())
    assert [c for task in result.tasks for c in task.checks if c.seen] == []
    assert result.score == result.points == 100


LIARS = {
    "equals everything": """
class Yes:
    def __eq__(self, other): return True
    def __iter__(self): return iter([self] * 5)
    def __len__(self): return 5
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __array__(self, *a, **k): return np.zeros(1)
answer = lambda *args: Yes()
""",
    "returns its arguments": "answer = lambda *args: args",
    "returns nothing": "answer = lambda *args: None",
    "returns five zeros": "answer = lambda *args: (np.zeros(1),) * 5",
    "returns its first argument": "answer = lambda first, *rest: first",
    "returns its first two arguments": "answer = lambda *args: args[:2]",
    "returns its first three arguments": "answer = lambda *args: args[:3]",
}


@pytest.mark.parametrize("liar", LIARS)
def test_liars_score_nothing_on_any_task(liar):
    names = [task.function for task in batch_norm().tasks]
    source = f"import numpy as np\n{LIARS[liar]}\n{' = '.join(names)} = answer\n"
    for key in (None, SECRET):
        result = grade_source(source, batch_norm(), key, LocalSandbox())
        assert [task.earned for task in result.tasks] == [0] * len(names)


def test_tasks_are_independent():
    """A file with one right function earns exactly that task's points."""
    assignment = batch_norm()
    for task in assignment.tasks:
        source = f"import numpy as np\n{assignment.reference.functions[task.function]}\n"
        result = grade_source(source, assignment, SECRET, LocalSandbox())
        assert {t.task: t.earned for t in result.tasks if t.earned} == {task.id: task.points}


def test_pythons_own_numbers_count_as_arrays_without_axes():
    returns = {"f": ("loss", "count", "flag")}
    student = LocalStudent({"f": lambda x: (0.5, 3, True)})
    recorder = Recorder(student, returns, {"f": ["x"]})
    loss, count, flag = recorder.f(np.zeros(2, np.float32))
    assert [a.dtype for a in (loss, count, flag)] == [np.float32, np.int64, np.bool_]
    assert [a.shape for a in (loss, count, flag)] == [()] * 3
    assert recorder.f(np.zeros(2, np.int8))[0].dtype == np.float64
