import io

import pytest
import tiny_assignment
from rich.console import Console

from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment
from minidl.grading.certify import certify, show
from minidl.grading.mutant import mutants
from minidl.grading.sandbox import Limits, Sandbox
from minidl.grading.student import LocalSandbox


def certified(folder, **options):
    return certify(Assignment.load(folder), **{"secrets": 1, "sandbox": LocalSandbox(), **options})


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(call_seconds=1.0)) as opened:
        yield opened


def test_batch_norm_is_certified(sandbox):
    certificate = certify(Assignment.load("batch_norm"), secrets=1, sandbox=sandbox)
    assert certificate.problems == []
    assert certificate.ok
    assert certificate.kill_rate == certificate.recognition_rate == 1
    assert certificate.mistakes >= 14
    assert all(row.kept == row.alternatives >= 3 for row in certificate.rows)
    assert "process" in certificate.isolation
    assert certificate.survivors == []
    assert certificate.mutants > 90


def test_a_certificate_prints_its_rates(tmp_path):
    folder = tiny_assignment.write(tmp_path / "tiny")
    certificate = certified(folder)
    text = io.StringIO()
    show(certificate, Console(file=text, width=100))
    assert certificate.ok
    assert "kill rate 100%, recognition rate 100% of 3 mistakes" in text.getvalue()
    assert "tiny.moments/second_moment" in text.getvalue()
    assert certificate.kills == {
        "tiny.centre/takes_the_mean_away": 1,
        "tiny.moments/first_moment": 1,
        "tiny.moments/second_moment": 1,
    }


SAME = """
[[mistake]]
id = "mean_twice"
target = "moments"
replace = "2 * half_sum(x) / len(x)"
by = "np.sum(x) * 2 / len(x)"
says = "Twice."
question = "What is the mean of ones?"

[[mistake]]
id = "square_not_averaged\""""

WEAK = """y = student.centre(x)
    close(y * 0, x * 0, "y")"""

LOOSE = """close(student.moments(x)[1], np.array([average(x**2)]), "square", atol=1e3)"""


@pytest.mark.parametrize(
    ("changed", "old", "new", "problems"),
    [
        (
            "mistakes.toml",
            'by = "x * 1.0"',
            'by = "x - mean"',
            ["mistake nothing_taken_away loses no point (public)", "takes_the_mean_away kills no"],
        ),
        (
            "checks.py",
            'close(student.moments(x)[1], np.array([average(x**2)]), "square")',
            LOOSE,
            [
                "mistake square_not_averaged loses no point (secret 1)",
                "check tiny.moments/second_moment kills no mistake",
                "a student that returns zeros passes tiny.moments: second moment",
                "a student that returns ones passes",
            ],
        ),
        (
            "checks.py",
            'close(student.centre(x), x - average(x), "y")',
            WEAK,
            ["a student that returns its own arguments passes tiny.centre: takes the mean away"],
        ),
        (
            "alternatives.py",
            "x - np.mean(x)",
            "x - np.median(x)",
            ["alternative centre_with_mean loses tiny.centre/takes_the_mean_away (public): y is"],
        ),
        (
            "mistakes.toml",
            '\n[[mistake]]\nid = "square_not_averaged"',
            SAME,
            [
                "mean_doubled and mean_twice give the same numbers (public)",
                "mistake mean_doubled is recognised as nothing",
            ],
        ),
        (
            "solution.py",
            "Take the mean away.",
            "Take the mean away.\n\n    mean = np.sum(x) / len(x)\n"
            "    centred = x - np.float64(mean)\n",
            ["starter: holds statements of centre: mean = np.sum(x) / len(x); centred ="],
        ),
        (
            "checks.py",
            'close(student.centre(x), x - average(x), "y")',
            'close(student.centre(x) + np.ones(7), x - average(x), "y")',
            [
                "the reference loses tiny.centre/takes_the_mean_away (public): ValueError: "
                "operands could not be broadcast together with shapes (5,) (7,)  (checks.py, line",
            ],
        ),
        (
            "alternatives.py",
            "return x - np.mean(x)",
            "from minidl.grading import case\n    return x - np.mean(x)",
            ["alternative centre_with_mean, as a submission, loses tiny.centre/takes_the_mean"],
        ),
        (
            "checks.py",
            'close(student.centre(x), x - average(x), "y")',
            'close(student.centre(x), x + average(x), "y")',
            [
                "the reference loses tiny.centre/takes_the_mean_away (public)",
                "the reference, as a submission, loses",
            ],
        ),
    ],
    ids=[
        "unkilled",
        "loose",
        "weak",
        "alternative",
        "twins",
        "leak",
        "raises",
        "import",
        "reference",
    ],
)
def test_a_fault_is_found(tmp_path, sandbox, changed, old, new, problems):
    folder = tiny_assignment.write(tmp_path / "tiny", changed, old, new)
    opened = sandbox if "case" in new else LocalSandbox()
    certificate = certified(folder, sandbox=opened)
    assert not certificate.ok
    for problem in problems:
        assert any(problem in found for found in certificate.problems), certificate.problems


