"""What the course says of normalizations, as numbers: invariances, identities, what goes wrong."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn


@pytest.fixture
def rng():
    return np.random.default_rng(47)


def test_batch_normalization_does_not_see_the_scale_of_the_weights(rng):
    """BN(a W u) = BN(W u); the gradient by u is unchanged, that by W divided by a."""
    u, weight = rng.normal(size=(8, 4)), rng.normal(size=(3, 4))
    upstream = rng.normal(size=(8, 3))
    outcomes = []
    for a in (1.0, 7.0):
        x, w = Tensor(u, requires_grad=True), Tensor(a * weight, requires_grad=True)
        y = F.batch_norm(F.linear(x, w), None, None, eps=0.0)
        y.backward(upstream)
        outcomes.append((y.data, x.grad, a * w.grad))
    for plain, scaled in zip(*outcomes, strict=True):
        np.testing.assert_allclose(scaled, plain, rtol=1e-9, atol=1e-12)


def test_batch_normalization_can_restore_the_identity(rng):
    x = rng.normal(size=(6, 3)) * 2 + 5
    layer = nn.BatchNorm1d(3).double()
    layer.weight.data, layer.bias.data = np.sqrt(x.var(axis=0) + layer.eps), x.mean(axis=0)
    np.testing.assert_allclose(layer(Tensor(x)).data, x, rtol=1e-12)


def test_without_gamma_and_beta_a_sigmoid_is_nearly_linear(rng):
    """Most values lie between -2 and 2, where a straight line fits it within a few hundredths."""
    x = Tensor(rng.normal(size=(1000, 1)) * 30 + 100)
    z = F.batch_norm(x, None, None).data
    y = F.sigmoid(Tensor(z)).data
    inside = np.abs(z) < 1.5
    assert inside.mean() > 0.85
    assert np.abs(y - (0.5 + 0.22 * z))[inside].max() < 0.03


def test_statistics_outside_the_gradient_blow_up(rng):
    """The paper's example: b grows without end, and neither output nor loss notices."""
    u, target = rng.normal(size=(2, 16, 1))
    found = {}
    for inside in (True, False):
        b = Tensor(np.zeros(1), requires_grad=True)
        losses = []
        for _ in range(200):
            x = Tensor(u) + b
            mean = x.mean(axis=0)
            y = x - (mean if inside else mean.detach())
            loss = ((y - (Tensor(target) + 1.0)) ** 2).mean()
            b.grad = None
            loss.backward()
            b.data = b.data - 0.1 * b.grad
            losses.append(loss.item())
        found[inside] = abs(b.item())
        np.testing.assert_allclose(losses, losses[0], rtol=1e-9)
    assert found[True] < 1e-12
    assert found[False] > 10


@pytest.mark.parametrize("kind", ["group", "layer", "instance"])
def test_the_others_do_not_see_the_rest_of_the_batch(rng, kind):
    layers = {"group": nn.GroupNorm(2, 4), "layer": nn.LayerNorm((4, 5)), "instance": None}
    layer = layers[kind] or nn.InstanceNorm1d(4)
    x = rng.normal(size=(6, 4, 5))
    whole, alone = layer(Tensor(x)).data, layer(Tensor(x[2:3])).data
    np.testing.assert_allclose(alone[0], whole[2], rtol=1e-12)
    batch = nn.BatchNorm1d(4).double()
    assert np.abs(batch(Tensor(x[2:3])).data[0] - batch(Tensor(x)).data[2]).max() > 0.1


def test_layer_normalization_does_not_see_the_scale_of_an_example(rng):
    x, scale = rng.normal(size=(5, 8)), rng.uniform(0.5, 20, (5, 1))
    plain, scaled = (F.layer_norm(Tensor(v), 8, eps=0.0).data for v in (x, scale * x))
    np.testing.assert_allclose(scaled, plain, rtol=1e-10)


def test_group_normalization_lies_between_layer_and_instance(rng):
    x = Tensor(rng.normal(size=(3, 4, 2, 5)))
    one, each = F.group_norm(x, 1).data, F.group_norm(x, 4).data
    np.testing.assert_allclose(one, F.layer_norm(x, (4, 2, 5)).data, rtol=1e-10)
    np.testing.assert_allclose(each, F.instance_norm(x).data, rtol=1e-10)


def test_statistics_go_stale_when_the_data_shift(rng):
    """Evaluation after a shift is off until the statistics are taken anew."""
    layer = nn.BatchNorm1d(2, momentum=None).double()
    for _ in range(20):
        layer(Tensor(rng.normal(size=(64, 2))))
    shifted = rng.normal(size=(640, 2)) * 3 + 4
    stale = layer.eval()(Tensor(shifted)).data
    assert np.abs(stale.mean(axis=0)).min() > 3
    nn.population_statistics(layer, shifted.reshape(10, 64, 2))
    fresh = layer(Tensor(shifted)).data
    np.testing.assert_allclose(fresh.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(fresh.var(axis=0), 1, rtol=0.1)
