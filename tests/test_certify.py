import io

import pytest
import tiny_assignment
from rich.console import Console

from minidl.grading.assignment import Assignment
from minidl.grading.certify import certify, show
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import LocalSandbox


def certified(folder, **options):
    return certify(Assignment.load(folder), **{"secrets": 1, "sandbox": LocalSandbox(), **options})


def test_batch_norm_is_certified():
    with Sandbox() as sandbox:
        certificate = certify(Assignment.load("batch_norm"), secrets=1, sandbox=sandbox)
    assert certificate.problems == []
    assert certificate.ok
    assert certificate.kill_rate == certificate.recognition_rate == 1
    assert certificate.mistakes >= 14
    assert all(row.kept == row.alternatives >= 3 for row in certificate.rows)
    assert "process" in certificate.isolation
    # max(n * s, 1) against max(n * s, 2): of an empty batch nothing is left to see.
    assert certificate.survivors == ["batch_norm.backward, line 37: 1 -> 2"]
    assert certificate.mutants > 60


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
            'close(student.centre(x), x + average(x), "y")',
            [
                "the reference loses tiny.centre/takes_the_mean_away (public)",
                "the reference, as a submission, loses",
            ],
        ),
    ],
    ids=["unkilled", "loose", "weak", "alternative", "twins", "leak", "reference"],
)
def test_a_fault_is_found(tmp_path, changed, old, new, problems):
    certificate = certified(tiny_assignment.write(tmp_path / "tiny", changed, old, new))
    assert not certificate.ok
    for problem in problems:
        assert any(problem in found for found in certificate.problems), certificate.problems


def test_mutants_that_live_are_listed(tmp_path):
    whole = certified(tiny_assignment.write(tmp_path / "whole"))
    assert whole.survivors == []
    loose = ("checks.py", 'close(student.moments(x)[0], np.array([average(x)]), "mean")', "pass")
    holes = certified(tiny_assignment.write(tmp_path / "holes", *loose))
    assert holes.mutants == whole.mutants == 9
    assert "tiny.moments, line 3: 2 -> 3" in holes.survivors
    assert not any("line 4: x * x ->" in survivor for survivor in holes.survivors)


def test_whatever_is_released_is_searched(tmp_path):
    folder = tiny_assignment.write(tmp_path / "tiny")
    lesson = "Look: `mean = 2 * half_sum(x) / len(x)`\n\nreturn np.array([mean]), "
    lesson += "np.array([np.sum(x * x) / len(x)])"
    certificate = certified(folder, released={"lesson": lesson})
    assert certificate.problems == [
        "lesson: holds statements of moments: mean = 2 * half_sum(x) / len(x); "
        "return (np.array([mean]), np.array([np.sum(x * x) / len(x)]))"
    ]
