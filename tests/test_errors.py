"""The house form of messages, and the exceptions' place in Python's own hierarchy."""

import pytest

from minidl import errors


def test_the_form_of_a_message():
    assert errors.expected("op", "this", "that") == "op: expected this, got that"
    assert errors.expected("op", "this", "that", "do so") == "op: expected this, got that; do so"


def test_rank_size_and_range():
    errors.check_rank("op", "x", (1, 2), "n d")
    errors.check_size("op", "x", [1, 2], (1, 2))
    errors.check_range("op", "p", 1.0, 0.0, 1.0)
    message = r"conv2d: expected x of shape \(n, c, h, w\), got \(32, 28, 28\); add a channel axis"
    with pytest.raises(errors.ShapeError, match=message):
        errors.check_rank("conv2d", "x", (32, 28, 28), "n c h w", "add a channel axis")
    with pytest.raises(errors.ShapeError, match=r"op: expected x of shape \(1, 2\), got \(2, 1\)"):
        errors.check_size("op", "x", (2, 1), (1, 2))
    for value in (1.1, -0.1, float("nan")):
        with pytest.raises(errors.ArgumentError, match=r"op: expected p between 0.0 and 1.0"):
            errors.check_range("op", "p", value, 0.0, 1.0)


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (errors.ShapeError, ValueError),
        (errors.DTypeError, TypeError),
        (errors.ArgumentError, ValueError),
        (errors.AutogradError, RuntimeError),
    ],
)
def test_each_is_what_python_users_catch(kind, base):
    assert issubclass(kind, base)
    assert issubclass(kind, errors.MinidlError)
