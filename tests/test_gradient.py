"""Backward passes that fit their own forward."""

import numpy as np
import pytest
import tiny_assignment

from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade_source
from minidl.grading.gradient import Gradient, Pair
from minidl.grading.student import LocalSandbox, StudentFailure

GRADIENT = Gradient("square", "y", "dy", {"dx": "x", "da": "a"})
GIVEN = {"x": np.array([[1.0, 2.0], [3.0, -1.0]]), "a": np.array([2.0, 0.5])}
GIVEN["dy"] = np.array([[1.0, -2.0], [0.5, 3.0]])


def consistent(forward, backward):
    pair = Pair(GRADIENT, forward, backward, ["dy", "y", "x", "a"])
    return pair.consistent(GIVEN, np.random.default_rng(0))


def forward(power):
    return lambda given: {"y": given["a"] * given["x"] ** power}


def backward(power):
    def gradients(given):
        slope = given["a"] * power * given["x"] ** (power - 1)
        da = (given["dy"] * given["y"] / given["a"]).sum(0)
        return {"dx": given["dy"] * slope, "da": da}

    return gradients


def test_a_gradient_is_told_from_another():
    assert consistent(forward(2), backward(2)) is True
    assert consistent(forward(3), backward(3)) is True
    assert consistent(forward(3), backward(2)) is False


def test_what_does_not_run_or_fit_is_neither():
    def fails(given):
        raise StudentFailure("raised", "no")

    assert consistent(fails, backward(2)) is None
    assert consistent(forward(2), fails) is None
    assert consistent(lambda given: {}, backward(2)) is None
    assert consistent(forward(2), lambda given: {"da": given["dy"][0]}) is None
    assert consistent(forward(2), lambda given: {"dx": given["dy"][0]}) is False


def test_names_must_be_those_of_the_functions(tmp_path):
    table = 'hints = ["What is left?"]\n'
    given = '[task.gradient]\nof = "moments"\nresult = "mean"\ncomes = "x"\ngives = { y = "z" }\n'
    change = ("assignment.toml", table, table + given)
    with pytest.raises(ArgumentError, match="`gives` from y to arguments of moments"):
        Assignment.load(tiny_assignment.write(tmp_path, *change))


OWN = """
import numpy as np

def forward(x, gamma, beta, eps):
    mean, var = x.mean((0, 2)), x.var((0, 2))
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = (x - mean[:, None]) * inv_std[:, None]
    return (1 + gamma[:, None]) * x_hat + beta[:, None], x_hat, inv_std, mean, var

def backward(dy, x_hat, inv_std, gamma):
    g = dy * (1 + gamma[:, None])
    dx = g - g.mean((0, 2), keepdims=True) - x_hat * (g * x_hat).mean((0, 2), keepdims=True)
    return dx * inv_std[:, None], (dy * x_hat).sum((0, 2)), dy.sum((0, 2))
"""


def test_a_backward_of_ones_own_forward_is_told_so():
    assignment = Assignment.load("batch_norm")
    task = [assignment.task("backward")]

    def seen(source):
        (graded,) = grade_source(source, assignment, None, LocalSandbox(), tasks=task).tasks
        return " ".join(check.seen for check in graded.checks)

    assert "it is the gradient of your own forward, as central differences show" in seen(OWN)
    mended = OWN.replace("return (1 + gamma[:, None])", "return gamma[:, None]")
    assert "Your forward is right, so the mistake is in backward itself." in seen(mended)
    assert "own forward" not in seen(OWN.replace("return (1 + ", "return (2 + "))
