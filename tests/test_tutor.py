"""What a student is told, from the first look to the question, and what not under a secret."""

from functools import cache

import numpy as np
import pytest

from minidl.grading.assignment import Assignment
from minidl.grading.compare import Mismatch
from minidl.grading.grade import grade_source
from minidl.grading.recognise import Recogniser
from minidl.grading.report import remarks
from minidl.grading.student import LocalSandbox
from minidl.grading.tutor import Tutor

SECRET = b"a secret of the instructor's own"


@cache
def batch_norm():
    return Assignment.load("batch_norm")


@cache
def recogniser():
    return Recogniser(batch_norm())


def told(task, source, key=None):
    only = [batch_norm().task(task)]
    return grade_source(source, batch_norm(), key, LocalSandbox(), recogniser(), only).tasks[0]


def wrong(task, body, parameters=None):
    """Return a submission whose one function has this body."""
    parameters = parameters or ", ".join(batch_norm().parameters[task])
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"import numpy as np\ndef {task}({parameters}):\n{lines}"


INFERENCE = "x_hat = (x - mean[:, None]) / np.sqrt(var + eps)[:, None]\n"
FORWARD = (
    "mean, var = x.mean((0, 2)){}, x.var((0, 2))\ninv_std = 1 / np.sqrt(var + eps)\n"
    "x_hat = (x - mean[:, None]) * inv_std[:, None]\n"
    "return gamma[:, None] * x_hat + beta[:, None], x_hat, inv_std, mean, var\n"
)


@pytest.mark.parametrize(
    ("task", "source", "words"),
    [
        ("fold", "def flod(a):\n    pass\n", ["there is no fold, but there is `flod` (line 1)."]),
        ("fold", wrong("fold", "return 1", "gamma, beta"), ["takes 2 arguments (gamma, beta)"]),
        (
            "inference",
            wrong("inference", INFERENCE + "return gamma[:, None] * x_hat + beta[:, None]",
                  "x, mean, var, gamma, beta, eps"),
            ["by position: mean receives gamma."],
        ),
        (
            "inference",
            wrong("inference", INFERENCE + "return abs(gamma[:, None]) * x_hat + beta[:, None]"),
            ["or gamma = 1 y is right.", "inference(x=[["],
        ),
        (
            "forward",
            wrong("forward", FORWARD.format("")),
            ["mean is NaN everywhere.", "with n above 0 are right, the one with n = 0 is not."],
        ),
        (
            "forward",
            wrong("forward", FORWARD.format(" * 3")),
            ["mean is 3 times too large everywhere", "gave mean = ["],
        ),
        (
            "forward",
            wrong("forward", "a, b = FORWARD(x, gamma)\nreturn a"),
            ["forward raised NameError", "Where, before line 3, does that name get its value?"],
        ),
    ],
)  # fmt: skip
def test_what_is_seen_and_asked(task, source, words):
    checks = [check for check in told(task, source).checks if check.status != "passed"]
    text = " ".join(f"{check.seen} {check.question} {check.example}" for check in checks)
    for part in words:
        assert part in text
    for check in checks:
        assert check.question.endswith("?")
        assert check.question.count("?") == 1


def test_the_first_wrong_result_is_what_is_explained():
    graded = told("forward", wrong("forward", FORWARD.format(" + 1")))
    by_name = {check.check.partition("/")[2]: check for check in graded.checks}
    seen = by_name["normalizes_each_channel"].seen
    assert seen.startswith("x_hat is wrong, but mean comes before it: mean is off by the same")
    first = by_name["mean_and_variance_of_each_channel"].seen
    assert first.startswith("mean is off by the same amount everywhere.")


def test_a_mistake_that_is_named_is_shown_where_it_is():
    solution = batch_norm().with_mistake("projection_with_a_plus")
    returned = "return (dx, dgamma, dbeta)"
    assert returned in solution
    source = solution.replace(returned, "return dx, dgamma, dy.mean(axis=(0, 2))")
    by_name = {c.name: c for c in told("backward", source).checks}
    found = by_name["gradient of x"]
    assert found.mistake == "projection_with_a_plus"
    assert found.seen.startswith("dx is wrong")
    assert "comes before" not in found.seen
    assert "gave dx = " in found.example
    assert by_name["gradient of beta"].mistake == "dbeta_is_a_mean"


