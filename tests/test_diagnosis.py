import numpy as np
import pytest

from minidl.grading.compare import Mismatch, close
from minidl.grading.diagnosis import explain, first_wrong
from minidl.grading.student import StudentFailure

WANT = np.random.default_rng(3).normal(size=(4, 3, 5)) + 0.2


def explained(got, want=WANT, hidden=False, **tolerance):
    with pytest.raises(Mismatch) as info:
        close(got, want, "dx", **tolerance)
    return explain(info.value, "backward", hidden)


PER_CHANNEL = np.array([1.0, 2.0, -3.0])[:, None]


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (WANT * 0, "dx is zero everywhere"),
        (-WANT, "wrong sign everywhere"),
        (WANT * 20, "too large everywhere: that is the length of axis 0 * the length of axis 2."),
        (WANT / 3, "3 times too small everywhere: that is the length of axis 1."),
        (WANT * -0.5, "2 times too small everywhere, and of the wrong sign"),
        (WANT * 1.1, "1.1 times too large everywhere."),
        (WANT + 0.7, "off by the same amount everywhere"),
        (np.roll(WANT, 1, 0), "shifted by 3 along axis 0"),
        (np.flip(WANT, 2).copy(), "runs backwards along axis 2"),
        (WANT * PER_CHANNEL, "right up to one factor for each index of axis 1"),
        (WANT + PER_CHANNEL, "right up to one constant for each index of axis 1"),
        (WANT + 1e-5 * np.sin(9 * WANT), "nearly right, off by up to"),
        (WANT + 1e-6 * np.sin(9 * WANT), "nearly right, off by up to"),
        (np.where(np.arange(5) == 2, 9.0, WANT), "at index 2 of axis 2 alone (all of it)"),
        (np.where(WANT[1, 2, 3] == WANT, 9.0, WANT), "wrong at [1, 2, 3] alone."),
        (np.sin(9 * WANT), "dx is wrong everywhere"),
    ],
)
def test_values(got, words):
    finding = explained(got)
    assert words in finding.seen
    assert finding.question.endswith("?")
    assert "yours" in finding.numbers
    assert "expected" in finding.numbers


def test_values_in_few_places():
    got = WANT.copy()
    got[0, 0, 1] = got[3, 2, 2] = 7.0
    assert "wrong in 2 of 60 values, first at [0, 0, 1]" in explained(got).seen
    assert f"From [0, 0, 1]: yours 7 {got[0, 0, 2]:.5g}" in explained(got).numbers


def test_a_square_array_transposed():
    square = WANT[0, :, :3]
    assert "transposed with (1, 0) it fits" in explained(square.T.copy(), square).seen


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        (WANT.transpose(1, 0, 2), WANT, "transposed with axes (1, 0, 2) it fits, and the values"),
        (WANT.sum((0, 2), keepdims=True), WANT.sum((0, 2)), "without its axes of length one"),
        (WANT.sum(0), WANT.sum((0, 2)), "summed over axis 1 it fits, and the values are right"),
        (WANT, WANT.sum((0, 2)), "summed over axes 0 and 2 it fits, and the values are right"),
        (WANT.sum(1), WANT.sum(1)[:, None], "with an axis of length one at 1 it fits, and"),
        (WANT.reshape(12, 5), WANT, "right number of values, and the values are right then"),
        (np.zeros((12, 5)), WANT, "right number of values in shape"),
        (np.zeros((2, 5)), WANT, "dx has shape (2, 5), expected (4, 3, 5)."),
    ],
)
def test_shapes(got, want, words):
    finding = explained(got, want)
    assert words in finding.seen
    assert finding.question.startswith("Which axes should be left in dx")


def test_dtype_and_type():
    assert "came back as float32, expected float64" in explained(WANT.astype(np.float32)).seen
    assert "dx is a float, expected an array of shape (4, 3, 5)" in explained(1.0).seen


def test_where_the_nan_is():
    got = WANT.copy()
    got[:, 1] = np.nan
    assert "dx is NaN at index 1 of axis 1 alone (all of it)" in explained(got).seen
    assert "dx is infinite everywhere" in explained(WANT + np.inf).seen
    spoiled = WANT.copy()
    spoiled[0, 0, 0] = np.nan
    assert "finite where NaN or infinity was expected" in explained(WANT, spoiled).seen


