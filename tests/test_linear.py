"""The fully connected layer and the layers that only reshape."""

import numpy as np
import pytest
from minidl.kernels import linear_cython

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(15)


@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 4, 3), (0, 3)])
def test_against_sums(rng, shape):
    layer = nn.Linear(3, 2, rng=rng).double()
    x = rng.normal(size=shape)
    wanted = np.empty((*shape[:-1], 2))
    for index in np.ndindex(wanted.shape):
        row, k = x[index[:-1]], index[-1]
        products = [a * b for a, b in zip(row, layer.weight.data[k], strict=True)]
        wanted[index] = sum(products) + layer.bias.data[k]
    np.testing.assert_allclose(layer(Tensor(x)).data, wanted, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(32, 401, 50), (64, 100, 121), (96, 150, 121), (32, 1600, 9)])
@pytest.mark.parametrize("relu", [False, True])
def test_numbers_do_not_depend_on_the_batch(rng, dtype, sizes, relu):
    """A batch that fills vectors goes another way than one with an example more."""
    n, d, k = sizes
    shapes = [(n + 1, d), (k, d), (k,)]
    x, weight, bias = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    x[3, 5], x[n, 2], weight[k - 1, 7], bias[1] = np.nan, np.inf, -np.inf, np.nan
    more = linear_cython.forward(x, weight, bias, relu)
    np.testing.assert_array_equal(linear_cython.forward(x[:n], weight, bias, relu), more[:n])


def test_the_gradient_passes_where_a_rectified_result_is_denormal():
    x, weight, y, dy = (np.full((1, 1), v, np.float32) for v in (2, 3, 1e-40, 0.5))
    dx, dweight, dbias = linear_cython.backward(dy, x, weight, y, (True, True, True))
    assert (dx, dweight, dbias) == (1.5, 1.0, 0.5)


def test_parameters_and_start():
    layer = nn.Linear(25, 200, rng=np.random.default_rng(1))
    assert [(n, p.shape, p.dtype) for n, p in layer.named_parameters()] == [
        ("weight", (200, 25), np.float32),
        ("bias", (200,), np.float32),
    ]
    for values in (layer.weight.data, layer.bias.data):
        assert 0.19 < np.abs(values).max() <= 0.2
    # 5000 draws from U(-1/5, 1/5): the variance is known to 1.3 %, seven standard errors are 9 %.
    np.testing.assert_allclose(layer.weight.data.var(), 0.2**2 / 3, rtol=0.09)
    assert nn.Linear(2, 3, bias=False).bias is None
    assert repr(nn.Linear(2, 3, bias=False)) == "Linear(2, 3, bias=False)"


def test_flatten_and_identity(rng):
    x = Tensor(rng.normal(size=(2, 3, 4, 5)))
    np.testing.assert_array_equal(nn.Flatten()(x).data, x.data.reshape(2, 60))
    np.testing.assert_array_equal(nn.Flatten(2)(x).data, x.data.reshape(2, 3, 20))
    assert nn.Identity()(x) is x
    assert repr(nn.Flatten()) == "Flatten(start_dim=1)"


W = Tensor(np.zeros((4, 3), np.float32))


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ShapeError, r"x of shape \(\.\.\., 3\), got \(2, 4\); flatten", (np.zeros((2, 4)), W)),
        (ShapeError, r"x of shape \(\.\.\., 3\), got \(\)", (np.zeros(()), W)),
        (ShapeError, r"weight of shape \(k, d\), got \(3,\)", (np.zeros((2, 3)), W[0])),
        (ShapeError, r"bias of shape \(4,\)", (np.zeros((2, 3)), W, Tensor(np.zeros((1, 4))))),
        (DTypeError, "x of a floating type, got int64", (np.zeros((2, 3), int), W)),
        (DTypeError, "weight of a floating", (np.zeros((2, 3)), Tensor(np.zeros((4, 3), int)))),
        (DTypeError, "bias of a floating", (np.zeros((2, 3)), W, Tensor(np.zeros(4, int)))),
    ],
)
def test_bad_input(kind, says, call):
    x, *others = call
    with pytest.raises(kind, match=f"linear: expected {says}"):
        F.linear(Tensor(x), *others)


def test_not_a_tensor():
    with pytest.raises(DTypeError, match="linear: expected x as a Tensor, got list"):
        nn.Linear(2, 3)([[1.0, 2.0]])


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (2.0, 1), (-1, 2), (True, 1), ("3", 1)])
def test_a_layer_that_cannot_be(sizes):
    with pytest.raises(ArgumentError, match=r"Linear: expected .* as an integer of at least 1"):
        nn.Linear(*sizes)


@pytest.mark.parametrize("start_dim", [-1, 1.0, (1, 2), None])
def test_a_flatten_that_cannot_be(start_dim):
    with pytest.raises(ArgumentError, match="Flatten: expected start_dim as an integer"):
        nn.Flatten(start_dim)


def test_flatten_from_an_axis_there_is_not():
    with pytest.raises(ShapeError, match=r"flatten: expected start between 0 and 1 for \(2, 3\)"):
        nn.Flatten(2)(Tensor(np.zeros((2, 3))))
