"""Initial values: their laws, what they do to deep networks, in place, and bad input."""

import math

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, optim
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.nn import init


def weight(*shape, dtype=np.float32):
    return nn.Parameter(np.full(shape, 7.0, dtype))


def rng(seed=2):
    return np.random.default_rng(seed)


def test_fans():
    assert init.fans((8, 4)) == (4, 8)
    assert init.fans((8, 4, 3, 5)) == (60, 120)
    with pytest.raises(ShapeError, match="init: expected a weight with at least two axes"):
        init.fans((8,))


def test_gains():
    one = ["linear", "conv1d", "conv2d", "conv3d", "conv_transpose2d", "sigmoid"]
    assert [init.calculate_gain(name) for name in one] == [1.0] * len(one)
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert init.calculate_gain("leaky_relu", 0.5) == math.sqrt(2 / 1.25)
    assert init.calculate_gain("selu") == 0.75


# -- laws ------------------------------------------------------------------------------------------

SHAPE = (64, 20, 3, 3)  # fan_in 180, fan_out 576

LAWS = {
    "normal": (lambda w, r: init.normal_(w, 0.0, 0.01, r), 0.01, False),
    "uniform": (lambda w, r: init.uniform_(w, -0.2, 0.2, r), 0.2 / math.sqrt(3), True),
    "one over n": (lambda w, r: init.naive_uniform_(w, rng=r), 1 / 180 / math.sqrt(3), True),
    "one over root n": (lambda w, r: init.naive_uniform_(w, True, r), 1 / math.sqrt(540), True),
    "Xavier normal": (lambda w, r: init.xavier_normal_(w, rng=r), math.sqrt(2 / 756), False),
    "Xavier uniform": (lambda w, r: init.xavier_uniform_(w, rng=r), math.sqrt(2 / 756), True),
    "Xavier with gain": (
        lambda w, r: init.xavier_uniform_(w, 5 / 3, r),
        5 / 3 * math.sqrt(2 / 756),
        True,
    ),
    "Kaiming normal": (lambda w, r: init.kaiming_normal_(w, rng=r), math.sqrt(2 / 180), False),
    "Kaiming uniform": (lambda w, r: init.kaiming_uniform_(w, rng=r), math.sqrt(2 / 180), True),
    "Kaiming, outputs": (
        lambda w, r: init.kaiming_normal_(w, mode="fan_out", rng=r),
        math.sqrt(2 / 576),
        False,
    ),
    "Kaiming, slope": (
        lambda w, r: init.kaiming_uniform_(w, 0.5, rng=r),
        math.sqrt(2 / (1.25 * 180)),
        True,
    ),
    "Kaiming, tanh": (
        lambda w, r: init.kaiming_normal_(w, nonlinearity="tanh", rng=r),
        5 / 3 / math.sqrt(180),
        False,
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAWS)
def test_variance_mean_and_bounds(name, dtype):
    fill, std, uniform = LAWS[name]
    w = weight(*SHAPE, dtype=dtype)
    assert fill(w, rng()) is w
    assert w.dtype == dtype
    # Relative standard error of the mean of squares: sqrt(2 / m), sqrt(0.8 / m) when uniform.
    # 5.5 of them: a false alarm in 4e-8 of all seeds.
    error = math.sqrt((0.8 if uniform else 2) / w.size)
    assert abs(np.mean(w.data.astype(float) ** 2) / std**2 - 1) < 5.5 * error
    assert abs(w.data.mean()) < 5.5 * std / math.sqrt(w.size)
    largest = np.abs(w.data).max() / std
    if uniform:
        assert math.sqrt(3) * 0.99 < largest <= math.sqrt(3) * (1 + 1e-6)
    else:
        assert 3.3 < largest < 6.5


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (5, 2, 3, 1), (12, 2, 2)])
def test_orthogonal(shape):
    w = init.orthogonal_(weight(*shape, dtype=np.float64), 1.5, rng())
    matrix = w.data.reshape(shape[0], -1)
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(short @ short.T, 2.25 * np.eye(len(short)), atol=1e-12)


