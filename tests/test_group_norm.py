"""Group, layer and instance normalization against their formula; bad input."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(17)


def standardized(values, eps):
    return (values - values.mean()) / np.sqrt(values.var() + eps)


def test_group_norm_against_the_formula(rng):
    layer = nn.GroupNorm(3, 6, eps=0.1).double()
    layer.weight.data, layer.bias.data = rng.normal(size=6), rng.normal(size=6)
    x = rng.normal(size=(2, 6, 4, 3))
    y = layer(Tensor(x)).data
    for i in range(2):
        for group in range(3):
            part = slice(2 * group, 2 * group + 2)
            hat = standardized(x[i, part], 0.1)
            wanted = hat * layer.weight.data[part, None, None] + layer.bias.data[part, None, None]
            np.testing.assert_allclose(y[i, part], wanted, rtol=1e-12)


def test_layer_norm_against_the_formula(rng):
    layer = nn.LayerNorm((3, 4)).double()
    layer.weight.data, layer.bias.data = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    x = rng.normal(size=(2, 5, 3, 4))
    y = layer(Tensor(x)).data
    for place in np.ndindex(2, 5):
        wanted = standardized(x[place], 1e-5) * layer.weight.data + layer.bias.data
        np.testing.assert_allclose(y[place], wanted, rtol=1e-12)


def test_instance_norm_is_group_norm_with_a_group_for_each_channel(rng):
    x, weight, bias = (Tensor(rng.normal(size=s)) for s in [(2, 3, 4, 5), 3, 3])
    y = F.instance_norm(x, None, None, weight, bias, eps=0.01)
    np.testing.assert_array_equal(y.data, F.group_norm(x, 3, weight, bias, eps=0.01).data)
    hat = standardized(x.data[1, 2], 0.01) * weight.data[2] + bias.data[2]
    np.testing.assert_allclose(y.data[1, 2], hat, rtol=1e-12)


def test_nan_spoils_its_own_group_only(rng):
    x = rng.normal(size=(2, 4, 3))
    x[0, 1, 2] = np.nan
    y = F.group_norm(Tensor(x), 2).data
    assert np.isnan(y[0, :2]).all()
    assert not np.isnan(y[0, 2:]).any()
    assert not np.isnan(y[1]).any()


def test_state_and_representation():
    assert list(nn.GroupNorm(2, 4).state_dict()) == ["weight", "bias"]
    assert list(nn.LayerNorm(4, bias=False).state_dict()) == ["weight"]
    assert list(nn.LayerNorm(4, elementwise_affine=False).state_dict()) == []
    assert repr(nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True)"
    assert repr(nn.LayerNorm(4)) == "LayerNorm((4,), eps=1e-05, elementwise_affine=True)"


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: nn.GroupNorm(3, 4), ArgumentError, "divides the 4 channels"),
        (lambda: nn.LayerNorm(()), ArgumentError, "normalized_shape"),
        (lambda: nn.LayerNorm((3, 0)), ArgumentError, "normalized_shape"),
        (lambda: nn.GroupNorm(2, 4)(Tensor(np.ones((2, 6)))), ShapeError, "4 channels"),
        (lambda: F.group_norm(Tensor(np.ones((2, 6))), 4), ArgumentError, "divides the 6"),
        (lambda: F.group_norm(Tensor(np.ones(6)), 2), ShapeError, r"\(n, c\)"),
        (lambda: F.instance_norm(Tensor(np.ones((2, 6)))), ShapeError, r"\(n, c, \.\.\.\)"),
        (lambda: F.instance_norm(Tensor(np.ones((2, 6, 1)))), ShapeError, "more than one value"),
        (lambda: F.layer_norm(Tensor(np.ones((2, 6))), 5), ShapeError, r"\(\.\.\., 5\)"),
        (lambda: F.layer_norm(Tensor(np.ones(6)), (1, 6)), ShapeError, r"\(\.\.\., 1, 6\)"),
        (
            lambda: F.layer_norm(Tensor(np.ones((2, 6))), 6, Tensor(np.ones(5))),
            ShapeError,
            "weight",
        ),
        (
            lambda: F.group_norm(Tensor(np.ones((2, 6))), 2, None, Tensor(np.ones(5))),
            ShapeError,
            "bias",
        ),
    ],
)
def test_bad_input(call, error, said):
    with pytest.raises(error, match=said):
        call()
