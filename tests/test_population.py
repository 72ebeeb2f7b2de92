"""Population statistics: the averages over the batches of a second pass."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import backend, nn
from minidl.data import DataLoader
from minidl.errors import ArgumentError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(31)


def network():
    return nn.Sequential(
        nn.Linear(4, 3), nn.BatchNorm1d(3, eps=0.1), nn.Dropout(0.9), nn.Tanh(), nn.BatchNorm1d(3)
    ).double()


def test_means_of_the_batches_and_unbiased_variances(rng):
    """The formula of the paper, at both depths; dropout stands still."""
    model = network()
    batches = rng.normal(size=(6, 5, 4)) * 3 + 1
    nn.population_statistics(model, [Tensor(x) for x in batches])
    inputs = batches @ model[0].weight.data.T + model[0].bias.data
    for layer in (model[1], model[4]):
        means, variances = inputs.mean(axis=1), inputs.var(axis=1)
        np.testing.assert_allclose(layer.running_mean, means.mean(axis=0), rtol=1e-12)
        wanted = 5 / 4 * variances.mean(axis=0)
        np.testing.assert_allclose(layer.running_var, wanted, rtol=1e-12)
        assert layer.num_batches_tracked == 6
        inputs = np.tanh((inputs - means[:, None]) / np.sqrt(variances[:, None] + layer.eps))


def test_batches_of_two_sizes_weigh_by_their_values(rng):
    """Means weigh m, so that they are the mean of everything; so do the unbiased variances."""
    layer = nn.BatchNorm2d(2).double()
    x = rng.normal(size=(7, 2, 3, 5))
    nn.population_statistics(layer, DataLoader(x, np.arange(7), batch_size=3))
    np.testing.assert_allclose(layer.running_mean, x.mean(axis=(0, 2, 3)), rtol=1e-12)
    parts = [x[:3], x[3:6], x[6:]]
    wanted = sum(len(p) / 7 * p.transpose(1, 0, 2, 3).reshape(2, -1).var(1, ddof=1) for p in parts)
    np.testing.assert_allclose(layer.running_var, wanted, rtol=1e-12)


def test_modes_stay_and_float32_stays(rng):
    model = network().float()
    model.train()
    model[2].eval()
    before = [m.training for m in model.modules()]
    nn.population_statistics(model, [rng.normal(size=(5, 4)).astype(np.float32)])
    assert [m.training for m in model.modules()] == before
    assert model[1].running_var.dtype == np.float32
    assert all(p.grad is None for p in model.parameters())
    assert not any(len(m.forward_pre_hooks) for m in model.modules())


def test_a_layer_that_no_batch_reached_stays(rng):
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.BatchNorm1d(4), nn.BatchNorm1d(4)

        def forward(self, x):
            return self.used(x)

    model = Half().double()
    before = model.idle.state_dict()
    nn.population_statistics(model, [rng.normal(size=(5, 4))])
    assert model.used.running_mean.any()
    for key, value in model.idle.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_the_kernel_population_serves(rng):
    with backend.use("numpy") as used:
        nn.population_statistics(network(), [rng.normal(size=(5, 4))])
    assert used.calls["batch_norm", "population"] == 2


@pytest.mark.parametrize(
    ("kind", "says", "model", "data"),
    [
        (ArgumentError, "a model with batch normalizations", nn.Linear(3, 3), [np.ones((2, 3))]),
        (
            ArgumentError,
            "a model with batch normalizations",
            nn.BatchNorm1d(3, track_running_stats=False),
            [np.ones((2, 3))],
        ),
        (ArgumentError, "at least one batch, got none", nn.BatchNorm1d(3), []),
        (ArgumentError, "at least one batch, got none", nn.BatchNorm1d(3), [np.ones((0, 3))]),
    ],
)
def test_bad_input(kind, says, model, data):
    with pytest.raises(kind, match=f"population_statistics: expected {says}"):
        nn.population_statistics(model, data)


def test_a_refused_batch_leaves_everything_as_it_was(rng):
    layer = nn.BatchNorm1d(3).double().eval()
    before = layer.state_dict()
    with pytest.raises(ShapeError, match="more than one value per channel"):
        nn.population_statistics(layer, [rng.normal(size=(n, 3)) for n in (4, 1)])
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    assert not layer.training
    assert len(layer.forward_pre_hooks) == 0
