"""Noise on inputs, weights and units, and the penalties that it stands for.

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
from minidl.errors import ArgumentError, DTypeError

SIGMAS = 6


def rng(seed=0):
    return np.random.default_rng(seed)


def assert_means(draws, wanted, more=0.0):
    """The mean over the first axis is what was wanted, within the standard errors of the draws."""
    error = draws.std(0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - wanted) <= SIGMAS * error + more).all()


# -- Gaussian noise --------------------------------------------------------------------------------


@pytest.mark.parametrize("std", [0.3, 2])
def test_noise_is_normal_with_this_standard_deviation(std):
    x = Tensor(rng(1).normal(size=(300, 400)), requires_grad=True)
    y = F.gaussian_noise(x, std, rng=rng(2))
    noise = (y.data - x.data) / std
    n = noise.size
    assert abs(noise.mean()) <= SIGMAS / np.sqrt(n)
    assert abs(noise.var() - 1) <= SIGMAS * np.sqrt(2 / n)
    assert abs((noise**4).mean() - 3) <= SIGMAS * np.sqrt(96 / n)
    assert abs((noise[1:] * noise[:-1]).mean()) <= SIGMAS / np.sqrt(n)
    upstream = rng(3).normal(size=x.shape)
    y.backward(upstream)
    np.testing.assert_array_equal(x.grad, upstream)


def test_noise_in_evaluation_without_any_and_as_a_layer():
    x = Tensor(rng(1).normal(size=(3, 4)))
    assert F.gaussian_noise(x, 0.0) is x
    layer = nn.GaussianNoise(0.2, rng=rng(2))
    np.testing.assert_array_equal(layer(x).data, F.gaussian_noise(x, 0.2, rng=rng(2)).data)
    assert layer.eval()(x) is x
    assert repr(layer) == "GaussianNoise(std=0.2)"
    single = F.gaussian_noise(x.astype(np.float32), 0.2, rng=rng(2))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.data, F.gaussian_noise(x, 0.2, rng=rng(2)).data, rtol=1e-5)


def test_input_noise_on_a_linear_model_is_weight_decay():
    """E (w (x + e) - t)^2 = (w x - t)^2 + lambda ||w||^2, e ~ N(0, lambda I): value and slope."""
    draws, lam = 60_000, 0.3
    w, x, t = rng(1).normal(size=5), rng(2).normal(size=5), 0.4
    batch = F.gaussian_noise(Tensor(np.tile(x, (draws, 1))), lam**0.5, rng=rng(3))
    residual = batch.data @ w - t
    assert_means(residual**2, (w @ x - t) ** 2 + lam * w @ w)
    assert_means(2 * residual[:, None] * batch.data, 2 * (w @ x - t) * x + 2 * lam * w)
    weight = Tensor(w, requires_grad=True)
    loss = ((batch @ weight - t) ** 2).mean()
    loss.backward()
    np.testing.assert_allclose(weight.grad, (2 * residual[:, None] * batch.data).mean(0), rtol=1e-9)


def test_training_with_input_noise_finds_the_ridge_solution():
    n, lam = 40, 0.5
    x = rng(1).normal(size=(n, 3))
    t = x @ [1.0, -0.5, 0.2] + 0.3 * rng(2).normal(size=n)
    many = F.gaussian_noise(Tensor(np.tile(x, (5000, 1))), lam**0.5, rng=rng(3)).data
    noisy = np.linalg.lstsq(many, np.tile(t, 5000), rcond=None)[0]
    ridge = np.linalg.solve(x.T @ x + n * lam * np.eye(3), x.T @ t)
    plain = np.linalg.lstsq(x, t, rcond=None)[0]
    np.testing.assert_allclose(noisy, ridge, atol=0.02)
    assert np.abs(plain - ridge).max() > 0.05


# -- noise on weights ------------------------------------------------------------------------------


def small_network():
    return nn.Sequential(
        nn.Linear(3, 4, rng=rng(1)), nn.Tanh(), nn.Linear(4, 1, rng=rng(2))
    ).double()


def test_weight_noise_adds_its_variance_times_the_squared_slope():
    """At zero error: E (f(w + e) - f(w))^2 = lambda ||grad_w f||^2, to second order in e."""
    lam, draws, network = 1e-6, 3000, small_network()
    x = Tensor(rng(3).normal(size=(1, 3)))
    f = network(x)
    f.backward(np.ones((1, 1)))
    squared = sum(float((p.grad**2).sum()) for p in network.parameters())
    noisy = nn.WeightNoise(network, lam**0.5, rng=rng(4))
    with minidl.no_grad():
        errors = np.array([(noisy(x).item() - f.item()) ** 2 for _ in range(draws)])
    assert_means(errors, lam * squared, more=0.01 * lam * squared)


def test_weight_noise_takes_the_gradient_at_the_noisy_weights():
    network, x = small_network(), Tensor(rng(3).normal(size=(5, 3)), requires_grad=True)
    before = network.state_dict()
    y = nn.WeightNoise(network, 0.5, rng=rng(4))(x)
    upstream = rng(5).normal(size=y.shape)
    y.backward(upstream)
    got = [p.grad for p in network.parameters()]
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    moved, generator = small_network(), rng(4)
    for parameter in moved.parameters():
        parameter.data = parameter.data + 0.5 * generator.standard_normal(parameter.shape)
    z = moved(x)
    z.backward(upstream)
    np.testing.assert_allclose(y.data, z.data, rtol=1e-12)
    for grad, parameter in zip(got, moved.parameters(), strict=True):
        np.testing.assert_allclose(grad, parameter.grad, rtol=1e-10)


def test_weight_noise_gives_parameters_back_whatever_happens():
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def forward(self, x):
            raise KeyError("on purpose")

    module = Failing()
    weight = module.inner.weight
    with pytest.raises(KeyError, match="on purpose"):
        nn.WeightNoise(module, 0.1)(Tensor(np.ones((1, 2), np.float32)))
    assert module.inner.weight is weight


def test_a_shared_parameter_has_one_noise():
    first, second = nn.Linear(3, 3, bias=False, rng=rng(1)), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    noisy = nn.WeightNoise(nn.ModuleList([first, second]), 0.5, rng=rng(2))
    noisy.module.forward = lambda x: first(x) - second(x)
    np.testing.assert_array_equal(noisy(Tensor(np.ones((2, 3), np.float32))).data, 0)


def test_weight_noise_in_evaluation_and_its_state():
    layer, x = nn.Linear(3, 2, rng=rng(1)), Tensor(np.ones((2, 3), np.float32))
    noisy = nn.WeightNoise(layer, 0.5)
    assert (noisy(x).data != layer(x).data).all()
    np.testing.assert_array_equal(noisy.eval()(x).data, layer(x).data)
    np.testing.assert_array_equal(nn.WeightNoise(layer, 0.0)(x).data, layer(x).data)
    assert set(noisy.state_dict()) == {"module.weight", "module.bias"}
    assert len(list(noisy.parameters())) == 2
    assert repr(noisy).startswith("WeightNoise(std=0.5\n  (module): Linear(")


# -- binary stochastic units -----------------------------------------------------------------------


def test_units_are_one_with_the_probability_of_the_sigmoid():
    logits, n = np.array([-2.0, 0.0, 1.0]), 40_000
    y = F.binary_stochastic(Tensor(np.tile(logits, (n, 1))), rng=rng(1)).data
    np.testing.assert_array_equal(np.unique(y), [0, 1])
    assert_means(y, scipy.special.expit(logits))
    centred = y - scipy.special.expit(logits)
    assert_means(centred[:, 0] * centred[:, 1], 0)


@pytest.mark.parametrize("slope", [False, True])
def test_the_gradient_passes_straight_through(slope):
    x = Tensor(rng(1).normal(size=(4, 5)), requires_grad=True)
    y = F.binary_stochastic(x, slope=slope, rng=rng(2))
    upstream = rng(3).normal(size=x.shape)
    y.backward(upstream)
    g = scipy.special.expit(x.data)
    np.testing.assert_allclose(x.grad, upstream * (g * (1 - g) if slope else 1), rtol=1e-12)


def test_with_the_slope_the_estimate_is_exact_on_average_where_the_loss_is_linear():
    """d/dx E[c y] = c sigmoid'(x), which is what every single draw passes back."""
    x, c, step = 0.7, 3.0, 1e-6
    t = Tensor([x], requires_grad=True)
    F.binary_stochastic(t, slope=True, rng=rng(1)).backward([c])
    numeric = c * (scipy.special.expit(x + step) - scipy.special.expit(x - step)) / (2 * step)
    assert t.grad[0] == pytest.approx(numeric, rel=1e-5)


