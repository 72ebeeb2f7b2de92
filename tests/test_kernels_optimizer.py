"""Optimizer steps in C agree with their specification, in place, and refuse what does not fit."""

import numpy as np
import pytest
from minidl.kernels import optimizer_cython, optimizer_numpy

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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("eps", [1e-8, 0.1])
def test_adam(dtype, decay, eps):
    p, g, m, v = lists(np.random.default_rng(3), dtype, 4)
    v = [np.asarray(np.abs(a)) for a in v]
    g[0][1, 2] = np.nan
    steps = [1, 2, 5, 1, 900, 30]
    first, second = [(copies(p), copies(m), copies(v)) for _ in range(2)]
    for module, (a, b, c) in ((optimizer_numpy, first), (optimizer_cython, second)):
        kept = copies(g)
        module.adam(a, g, b, c, steps, 0.02, 0.8, 0.95, eps, decay)
        for one, other in zip(g, kept, strict=True):
            np.testing.assert_array_equal(one, other)
    for got, wanted in zip(second, first, strict=True):
        assert_close(got, wanted, dtype)
    assert np.isnan(second[0][0][1, 2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov"),
    [(0.0, 0.0, False), (0.9, 0.0, False), (0.9, 0.4, False), (0.7, 0.0, True)],
)
def test_sgd(dtype, decay, momentum, dampening, nesterov):
    p, g, v = lists(np.random.default_rng(4), dtype, 3)
    first, second = [(copies(p), copies(v)) for _ in range(2)]
    for module, (a, b) in ((optimizer_numpy, first), (optimizer_cython, second)):
        velocities = b if momentum else []
        module.sgd(a, g, velocities, 0.02, momentum, dampening, decay, nesterov)
    for got, wanted in zip(second, first, strict=True):
        assert_close(got, wanted, dtype)


@pytest.mark.parametrize(
    "other",
    [
        np.ones(3, np.float32),
        np.ones(4),
        np.ones((4, 2), np.float32)[:, 0],
        np.broadcast_to(np.float32(1), (4,)),
    ],
    ids=["size", "type", "strided", "broadcast"],
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
    with pytest.raises(ValueError, match="lists of one length"):
        optimizer_cython.sgd([good[0]], [], [], 0.1, 0.0, 0.0, 0.0, False)


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
