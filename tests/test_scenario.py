"""Scenarios, classes as targets, and generators as arguments: here and in a worker."""

import ast

import class_assignment
import numpy as np
import pytest

from minidl.course import workspace
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment
from minidl.grading.certify import certify
from minidl.grading.check import CheckError
from minidl.grading.grade import grade_source
from minidl.grading.impostor import hollow
from minidl.grading.leak import leaks
from minidl.grading.protocol import Rng
from minidl.grading.sandbox import Sandbox
from minidl.grading.scenario import scenario
from minidl.grading.student import LocalSandbox, LocalStudent, StudentFailure

SECRET = b"a secret of the instructor's own"


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    return Assignment.load(class_assignment.write(tmp_path_factory.mktemp("counting")))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as opened:
        yield opened


@pytest.fixture(params=["local", "sandboxed"])
def opened(request):
    return LocalSandbox() if request.param == "local" else request.getfixturevalue("sandbox")


def student(opened, counting, source):
    return opened.student(
        source.encode(), "counting.py", counting.targets, scenarios=counting.scenarios
    )


def failed(call, *args):
    with pytest.raises(StudentFailure) as caught:
        call(*args)
    return caught.value


# --- running


def test_arrays_come_back_as_from_a_function(opened, counting):
    values = np.array([1.0, -2.0, 0.5])
    with student(opened, counting, counting.solution()) as right:
        sums, largest = right.count(values, start=1.0)
        assert right.damaged == {0}
        np.testing.assert_array_equal(sums, [2.0, 0.0, 0.5])
        np.testing.assert_array_equal(largest, np.array(1.0))
        assert values[0] == 1.0


def test_generators_arrive_seeded_and_count_as_unchanged(opened, counting):
    x = np.array([1.0, 2.0])
    noise = np.random.default_rng(3).normal(size=2)
    with student(opened, counting, counting.solution()) as right:
        for _ in range(2):
            np.testing.assert_array_equal(right.twice_scaled(x, 2.0, Rng(3)), 4 * x + noise)
            np.testing.assert_array_equal(right.twice_scaled(x, 2.0, rng=Rng(3)), 4 * x + noise)
            assert right.damaged == set()


def test_generators_inside_of_lists_and_dicts():
    code = {"draw": lambda pair, named: pair[0].normal(size=2) + named["rng"].normal(size=2)}
    right = LocalStudent(code)
    want = sum(np.random.default_rng(seed).normal(size=2) for seed in (1, 2))
    np.testing.assert_array_equal(right.draw([Rng(1)], named={"rng": Rng(2)}), want)
    assert right.damaged == set()


def test_damage_inside_of_a_dict_is_noticed():
    right = LocalStudent({"damage": lambda values: values["x"].sort()})
    right.damage(values={"x": np.array([2.0, 1.0])})
    assert right.damaged == {"values"}


def test_the_line_is_the_students_own(opened, counting):
    source = "class Counter:\n    def __init__(self, start):\n        self.x = 1 / start\n"
    with student(opened, counting, source) as wrong:
        failure = failed(wrong.count, np.ones(2))
    assert (failure.kind, failure.line) == ("raised", 3)


def test_an_error_in_the_scenario_itself_has_no_line(opened, counting):
    with student(opened, counting, "class Counter:\n    def __init__(self, s): pass\n") as wrong:
        failure = failed(wrong.count, np.ones(2))
    assert failure.line is None
    assert "has no attribute 'add'" in failure.message


def test_a_missing_target_is_called_what_it_is(opened, counting):
    with student(opened, counting, "x = 1\n") as wrong:
        assert failed(wrong.count, np.ones(2)).message == "there is no class named Counter"
        failure = failed(wrong.twice_scaled, np.ones(2), 1.0, Rng(1))
        assert failure.message == "there is no function named twice"


