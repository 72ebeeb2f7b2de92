"""Results of normalizations written around the cache, as large ones are: the same numbers."""

import kernel_cases
import numpy as np
import pytest
from minidl.kernels import (
    batch_norm_cython,
    batch_norm_numpy,
    dropout_cython,
    group_norm_cython,
    group_norm_numpy,
)

from minidl import get_num_threads, set_num_threads

BOTH = {
    "batch_norm": (batch_norm_cython, batch_norm_numpy),
    "group_norm": (group_norm_cython, group_norm_numpy),
}


@pytest.fixture(params=[1, 2])
def threads(request, monkeypatch):
    """Every result is written around the cache, by one thread or two."""
    for module, _ in BOTH.values():
        for name, value in (("LARGE", 0), ("LONG", 0), ("LEAST", 64)):
            if name in vars(module):
                monkeypatch.setitem(vars(module), name, value)
        assert module.LARGE == 0
    before = get_num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


def assert_agree(family, function, arguments, dtype):
    twin, specification = BOTH[family]
    got = getattr(twin, function)(*arguments)
    wanted = getattr(specification, function)(*arguments)
    many = isinstance(wanted, tuple)
    for a, b in zip(got if many else [got], wanted if many else [wanted], strict=True):
        assert a.dtype == b.dtype
        tolerance = (1e-12 if dtype == np.float64 else 1e-5) * np.abs(b).max(initial=0)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, err_msg=function)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("family", BOTH)
def test_every_case(threads, dtype, family):
    for function, arguments in getattr(kernel_cases, family)(np.random.default_rng(0), dtype):
        if hasattr(BOTH[family][0], function):
            assert_agree(family, function, arguments, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("vectors", [True, False])
def test_groups_of_every_length(threads, dtype, vectors):
    """Each begins at another distance from the last aligned address, down to runs of one value."""
    rng = np.random.default_rng(1)
    for length in range(1, 40):
        shape = (5, length, 1) if vectors else (3, 2, length)
        x, dy = rng.normal(size=(2, *shape)).astype(dtype)
        gamma, beta = rng.normal(size=(2, shape[1])).astype(dtype)
        mean, inv_std = rng.uniform(0.5, 2, (2, shape[0], 1)).astype(dtype)
        assert_agree("group_norm", "forward", (x, gamma, beta, 1, 0.1), dtype)
        assert_agree("group_norm", "backward", (dy, x, mean, inv_std, gamma, 1), dtype)


def test_which_results_are_large(monkeypatch):
    """By the measurement: where all arrays have 22 MiB; groups in runs of at least a kilobyte.

    None where a core writes faster through the cache.
    """
    for module in (group_norm_cython, batch_norm_cython, dropout_cython):
        assert module.LARGE in (22 * 2**20, 2**62)
        assert module.LARGE == batch_norm_cython.LARGE
    for module in (group_norm_cython, batch_norm_cython):
        monkeypatch.setitem(vars(module), "LARGE", 22 * 2**20)
    assert group_norm_cython.LONG == 1024
    assert batch_norm_cython.ALIGNED == 64
    memory = np.empty(2 * 1024 * 1024 + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    eight = memory[start:][: 2 * 1024 * 1024].reshape(2, 1024, 1024)
    for arrays, large in [(3, True), (2, False)]:
        assert group_norm_cython._streams(eight, arrays, 1024, 1024) == large
        assert group_norm_cython._streams(eight, arrays, 256, 1) == large
        assert batch_norm_cython._streams(eight, arrays) == large
    assert not group_norm_cython._streams(eight, 3, 1024, 16)
    assert not batch_norm_cython._streams(eight.reshape(1024, 256, 8), 3)


def test_planes_at_uneven_addresses_are_not_streamed(monkeypatch):
    monkeypatch.setitem(vars(batch_norm_cython), "LARGE", 0)
    memory = np.empty(4 * 1024 * 1024 + 32, np.float32)
    uneven = memory[-memory.ctypes.data % 64 // 4 + 4 :][: 4 * 1024 * 1024]
    assert not batch_norm_cython._streams(uneven.reshape(4, 1024, 1024), 3)


@pytest.mark.parametrize("shape", [(4, 7, 784), (8, 5, 1024), (3, 20, 50), (3, 4, 30_000)])
def test_a_channel_is_the_same_wherever_it_stands(threads, shape):
    """Its sums go along with another's sweep, or not: the first, or one too large for the cache."""
    rng = np.random.default_rng(2)
    x, dy = rng.normal(size=(2, *shape)).astype(np.float32)
    gamma, beta = rng.normal(size=(2, shape[1])).astype(np.float32)
    turned = [np.flip(a, 1).copy() for a in (x, dy)]
    y, inv_std, mean, var = batch_norm_cython.fused_forward(x, gamma, beta, None, 1e-5, True)
    again = batch_norm_cython.fused_forward(
        turned[0], gamma[::-1].copy(), beta[::-1].copy(), None, 1e-5, True
    )
    assert np.array_equal(np.flip(again[0], 1), y)
    for one, other in zip(again[1:], (inv_std, mean, var), strict=True):
        assert np.array_equal(one[::-1], other)
    for shift in (None, beta):
        dx, *_ = batch_norm_cython.fused_backward(dy, x, y, mean, inv_std, gamma, shift, False)
        scales = [None if a is None else a[::-1].copy() for a in (gamma, shift)]
        back = batch_norm_cython.fused_backward(
            turned[1], turned[0], again[0], again[2], again[1], *scales, False
        )
        assert np.array_equal(np.flip(back[0], 1), dx)
    assert_agree("batch_norm", "fused_forward", (x, gamma, beta, None, 1e-5, True), np.float32)
    arguments = dy, x, y, mean, inv_std, gamma, beta, False
    assert_agree("batch_norm", "fused_backward", arguments, np.float32)


def test_groups_that_no_cache_holds_twice(threads):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 2, 70_000)).astype(np.float32)
    gamma, beta = rng.normal(size=(2, 2)).astype(np.float32)
    assert_agree("group_norm", "forward", (x, gamma, beta, 2, 0.1), np.float32)
    assert_agree("group_norm", "forward", (x, gamma, beta, 1, 0.1), np.float32)
