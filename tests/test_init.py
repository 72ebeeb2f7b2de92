"""Initial values: their laws, in place, and bad input."""

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, ShapeError


def weight(*shape, dtype=np.float32):
    return nn.Parameter(np.full(shape, 7.0, dtype))


def test_fans():
    assert nn.init.fans((8, 4)) == (4, 8)
    assert nn.init.fans((8, 4, 3, 5)) == (60, 120)
    with pytest.raises(ShapeError, match="init: expected a weight with at least two axes"):
        nn.init.fans((8,))


@pytest.mark.parametrize(("mode", "n"), [("fan_in", 4 * 9), ("fan_out", 64 * 9)])
@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_kaiming_normal(mode, n, slope):
    w = weight(64, 4, 3, 3)
    assert nn.init.kaiming_normal_(w, mode, slope, np.random.default_rng(2)) is w
    variance = 2 / ((1 + slope**2) * n)
    count = w.size
    # The mean of squares is known to sqrt(2 / count); 5.5 standard errors: a false alarm of 4e-8.
    assert abs(np.mean(w.data**2) / variance - 1) < 5.5 * np.sqrt(2 / count)
    assert abs(w.data.mean()) < 5.5 * np.sqrt(variance / count)
    assert w.dtype == np.float32


def test_an_unknown_mode():
    with pytest.raises(ArgumentError, match='"fan_in" or "fan_out", got \'fan\''):
        nn.init.kaiming_normal_(weight(2, 2), "fan")


@pytest.mark.parametrize(("fill", "value"), [(nn.init.zeros_, 0), (nn.init.ones_, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constants_are_written_in_place_and_noticed_by_the_tape(fill, value, dtype):
    w = weight(3, 2, dtype=dtype)
    y = w * w
    assert fill(w) is w
    np.testing.assert_array_equal(w.data, value)
    assert w.dtype == dtype
    with pytest.raises(minidl.MinidlError, match="changed in place"):
        y.sum().backward()


def test_the_same_seed_gives_the_same_network():
    def build(rng=None):
        return [nn.Linear(3, 4, rng=rng), nn.Conv2d(2, 3, 3, rng=rng)]

    minidl.manual_seed(4)
    first = build()
    minidl.manual_seed(4)
    for a, b, c in zip(first, build(), build(np.random.default_rng(4)), strict=True):
        np.testing.assert_array_equal(a.weight.data, b.weight.data)
        np.testing.assert_array_equal(a.bias.data, c.bias.data)
    assert (build()[0].weight.data != first[0].weight.data).any()


def test_default_start_is_uniform():
    values = nn.init.default((4000,), 16, np.random.default_rng(0))
    assert values.dtype == np.float32
    assert 0.24 < np.abs(values).max() <= 0.25
    assert abs(values.mean()) < 5.5 * 0.25 / np.sqrt(3 * 4000)
    assert isinstance(nn.init.ones_(Tensor(np.zeros((2, 2)))), Tensor)
