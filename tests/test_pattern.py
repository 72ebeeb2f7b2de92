"""What simple thing is different: natural factors, relations to what is known, and places."""

import numpy as np
import pytest

from minidl.grading.axes import documented, sizes
from minidl.grading.compare import Mismatch, close
from minidl.grading.diagnosis import explain
from minidl.grading.factor import named
from minidl.grading.setting import Setting

RNG = np.random.default_rng(5)
X, GAMMA = RNG.normal(size=(5, 3, 4)), np.array([0.5, 2.0, -3.0])
WANT = RNG.normal(size=(5, 3, 4)) + 0.2
SHAPES = {"x": ("n", "c", "s"), "gamma": ("c",), "y": ("n", "c", "s"), "b": ("c",)}
AT = Setting({"x": X, "gamma": GAMMA, "p": 0.3, "stride": 2}, SHAPES)


def found(got, want=WANT, at=AT, hidden=False):
    with pytest.raises(Mismatch) as info:
        close(got, want, "y")
    return explain(info.value, "forward", hidden, at)


def test_axes_are_read_from_docstrings():
    text = "x : (n, c / groups, h) float\n    y, y' : (n,);  m : int\n    z : (n, h) or None"
    assert documented(text) == {
        "x": ("n", "c / groups", "h"),
        "y": ("n",),
        "y'": ("n",),
        "z": ("n", "h"),
    }
    arrays = {"x": np.zeros((2, 3, 4)), "y": np.zeros(2), "z": np.zeros((2, 5))}
    assert sizes(documented(text), arrays) == {"n": 2}


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (5, "n"),
        (20, "n * s"),
        (20 / 19, "(n * s) / (n * s - 1)"),
        (np.sqrt(20), "sqrt(n * s)"),
        (1 / 0.7, "1 / (1 - p)"),
        (0.7, "(1 - p)"),
        (0.49, "(1 - p)^2"),
        (1 / 0.3, "1 / p"),
        (1 / 60, "1 / (n * c * s)"),
        (7, "k"),
        (2, "2"),
    ],
)
def test_natural_factors(factor, words):
    assert named(factor, {"n": 5, "c": 3, "s": 4}, {"p": 0.3, "k": 7, "name": "x"})[0] == words
    assert not named(factor * 1.01, {"n": 5, "s": 4}, {})


def test_a_share_is_named_only_where_it_can_be_told_from_others():
    apart, alike = (Setting({"x": X, "lr": 0.37, "beta": b}, SHAPES) for b in (0.11, 0.37))
    assert "by the factor lr." in found(0.37 * WANT, at=apart).seen.replace("1 / lr", "lr")
    seen = found(0.37 * WANT, at=alike)
    assert "lr" not in seen.seen + seen.question
    assert "2.7027 times too small everywhere." in seen.seen


def test_what_is_handed_on_unchanged_under_the_same_name_is_said_so():
    with pytest.raises(Mismatch) as info:
        close(X, WANT, "x")
    finding = explain(info.value, "forward", False, AT)
    assert finding.seen == "x came back as it came in, number for number."


def test_a_factor_that_one_case_leaves_open_is_settled_by_another():
    def at(n):
        want = np.ones((n, 2)) * np.arange(1, 3)
        return Setting({"x": want}, {"x": ("n", "c")}, {"y": 2 * want}, {"y": want})

    alone, other = at(2), at(7)
    said = found(2 * alone.right["y"], alone.right["y"], alone).seen
    assert "2 times too large everywhere: that is n or c." in said
    both = Setting(alone.arguments, alone.shapes, alone.returned, alone.right, (other,))
    assert "that is c." in found(2 * alone.right["y"], alone.right["y"], both).seen


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (X.copy(), "y is x, number for number."),
        (WANT + X, "y is too large by x."),
        (WANT - GAMMA[:, None], "y is too small by gamma."),
        (WANT * X, "y is x times what it should be."),
        (WANT * GAMMA[:, None] ** 2, "y is gamma^2 times what it should be."),
        (WANT / GAMMA[:, None], "y would be right if it were multiplied by gamma."),
        (np.abs(WANT), "y is the absolute value of what it should be."),
        (1 / WANT, "y is the inverse of what it should be."),
        (WANT / 0.7, "y is too large everywhere: by the factor 1 / (1 - p)."),
        (WANT * 5, "5 times too large everywhere: that is n."),
        (WANT * 0.9999, "y is nearly right, off by up to 0.0001 of its largest value."),
        (np.where(np.arange(3)[:, None] == 1, 9.0, WANT), "index 1 of axis 1 (c) alone (all of"),
        (np.where(np.arange(4) == 3, 9.0, WANT), "at index 3, the last, of axis 2 (s) alone"),
        (np.where(X < 0, 9.0, WANT), "y is wrong exactly where x is negative."),
        (np.where((X < 0) & (X > -1), 9.0, WANT), "y is wrong only where x is negative."),
        (np.where(X[0, 0, 0] == X, 9.0, WANT), "y is wrong at [0, 0, 0] alone."),
    ],
)
def test_relations_and_places(got, words):
    finding = found(got)
    assert words in finding.seen
    assert finding.question.endswith("?")
    assert words in found(got, hidden=True).seen
    assert not found(got, hidden=True).numbers


