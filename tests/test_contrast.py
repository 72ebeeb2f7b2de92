import numpy as np
import pytest

from minidl.grading.contrast import contrast
from minidl.grading.setting import Setting


def call(shape=(2, 3, 5, 4), dtype=float, **numbers):
    x = np.abs(np.random.default_rng(1).normal(size=shape)).astype(dtype) + 0.1
    return Setting({"x": x, **numbers}, {"x": ("n", "c", "h", "w")})


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ({"stride": 1}, {"stride": 2}, "All 3 calls with stride 1 are right, none of the 2 with"),
        ({"stride": (1, 1)}, {"stride": (2, 1)}, "with stride 1 are right"),
        (
            {"relu": False},
            {"relu": True},
            "with relu False are right, none of the 2 with relu True",
        ),
        ({"bias": None}, {"bias": "given"}, "with bias None are right"),
        ({"p": 0.0}, {"p": 0.3}, "with p 0 are right, none of the 2 with another p is"),
        ({"shape": (2, 3, 4, 4)}, {"shape": (2, 3, 5, 4)}, "with x square in its last two axes"),
        (
            {"dtype": "float64"},
            {"dtype": "float32"},
            "with float64 are right, none of the 2 with fl",
        ),
        ({"shape": (1, 3, 5, 4)}, {"shape": (2, 3, 5, 4)}, "with n = 1 are right"),
    ],
)
def test_what_tells_wrong_calls_from_right_ones(right, wrong, words):
    right, wrong = {"kernel": 3, **right}, {"kernel": 3, **wrong}
    assert words in contrast([call(**right)] * 3, [call(**wrong)] * 2)


def test_values_of_an_input():
    odd = call()
    odd.arguments["x"][0, 0, 0, 0] = -1.0
    said = contrast([call(), call()], [odd])
    assert said == (
        "Both calls with no negative values in x are right, "
        "the one with negative values in x is not."
    )


def test_nothing_is_said_where_too_little_or_too_much_differs():
    assert contrast([call(stride=1)], [call(stride=2)]) == ""
    assert contrast([call(stride=1)] * 3, []) == ""
    assert contrast([call(stride=1)] * 3, [call(stride=1)]) == ""
    assert contrast([call(a=1, b=1, c=1, d=1)] * 2, [call(a=2, b=2, c=2, d=2)]) == ""