def test_the_report_says_class_too(counting):
    result = grade_source("x = 1\n", counting, None, LocalSandbox())
    (check,) = result.tasks[0].checks
    assert check.seen.startswith("there is no class Counter.")
    assert "`class Counter`" in check.question


def test_a_mistake_is_found_by_what_a_scenario_returned(counting, sandbox):
    for name in ("starts_at_zero", "SmallestCounter", "only_once"):
        wrong = counting.with_mistake(name)
        result = grade_source(wrong, counting, SECRET, sandbox)
        named = {c.mistake for task in result.tasks for c in task.checks} - {None}
        assert named == {name}
    result = grade_source(counting.with_mistake("SmallestCounter"), counting, None, LocalSandbox())
    (check,) = result.tasks[0].checks
    assert "sums is right. largest " in check.seen
    assert "(count with values of shape (5,), float64.)" in check.seen
    assert "changed in place: what Counter was given (values of count)" in check.advice


def test_the_whole_assignment_is_certified(counting, sandbox):
    certificate = certify(counting, secrets=1, sandbox=sandbox)
    assert certificate.problems == []


# --- a scenarios.py that does not fit


@pytest.mark.parametrize(
    ("changed", "old", "new", "message"),
    [
        ("scenarios.py", 'task="counter"', 'task="count"', "an existing task, got count"),
        ("scenarios.py", "def count(", "def twice(", "neither the student's code nor.*got twice"),
        ("scenarios.py", "def count(", "def calls(", "nor `student` itself has, got calls"),
        ("scenarios.py", "def count(", "def names(", "nor `student` itself has, got names"),
        ("scenarios.py", "def count(Counter, values, start=0.0)", "def count()", "first parameter"),
        ("scenarios.py", "counter.largest", "nowhere", "outside but NumPy as np.*got nowhere"),
        ("scenarios.py", "factor * y", "factor * pi * y", "twice_scaled.*got pi"),
        ("scenarios.py", "start=0.0", "start=np.zero", "Python that runs"),
        ("scenarios.py", 'returns="y"', "returns=()", "the names of what it returns, got none"),
        ("assignment.toml", 'returns = ["y"]', "", "twice with `returns`"),
        ("solution.py", "def twice(f, x, rng):", "def twice(f, x, rng): x", "a Python file"),
        (
            "solution.py",
            "(self):\n        return self._s",
            "(self): return self._s",
            "docstring on",
        ),
        ("mistakes.toml", "self.total = self.start", "self.total", "exactly once"),
    ],
)
def test_parts_that_do_not_fit(tmp_path, changed, old, new, message):
    with pytest.raises(ArgumentError, match=message):
        Assignment.load(class_assignment.write(tmp_path / "c", changed, old, new))


def test_a_check_that_calls_what_is_not_there(tmp_path):
    changed = ("checks.py", "student.count(", "student.counts(")
    broken = Assignment.load(class_assignment.write(tmp_path / "c", *changed))
    with pytest.raises(CheckError, match=r"sums_and_largest.*twice, count.*got student\.counts"):
        grade_source(broken.solution(), broken, None, LocalSandbox())


def test_a_scenario_may_import_and_nest(tmp_path):
    changed = (
        "scenarios.py",
        "return twice(lambda y: factor * y, x, rng)",
        "import math\n    one = math.cos(0)\n"
        "    return twice(lambda y: [one * factor * v for v in [y]][0], x, rng)",
    )
    nested = Assignment.load(class_assignment.write(tmp_path / "c", *changed))
    assert nested.scenarios[1].parameters == ["x", "factor", "rng"]
    result = grade_source(nested.solution(), nested, None, LocalSandbox())
    assert result.score == result.points == 5


def test_one_name_is_enough():
    assert scenario(task="t", returns="y")(print).returns == ("y",)


# --- what a student receives


