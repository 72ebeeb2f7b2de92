"""The smallest call that goes wrong."""

import numpy as np
import pytest

from minidl.grading import shrink
from minidl.grading.compare import Mismatch
from minidl.grading.student import LocalStudent, StudentFailure

RNG = np.random.default_rng(2)
SHAPES = {"x": ("n", "c", "s"), "gamma": ("c",)}


def right(x, gamma, eps):
    centred = x - x.mean((0, 2), keepdims=True)
    return gamma[:, None] * centred / np.sqrt(x.var((0, 2), keepdims=True) + eps)


def given():
    return {"x": RNG.normal(size=(5, 3, 4)), "gamma": np.array([1.5, -2.0, 0.5]), "eps": 1e-5}


def smallest(student, *others, start=None, shapes=SHAPES, reference=right):
    ask = shrink.Questions(student, [reference, *others], 0)
    return shrink.smallest(start or given(), shapes, ask)


def said(student, *others, **options):
    found = smallest(student, *others, **options)
    return shrink.sentence("f", "y", found, hidden=False) if found else ""


def test_a_call_is_made_as_small_as_it_can_be():
    """One value per channel gives zero either way; two do not, and ones would not."""
    assert said(lambda x, gamma, eps: right(x, gamma, eps) / gamma[:, None]) == (
        "f(x=[[[1, 2]]], gamma=[2], eps=0) gave y = [[[-1, 1]]], expected [[[-2, 2]]]."
    )


def test_the_call_that_is_shown_does_go_wrong():
    def wrong(x, gamma, eps):
        return right(x, gamma, eps + 1)

    arguments, got, want = smallest(wrong)
    assert np.array_equal(wrong(*arguments.values()), got)
    assert np.array_equal(right(*arguments.values()), want)
    assert not np.allclose(got, want)


def test_axes_of_one_name_are_cut_together_even_without_names():
    def sums(a, b):
        return a @ b

    def wrong(a, b):
        return a @ b + 1.0 * (a.shape[1] > 1)

    start = {"a": RNG.normal(size=(5, 3)), "b": RNG.normal(size=(3, 4))}
    arguments, *_ = smallest(wrong, start=start, shapes={}, reference=sums)
    assert (arguments["a"].shape, arguments["b"].shape) == ((1, 2), (2, 1))


def test_a_wrong_place_in_the_middle_is_found():
    def squares(x):
        return x * x

    def wrong(x):
        return np.where(x > 2.5, 0.0, x * x)

    start = {"x": np.array([1.0, 2.0, 3.0, 2.0, 1.0])}
    assert said(wrong, start=start, shapes={}, reference=squares) == (
        "f(x=[3]) gave y = [0], expected [9]."
    )


def test_what_right_solutions_disagree_about_is_not_asked():
    """One needs x centred, as the checks' x always is: nothing else may be shown."""

    def needs_centred(x, gamma, eps):
        return gamma[:, None] * x / np.sqrt(np.square(x).mean((0, 2), keepdims=True) + eps)

    start = given()
    start["x"] -= start["x"].mean((0, 2), keepdims=True)
    wrong = smallest(lambda x, gamma, eps: 2 * right(x, gamma, eps), needs_centred, start=start)
    assert wrong is None or abs(wrong[0]["x"].mean()) < 1e-12


def test_kinds_of_arguments_stay_what_they_are():
    def area(x, keep, share, stride, labels, bias):
        return x * keep * share + stride[0] + labels

    start = {
        "x": RNG.normal(size=6),
        "keep": np.array([True] * 6),
        "share": 0.3,
        "stride": (3, 2),
        "labels": np.arange(6),
        "bias": None,
    }
    arguments, *_ = smallest(lambda *a: area(*a) + 1, start=start, shapes={}, reference=area)
    assert arguments["keep"].dtype == bool
    assert 0 < arguments["share"] < 1
    assert arguments["stride"] == (1, 1)
    assert arguments["labels"].dtype.kind == "i"
    assert arguments["bias"] is None


def test_counts_that_bound_one_another_become_small_together():
    def plan(samples, held):
        return np.array([samples - held if held < samples else np.nan])

    arguments, *_ = smallest(
        lambda *a: plan(*a) + 1, start={"samples": 86, "held": 20}, shapes={}, reference=plan
    )
    assert arguments == {"samples": 2, "held": 1}


def test_numbers_between_0_and_1_stay_there_and_only_eps_may_vanish():
    def step(x, lr, alpha, eps):
        return x * alpha / (lr + eps)

    start = {"x": np.array([0.7, -1.3]), "lr": 0.00137, "alpha": 0.93, "eps": 1e-8}
    arguments, *_ = smallest(lambda *a: step(*a) + 1, start=start, shapes={}, reference=step)
    assert 0 < arguments["lr"] < 1
    assert 0 < arguments["alpha"] < 1
    assert arguments["eps"] == 0
    assert len(str(arguments["lr"])) < len("0.00137")
    start = {"shares": np.array([0.0, 0.3, 1.0])}
    arguments, *_ = smallest(lambda shares: shares + 1, start=start, shapes={}, reference=np.copy)
    assert 0 <= arguments["shares"].min() <= arguments["shares"].max() <= 1


