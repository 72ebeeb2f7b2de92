"""Pooling agrees with PyTorch's, in value and gradient."""

import numpy as np
import pytest
from peers.agreement import compare, normal

from minidl.tensor import Tensor
from minidl import functional as F

pytestmark = pytest.mark.peers

MAX_POOLS = [
    {"kernel_size": 1},
    {"kernel_size": 2},
    {"kernel_size": (8, 7)},
    {"kernel_size": (3, 2), "stride": (2, 1)},
    {"kernel_size": 2, "stride": 3},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 0)},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 2, "stride": 5, "padding": 1, "ceil_mode": True},
    {"kernel_size": (2, 3), "stride": (3, 2), "dilation": (3, 2), "padding": 1, "ceil_mode": True},
]


def max_pools(torch, options):
    """The two functions to compare, under the same options."""
    peer = torch.nn.functional.max_pool2d
    return lambda x: F.max_pool2d(x, **options), lambda x: peer(x, **options)


def avg_pools(torch, options):
    """The two functions to compare, under the same options."""
    peer = torch.nn.functional.avg_pool2d
    return lambda x: F.avg_pool2d(x, **options), lambda x: peer(x, **options)


@pytest.mark.parametrize("options", MAX_POOLS, ids=str)
@pytest.mark.parametrize("n", [0, 2])
def test_max_pool2d(torch, options, n, telling, dtype):
    compare(torch, *max_pools(torch, options), [normal(n, 3, 8, 7)], dtype)


@pytest.mark.parametrize("options", MAX_POOLS, ids=str)
def test_max_pool2d_of_ties_nan_and_infinities(torch, options, telling, dtype):
    """The first maximum takes the gradient, and the last NaN: few values, so that most tie."""
    x = np.random.default_rng(1).integers(0, 3, (4, 2, 8, 7)).astype(float)
    x[0, 0, 2, 3] = x[0, 0, 3, 3] = x[0, 1, 0, 0] = np.nan
    x[1, 0, :4] = -np.inf
    x[1, 1] = np.nan
    x[2, 0, 5, 5] = x[2, 0, 6, 5] = np.inf
    x[3] = -1.0
    compare(torch, *max_pools(torch, options), [x], dtype)


def drawn_pooling(rng):
    """Random options under which a window fits the 8 x 7 image."""
    kernel, stride = rng.integers(1, 5, 2), rng.integers(1, 5, 2)
    padding = rng.integers(0, kernel // 2 + 1)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    options = {name: tuple(value.tolist()) for name, value in options.items()}
    return options | {"ceil_mode": bool(rng.integers(2))}


@pytest.mark.parametrize("seed", range(25))
def test_max_pool2d_of_drawn_geometry(torch, seed, telling, dtype):
    options = drawn_pooling(np.random.default_rng(seed))
    options["dilation"] = 1 + seed % 2
    compare(torch, *max_pools(torch, options), [normal(2, 2, 8, 7, seed=seed)], dtype)


AVG_POOLS = [
    {"kernel_size": 2},
    {"kernel_size": (8, 7)},
    {"kernel_size": 2, "stride": 3},
    {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    {"kernel_size": 2, "stride": 5, "padding": 1, "ceil_mode": True},
]


@pytest.mark.parametrize("options", AVG_POOLS, ids=str)
@pytest.mark.parametrize("n", [0, 2])
def test_avg_pool2d(torch, options, n, telling, dtype):
    compare(torch, *avg_pools(torch, options), [normal(n, 3, 8, 7)], dtype)


@pytest.mark.parametrize("seed", range(25))
def test_avg_pool2d_of_drawn_geometry(torch, seed, telling, dtype):
    options = drawn_pooling(np.random.default_rng(seed))
    options["count_include_pad"] = bool(seed % 2)
    compare(torch, *avg_pools(torch, options), [normal(2, 2, 8, 7, seed=seed)], dtype)


def test_avg_pool2d_carries_nan_to_the_windows_that_see_it(torch, telling, dtype):
    x = normal(2, 2, 6, 7)
    x[1, 0, 2, 3], x[0, 1, 5, 5] = np.nan, np.inf
    compare(torch, *avg_pools(torch, {"kernel_size": 3, "stride": 2}), [x], dtype)


@pytest.mark.parametrize("size", [1, 3, (2, 3), (5, 4), (7, 6), (8, 7), (9, 10), (1, 20)], ids=str)
@pytest.mark.parametrize("n", [0, 2])
def test_adaptive_avg_pool2d(torch, size, n, dtype):
    compare(
        torch,
        lambda x: F.adaptive_avg_pool2d(x, size),
        lambda x: torch.nn.functional.adaptive_avg_pool2d(x, size),
        [normal(n, 3, 8, 7)],
        dtype,
    )


@pytest.mark.parametrize("size", [1, 3, (2, 3), (5, 4), (8, 7), (9, 10)], ids=str)
@pytest.mark.parametrize("n", [0, 2])
def test_adaptive_max_pool2d(torch, size, n, dtype):
    compare(
        torch,
        lambda x: F.adaptive_max_pool2d(x, size),
        lambda x: torch.nn.functional.adaptive_max_pool2d(x, size),
        [normal(n, 3, 8, 7)],
        dtype,
    )


def places(torch, name, x, *arguments, **options):
    """The maxima and their places, ours and PyTorch's."""
    options["return_indices"] = True
    y, where = getattr(F, name)(Tensor(x), *arguments, **options)
    z, there = getattr(torch.nn.functional, name)(torch.tensor(x), *arguments, **options)
    np.testing.assert_array_equal(y.data, z.numpy())
    np.testing.assert_array_equal(where.data, there.numpy())


@pytest.mark.parametrize("spoiled", [False, True])
def test_places(torch, spoiled, telling):
    x = np.random.default_rng(1).integers(0, 3, (4, 2, 8, 7)).astype(float)
    if spoiled:
        x[0, 0, 2, 3] = x[0, 0, 3, 3] = x[0, 1, 0, 0] = np.nan
        x[1, 0, :4] = -np.inf
    for options in MAX_POOLS:
        places(torch, "max_pool2d", x, **options)
    places(torch, "max_pool1d", x[:, :, 0], 3, 2, 1, ceil_mode=True)
    for size in (1, (3, 2), (9, 10)):
        places(torch, "adaptive_max_pool2d", x, size)
    for size in (1, 4, 11):
        places(torch, "adaptive_max_pool1d", x[:, :, 0], size)


SEQUENCES = {
    "max_pool1d": [(2,), (3, 2, 1), (3, 1, 1, 2)],
    "avg_pool1d": [(2,), (3, 2, 1), (3, 2, 1, True, False)],
    "adaptive_avg_pool1d": [(1,), (4,), (11,)],
    "adaptive_max_pool1d": [(1,), (4,), (11,)],
}


@pytest.mark.parametrize(
    ("name", "arguments"), [(n, a) for n, cases in SEQUENCES.items() for a in cases], ids=str
)
def test_sequences(torch, name, arguments, dtype):
    peer = getattr(torch.nn.functional, name)
    mine = getattr(F, name)
    x = [normal(2, 3, 9)]
    compare(torch, lambda x: mine(x, *arguments), lambda x: peer(x, *arguments), x, dtype)