LOOSE_MEAN = ("checks.py", 'close(student.moments(x)[0], np.array([average(x)]), "mean")', "pass")
LIVING = "mean = 2 * half_sum(x) / len(x) -> mean = 3 * half_sum(x) / len(x)"


def test_mutants_that_live_are_problems(tmp_path):
    whole = certified(tiny_assignment.write(tmp_path / "whole"))
    assert whole.survivors == []
    holes = certified(tiny_assignment.write(tmp_path / "holes", *LOOSE_MEAN))
    assert holes.mutants == whole.mutants == 12
    assert f"tiny.moments, line 3: {LIVING} (no reason is listed)" in holes.survivors
    assert not any("x * x ->" in survivor for survivor in holes.survivors)
    assert f"mutant of tiny.moments loses no point: {LIVING}" in holes.problems


def equivalents(folder, change, reason="It cannot be seen.", task="moments"):
    text = "[[equivalent]]\n"
    for name, value in {"task": task, "change": change, "reason": reason}.items():
        text += f'{name} = "{value}"\n'
    (folder / "equivalents.toml").write_text(text)
    return folder


def test_a_mutant_with_a_reason_is_none(tmp_path):
    folder = equivalents(tiny_assignment.write(tmp_path / "holes", *LOOSE_MEAN), LIVING)
    found = certified(folder)
    assert f"tiny.moments, line 3: {LIVING} (It cannot be seen.)" in found.survivors
    assert not any(LIVING in problem for problem in found.problems)


@pytest.mark.parametrize("change", [LIVING, "a -> b"])
def test_a_reason_for_nothing_is_a_problem(tmp_path, change):
    found = certified(equivalents(tiny_assignment.write(tmp_path / "whole"), change))
    assert found.problems == [
        f"equivalents.toml: no mutant of tiny.moments that keeps its points is {change}"
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"reason": "  "}, "an existing task, and a reason"),
        ({"task": "median"}, "an existing task, and a reason"),
    ],
)
def test_an_entry_that_excuses_nothing(tmp_path, entry, message):
    folder = equivalents(tiny_assignment.write(tmp_path / "t"), LIVING, **entry)
    with pytest.raises(ArgumentError, match=message):
        Assignment.load(folder)


def test_a_mutant_that_never_ends_is_killed(tmp_path, sandbox):
    folder = tiny_assignment.write(
        tmp_path / "t",
        "solution.py",
        "mean = np.sum(x) / len(x)\n",
        "total, i = 0.0, 0\n    while i < len(x):\n        total += x[i]\n        i += 1\n"
        "    mean = total / len(x)\n",
    )
    found = certified(folder, sandbox=sandbox)
    assert found.survivors == []
    assert found.mutants == 23


# --- mutants


