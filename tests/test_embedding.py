"""Embeddings: rows and their gradients, padding, norms, indices out of range."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, optim
from minidl.errors import ArgumentError, DTypeError, ShapeError


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 0), (40, 50)])
def test_rows_and_their_gradients_against_a_loop(shape):
    weight = Tensor(rng(1).normal(size=(11, 4)), requires_grad=True)
    index = rng(2).integers(0, 9, shape)
    y = F.embedding(index, weight)
    assert y.shape == (*shape, 4)
    np.testing.assert_array_equal(y.data, weight.data[index])
    dy = rng(3).normal(size=y.shape)
    y.backward(dy)
    wanted = np.zeros((11, 4))
    for place in np.ndindex(shape):
        wanted[index[place]] += dy[place]
    np.testing.assert_allclose(weight.grad, wanted, rtol=1e-12, atol=1e-14)
    assert not weight.grad[9:].any()


def test_tensors_and_any_integers_are_indices():
    layer = nn.Embedding(5, 3, rng=rng())
    for index in ([4, 0], Tensor(np.array([4, 0])), np.array([4, 0], np.uint8)):
        np.testing.assert_array_equal(layer(index).data, layer.weight.data[[4, 0]])


def test_the_padding_row_starts_at_zero_and_stays():
    layer = nn.Embedding(5, 3, padding_idx=-1, rng=rng())
    assert layer.padding_idx == 4
    assert repr(layer) == "Embedding(5, 3, padding_idx=4)"
    assert not layer.weight.data[4].any()
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    y = layer([4, 1, 4])
    y.backward(rng(1).normal(size=y.shape).astype(np.float32))
    before = layer.weight.data.copy()
    optimizer.step()
    assert not layer.weight.data[4].any()
    assert (layer.weight.data[1] != before[1]).all()
    np.testing.assert_array_equal(layer.weight.data[[0, 2, 3]], before[[0, 2, 3]])


def test_long_rows_that_are_looked_up_are_shortened():
    layer = nn.Embedding(4, 3, max_norm=1.0, rng=rng())
    layer.weight.data = np.array([[3, 4, 0], [0.3, 0.4, 0], [6, 8, 0], [0, 0, 2]], np.float32)
    y = layer([0, 1, 0])
    np.testing.assert_allclose(y.data[:2], [[0.6, 0.8, 0], [0.3, 0.4, 0]], rtol=1e-6)
    np.testing.assert_array_equal(layer.weight.data[2:], [[6, 8, 0], [0, 0, 2]])


def test_gradients_by_frequency():
    layer = nn.Embedding(3, 2, scale_grad_by_freq=True, rng=rng())
    y = layer([2, 0, 2, 2])
    dy = rng(4).normal(size=(4, 2)).astype(np.float32)
    y.backward(dy)
    np.testing.assert_allclose(layer.weight.grad[2], dy[[0, 2, 3]].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.weight.grad[0], dy[1])


def test_rows_are_standard_normal():
    weight = nn.Embedding(200, 100, rng=rng(5)).weight.data
    assert weight.dtype == np.float32
    assert abs(weight.mean()) < 5 / np.sqrt(weight.size)
    assert abs(weight.std() - 1) < 5 / np.sqrt(2 * weight.size)


W = Tensor(np.zeros((5, 3)))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: F.embedding([0, 5], W), ArgumentError, "indices from 0 to 4, got 0 to 5; is the"),
        (lambda: F.embedding([-1, 2], W), ArgumentError, "got -1 to 2"),
        (lambda: F.embedding([0.5], W), DTypeError, "indices as integers, got float64"),
        (lambda: F.embedding([0], W[0]), ShapeError, r"weight of shape \(num, d\)"),
        (lambda: F.embedding([0], W, padding_idx=5), ArgumentError, "padding_idx from -5 to 4"),
        (lambda: nn.Embedding(5, 0), ArgumentError, "Embedding: expected embedding_dim"),
        (lambda: nn.Embedding(5, 2, -6), ArgumentError, "Embedding: expected padding_idx"),
    ],
)
def test_bad_input_is_told(call, error, says):
    with pytest.raises(error, match=says):
        call()