def test_hidden_checks_show_no_expected_value():
    for got in (WANT * 20, WANT + 0.7, np.sin(9 * WANT), np.where(WANT > 1, 9.0, WANT)):
        seen = " ".join(explained(got, hidden=True))
        assert "yours" not in seen
        assert "expected" not in seen
        for value in (*WANT.ravel(), *got.ravel()):
            assert f"{value:.4g}"[:6] not in seen or len(f"{value:.4g}") < 4


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (None, "backward returned None, expected 3 arrays (dx, dgamma, dbeta)"),
        ((WANT, WANT), "returned 2 values, expected 3 arrays"),
        ((WANT, 1.0, WANT), "returned a float as dgamma"),
        (WANT, "returned one array of shape (4, 3, 5), expected 3 arrays"),
        (7, "returned an int, expected 3 arrays"),
    ],
)
def test_structure(got, words):
    failure = Mismatch("structure", "backward", got, ("dx", "dgamma", "dbeta"))
    finding = explain(failure, "backward", False)
    assert words in finding.seen
    assert finding.question.endswith("?")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (StudentFailure("missing", "x"), "there is no function backward"),
        (StudentFailure("timeout", "x", 7), "backward did not come back in time (line 7)"),
        (StudentFailure("raised", "NotImplementedError: a"), "backward is not written yet"),
        (StudentFailure("raised", "ValueError: [1.5]", 3), "raised ValueError: [1.5] (line 3)"),
        (StudentFailure("memory", "f ran out of memory"), "ran out of memory"),
        (StudentFailure("crashed", "exit code 3"), "the process died: exit code 3."),
        (StudentFailure("raised", "ValueError: no (line 3: `a: 1`)", 3), "no (line 3: `a: 1`)."),
        (StudentFailure("protocol", "got an object"), "backward: got an object."),
    ],
)
def test_no_value(failure, words):
    finding = explain(failure, "backward", False)
    assert words in finding.seen
    assert finding.question.endswith("?")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("NameError: name 'n' is not defined", "Where, before line 3, does that name get its"),
        ("IndexError: index 2 is out of bounds", "How long is the array on line 3, and which"),
        ("ValueError: operands could not be broadcast together", "Which array on line 3 needs an"),
        (
            "ValueError: matmul: mismatch in its core dimension 0",
            "Which two axes meet in the product on",
        ),
        ("ValueError: cannot reshape array of size 6 into", "How many numbers are there on line 3"),
        ("ValueError: The truth value of an array with more", "Which step on line 3 asks a"),
        ("ValueError: The requested array has an inhomogeneous shape", "Which of the parts"),
        ("TypeError: no", "What are the shapes and dtypes on line 3?"),
    ],
)
def test_every_exception_has_its_question(message, words):
    finding = explain(StudentFailure("raised", message, 3), "backward", False)
    assert finding.question.startswith(words)


def test_a_hidden_exception_is_its_type_and_line():
    failure = StudentFailure("raised", "ValueError: x was [1.2345]", 3)
    assert explain(failure, "backward", True).seen == "backward raised ValueError (line 3)."


def test_which_gradient_is_wrong_first():
    right = (WANT, WANT[0, :, 0], WANT[1, :, 0])
    names, computed = ("dx", "dgamma", "dbeta"), ("dbeta", "dgamma", "dx")

    def said(*wrong):
        got = [array + 1 if n in wrong else array for n, array in zip(names, right, strict=True)]
        good, first = first_wrong(got, right, names, computed)
        return good, first and first.name

    assert said("dx") == (["dbeta", "dgamma"], "dx")
    assert said("dx", "dgamma") == (["dbeta"], "dgamma")
    assert said("dx", "dbeta") == ([], "dbeta")
    assert said() == (["dbeta", "dgamma", "dx"], None)
    good, first = first_wrong((WANT[0], *right[1:]), right, names, computed)
    assert (good, first.what) == (["dbeta", "dgamma"], "shape")
    nearly = (WANT * (1 + 1e-4), *right[1:])
    assert first_wrong(nearly, right, names, computed)[1].name == "dx"
    assert first_wrong(nearly, right, names, computed, rtol=1e-3)[1] is None


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        (np.array([True, False, True]), np.array([True, True, False]), "yours 0 1, expected 1 0"),
        (np.array(3), np.array(4), "From [0]: yours 3, expected 4."),
        (np.array(2.5), np.array(4.0), "yours 2.5, expected 4."),
    ],
)
def test_truth_values_and_single_numbers_are_compared_too(got, want, words):
    assert words in explained(got, want).numbers
    assert not explained(got, want, hidden=True).numbers


@pytest.mark.parametrize(
    ("message", "line", "seen", "question"),
    [
        (
            "ValueError: too many values to unpack (expected 2)",
            0,
            "backward should return 2 results; there are more, or the rows of a single array",
            "under Returns",
        ),
        (
            "ValueError: not enough values to unpack (expected 3, got 1)",
            0,
            "backward should return 3 results; 1 came.",
            "under Returns",
        ),
        (
            "ValueError: too many values to unpack (expected 2)",
            7,
            "raised ValueError",
            "shapes and dtypes on line 7",
        ),
        (
            "TypeError: '<' not supported between instances of 'float' and 'NoneType'",
            7,
            "raised TypeError",
            "What on line 7 is still None",
        ),
        (
            "AttributeError: 'SWA' object has no attribute 'sum' (line 7: `return self.sum`)",
            7,
            "raised AttributeError",
            "Which method gives the object its attributes on line 7",
        ),
    ],
)
def test_what_an_exception_is_asked_about(message, line, seen, question):
    for hidden in (False, True):
        finding = explain(StudentFailure("raised", message, line), "backward", hidden)
        assert seen in finding.seen
        assert question in finding.question


def test_values_a_check_cannot_use():
    message = "the check could not use what came back (IndexError)"
    finding = explain(StudentFailure("protocol", message), "split", True)
    assert finding.seen == f"split: {message}."
    assert "Do order, shapes and dtypes" in finding.question


def test_truths_are_false_and_lengths_are_asked_for():
    said = explained(np.zeros(4, bool), np.ones(4, bool))
    assert said.seen == "dx is False everywhere."
    assert explained(np.zeros((4, 3)), np.ones((4, 5))).question == (
        "How long should axis 1 of dx be, and why?"
    )