def changes(body):
    source = f'def f(x, y):\n    """Doc, 3."""\n    {body}'
    return [mutant.change.partition(" -> ")[2] for mutant in mutants(source)]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("return x + y", ["return -(x + y)", "return x - y"]),
        ("return x // 2", ["return -(x // 2)", "return x * 2", "return x // 3"]),
        ("return x < 1.5", ["return not x < 1.5", "return x <= 1.5", "return x < 2.5"]),
        (
            "return 0 < x <= y",
            [
                "return not 0 < x <= y",
                "return 0 <= x <= y",
                "return 0 < x < y",
                "return 1 < x <= y",
            ],
        ),
        ("return x is None", ["return not x is None", "return x is not None"]),
        ("return x and y", ["return not (x and y)", "return x or y"]),
        ("return not x", ["return -(not x)", "return x"]),
        ("return -x", ["return --x", "return x"]),
        ("return f(x, y)", ["return -f(x, y)", "return f(y, x)"]),
        ("return max(x, y)", ["return -max(x, y)"]),
        ("return (x, y)", ["return (-x, y)"]),
        (
            "return x.sum(axis=1, keepdims=True)",
            [
                "return -x.sum(axis=1, keepdims=True)",
                "return x.sum(axis=0, keepdims=True)",
                "return x.sum(axis=2, keepdims=True)",
                "return x.sum(axis=1, keepdims=False)",
            ],
        ),
        ("x += y", ["pass", "x -= y"]),
        ("if x > y: x.sort()", ["pass", "if not x > y:", "if x >= y:", "pass"]),
        ("return x if y else x.T", ["return -(x if y else x.T)", "return x if not y else x.T"]),
        ("return False", ["return True"]),
        ("return zip(x, strict=True)", ["return -zip(x, strict=True)"]),
        ("z: int = x", []),
        ('raise ValueError(f"{x + 1}")', []),
    ],
)
def test_what_is_changed(body, wanted):
    assert changes(body) == wanted


def test_methods_are_changed_and_signatures_are_not():
    source = '''
@dataclass(frozen=True)
class C:
    """Doc."""
    rate: float = 0.5

    @property
    def f(self, n: int = 3) -> "x + y":
        """Doc, 1 + 1."""
        return n
'''
    assert [mutant.change for mutant in mutants(source)] == ["return n -> return -n"]
    for mutant in mutants(source):
        assert "rate: float = 0.5" in mutant.source


# --- collected wrong solutions

COLLECTED = '''"""The mean of squares was taken for the square of the mean."""
# task: tiny.moments


def moments(x):
    return np.array([np.mean(x)]), np.array([np.mean(x)]) ** 2
'''


def with_collected(folder, **texts):
    (tiny_assignment.write(folder) / "collected").mkdir()
    for name, text in texts.items():
        (folder / "collected" / f"{name}.py").write_text(text)
    return folder


def test_collected_solutions_are_reported_apart(tmp_path):
    named = COLLECTED.replace("np.array([np.mean(x)]) ** 2", "np.array([np.sum(x * x)])")
    right = COLLECTED.replace("np.array([np.mean(x)]) ** 2", "np.array([np.mean(x * x)])")
    found = certified(with_collected(tmp_path / "t", one=COLLECTED, two=named))
    assert found.problems == []
    assert (found.collected, found.collected_killed) == (2, 2)
    assert found.strangers == ["tiny.moments: one"]
    text = io.StringIO()
    show(found, Console(file=text, width=100))
    assert "collected wrong solutions: kill rate 100%, recognition rate 50% of 2" in text.getvalue()
    found = certified(with_collected(tmp_path / "u", right=right))
    assert found.problems == ["collected/right.py loses no point of tiny.moments"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# task: tiny.moments", "", "a line `# task: NAME` with one of centre, moments, got none"),
        ("tiny.moments", "tiny.median", "a line `# task: NAME`.* got median"),
        ("def moments", "def moment", "a definition of moments, got none"),
        ('"""The', '"""\n', "a docstring that says"),
        ("return np", "return return", "a Python file"),
    ],
)
def test_a_collected_file_that_does_not_fit(tmp_path, old, new, message):
    text = COLLECTED.replace(old, new)
    if old.startswith('"""'):
        text = text.partition('"""')[2].partition('"""')[2]
    with pytest.raises(ArgumentError, match=rf"one\.py: expected {message}"):
        Assignment.load(with_collected(tmp_path / "t", one=text))


def test_whatever_is_released_is_searched(tmp_path):
    folder = tiny_assignment.write(tmp_path / "tiny")
    lesson = "Look: `mean = 2 * half_sum(x) / len(x)`\n\nreturn np.array([mean]), "
    lesson += "np.array([np.sum(x * x) / len(x)])"
    certificate = certified(folder, released={"lesson": lesson})
    assert certificate.problems == [
        "lesson: holds statements of moments: mean = 2 * half_sum(x) / len(x); "
        "return (np.array([mean]), np.array([np.sum(x * x) / len(x)]))"
    ]
