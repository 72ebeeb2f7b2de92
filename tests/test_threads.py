"""One thread count for BLAS, OpenMP and Numba together."""

import numba
import numpy as np
import pytest
import threadpoolctl

import minidl
from minidl import threads
from minidl.errors import ArgumentError


@pytest.fixture
def restored(monkeypatch):
    monkeypatch.setattr(threads._Chosen, "count", None)
    yield
    minidl.set_num_threads(threads.available_cores())


def test_the_default_is_the_cores_this_process_may_use(restored):
    assert minidl.get_num_threads() == threads.available_cores() >= 1


def test_one_call_sets_every_pool(restored):
    np.ones((4, 4)) @ np.ones((4, 4))
    minidl.set_num_threads(1)
    assert minidl.get_num_threads() == 1
    assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}
    assert numba.get_num_threads() == 1


@pytest.mark.parametrize("count", [0, -2, 1.5, "all", True])
def test_what_is_not_a_count_is_refused(count):
    with pytest.raises(ArgumentError, match="at least 1"):
        minidl.set_num_threads(count)
