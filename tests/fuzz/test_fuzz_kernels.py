"""Compiled kernels against their specifications, over drawn shapes, options and numbers.

What a kernel gives must not depend on how a call's shape falls into tiles, vectors and threads, nor
on what the numbers are. `make fuzz` runs this on a build that checks every access to memory.
"""

import contextlib

import hypothesis
import numpy as np
import pytest
from fuzz.agreement import TWINS, assert_agrees, fuzz
from fuzz.calls import calls_of
from fuzz.drawing import KINDS, spoiled
from hypothesis import strategies as st

DTYPES = (np.float32, np.float64)
DRAWN = [
    pytest.param(twin, calls, id=f"{twin}, {name}")
    for twin in TWINS
    for name, calls in calls_of(twin.rpartition("_")[0]).items()
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("twin", "calls"), DRAWN)
@hypothesis.given(data=st.data())
@fuzz()
def test_twin_agrees(twin, calls, dtype, data):
    drawn, seed = data.draw(calls), data.draw(st.integers(0, 2**16))
    kind, threads = data.draw(st.sampled_from(KINDS)), data.draw(st.sampled_from([1, 1, 3]))
    rng = np.random.default_rng(seed)
    answered, answer = drawn(rng, dtype), None
    with contextlib.suppress(StopIteration):
        while True:
            function, arguments = answered.send(answer)
            arguments = spoiled(rng, kind, arguments)
            answer = arguments, assert_agrees(twin, function, arguments, threads, kind)
