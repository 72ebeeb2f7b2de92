"""Instance normalization layers: their formula, running statistics, examples without a batch."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(41)


def layer_for(shape, **options):
    kinds = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}
    return kinds[len(shape)](shape[1], **options).double()


SHAPES = [(2, 3, 5), (4, 3, 2, 3), (2, 3, 2, 3, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_every_channel_of_every_example_by_itself(rng, shape, training):
    layer = layer_for(shape, eps=0.1, affine=True).train(training)
    layer.weight.data, layer.bias.data = rng.normal(size=(2, 3))
    x = rng.normal(size=shape) * 3 + 1
    y = layer(Tensor(x)).data
    for i, c in np.ndindex(*shape[:2]):
        hat = (x[i, c] - x[i, c].mean()) / np.sqrt(x[i, c].var() + 0.1)
        wanted = layer.weight.data[c] * hat + layer.bias.data[c]
        np.testing.assert_allclose(y[i, c], wanted, rtol=1e-10, atol=1e-12)
    alone = layer(Tensor(x[1])).data
    np.testing.assert_allclose(alone, y[1], rtol=1e-12, atol=1e-14)


def test_running_statistics(rng):
    """They follow the average over the examples of mean and unbiased variance; eval uses them."""
    layer = layer_for((2, 3, 5), track_running_stats=True, momentum=0.3)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = rng.normal(size=(4, 3, 5)) * 2 + 1
        plain = layer_for((2, 3, 5))(Tensor(x)).data
        np.testing.assert_allclose(layer(Tensor(x)).data, plain, rtol=1e-12)
        mean = 0.7 * mean + 0.3 * x.mean(axis=2).mean(axis=0)
        var = 0.7 * var + 0.3 * x.var(axis=2, ddof=1).mean(axis=0)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)
    assert layer.num_batches_tracked == 0
    x = rng.normal(size=(1, 3, 1))
    wanted = (x - mean[:, None]) / np.sqrt(var[:, None] + 1e-5)
    np.testing.assert_allclose(layer.eval()(Tensor(x)).data, wanted, rtol=1e-10)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)


def test_without_a_momentum_they_rest(rng):
    layer = layer_for((2, 3, 5), track_running_stats=True, momentum=None)
    layer(Tensor(rng.normal(size=(2, 3, 5))))
    np.testing.assert_array_equal(layer.running_mean, 0)


def test_names_of_the_state():
    assert list(nn.InstanceNorm2d(3).state_dict()) == []
    names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    tracking = nn.InstanceNorm1d(3, affine=True, track_running_stats=True)
    assert list(tracking.state_dict()) == names
    assert repr(nn.InstanceNorm3d(3)) == (
        "InstanceNorm3d(3, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)"
    )


def test_nan_stays_in_its_channel_of_its_example(rng):
    x = rng.normal(size=(2, 3, 4))
    x[1, 2, 0] = np.nan
    y = nn.InstanceNorm1d(3)(Tensor(x)).data
    assert np.argwhere(np.isnan(y)).tolist() == [[1, 2, i] for i in range(4)]


@pytest.mark.parametrize(
    ("kind", "says", "layer", "x"),
    [
        (ShapeError, r"\(c, length\) or \(n, c, length\)", nn.InstanceNorm1d, np.ones(3)),
        (ShapeError, r"add a channel axis with x\[:, None\]", nn.InstanceNorm2d, np.ones((4, 4))),
        (ShapeError, r"3 channels \(axis 1\)", nn.InstanceNorm1d, np.ones((2, 4, 5))),
        (ShapeError, r"3 channels \(axis 0\)", nn.InstanceNorm1d, np.ones((4, 5))),
        (DTypeError, "x of a floating type", nn.InstanceNorm1d, np.ones((2, 3, 5), int)),
        (ShapeError, "more than one value per", nn.InstanceNorm2d, np.ones((2, 3, 1, 1))),
    ],
)
def test_bad_input_of_the_layers(kind, says, layer, x):
    with pytest.raises(kind, match=says):
        layer(3)(Tensor(x))


@pytest.mark.parametrize(
    ("kind", "says", "options"),
    [
        (ArgumentError, "running statistics where use_input_stats", {"use_input_stats": False}),
        (ArgumentError, "both running_mean and running_var", {"running_mean": np.zeros(3)}),
        (ShapeError, r"running_var of shape \(3,\)", {"running_var": np.zeros(2)}),
        (DTypeError, "running_mean as an array", {"running_mean": Tensor(np.zeros(3))}),
        (ArgumentError, "momentum between 0.0 and 1.0", {"momentum": 2}),
    ],
)
def test_bad_input(kind, says, options):
    with pytest.raises(kind, match=f"instance_norm: expected {says}"):
        F.instance_norm(Tensor(np.ones((2, 3, 4))), **options)
