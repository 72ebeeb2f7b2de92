"""One thread count for minidl's own threads, BLAS, OpenMP and Numba together."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
import threadpoolctl
from minidl.kernels import parallel

import minidl
from minidl import threads
from minidl.errors import ArgumentError


@pytest.fixture
def restored():
    before = minidl.get_num_threads()
    yield
    minidl.set_num_threads(before)


def test_the_default_is_the_cores_this_process_may_use(monkeypatch):
    for name in ("MINIDL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert parallel.default_count() == threads.available_cores() >= 1


@pytest.mark.parametrize("count", [1, 2])
def test_one_call_sets_every_pool(restored, count):
    np.ones((4, 4)) @ np.ones((4, 4))
    minidl.set_num_threads(count)
    assert minidl.get_num_threads() == parallel.get_count() == count
    pools = threadpoolctl.threadpool_info()
    assert {pool["num_threads"] for pool in pools} == {count}, pools
    assert numba.get_num_threads() == min(count, numba.config.NUMBA_NUM_THREADS)


def test_products_of_other_threads_meanwhile_leave_blas_at_one(restored, monkeypatch):
    x, limit = np.ones((4, 4)), threadpoolctl.threadpool_limits

    def meanwhile(count):
        parallel.product(x, x)
        limit(count)

    monkeypatch.setattr(threadpoolctl, "threadpool_limits", meanwhile)
    minidl.set_num_threads(2)
    parallel.product(x, x)
    pools = threadpoolctl.threadpool_info()
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}


LATER = """
import minidl, sys, threadpoolctl
minidl.set_num_threads(1)
assert "numba" not in sys.modules and "scipy" not in sys.modules
import scipy.linalg.cython_blas
x = minidl.ones(4, 4)
x @ x
print(sorted({pool["num_threads"] for pool in threadpoolctl.threadpool_info()}), end=" ")
from minidl import backend
backend.load("pool", "numba")
import numba
print(numba.get_num_threads())
"""


def test_libraries_that_are_loaded_later_follow():
    shown = subprocess.run(
        [sys.executable, "-c", LATER],
        env={**os.environ, "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert shown.stdout.split() == ["[1]", "1"]


@pytest.mark.parametrize("count", [0, -2, 1.5, "all", True, 2**31, 10**20])
def test_what_is_not_a_count_is_refused(count):
    with pytest.raises(ArgumentError, match="at least 1"):
        minidl.set_num_threads(count)