def test_orthogonal_matrices_have_no_preferred_sign():
    """Without the correction by R's signs, LAPACK's Q has a negative first diagonal for sure."""
    firsts = [init.orthogonal_(weight(3, 3), rng=rng(s)).data[0, 0] for s in range(40)]
    assert 8 < sum(value > 0 for value in firsts) < 32


@pytest.mark.parametrize(
    ("fill", "value"),
    [(init.zeros_, 0), (init.ones_, 1), (lambda w: init.constant_(w, 0.3), 0.3)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constants_are_written_in_place_and_noticed_by_the_tape(fill, value, dtype):
    w = weight(3, 2, dtype=dtype)
    y = w * w
    assert fill(w) is w
    np.testing.assert_array_equal(w.data, dtype(value))
    assert w.dtype == dtype
    with pytest.raises(minidl.MinidlError, match="changed in place"):
        y.sum().backward()


def test_the_same_seed_gives_the_same_network():
    def build(rng=None):
        return [nn.Linear(3, 4, rng=rng), nn.Conv2d(2, 3, 3, rng=rng)]

    minidl.manual_seed(4)
    first = build()
    minidl.manual_seed(4)
    for a, b, c in zip(first, build(), build(np.random.default_rng(4)), strict=True):
        np.testing.assert_array_equal(a.weight.data, b.weight.data)
        np.testing.assert_array_equal(a.bias.data, c.bias.data)
    assert (build()[0].weight.data != first[0].weight.data).any()
    minidl.manual_seed(4)
    drawn = init.xavier_normal_(weight(3, 3)).data
    np.testing.assert_array_equal(init.xavier_normal_(weight(3, 3), rng=rng(4)).data, drawn)


def test_default_start_is_uniform():
    values = init.default((4000,), 16, np.random.default_rng(0))
    assert values.dtype == np.float32
    assert 0.24 < np.abs(values).max() <= 0.25
    assert abs(values.mean()) < 5.5 * 0.25 / np.sqrt(3 * 4000)
    assert isinstance(init.ones_(Tensor(np.zeros((2, 2)))), Tensor)


# -- what it does to deep networks -----------------------------------------------------------------


def sizes(fill, depth, activation, width=256, samples=512):
    """Standard deviation of what goes in, and after each layer, of a network without biases."""
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(width, width, bias=False), activation()]
    network = init.apply(nn.Sequential(*layers), fill, rng=rng(5))
    x = Tensor(rng(6).normal(size=(samples, width)).astype(np.float32))
    stds = [x.data.std()]
    with minidl.no_grad():
        for layer in network:
            x = layer(x)
            if isinstance(layer, activation):
                stds.append(float(np.sqrt(np.mean(x.data.astype(float) ** 2))))
    return np.array(stds)


def test_ten_layers_of_tanh():
    """N(0, 0.01): each layer multiplies by 0.01 sqrt(256) = 0.16. Xavier loses far less."""
    naive = sizes(lambda w, rng: init.normal_(w, 0, 0.01, rng), 10, nn.Tanh)
    np.testing.assert_allclose(naive[2:] / naive[1:-1], 0.16, rtol=0.1)
    assert naive[-1] < 1e-7
    xavier = sizes(init.xavier_normal_, 10, nn.Tanh)
    assert 0.2 < xavier[-1] < xavier[1] < 1
    with_gain = sizes(lambda w, rng: init.xavier_normal_(w, 5 / 3, rng), 10, nn.Tanh)
    assert 0.6 < with_gain[-1] < 0.75


@pytest.mark.parametrize(("root", "factor"), [(False, 1 / math.sqrt(3 * 256)), (True, 3**-0.5)])
def test_a_linear_chain_multiplies_by(root, factor):
    stds = sizes(lambda w, rng: init.naive_uniform_(w, root, rng), 8, nn.Identity)
    np.testing.assert_allclose(stds[1:] / stds[:-1], factor, rtol=0.03)


def test_thirty_layers_of_relu_are_kept_by_kaiming_and_lost_by_xavier():
    kaiming = sizes(init.kaiming_normal_, 30, nn.ReLU)
    assert 0.3 < kaiming[-1] < 3
    xavier = sizes(init.xavier_normal_, 30, nn.ReLU)
    assert xavier[-1] < 3 * 2.0**-15  # half the variance in every layer
    twice = sizes(
        lambda w, rng: init.xavier_normal_(w, init.calculate_gain("relu"), rng), 30, nn.ReLU
    )
    np.testing.assert_allclose(twice, kaiming, rtol=1e-4)  # square layers: the same law


def test_outputs_in_place_of_inputs_keep_the_gradient():
    x = Tensor(rng().normal(size=(256, 64)).astype(np.float32), requires_grad=True)
    for mode, forward in [("fan_in", 1.0), ("fan_out", 64 / 512)]:
        x.grad = None
        layer = nn.Linear(64, 512, bias=False)
        init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="linear", rng=rng(9))
        y = layer(x)
        y.backward(rng(3).normal(size=y.shape).astype(np.float32))
        assert abs(y.data.var() / forward - 1) < 0.1
        assert abs(x.grad.var() / (forward * 512 / 64) - 1) < 0.1


