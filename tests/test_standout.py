"""Standout: the law of its mask, its two gradients, and its scaled copy of the weights.

Statistical tests draw from fixed seeds; each comparison allows 6 standard errors of a normal law, a
false alarm of 2e-9, below 1e-7 for all of this file together.
"""

import numpy as np
import pytest
import scipy.special

import minidl
from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError

SIGMAS = 6


def rng(seed=0):
    return np.random.default_rng(seed)


def drawn(*shape, seed=0):
    return Tensor(rng(seed).normal(size=shape), requires_grad=True)


def close_to(observed, probability, count):
    error = np.sqrt(probability * (1 - probability) / count)
    return abs(observed - probability) <= SIGMAS * error


# -- the operation ---------------------------------------------------------------------------------


def test_a_unit_is_kept_with_the_sigmoid_of_its_logit():
    logits = np.array([-3.0, -0.5, 0.0, 2.0])
    x = Tensor(np.full((30_000, 4), 5.0))
    y = F.standout(x, Tensor(np.tile(logits, (30_000, 1))), rng=rng(1)).data
    np.testing.assert_array_equal(np.unique(y), [0, 5])
    for unit, logit in enumerate(logits):
        assert close_to((y[:, unit] == 5).mean(), scipy.special.expit(logit), len(y))
    both = (y[:, 1] == 5) & (y[:, 2] == 5)
    assert close_to(both.mean(), scipy.special.expit(-0.5) / 2, len(y))


def test_the_gradients_in_training():
    """Of the units through what was kept; of the logits that of the expectation x * g."""
    x, logits = drawn(20, 30, seed=1), drawn(20, 30, seed=2)
    y = F.standout(x, logits, rng=rng(3))
    keep = y.data != 0
    upstream = rng(4).normal(size=y.shape)
    y.backward(upstream)
    g = scipy.special.expit(logits.data)
    np.testing.assert_array_equal(y.data, x.data * keep)
    np.testing.assert_array_equal(x.grad, upstream * keep)
    np.testing.assert_allclose(logits.grad, upstream * x.data * g * (1 - g), rtol=1e-12)


def test_on_average_over_masks_training_has_the_gradients_of_the_test_rule():
    x, logits, count = np.array([1.5, -2.0]), np.array([0.3, -1.0]), 50_000
    many = [Tensor(np.tile(a, (count, 1)), requires_grad=True) for a in (x, logits)]
    F.standout(*many, rng=rng(5)).backward(np.tile([2.0, -0.7], (count, 1)))
    one = [Tensor(a, requires_grad=True) for a in (x, logits)]
    F.standout(*one, training=False).backward(np.array([2.0, -0.7]))
    for got, wanted in zip(many, one, strict=True):
        error = got.grad.std(0) / np.sqrt(count)
        assert (np.abs(got.grad.mean(0) - wanted.grad) <= SIGMAS * error + 1e-9).all()


def test_the_test_rule():
    x, logits = drawn(4, 5, seed=1), drawn(4, 5, seed=2)
    y = F.standout(x, logits, training=False)
    np.testing.assert_allclose(y.data, x.data * scipy.special.expit(logits.data), rtol=1e-12)


