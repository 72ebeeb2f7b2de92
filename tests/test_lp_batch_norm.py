"""Batch normalization by l1, l2 and maximum norms against the formula; running averages."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(43)


NORMS = {
    1: lambda v: np.abs(v).mean(),
    2: lambda v: np.sqrt((v**2).mean()),
    np.inf: lambda v: np.abs(v).max(),
}


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("shape", [(7, 3), (4, 3, 5), (2, 3, 4, 2)])
def test_the_formula_in_training_and_evaluation(rng, p, shape):
    layer = nn.LpBatchNorm(3, p, eps=0.1, momentum=0.3).double()
    layer.weight.data, layer.bias.data = rng.normal(size=(2, 3))
    mean, norm = np.zeros(3), np.ones(3)
    for training in (True, True, False):
        x = rng.normal(size=shape) * 2 + 1
        rows = [x[:, c].ravel() for c in range(3)]
        now = np.array([r.mean() for r in rows]), np.array([NORMS[p](r) for r in rows])
        if training:
            mean, norm = 0.7 * mean + 0.3 * now[0], 0.7 * norm + 0.3 * now[1]
        else:
            now = mean, norm
        y = layer.train(training)(Tensor(x)).data
        for c in range(3):
            hat = (x[:, c] - now[0][c]) / (now[1][c] + 0.1)
            wanted = layer.weight.data[c] * hat + layer.bias.data[c]
            np.testing.assert_allclose(y[:, c], wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_norm, norm, rtol=1e-12)


def test_a_constant_and_a_zero_channel(rng):
    x = rng.normal(size=(5, 3))
    x[:, 1], x[:, 2] = 4, 0
    for p in NORMS:
        tensor = Tensor(x, requires_grad=True)
        y = F.lp_batch_norm(tensor, None, None, training=True, p=p)
        np.testing.assert_allclose(y.data[:, 1:], 0, atol=1e-12)
        y.backward(rng.normal(size=(5, 3)))
        assert np.isfinite(tensor.grad).all()


def test_state_and_repr():
    layer = nn.LpBatchNorm(2)
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_norm"]
    assert repr(layer) == "LpBatchNorm(2, p=1, eps=1e-05, momentum=0.1, affine=True)"
    assert list(nn.LpBatchNorm(2, affine=False).parameters()) == []


@pytest.mark.parametrize(
    ("kind", "says", "x", "options"),
    [
        (ShapeError, r"x of shape \(n, c\)", np.ones(3), {}),
        (ShapeError, "more than one value per channel", np.ones((1, 3)), {}),
        (DTypeError, "x of a floating type", np.ones((2, 3), int), {}),
        (ArgumentError, "p as 1, 2 or infinity, got 3", np.ones((2, 3)), {"p": 3}),
        (ArgumentError, "eps of at least 0", np.ones((2, 3)), {"eps": -1.0}),
        (ArgumentError, "momentum between", np.ones((2, 3)), {"momentum": 1.5}),
        (
            ArgumentError,
            "both running_mean and running_norm",
            np.ones((2, 3)),
            {"running_norm": None},
        ),
        (ShapeError, r"running_norm of shape \(4,\)", np.ones((2, 4)), {"running_mean": None}),
    ],
)
def test_bad_input(kind, says, x, options):
    given = {"running_mean": np.zeros(3), "running_norm": np.ones(3), **options}
    with pytest.raises(kind, match=f"lp_batch_norm: expected {says}"):
        F.lp_batch_norm(Tensor(x), **given, training=True)


@pytest.mark.parametrize("options", [{"num_features": 0}, {"p": 0.5}, {"momentum": None}])
def test_a_layer_that_cannot_be(options):
    with pytest.raises(ArgumentError, match="LpBatchNorm: expected "):
        nn.LpBatchNorm(**{"num_features": 3, **options})
