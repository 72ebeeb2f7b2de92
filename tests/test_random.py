"""One source of random numbers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import minidl
from minidl import random
from minidl.errors import ArgumentError


def test_the_same_seed_gives_the_same_numbers():
    minidl.manual_seed(4)
    first = random.generator().normal(size=5)
    minidl.manual_seed(4)
    np.testing.assert_array_equal(random.generator().normal(size=5), first)
    minidl.manual_seed(5)
    assert not np.array_equal(random.generator().normal(size=5), first)


def test_a_given_generator_is_used_and_the_library_keeps_its_own():
    minidl.manual_seed(4)
    own = np.random.default_rng(1)
    assert random.generator(own) is own
    own.normal(size=3)
    assert random.generator().normal() == np.random.default_rng(4).normal()


@pytest.mark.parametrize("seed", [-1, 1.5, "seed", True, None])
def test_what_is_not_a_seed_is_refused(seed):
    with pytest.raises(ArgumentError, match="manual_seed: expected a non-negative integer"):
        minidl.manual_seed(seed)


def test_a_block_draws_from_its_own_generator_in_its_own_thread_alone():
    minidl.manual_seed(4)
    with ThreadPoolExecutor(1) as other, random.drawing_from(np.random.default_rng(1)):
        here = random.generator().normal()
        elsewhere = other.submit(lambda: random.generator().normal()).result()
    assert here == np.random.default_rng(1).normal()
    assert elsewhere == np.random.default_rng(4).normal()
    assert random.generator().normal() == np.random.default_rng(4).normal(size=2)[1]
