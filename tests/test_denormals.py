"""Numbers too small for all their digits take layers and optimizers no longer than others."""

import time
from functools import partial

import numpy as np
import pytest
from minidl.kernels import batch_norm_cython

import minidl
from minidl import Tensor, nn, optim
from minidl import functional as F

IMAGES, ROWS, SEQUENCE = (8, 16, 32, 32), (256, 512), (16, 8, 32)
LAYERS = {
    "convolution, 3x3": (lambda: nn.Conv2d(16, 16, 3, padding=1), IMAGES),
    "convolution, 3x3 of many channels": (lambda: nn.Conv2d(16, 64, 3, padding=1), IMAGES),
    "convolution, 1x1": (lambda: nn.Conv2d(16, 32, 1), IMAGES),
    "convolution, 5x5": (lambda: nn.Conv2d(16, 8, 5), IMAGES),
    "convolution, stride 2": (lambda: nn.Conv2d(16, 32, 3, stride=2), IMAGES),
    "convolution, depthwise": (lambda: nn.Conv2d(16, 16, 3, groups=16), IMAGES),
    "linear": (lambda: nn.Linear(512, 512), ROWS),
    "batch norm": (lambda: nn.BatchNorm2d(16), IMAGES),
    "batch norm of rows": (lambda: nn.BatchNorm1d(512), ROWS),
    "layer norm": (lambda: nn.LayerNorm(512), ROWS),
    "group norm": (lambda: nn.GroupNorm(4, 16), IMAGES),
    "local response norm": (lambda: nn.LocalResponseNorm(5), IMAGES),
    "average": (lambda: nn.AvgPool2d(2), IMAGES),
    "average, overlapping": (lambda: nn.AvgPool2d(3, 2), IMAGES),
    "adaptive average": (lambda: nn.AdaptiveAvgPool2d(3), IMAGES),
    "maximum": (lambda: nn.MaxPool2d(2), IMAGES),
    "bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGES),
    "dropout": (lambda: nn.Dropout(0.5), IMAGES),
    "DropBlock": (lambda: nn.DropBlock2d(0.1, 3), IMAGES),
    "DropConnect": (lambda: nn.DropConnect(512, 512), ROWS),
    "ReLU": (nn.ReLU, IMAGES),
    "leaky ReLU": (nn.LeakyReLU, IMAGES),
    "PReLU": (lambda: nn.PReLU(16), IMAGES),
    "ELU": (nn.ELU, IMAGES),
    "GELU": (nn.GELU, IMAGES),
    "hard tanh": (nn.Hardtanh, IMAGES),
    "hard sigmoid": (nn.Hardsigmoid, IMAGES),
    "SiLU": (nn.SiLU, IMAGES),
    "softplus": (nn.Softplus, IMAGES),
    "sigmoid": (nn.Sigmoid, IMAGES),
    "tanh": (nn.Tanh, IMAGES),
    "softmax": (lambda: nn.Softmax(1), ROWS),
    "log-softmax": (lambda: nn.LogSoftmax(1), ROWS),
    "RNN": (lambda: nn.RNN(32, 64), SEQUENCE),
    "LSTM": (lambda: nn.LSTM(32, 64), SEQUENCE),
    "layer-normalized LSTM": (lambda: nn.LayerNormLSTM(32, 64), SEQUENCE),
    "GRU": (lambda: nn.GRU(32, 64), SEQUENCE),
}
OPTIMIZERS = {
    "SGD": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9),
    "Momentum": partial(optim.Momentum, lr=0.1),
    "Adam": optim.Adam,
    "AMSGrad": partial(optim.Adam, amsgrad=True),
    "AdamW": optim.AdamW,
    "Adamax": optim.Adamax,
    "Adagrad": optim.Adagrad,
    "Adadelta": optim.Adadelta,
    "RMSprop": optim.RMSprop,
    "RMSprop, centered": partial(optim.RMSprop, momentum=0.9, centered=True),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Others, awake for work to come, would count."""
    before = minidl.get_num_threads()
    minidl.set_num_threads(1)
    yield
    minidl.set_num_threads(before)


def first(result):
    """Return the result, or the first of several."""
    return result[0] if isinstance(result, tuple) else result


def caller_computes_with_them():
    """Return whether this thread still halves a denormal number."""
    return bool(np.all(np.full(40, 1e-40, np.float32) * np.float32(0.5) > 0))


def times(calls):
    """Return the least processor time of each call; they take turns."""
    best = [np.inf] * len(calls)
    for _ in range(9):
        for which, call in enumerate(calls):
            start = time.process_time()
            for _ in range(3):
                call()
            best[which] = min(best[which], time.process_time() - start)
    return best


@pytest.mark.parametrize("name", LAYERS)
def test_layers_do_not_stall(name):
    make, shape = LAYERS[name]
    layer, rng = make(), np.random.default_rng(0)
    values = rng.uniform(0.5, 1, shape).astype(np.float32)
    upstream = rng.uniform(0.5, 1, first(layer(Tensor(values))).shape).astype(np.float32)

    def both_ways(x_scale, dy_scale):
        x = Tensor(values * np.float32(x_scale), requires_grad=True)
        dy = Tensor(upstream * np.float32(dy_scale))
        return lambda: first(layer(x)).backward(dy)

    # Rows of zeros, normalized with an epsilon of 1e-12, give a gradient a million times as large,
    # at every step of the layer-normalized LSTM.
    with np.errstate(all="ignore"):
        plain, *denormal = times([both_ways(*s) for s in ((1, 1), (1e-39, 1), (1, 1e-39))])
    assert max(denormal) < 4 * plain, (plain, *denormal)
    assert caller_computes_with_them()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_do_not_stall(name):
    """Gradients, or their squares in the state, are denormal."""

    def steps(scale):
        p = nn.Parameter(np.ones(2**16, np.float32))
        p.grad = Tensor(np.full(2**16, scale, np.float32))
        return OPTIMIZERS[name]([p]).step

    plain, *denormal = times([steps(scale) for scale in (1, 1e-39, 1e-21)])
    assert max(denormal) < 4 * plain, (plain, *denormal)
    assert caller_computes_with_them()


@pytest.mark.parametrize("name", ["Adam", "AMSGrad", "AdamW", "RMSprop", "Adagrad", "Adamax"])
def test_roots_of_denormal_squares_divide_where_eps_does_not_cover_them(name):
    """The first step is as long as after any other gradient, to the precision of the square."""
    lengths = []
    for scale in (1, 1e-20):
        p = nn.Parameter(np.zeros(40, np.float32))
        p.grad = Tensor(np.full(40, scale, np.float32))
        OPTIMIZERS[name]([p], eps=0).step()
        lengths.append(p.data)
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=0.02)


@pytest.mark.parametrize("scale", [1e-18, 5e-19, 2e-19, 1e-20])
def test_centered_rmsprop_stays_finite_where_squares_are_denormal(scale):
    p = nn.Parameter(np.ones(40, np.float32))
    p.grad = Tensor(np.full(40, scale, np.float32))
    optimizer = optim.RMSprop([p], centered=True)
    for _ in range(200):
        optimizer.step()
    np.testing.assert_allclose(p.data, 1, atol=1e-6)


SCALED = 2e-21  # its square has some hundred steps of the smallest number
NORMALIZED = {
    "batch norm": (lambda x: F.batch_norm(x, None, None, training=True, eps=0), 1),
    "layer norm": (lambda x: F.layer_norm(x, x.shape[1:], eps=0), 1),
    "group norm": (lambda x: F.group_norm(x, 2, eps=0), 1),
    "local response norm": (lambda x: F.local_response_norm(x, 5, alpha=1, k=0), SCALED**-0.5),
}


@pytest.mark.parametrize("name", NORMALIZED)
def test_without_an_epsilon_denormal_squares_divide(name):
    """As those of numbers that are not small do, to the precision they have."""
    rng = np.random.default_rng(3)
    values, dy = rng.uniform(0.5, 1, (2, 2, 4, 5, 8)).astype(np.float32)
    normalize, factor = NORMALIZED[name]
    large, small = (Tensor(values * np.float32(s), requires_grad=True) for s in (1, SCALED))
    wanted, y = normalize(large), normalize(small)
    np.testing.assert_allclose(y.data / np.float32(factor), wanted.data, rtol=0.05, atol=0.05)
    if factor == 1:
        wanted.backward(Tensor(dy))
        y.backward(Tensor(dy))
        np.testing.assert_allclose(small.grad * SCALED, large.grad, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("shape", [(4, 3, 2, 20), (40, 3, 1, 1), (4, 33, 1, 1)])
def test_the_gradient_passes_where_a_rectified_result_of_batch_norm_is_denormal(shape):
    n, c, s = shape[0], shape[1], shape[2] * shape[3]
    rng = np.random.default_rng(4)
    x, dy = rng.standard_normal((2, n, c, s)).astype(np.float32)
    mean, ones = np.zeros(c, np.float32), np.ones(c, np.float32)
    results = [
        batch_norm_cython.fused_backward(dy, x, np.full_like(x, y), mean, ones, ones, None, False)
        for y in (1, 1e-40, 0)
    ]
    for plain, denormal, held in zip(*results, strict=True):
        if plain.size:
            np.testing.assert_array_equal(denormal, plain)
            assert np.any(plain != 0)
            assert np.all(held == 0)


def test_the_gradient_of_lrn_keeps_denormal_sums_beside_large_ones():
    values = np.full((1, 4, 1, 40), SCALED, np.float32)
    gradients = []
    for first in (SCALED, 1):
        values[..., 0] = first
        x = Tensor(values.copy(), requires_grad=True)
        y = F.local_response_norm(x, 5, alpha=5, beta=0.5, k=0)
        y.backward(Tensor(np.full(values.shape, 1e-3, np.float32)))
        gradients.append(x.grad[..., 1:])
    assert np.all(np.isfinite(gradients[0]))
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize(("value", "low", "high"), [(-1e-39, 0, 6), (1e-39, -1, 0)])
def test_a_bound_of_0_bounds_denormal_numbers(value, low, high):
    x = Tensor(np.full(40, value, np.float32))
    assert np.all(F.hardtanh(x, low, high).data == 0)
    inside = Tensor(-x.data, requires_grad=True)
    F.hardtanh(inside, low, high).backward(Tensor(np.ones(40, np.float32)))
    assert np.all(inside.grad == 1)


KINKED = {
    "leaky ReLU": lambda x: F.leaky_relu(x, 0.25),
    "PReLU": lambda x: F.prelu(x, Tensor(np.full(1, 0.25, np.float32))),
    "ELU": lambda x: F.elu(x, 0.25),
}


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize("size", [3, 40])
@pytest.mark.parametrize(("value", "slope"), [(1e-40, 1), (-1e-40, 0.25), (0, 0.25), (-0.0, 0.25)])
def test_the_side_of_a_kink_is_the_side_of_a_denormal_number(name, size, value, slope):
    x = Tensor(np.full((1, 1, size), value, np.float32), requires_grad=True)
    KINKED[name](x).backward(Tensor(np.ones((1, 1, size), np.float32)))
    np.testing.assert_allclose(x.grad, slope, rtol=1e-6)