def test_units_in_evaluation_and_as_a_layer():
    x = Tensor(rng(1).normal(size=(4, 5)))
    layer = nn.BinaryStochastic(rng=rng(2))
    np.testing.assert_array_equal(layer(x).data, F.binary_stochastic(x, rng=rng(2)).data)
    np.testing.assert_allclose(layer.eval()(x).data, scipy.special.expit(x.data), rtol=1e-12)
    assert repr(nn.BinaryStochastic(slope=True)) == "BinaryStochastic(slope=True)"


@pytest.mark.parametrize("slope", [False, True])
def test_a_network_of_binary_units_learns(slope):
    minidl.manual_seed(0)
    x = rng(1).normal(size=(300, 6)).astype(np.float32)
    t = (x[:, 0] + x[:, 1] > 0).astype(int)
    net = nn.Sequential(nn.Linear(6, 32), nn.BinaryStochastic(slope), nn.Linear(32, 2))
    optimizer = minidl.optim.Adam(net.parameters(), 0.02)
    for _ in range(120):
        net.zero_grad()
        F.cross_entropy(net(Tensor(x)), t).backward()
        optimizer.step()
    assert (net.eval()(Tensor(x)).data.argmax(1) == t).mean() > 0.93


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: F.gaussian_noise(Tensor(np.zeros(50)), rng=g).data,
        lambda g: F.binary_stochastic(Tensor(np.zeros(50)), rng=g).data,
        lambda g: nn.WeightNoise(nn.Linear(3, 9, rng=rng(1)), rng=g)(Tensor(np.ones(3))).data,
    ],
)
def test_the_same_seed_draws_the_same_noise(draw):
    np.testing.assert_array_equal(draw(rng(3)), draw(rng(3)))
    assert (draw(rng(3)) != draw(rng(4))).any()
    minidl.manual_seed(5)
    first = draw(None)
    minidl.manual_seed(5)
    np.testing.assert_array_equal(draw(None), first)


X = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize("std", [-0.1, np.nan, np.inf, "small"])
def test_standard_deviations_that_are_none(std):
    for name, call in [
        ("gaussian_noise", lambda: F.gaussian_noise(X, std)),
        ("GaussianNoise", lambda: nn.GaussianNoise(std)),
        ("WeightNoise", lambda: nn.WeightNoise(nn.Linear(2, 2), std)),
    ]:
        with pytest.raises(ArgumentError, match=f"{name}: expected std as a finite number"):
            call()


def test_integers_have_no_noise():
    for name in ("gaussian_noise", "binary_stochastic"):
        with pytest.raises(DTypeError, match=f"{name}: expected x of a floating type"):
            getattr(F, name)(X.astype(int))