def test_the_same_seed_draws_the_same_mask():
    x, logits = drawn(40, 5), drawn(40, 5, seed=2)
    draws = [F.standout(x, logits, rng=rng(seed)).data for seed in (3, 3, 4)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


# -- the layer -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.5, 0.2), (-2.0, -0.1)])
@pytest.mark.parametrize("shift", ["weights", "logit"])
def test_the_standout_network_is_a_scaled_copy(bias, alpha, beta, shift):
    linear = nn.Linear(4, 3, bias, rng=rng(1)).double()
    layer = nn.Standout(linear, alpha, beta, shift, activation=F.tanh).eval()
    x = drawn(6, 4)
    weights = np.hstack(
        [linear.weight.data, linear.bias.data[:, None]] if bias else [linear.weight.data]
    )
    inputs = np.hstack([x.data, np.ones((6, 1))]) if bias else x.data
    copy = alpha * weights + (beta if shift == "weights" else 0)
    logits = inputs @ copy.T + (beta if shift == "logit" else 0)
    wanted = np.tanh(inputs @ weights.T) * scipy.special.expit(logits)
    np.testing.assert_allclose(layer(x).data, wanted, rtol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_the_copy_is_a_constant_to_the_gradient(training):
    """W learns through the units that were kept (in evaluation: weighed), not through g."""
    linear = nn.Linear(4, 3, rng=rng(1)).double()
    layer = nn.Standout(linear, 0.7, 0.1, activation=F.tanh, rng=rng(2)).train(training)
    x = drawn(6, 4)
    y = layer(x)
    upstream = rng(3).normal(size=y.shape)
    y.backward(upstream)
    units = np.tanh(x.data @ linear.weight.data.T + linear.bias.data)
    factor = y.data / units
    dz = upstream * factor * (1 - units**2)
    np.testing.assert_allclose(linear.weight.grad, dz.T @ x.data, rtol=1e-10)
    np.testing.assert_allclose(linear.bias.grad, dz.sum(0), rtol=1e-10)
    np.testing.assert_allclose(x.grad, dz @ linear.weight.data, rtol=1e-10)


def test_a_network_of_its_own_decides_and_learns():
    linear, network = nn.Linear(4, 3, rng=rng(1)).double(), nn.Linear(4, 3, rng=rng(2)).double()
    layer = nn.Standout(linear, network=network, rng=rng(3))
    x = drawn(6, 4)
    y = layer(x)
    upstream = rng(4).normal(size=y.shape)
    y.backward(upstream)
    units = np.maximum(x.data @ linear.weight.data.T + linear.bias.data, 0)
    g = scipy.special.expit(x.data @ network.weight.data.T + network.bias.data)
    dlogits = upstream * units * g * (1 - g)
    np.testing.assert_allclose(network.weight.grad, dlogits.T @ x.data, rtol=1e-10)
    np.testing.assert_allclose(layer.eval()(x).data, units * g, rtol=1e-12)
    assert set(layer.state_dict()) == {
        f"{part}.{name}" for part in ("layer", "network") for name in ("weight", "bias")
    }


def test_with_alpha_and_beta_zero_it_is_dropout_with_one_half():
    linear = nn.Linear(3, 500, rng=rng(1))
    layer = nn.Standout(linear, 0.0, 0.0, activation=lambda z: z, rng=rng(2))
    x = Tensor(rng(3).normal(size=(100, 3)).astype(np.float32))
    y = layer(x).data
    assert close_to((y == 0).mean(), 0.5, y.size)
    np.testing.assert_allclose(layer.eval()(x).data, linear(x).data / 2, rtol=1e-6)


def test_confident_units_are_kept_more_often():
    layer = nn.Standout(nn.Linear(5, 400, rng=rng(1)), 3.0, rng=rng(2))
    x = Tensor(rng(3).normal(size=(200, 5)).astype(np.float32))
    units, y = F.relu(layer.layer(x)).data, layer(x).data
    strong, weak = units > 1, (units > 0) & (units < 0.2)
    assert (y[strong] != 0).mean() > (y[weak] != 0).mean() + 0.2


def test_a_network_with_standout_learns():
    minidl.manual_seed(0)
    x = rng(1).normal(size=(200, 8)).astype(np.float32)
    t = (x[:, 0] * x[:, 1] > 0).astype(int)
    net = nn.Sequential(nn.Standout(nn.Linear(8, 64)), nn.Linear(64, 2))
    optimizer = minidl.optim.Adam(net.parameters(), 0.02)
    for _ in range(80):
        net.zero_grad()
        F.cross_entropy(net(Tensor(x)), t).backward()
        optimizer.step()
    assert (net.eval()(Tensor(x)).data.argmax(1) == t).mean() > 0.9


def test_repr():
    layer = nn.Standout(nn.Linear(2, 3))
    assert "Standout(alpha=1.0, beta=0.0, shift='weights'" in repr(layer)
    assert "alpha" not in repr(nn.Standout(nn.Linear(2, 3), network=nn.Linear(2, 3)))


# -- bad input -------------------------------------------------------------------------------------

X = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ShapeError, r"standout: expected logits of shape \(2, 3\)", lambda: F.standout(X, X.T)),
        (DTypeError, "standout: expected x of a floating", lambda: F.standout(X.astype(int), X)),
        (DTypeError, "expected logits of a floating", lambda: F.standout(X, X.astype(int))),
        (
            ArgumentError,
            "Standout: expected layer as a Linear, got ReLU",
            lambda: nn.Standout(nn.ReLU()),
        ),
        (ArgumentError, "alpha as a finite", lambda: nn.Standout(nn.Linear(2, 3), np.nan)),
        (ArgumentError, "alpha as a finite", lambda: nn.Standout(nn.Linear(2, 3), "big")),
        (ArgumentError, "beta as a finite", lambda: nn.Standout(nn.Linear(2, 3), beta=np.inf)),
        (ArgumentError, "shift as .weights. or", lambda: nn.Standout(nn.Linear(2, 3), shift="b")),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call()