@pytest.mark.parametrize(
    "student",
    [
        right,
        lambda x, gamma, eps: right(x, gamma, eps) * np.nan,
        lambda x, gamma, eps: right(x, gamma, eps)[0],
        lambda x, gamma, eps: None,
        LocalStudent({"f": lambda x, gamma, eps: 1 / 0}).f,
    ],
)
def test_no_example_where_there_is_no_number_to_compare(student):
    assert smallest(student) is None


def test_a_student_that_does_not_come_back_is_asked_once():
    asked = []

    def hangs(*arguments):
        asked.append(arguments)
        raise StudentFailure("timeout", "too long")

    assert smallest(hangs) is None
    assert len(asked) == 1


def test_calls_are_bounded():
    asked = []

    def wrong(x, gamma, eps):
        asked.append(1)
        return right(x, gamma, eps) + x

    assert smallest(wrong)
    assert len(asked) <= shrink.MOST_CALLS


def test_values_that_cannot_be_written_down_are_left_alone():
    assert smallest(lambda x, rng: x, start={"x": np.ones(3), "rng": object()}) is None


@pytest.mark.parametrize(
    ("student", "words"),
    [
        (lambda x, gamma, eps: right(x, gamma, eps) / gamma[:, None], ["gamma = 1"]),
        (lambda x, gamma, eps: right(x, gamma, 0 * eps), ["eps = 0"]),
        (lambda x, gamma, eps: right(x, gamma, eps) * (1 + (x.shape[2] > 1)), ["s = 1"]),
        (lambda x, gamma, eps: 2 * right(x, gamma, eps), []),
    ],
)
def test_with_what_neutral_it_is_right(student, words):
    assert shrink.neutral(given(), SHAPES, shrink.Questions(student, [right], 0)) == words


def test_a_long_call_is_not_shown():
    big = np.arange(100.0)
    assert shrink.sentence("f", "y", ({"x": big}, big, big), hidden=False) == ""


ONES = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("student", "like", "shown", "hidden"),
    [
        (
            lambda x: x.sum(1, keepdims=True),
            Mismatch("shape", "y", ONES, ONES[0]),
            "f(x=[[1]]) gave y = [[1]], expected [1].",
            "f(x=[[1]]) gave y = [[1]]; what should it be?",
        ),
        (
            lambda x: x.sum(1, dtype=float),
            Mismatch("dtype", "y", ONES, ONES),
            "f(x=[[1]]), given float32, gave y in float64, expected float32.",
            "f(x=[[1]]), given float32, gave y in float64; in which dtype should it be?",
        ),
        (
            lambda x: x.sum(1) / (x[:, 0] != 1),
            Mismatch("nan", "y", ONES, ONES),
            "f(x=[[1]]) gave y = [inf], expected [1].",
            "f(x=[[1]]) gave y = [inf]; what should it be?",
        ),
    ],
)
def test_wrong_shapes_dtypes_and_nan_are_seen_again_in_something_small(
    student, like, shown, hidden
):
    ask = shrink.Questions(student, [lambda x: x.sum(1)], 0, like=like)
    start = {"x": np.full((4, 3), 1, np.float32)}
    found = shrink.smallest(start, {"x": ("n", "d")}, ask)
    assert shrink.sentence("f", "y", found, hidden=False) == shown
    assert shrink.sentence("f", "y", found, hidden=True) == hidden


def test_a_value_where_nan_is_right_is_seen_again():
    def root(x):
        return np.where(x < 0, np.nan, np.sqrt(np.abs(x)))

    like = Mismatch("nan", "y", np.ones(3), np.array([1, np.nan, 1]))
    start = {"x": np.array([2.0, -7.3, 5.0])}
    wrong = shrink.Questions(lambda x: np.sqrt(np.abs(x)), [root], 0, like=like)
    (arguments, got, want) = shrink.smallest(start, {"x": ("n",)}, wrong)
    assert arguments["x"].shape == (1,)
    assert np.isfinite(got)
    assert np.isnan(want)
    finite = Mismatch("nan", "y", np.ones(3), np.ones(3))
    ask = shrink.Questions(lambda x: np.sqrt(np.abs(x)), [root], 0, like=finite)
    assert shrink.smallest(start, {"x": ("n",)}, ask) is None


def test_offered_calls_may_go_wrong_in_another_way_but_for_dtypes():
    def asked(what):
        like = Mismatch(what, "y", ONES, ONES)
        return shrink.Questions(lambda x: x[:, :1].astype(float), [np.copy], 0, like=like)

    one, two = {"x": ONES[:, :1]}, {"x": ONES[:, :2]}
    assert asked("values").differ(two) is None
    assert asked("values").wrong(two)
    assert asked("values").wrong(one) is None
    assert asked("dtype").wrong(one)
    assert asked("dtype").wrong(two) is None
