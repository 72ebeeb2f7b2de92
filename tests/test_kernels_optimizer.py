"""Optimizer steps in C agree with their specification, in place, and refuse what does not fit."""

import numpy as np
import pytest
from minidl.kernels import optimizer_cython, optimizer_numpy
from optimizer_cases import STEPS

import minidl
from minidl.tensor import Tensor
from minidl.optim import SGD, Adam

# Sizes around vectors, an empty one, and one that several threads share.
SIZES = [(3, 5), (8,), (), (0, 2), (1, 33), (250_001,)]


def lists(rng, dtype, count):
    return [[rng.standard_normal(s).astype(dtype).reshape(s) for s in SIZES] for _ in range(count)]


def copies(arrays):
    return [a.copy() for a in arrays]


def assert_close(got, wanted, dtype):
    tolerance = 2e-6 if dtype == np.float32 else 1e-14
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def state(rng, dtype):
    """p, g, and state as optimizer_cases.STEPS takes it, for every size."""
    p, g, a, x, y = lists(rng, dtype, 5)
    squares = [np.asarray(2 * m * m + np.abs(s), dtype) for m, s in zip(a, x, strict=True)]
    g[0][1, 2], g[4][0, 32] = np.nan, 0
    return p, g, a, squares, [np.asarray(np.abs(s)) for s in y]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("function", "build"), [pytest.param(*c[1:], id=c[0]) for c in STEPS])
def test_a_step_agrees_with_its_specification(function, build, dtype):
    given = state(np.random.default_rng(3), dtype)
    first, second = ([copies(arrays) for arrays in given] for _ in range(2))
    for module, arrays in ((optimizer_numpy, first), (optimizer_cython, second)):
        getattr(module, function)(*build(*arrays, [1, 2, 5, 1, 900, 30], []))
    for got, wanted in zip(second, first, strict=True):
        assert_close(got, wanted, dtype)
    for got, kept in zip(second[1], given[1], strict=True):
        np.testing.assert_array_equal(got, kept)
    assert np.isnan(second[0][0][1, 2])
    for got, before in zip(second[0], given[0], strict=True):
        assert not got.size or (got != before).any()


def test_every_step_is_there_in_c_and_tried():
    names = {name for name in vars(optimizer_numpy) if name.islower() and name[0] != "_"}
    functions = {name for name in names if callable(getattr(optimizer_numpy, name))}
    assert {function for _, function, _ in STEPS} == functions - {"fits"}
    assert all(hasattr(optimizer_cython, name) for name in functions)


def test_lists_that_do_not_fit_are_refused():
    rows = [np.ones(3) for _ in range(2)]
    calls = [
        ("sgd", (rows, rows[:1], [], 0.1, 0.0, 0.0, 0.0, False)),
        ("sgd", (rows, rows, [], 0.1, 0.9, 0.0, 0.0, False)),
        ("momentum", (rows, rows, [], 0.1, 0.9, 0.0)),
        ("adam", (rows, rows, rows, [], [1, 1], 0.1, 0.9, 0.9, 1e-8, 0.0)),
        ("adam", (rows, rows, rows, rows, [1], 0.1, 0.9, 0.9, 1e-8, 0.0)),
        ("adam", (rows, rows, rows, rows, [1, 1], 0.1, 0.9, 0.9, 1e-8, 0.0, rows[:1])),
        ("rmsprop", (rows, rows, rows, [], [], 0.1, 0.9, 1e-8, 0.0, 0.9)),
        ("adagrad", (rows, rows, rows, [1, 2, 3], 0.1, 0.0, 1e-8, 0.0)),
        ("adadelta", (rows, rows, rows, rows[:1], 0.1, 0.9, 1e-8, 0.0)),
        ("adamax", (rows, rows, rows, [], [1, 1], 0.1, 0.9, 0.9, 1e-8, 0.0)),
        ("fits", (rows, rows[:1])),
    ]
    for function, arguments in calls:
        with pytest.raises(ValueError, match=f"{function}: expected lists of one length"):
            getattr(optimizer_cython, function)(*arguments)
    np.testing.assert_array_equal(rows, 1)


@pytest.mark.parametrize(
    "other",
    [
        np.ones(3, np.float32),
        np.ones(4),
        np.ones((4, 2), np.float32)[:, 0],
        np.broadcast_to(np.float32(1), (4,)),
        np.ones((2, 2), np.float32),
    ],
    ids=["size", "type", "strided", "broadcast", "shape"],
)
def test_arrays_that_do_not_fit_are_refused_before_anything_moves(other):
    good = [np.ones(4, np.float32) for _ in range(4)]
    for place in range(4):
        arrays = [[a] for a in copies(good)]
        arrays[place] = [other]
        with pytest.raises(ValueError, match="adam: expected contiguous arrays"):
            optimizer_cython.adam(*arrays, [1], 0.1, 0.9, 0.99, 1e-8, 0.0)
        for i, (a,) in enumerate(arrays):
            assert i == place or (a == 1).all()


@pytest.mark.parametrize(("kind", "options"), [(Adam, {}), (SGD, {"momentum": 0.9}), (SGD, {})])
def test_read_only_and_strided_parameters_are_replaced(kind, options):
    values = np.arange(6.0).reshape(2, 3)
    frozen = values.copy()
    frozen.flags.writeable = False
    results = []
    for data in (values.copy(), frozen, values.copy().T.copy().T):
        p = Tensor(np.zeros((2, 3)), requires_grad=True)
        p.data = data
        p.grad = np.ones((2, 3))
        optimizer = kind([p], lr=0.1, **options)
        optimizer.step()
        optimizer.step()
        results.append(p.data)
    np.testing.assert_array_equal(frozen, values)
    for result in results:
        np.testing.assert_array_equal(result, results[0])
    assert (results[0] < values).all()


def test_threads_do_not_change_a_step():
    before, results = minidl.get_num_threads(), []
    try:
        for count in (1, 3):
            minidl.set_num_threads(count)
            p, g, m, v = lists(np.random.default_rng(5), np.float32, 4)
            optimizer_cython.adam(
                p, g, m, [np.asarray(np.abs(a)) for a in v], [3] * 6, 0.1, 0.9, 0.99, 1e-8, 0
            )
            results.append(p)
    finally:
        minidl.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
