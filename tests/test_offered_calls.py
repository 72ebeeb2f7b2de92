"""Small calls that an assignment offers, shown where a submission goes wrong in one of them."""

from functools import cache

import numpy as np
import pytest
import tiny_assignment

from minidl.errors import ArgumentError
from minidl.grading import rerun, shrink
from minidl.grading.assignment import Assignment
from minidl.grading.certify import certify
from minidl.grading.grade import grade_source
from minidl.grading.recognise import Recogniser
from minidl.grading.student import LocalSandbox

SECRET, OTHER = b"a secret of this year's own", b"another secret, of another year"
EXAMPLES = '''"""Small calls."""

import numpy as np

from minidl.grading.example import example


@example("centre")
def pairs():
    """One number, two equal ones, two others."""
    yield (np.array([0.0]),)
    yield (np.array([0.0, 0.0]),)
    yield (np.array([10.0, 30.0]),)
'''


def tiny(tmp_path, text=EXAMPLES):
    folder = tiny_assignment.write(tmp_path / "tiny")
    (folder / "examples.py").write_text(text)
    return Assignment.load(folder)


def examples(assignment, source, task, key=None):
    only = [assignment.task(task)]
    (graded,) = grade_source(source, assignment, key, LocalSandbox(), tasks=only).tasks
    return [check.example for check in graded.checks if check.example]


@pytest.mark.parametrize("key", [None, SECRET, OTHER])
def test_the_first_that_goes_wrong_is_shown(tmp_path, key):
    assignment = tiny(tmp_path)
    right = "; what should it be?" if key else ", expected [-10, 10]."
    assert examples(assignment, assignment.with_mistake("nothing_taken_away"), "centre", key) == [
        f"centre(x=[10, 30]) gave y = [10, 30]{right}"
    ]


def test_where_all_of_them_are_right_the_call_that_failed_is_cut(tmp_path):
    assignment = tiny(tmp_path)
    source = assignment.solution().replace("return centred", "return centred * (len(x) < 3)")
    (shown,) = examples(assignment, source, "centre")
    assert shown.count(",") > 3


@pytest.mark.parametrize(("seconds", "shown"), [(0.05, 0), (5.0, 1)])
def test_when_the_time_is_over_nothing_more_is_asked(tmp_path, monkeypatch, seconds, shown):
    """The first offered call is right, and slow."""
    asked = []
    monkeypatch.setattr(rerun, "MOST_SECONDS", seconds)
    monkeypatch.setattr(shrink, "smallest", lambda *given: asked.append(given))
    assignment = tiny(tmp_path)
    slow = "time.sleep(0.1 * (len(x) == 1))\n    return centred + (len(x) > 1)"
    source = "import time\n" + assignment.solution().replace("return centred", slow)
    assert len(examples(assignment, source, "centre")) == shown
    assert asked == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('@example("centre")', '@example("center")', "examples of a function or scenario"),
        ("yield (np.array([0.0]),)", "yield np.array([0.0])", "the arguments of a call"),
        ("yield (np.array([0.0]),)", "yield 1, 2", "with the arguments x"),
        ("yield (np.array([0.0]),)", "raise KeyError('x')", "KeyError"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, old, new, message):
    with pytest.raises(ArgumentError, match=message):
        tiny(tmp_path, EXAMPLES.replace(old, new))


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("np.arange(200.0)", "is too long to be shown"),
        ("np.array(['a'])", "right solutions fail, or disagree"),
    ],
)
def test_certification_looks_at_them(tmp_path, call, problem):
    assert certify(tiny(tmp_path), secrets=1, sandbox=LocalSandbox()).problems == []
    assignment = tiny(tmp_path, EXAMPLES.replace("np.array([0.0, 0.0])", call))
    (found,) = certify(assignment, secrets=1, sandbox=LocalSandbox()).problems
    assert found.startswith("example centre(")
    assert found.endswith(problem)


