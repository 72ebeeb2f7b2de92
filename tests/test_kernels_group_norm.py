"""Group normalization's results written around the cache, as large ones are: the same numbers."""

import kernel_cases
import numpy as np
import pytest
from minidl.kernels import group_norm_cython, group_norm_numpy

from minidl import get_num_threads, set_num_threads


@pytest.fixture(params=[1, 2])
def threads(request, monkeypatch):
    """Every result is written around the cache, by one thread or two."""
    for name in ("LARGE", "LONG"):
        assert name in vars(group_norm_cython)
        monkeypatch.setitem(vars(group_norm_cython), name, 0)
    monkeypatch.setitem(vars(group_norm_cython), "LEAST", 64)
    before = get_num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


def assert_agree(function, arguments, dtype):
    got = getattr(group_norm_cython, function)(*arguments)
    wanted = getattr(group_norm_numpy, function)(*arguments)
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == b.dtype
        largest = np.abs(b).max(initial=0)
        tolerance = (1e-12 if dtype == np.float64 else 1e-5) * largest
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_case(threads, dtype):
    for function, arguments in kernel_cases.group_norm(np.random.default_rng(0), dtype):
        assert_agree(function, arguments, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("vectors", [True, False])
def test_runs_of_every_length(threads, dtype, vectors):
    """Each begins at another distance from the last aligned address, down to runs of one value."""
    rng = np.random.default_rng(1)
    for length in range(1, 40):
        shape = (5, length, 1) if vectors else (3, 2, length)
        x, dy = rng.normal(size=(2, *shape)).astype(dtype)
        gamma, beta = rng.normal(size=(2, shape[1])).astype(dtype)
        mean, inv_std = rng.uniform(0.5, 2, (2, shape[0], 1)).astype(dtype)
        assert_agree("forward", (x, gamma, beta, 1, 0.1), dtype)
        assert_agree("backward", (dy, x, mean, inv_std, gamma, 1), dtype)


def test_which_results_are_large():
    """By the measurement: where all arrays have 22 MiB, in runs of at least a kilobyte."""
    assert (group_norm_cython.LARGE, group_norm_cython.LONG) == (22 * 2**20, 1024)
    eight = np.empty((2, 1024, 1024), np.float32)
    assert group_norm_cython._streams(eight, 3, 1024, 1024)
    assert not group_norm_cython._streams(eight, 2, 1024, 1024)
    assert group_norm_cython._streams(eight, 3, 256, 1)
    assert not group_norm_cython._streams(eight, 3, 1024, 16)