def test_equal_neurons_stay_equal_for_ever():
    network = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))
    for fill in (init.zeros_, lambda w: init.constant_(w, 0.1)):
        init.apply(network, fill)
        optimizer = optim.SGD(network.parameters(), 0.5)
        x, targets = Tensor(rng().normal(size=(32, 5)).astype(np.float32)), rng().integers(0, 3, 32)
        for _ in range(20):
            optimizer.zero_grad()
            F.cross_entropy(network(x), targets).backward()
            optimizer.step()
        for layer in (network[0], network[2]):
            np.testing.assert_array_equal(
                layer.weight.data, layer.weight.data[:1].repeat(len(layer.weight.data), 0)
            )
            np.testing.assert_array_equal(layer.bias.data, layer.bias.data[0])
        assert np.ptp(network[4].bias.data) > 0.01


# -- a whole network -------------------------------------------------------------------------------


def test_a_whole_network_in_one_call():
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
    assert init.apply(network, lambda w: init.constant_(w, 2.0), init.ones_) is network
    values = {n: set(p.data.ravel().tolist()) for n, p in network.named_parameters()}
    assert values == {
        "0.weight": {2.0},
        "0.bias": {1.0},
        "1.weight": {1.0},
        "1.bias": {1.0},
        "3.weight": {2.0},
        "3.bias": {1.0},
    }
    init.apply(network, init.zeros_, bias=None, layers=nn.Linear)
    assert not network[3].weight.data.any()
    assert network[3].bias.data.all()
    assert network[0].weight.data.all()


W, V = weight(2, 2), weight(3)


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ArgumentError, "got 'fan'", lambda: init.kaiming_normal_(W, mode="fan")),
        (
            ArgumentError,
            "a nonlinearity among",
            lambda: init.kaiming_uniform_(W, nonlinearity="cos"),
        ),
        (ArgumentError, "a nonlinearity among", lambda: init.calculate_gain("softmax")),
        (ArgumentError, "a slope as a number", lambda: init.calculate_gain("leaky_relu", "x")),
        (ArgumentError, "a slope as a number", lambda: init.kaiming_normal_(W, math.nan)),
        (ArgumentError, "std between 0.0 and inf", lambda: init.normal_(W, 0, -1)),
        (ArgumentError, "finite bounds a <= b", lambda: init.uniform_(W, 1, 0)),
        (ArgumentError, "finite bounds a <= b", lambda: init.uniform_(W, math.nan, 0)),
        (ArgumentError, "gain between", lambda: init.xavier_normal_(W, -2)),
        (ShapeError, "xavier_normal_: expected a weight with", lambda: init.xavier_normal_(V)),
        (ShapeError, "orthogonal_: expected a weight with", lambda: init.orthogonal_(V)),
        (ShapeError, "not empty", lambda: init.kaiming_normal_(weight(0, 3))),
        (DTypeError, "a floating Tensor to fill, got ndarray", lambda: init.zeros_(W.data)),
        (DTypeError, "a floating Tensor to fill", lambda: init.ones_(Tensor([1, 2]).astype(int))),
        (DTypeError, "init.apply: expected a Module", lambda: init.apply(W)),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call()