def test_what_is_drawn_is_shown_only_where_nothing_is_left_to_chance():
    """Right with p = 0 and with p = 1, and wrong in between: there is no call to show."""
    assignment, _ = course("dropout_family")
    source = assignment.with_mistake("spatial_drops_values")
    assert examples(assignment, source, "spatial") == []


@cache
def course(name):
    assignment = Assignment.load(name)
    return assignment, Recogniser(assignment)


def shows(assignment, recogniser, mistake):
    """Whether an offered call tells a mistake from the reference, in a few numbers."""
    task = assignment.task(mistake.target)
    right = recogniser.right(task)[0]
    for function in (task.function, *(s.name for s in assignment.scenarios if s.task == task.name)):
        for call in assignment.examples.get(function, ()):
            given = dict(zip(assignment.parameters[function], call, strict=True))
            for position, name in enumerate(assignment.returns[function]):
                ask = shrink.Questions(
                    lambda *a, f=function: getattr(recogniser._student((mistake,)), f)(*a),
                    [getattr(right, function)],
                    position,
                )
                found = ask.wrong(given)
                if found and shrink.sentence(function, name, found, hidden=False):
                    return True
    return False


def test_nine_of_ten_mistakes_of_conv2d_are_seen_in_a_call_to_try_by_hand():
    assignment, recogniser = course("conv2d")
    plain = [m for m in assignment.mistakes if not assignment.task(m.target).compiled]
    numbers = [m for m in plain if "float" not in m.id]
    with np.errstate(all="ignore"):
        unseen = [m.id for m in numbers if not shows(assignment, recogniser, m)]
    assert len(numbers) >= 0.9 * len(plain)
    assert unseen == []


@pytest.mark.parametrize(
    ("name", "mistake", "key", "words"),
    [
        (
            "conv2d",
            "overlaps_overwritten",
            None,
            "col2im(cols=[[[1, 2], [3, 4]]], shape=(1, 1, 1, 3), kernel=(1, 2), stride=(1, 1), "
            "dilation=(1, 1)) gave x = [[[[1, 3, 4]]]], expected [[[[1, 5, 4]]]].",
        ),
        (
            "conv2d",
            "overlaps_overwritten",
            SECRET,
            "dilation=(1, 1)) gave x = [[[[1, 3, 4]]]]; what should it be?",
        ),
        (
            "conv2d",
            "dx_in_float64",
            None,
            "backward_input(dy=[[[[1]]]], weight=[[[[1]]]], x_shape=(1, 1, 1, 1), stride=(1, 1), "
            "padding=(0, 0), dilation=(1, 1), groups=1), given float32, gave dx in float64, ",
        ),
        ("conv2d", "padding_on_one_side", None, "gave padded = [[[[0], [1]]]], expected [[[[0], "),
        (
            "dropout_family",
            "gaussian_around_zero",
            None,
            "gaussian(x=[1, 2], p=0, rng=default_rng(0)) gave y = [0, 0], expected [1, 2].",
        ),
        (
            "dropout_family",
            "spatial_keeps_with_probability_p",
            SECRET,
            "spatial(x=[[[[1, 2]]]], p=0, rng=default_rng(0)) gave y = [[[[0, 0]]]]; what should",
        ),
        ("early_stopping_and_ensembles", "nan_is_better", None, "watch(values=[nan, 1], "),
        ("optimizers", "never_starts_anew_after_a_cut", None, "watch_losses(losses=[1, 2, 2, 2]"),
    ],
)
def test_what_a_student_reads(name, mistake, key, words):
    assignment, recogniser = course(name)
    source = assignment.with_mistake(mistake)
    task = next(m.target for m in assignment.mistakes if m.id == mistake)
    only = [assignment.task(task)]
    (graded,) = grade_source(source, assignment, key, LocalSandbox(), recogniser, only).tasks
    shown = [check.example for check in graded.checks if check.example]
    assert any(words in example for example in shown), shown
    assert all(len(example) <= shrink.MOST_CHARACTERS for example in shown)
