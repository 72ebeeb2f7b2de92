"""Local response normalization against its formula, in every convention; bad input."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(13)


@pytest.mark.parametrize("convention", ["pytorch", "onnx", "alexnet"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 5, 2, 3)])
def test_by_loops(rng, shape, size, convention):
    """Where alpha is divided by size, and on which side an even window has one channel more."""
    x, (alpha, beta, k) = rng.normal(size=shape), (0.8, 0.6, 1.5)
    wanted = np.empty_like(x)
    back = (size - 1) // 2 if convention == "onnx" else size // 2
    factor = alpha if convention == "alexnet" else alpha / size
    for c in range(shape[1]):
        window = [j for j in range(c - back, c - back + size) if 0 <= j < shape[1]]
        s = k + factor * sum(x[:, j] ** 2 for j in window)
        wanted[:, c] = x[:, c] / s**beta
    y = F.local_response_norm(Tensor(x), size, alpha, beta, k, convention)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-12)
    layer = nn.LocalResponseNorm(size, alpha, beta, k, convention)
    np.testing.assert_array_equal(layer(Tensor(x)).data, y.data)


def test_alexnets_numbers(rng):
    """Section 3.3: b = a / (2 + 1e-4 * sum of a^2 over five channels)^0.75."""
    a = rng.normal(size=(1, 96, 2, 2)) * 50
    y = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2, convention="alexnet")(Tensor(a)).data
    total = np.square(a[:, 8:13]).sum(axis=1)
    np.testing.assert_allclose(y[:, 10], a[:, 10] / (2 + 1e-4 * total) ** 0.75, rtol=1e-12)
    theirs = F.local_response_norm(Tensor(a), 5, alpha=5e-4, k=2)
    np.testing.assert_allclose(theirs.data, y, rtol=1e-12)


def test_repr():
    assert repr(nn.LocalResponseNorm(5)) == "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)"
    assert "convention='alexnet'" in repr(nn.LocalResponseNorm(5, convention="alexnet"))


@pytest.mark.parametrize(
    ("kind", "says", "x", "size"),
    [
        (ShapeError, r"x of shape \(n, c, \.\.\.\) with space, got \(2, 3\)", np.ones((2, 3)), 3),
        (DTypeError, "x of a floating type", np.ones((2, 3, 4), int), 3),
        (ArgumentError, "size as an integer of at least 1", np.ones((2, 3, 4)), 0),
        (ArgumentError, "size as an integer of at least 1", np.ones((2, 3, 4)), 2.5),
    ],
)
def test_bad_input(kind, says, x, size):
    with pytest.raises(kind, match=f"local_response_norm: expected {says}"):
        F.local_response_norm(Tensor(x), size)


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 3, "convention": "tensorflow"}])
def test_a_layer_that_cannot_be(options):
    with pytest.raises(ArgumentError, match=r"LocalResponseNorm: expected (size|convention among)"):
        nn.LocalResponseNorm(**options)