def test_results_that_changed_places_or_are_one_array():
    right = {"y": WANT, "z": X}
    swapped = Setting({}, {}, {"y": X, "z": WANT}, right)
    assert "y and z have changed places." in found(X, at=swapped).seen
    one = WANT + X**2
    assert (
        "came back as the same numbers"
        in found(one, at=Setting({}, {}, dict.fromkeys("yz", one), right)).seen
    )
    other = Setting({}, {}, {"y": X, "z": one}, right)
    assert "y holds the numbers that z should have." in found(X, at=other).seen


def test_results_that_should_be_the_same_are_not_suspected_of_being_one_array():
    one = WANT + X**2
    at = Setting({}, {}, dict.fromkeys("yz", one), {"y": WANT, "z": WANT.copy()})
    assert "same numbers" not in found(one, at=at).seen


def test_a_factor_is_asked_about_by_the_argument_in_it():
    at = Setting({"lr": 0.3}, SHAPES)
    finding = found(WANT * np.sqrt(0.7), at=at)
    assert "y is too small everywhere: by the factor 1 / sqrt(1 - lr)." in finding.seen
    assert "lr or 1 - lr" in finding.question
    assert finding.question.startswith("Where does the formula ask for")
    assert found(WANT * 0.3, at=at).question.startswith("Where does lr enter the formula")


def test_another_result_in_the_place_of_one():
    right = {"y": WANT, "z": X[:, 0]}
    finding = found(X[:, 0].copy(), at=Setting({}, {}, {"y": X[:, 0], "z": WANT}, right))
    assert "y has shape (5, 4), expected (5, 3, 4); z came in its place." in finding.seen
    assert finding.question == "In which order does the docstring list what is returned?"


def test_of_what_a_result_of_another_shape_is_the_mean():
    finding = found(X.mean((0, 1)), X.mean((0, 2)))
    assert "expected (3,); it is the mean of x over axis 0 (n) and axis 1 (c)." in finding.seen
    assert "it is the sum of x over axis 1 (c)." in found(X.sum(1), X.mean((0, 2))).seen


def bordered(*edges):
    mask = np.zeros((2, 6, 7), bool)
    for edge in edges:
        mask[edge] = True
    return np.where(mask, 9.0, np.sin(np.arange(84)).reshape(2, 6, 7))


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ((np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]), "border of the last two"),
        ((np.s_[:, 0], np.s_[:, :, 0]), "in the first row and the first column alone"),
        ((np.s_[:, -1], np.s_[:, :, -1]), "in the last row and the last column alone"),
    ],
)
def test_borders(edges, words):
    finding = found(bordered(*edges), np.sin(np.arange(84)).reshape(2, 6, 7), Setting())
    assert words in finding.seen
    assert "border" in finding.question


def nan_where(mask):
    return np.where(mask, np.nan, WANT)


def test_which_inputs_give_nan():
    x = X.copy()
    x[0, 0, 1] = x[2, 1, 3] = 0.0
    at = Setting({"x": x}, SHAPES)
    assert "y is NaN where x is zero." in found(nan_where(x == 0), at=at).seen
    assert "y is NaN where x is negative." in found(nan_where(x < 0), at=at).seen
    above = found(nan_where(x > 1), at=at)
    assert f"y is NaN where x is above {x[x <= 1].max():.3g}." in above.seen
    assert "grows too large" in above.question
    assert "y is NaN where x is largest." in found(nan_where(x > 1), at=at, hidden=True).seen
    assert "y is infinite where x is below" in found(np.where(x < -1, np.inf, WANT), at=at).seen
    x[:, 1] = 3.0
    still = found(nan_where(np.arange(3)[:, None] == 1), at=Setting({"x": x}, SHAPES))
    assert "where all values of x in one slice of axis 1 (c) are equal" in still.seen


def test_what_only_holds_by_chance_is_not_said():
    """In three values, those of some vector are negative; another call tells."""
    b = np.array([1.0, -1.0, 2.0])
    want = np.array([5.0, 6.0, 7.5])
    got = np.array([5.0, 9.0, 7.5])
    alone = Setting({"b": b}, {"b": ("c",)}, {"y": got}, {"y": want})
    assert "y is wrong at [1] alone." in found(got, want, alone).seen
    agrees = Setting(*_call(b), (Setting(*_call(-b)),))
    assert "y is wrong exactly where b is negative." in found(got, want, agrees).seen
    differs = Setting(*_call(b), (Setting({"b": -b}, {}, {"y": got}, {"y": want}),))
    assert "y is wrong at [1] alone." in found(got, want, differs).seen


def _call(b):
    want = np.array([5.0, 6.0, 7.5])
    return {"b": b}, {"b": ("c",)}, {"y": np.where(b < 0, 9.0, want)}, {"y": want}


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        (WANT, WANT.mean((0, 2)), "averaged over axes 0 and 2 it fits, and the values are right"),
        (WANT.sum(), WANT.sum((0, 2)), "it is right, but summed over axis 0 of the result as well"),
        (WANT.mean(), WANT.mean((0, 2)), "it is right, but averaged over axis 0 of the result"),
    ],
)
def test_means_and_sums_over_too_little_or_too_much(got, want, words):
    assert words in found(np.asarray(got), want).seen