def test_a_class_keeps_its_signature_and_loses_its_bodies(counting):
    starter = counting.starter()
    (made,) = (n for n in ast.parse(starter).body if isinstance(n, ast.ClassDef))
    assert [ast.unparse(d) for d in made.decorator_list] == ["dataclass"]
    assert "Counts, and remembers the largest." in ast.get_docstring(made)
    fields = [ast.unparse(n) for n in made.body if isinstance(n, ast.AnnAssign)]
    assert fields == [
        "start: float = 0.0",
        "names: list = field(default_factory=list)",
        "hints: dict = field(default_factory=dict)",
    ]
    methods = {n.name: n for n in made.body if isinstance(n, ast.FunctionDef)}
    assert list(methods) == ["__post_init__", "add", "largest"]
    assert ast.get_docstring(methods["add"]) == "Add a value; return the sum."
    assert [ast.unparse(d) for d in methods["largest"].decorator_list] == ["property"]
    for name, method in methods.items():
        assert ast.unparse(method.body[-1]) == (
            f"raise NotImplementedError('counting.counter: write {name}')"
        )
    assert "#" not in starter
    assert "_secret" not in starter
    assert "Write the functions and classes below" in starter


def test_only_what_is_used_is_imported(counting):
    assert "from dataclasses import dataclass, field" in counting.reference.imports
    assert "import numpy as np" not in counting.reference.imports


def test_the_starter_of_a_class_is_not_written_yet(counting):
    result = grade_source(counting.starter(), counting, None, LocalSandbox())
    assert result.score == 0
    assert [c.seen for task in result.tasks for c in task.checks] == [
        "Counter is not written yet.",
        "twice is not written yet.",
    ]


def test_parameters_of_a_class_are_those_of_its_making(tmp_path, counting):
    assert counting.reference.parameters("Counter") == []
    changed = ("solution.py", "def __post_init__(self):", "def __init__(self, start=0.0):")
    plain = Assignment.load(class_assignment.write(tmp_path / "c", *changed))
    assert plain.reference.parameters("Counter") == ["start"]


def test_fields_are_no_leak_but_bodies_are(counting):
    functions = counting.reference.functions
    assert leaks(functions, {"starter": counting.starter()}) == []
    lesson = "self.total = self.total + value\nself._remember(value)\n"
    assert "statements of Counter" in leaks(functions, {"lesson": lesson})[0]


@pytest.mark.parametrize("form", ["script", "notebook"])
def test_a_workspace_holds_the_class(tmp_path, counting, form):
    started = workspace.start(counting.folder, tmp_path / "w", form)
    text = started.workspace.path.read_text()
    assert "@dataclass" in text
    assert "counting.counter: write add" in text
    readme = (tmp_path / "w" / "README.md").read_text()
    assert "| `Counter` | A counter |" in readme
    assert "backend.use" not in readme


# --- hollow classes


def test_a_hollow_class_has_methods_and_attributes_and_nothing_else(counting):
    made = hollow(counting.reference.functions["Counter"], "")
    namespace = {}
    exec(f"from dataclasses import dataclass, field\nfrom math import inf\n{made}", namespace)
    counter = namespace["Counter"](2.0)
    assert counter.add(3.0) == 3.0
    assert counter.largest is counter


@pytest.mark.parametrize(
    ("value", "new"), [("nothing", "np.array([v is None for v in sums])"), ("zeros", "sums * 0")]
)
def test_certification_sees_what_a_hollow_class_passes(tmp_path, value, new):
    folder = class_assignment.write(
        tmp_path / "c",
        "scenarios.py",
        "np.array(sums, float), np.array(counter.largest, float)",
        "np.array([v == 0.0 or v is None for v in sums]), np.ones(2)",
    )
    path = folder / "checks.py"
    text = path.read_text()
    path.write_text(
        text.replace("2.0 + np.cumsum(values)", "np.ones(5, bool)").replace(
            "np.array(values.max())", "np.ones(2)"
        )
    )
    found = certify(Assignment.load(folder), 1, sandbox=LocalSandbox()).problems
    who = f"a class whose methods return {value} passes counting.counter: sums and largest (public)"
    assert who in found