def test_what_a_scenario_does_is_said_where_it_is_first_spoken_of():
    optimizers = Assignment.load("optimizers")
    (one,) = [task for task in optimizers.tasks if task.name == "plateau"]
    source = optimizers.with_mistake("impatient_by_one")
    checks = grade_source(source, optimizers, None, LocalSandbox(), tasks=[one]).tasks[0].checks
    does = "What watch_losses does: Feed losses one by one; note best, and beside each other"
    assert [does in check.seen for check in checks] == [True, False, False]
    assert all(check.seen for check in checks)


def test_one_cause_is_told_once():
    source = wrong("forward", FORWARD.format("[:, None]").replace("mean[:, None])", "mean)"))
    graded = told("forward", source)
    causes = {check.cause for check in graded.checks if check.cause.startswith("mean")}
    assert len(causes) == 1
    assert sum("mean has shape" in remark.seen for remark in remarks(graded)) == 1


def test_an_example_is_shown_once_for_a_cause():
    graded = told("backward", batch_norm().with_mistake("mean_held_constant"))
    examples = [check.example for check in graded.checks if check.example]
    assert len(examples) == 1
    assert examples[0].startswith("backward(dy=[[[1]]], x_hat=[[[0]]], inv_std=[1], gamma=[1])")


@pytest.mark.parametrize(
    "result",
    [
        "x[..., None]",
        "x.reshape((1,) * 20 + x.shape)",
        "np.zeros((300, 300, 20))",
        "np.zeros(0)",
        "np.float64(2)",
        "np.full(x.shape, np.nan)",
        "np.full(x.shape, 1e308) * 10",
        "x.astype(np.float16)",
        "x.astype(np.int8)",
        "x > 0",
        "(x,)",
        "[x, [x]]",
        "'x'",
        "None",
    ],
)
@pytest.mark.parametrize("key", [None, SECRET])
def test_whatever_comes_back_is_told_in_words(result, key):
    for check in told("inference", wrong("inference", f"return {result}"), key).checks:
        assert check.status != "passed"
        assert check.seen.endswith(".") or check.seen.endswith(".)")
        assert check.question.endswith("?")


def numbers(values):
    """Return how numbers may be written, those of at least four digits only."""
    for value in np.ravel(values):
        for digits in range(4, 11):
            text = f"{float(value):.{digits}g}"
            if sum(character.isdigit() for character in text.strip("-0.")) >= 4:
                yield text


@pytest.fixture
def expected(monkeypatch):
    """Collect every value that was expected of a submission, and what it returned, as text."""
    collected = set()
    lessons = Tutor.lessons

    def listening(self, task, outcomes):
        for outcome in outcomes:
            if isinstance(outcome.failure, Mismatch) and outcome.failure.what != "structure":
                collected.update(numbers(outcome.failure.want))
            for call in outcome.calls:
                right = self.recogniser.reference(call)
                for array in right if isinstance(right, tuple) else (right,):
                    collected.update(numbers(array))
        return lessons(self, task, outcomes)

    monkeypatch.setattr(Tutor, "lessons", listening)
    return collected


def shown(mistake, key):
    graded = told(mistake.target, batch_norm().with_mistake(mistake.id), key)
    return [" ".join((c.seen, c.question, c.cause)) for c in graded.checks]


def test_hidden_checks_reveal_no_expected_value(expected):
    for mistake in batch_norm().mistakes:
        expected.clear()
        for text in shown(mistake, SECRET):
            assert not {word.strip("[](),.;:") for word in text.split()} & expected, text
            assert "yours" not in text
        assert expected


def test_examples_know_nothing_of_the_secret():
    for mistake in batch_norm().mistakes[::9]:
        source = batch_norm().with_mistake(mistake.id)
        one, other, public = (
            told(mistake.target, source, key).checks
            for key in (SECRET, b"another secret, of another year", None)
        )
        both = [(a, b) for a, b in zip(one, other, strict=True) if a.example and b.example]
        assert both or not any(check.example for check in public), mistake.id
        assert all(a.example == b.example for a, b in both)


def test_public_ones_do(expected):
    """The search above finds what it looks for, where no example takes the numbers' place."""
    texts = [text for text in shown(batch_norm().mistakes[0], None) if "yours" in text]
    assert texts
    for text in texts:
        assert {word.strip("[](),.;:") for word in text.split()} & expected
