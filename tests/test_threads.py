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
    counts = {(pool["user_api"], pool["num_threads"]) for pool in pools}
    assert counts - {("openmp", count)} == {("blas", 1)}, pools
    assert numba.get_num_threads() == min(count, numba.config.NUMBA_NUM_THREADS)


def test_products_of_other_threads_meanwhile_leave_blas_at_one(restored, monkeypatch):
    x, limit = np.ones((4, 4)), threadpoolctl.threadpool_limits

    def meanwhile(*arguments, **options):
        parallel.product(x, x)
        limit(*arguments, **options)

    monkeypatch.setattr(threadpoolctl, "threadpool_limits", meanwhile)
    minidl.set_num_threads(2)
    parallel.product(x, x)
    pools = threadpoolctl.threadpool_info()
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}


KERNELS = """
import sys, numpy, threadpoolctl
own = {pool["filepath"] for pool in threadpoolctl.threadpool_info()}
import minidl
from minidl import backend, functional as F
if sys.argv[2] == "set":
    minidl.set_num_threads(2)
with backend.use(sys.argv[1]):
    F.conv2d(minidl.ones(2, 3, 8, 8), minidl.ones(4, 3, 3, 3))
pools = threadpoolctl.threadpool_info()
print(*{pool["num_threads"] for pool in pools if pool["filepath"] in own})
"""


@pytest.mark.parametrize("telling", ["numpy", "numba"])
@pytest.mark.parametrize("how", ["set", "from the environment"])
def test_kernels_in_numpy_and_numba_have_blas_at_one_thread(telling, how):
    shown = subprocess.run(
        [sys.executable, "-c", KERNELS, telling, how],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2", "MINIDL_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert shown.stdout.split() == ["1"]


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
