"""The assignment's definitions and solutions agree with the library and with each other."""

import inspect
from functools import cache

import numpy as np
import pytest
from minidl.kernels import conv2d_numpy

from minidl import backend
from minidl.gradcheck import central_differences
from minidl.grading import bank
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade_source
from minidl.grading.student import LocalSandbox, LocalStudent

STRIDE, PADDING, DILATION, GROUPS = (2, 1), (1, 2), (1, 2), 2


@cache
def assignment():
    return Assignment.load("conv2d")


@cache
def definitions():
    return bank.load_module(assignment().folder / "definitions.py")


@cache
def solution():
    return LocalStudent.from_source(assignment().solution())


def layer(seed, groups=1, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(2, 4, 6, 7)), rng.normal(size=(4, 4 // groups, 2, 3))
    return x.astype(dtype), weight.astype(dtype), rng.normal(size=4).astype(dtype)


def test_sizes_and_names():
    tasks = assignment().tasks
    assert assignment().points == 100
    assert len(tasks) >= 9
    assert len(assignment().mistakes) >= 35
    for task in tasks:
        assert len(task.hints) == 3
        assert task.hints[0].endswith("?")
        assert sum(m.target == task.name for m in assignment().mistakes) >= 4
        assert sum(a.target == task.name for a in assignment().alternatives) >= 3


def test_definitions_are_the_librarys_convolution():
    x, weight, bias = layer(0, GROUPS)
    geometry = definitions().Geometry((2, 3), STRIDE, PADDING, DILATION)
    given = STRIDE, PADDING, DILATION, GROUPS
    y = conv2d_numpy.forward(x, weight, bias, *given)
    np.testing.assert_allclose(definitions().correlate(x, weight, bias, geometry, GROUPS), y)
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx, dweight = definitions().gradients(dy, x, weight, geometry, GROUPS)

    def loss():
        return np.sum(dy * definitions().correlate(x, weight, bias, geometry, GROUPS))

    np.testing.assert_allclose(dx, central_differences(loss, x, eps=1e-2), atol=1e-9)
    np.testing.assert_allclose(dweight, central_differences(loss, weight, eps=1e-2), atol=1e-9)


def test_columns_and_images_are_transposes():
    x, _, _ = layer(2)
    geometry = definitions().Geometry((2, 3), STRIDE, (0, 0), DILATION)
    cols = definitions().laid_out(x, geometry)
    other = np.random.default_rng(3).normal(size=cols.shape)
    back = definitions().put_back(other, x.shape, geometry)
    assert np.sum(cols * other) == pytest.approx(np.sum(x * back))
    np.testing.assert_allclose(solution().im2col(x, (2, 3), STRIDE, DILATION), cols)
    np.testing.assert_allclose(solution().col2im(other, x.shape, (2, 3), STRIDE, DILATION), back)


def test_all_forwards_agree():
    given = *layer(4, dtype=np.float32), STRIDE, PADDING
    right = conv2d_numpy.forward(*given, (1, 1), 1)
    for name in ("convolve", "forward_numba", "forward_cython"):
        np.testing.assert_allclose(getattr(solution(), name)(*given), right, rtol=0, atol=1e-5)


def test_students_functions_serve_the_library():
    names = [task.function for task in assignment().tasks]
    for function in backend.public_functions(conv2d_numpy):
        assert function in names
        mine = assignment().reference.parameters(function)
        assert mine == list(inspect.signature(getattr(conv2d_numpy, function)).parameters)


def test_the_starter_does_not_say_how():
    starter = assignment().starter()
    assert "from numba import njit" in starter
    assert "import cython" in starter
    assert "@njit" not in starter
    assert "Py_ssize_t" not in starter


NUMPY_TASKS = [t for t in Assignment.load("conv2d").tasks if not t.compiled]


@pytest.mark.parametrize("task", NUMPY_TASKS, ids=lambda task: task.name)
def test_mistakes_lose_points_and_alternatives_none(task):
    for mistake in (m for m in assignment().mistakes if m.target == task.name):
        source = assignment().with_mistake(mistake.id)
        (graded,) = grade_source(source, assignment(), None, LocalSandbox(), tasks=[task]).tasks
        assert {check.mistake for check in graded.checks if check.status == "failed"} == {
            mistake.id
        }
    for other in (a for a in assignment().alternatives if a.target == task.name):
        source = assignment().with_alternative(other.id)
        (graded,) = grade_source(source, assignment(), None, LocalSandbox(), tasks=[task]).tasks
        assert graded.earned == graded.points, other.id


def test_loops_that_were_not_compiled_are_too_slow_and_named():
    task = assignment().task("forward_numba")
    source = assignment().with_mistake("not_compiled")
    (graded,) = grade_source(source, assignment(), None, LocalSandbox(), tasks=[task]).tasks
    assert [check.status for check in graded.checks] == ["passed", "passed", "passed", "failed"]
    assert graded.checks[-1].mistake == "not_compiled"
