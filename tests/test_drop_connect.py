"""DropConnect: masks on weights, the moments of what they give, and inference from them.

Statistical tests draw from fixed seeds; each comparison allows 6 standard errors of a normal law, a
false alarm of 2e-9, below 1e-6 for all of this file together.
"""

import itertools

import numpy as np
import pytest
import scipy.stats
from minidl.kernels import drop_connect_numpy

import minidl
from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, threads
from minidl.errors import ArgumentError, DTypeError, ShapeError

SIGMAS = 6


def rng(seed=0):
    return np.random.default_rng(seed)


def layer_arrays(n=5, d=4, k=3, seed=0):
    """x, weight and bias, all wanting gradients."""
    draw = rng(seed).normal
    return [Tensor(draw(size=s), requires_grad=True) for s in ((n, d), (k, d), (k,))]


def every_mask(count):
    """All 2^count masks, and the probability of each where an entry is dropped with p."""
    masks = np.array(list(itertools.product([0, 1], repeat=count)))
    return masks, lambda p: np.prod(np.where(masks, 1 - p, p), axis=1)


def close_to(observed, probability, count):
    error = np.sqrt(probability * (1 - probability) / count)
    return abs(observed - probability) <= SIGMAS * error


# -- training --------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_the_sum_and_its_gradients_go_through_what_was_kept(p):
    x, weight, bias = layer_arrays()
    y = F.drop_connect(x, weight, bias, p, rng=rng(3))
    seed = int(rng(3).integers(2**64, dtype=np.uint64))
    keep = drop_connect_numpy.mask(5, 3, 5, seed, p)
    upstream = rng(4).normal(size=y.shape)
    y.backward(upstream)
    wanted, dx, dw, db = (np.zeros(t.shape) for t in (y, x, weight, bias))
    for i, o in np.ndindex(5, 3):
        kept = keep[i, o, :4] * weight.data[o]
        wanted[i, o] = kept @ x.data[i] + keep[i, o, 4] * bias.data[o]
        dx[i] += upstream[i, o] * kept
        dw[o] += upstream[i, o] * keep[i, o, :4] * x.data[i]
        db[o] += upstream[i, o] * keep[i, o, 4]
    np.testing.assert_allclose(y.data, wanted, rtol=1e-12, atol=1e-14)
    for got, want in [(x.grad, dx), (weight.grad, dw), (bias.grad, db)]:
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_every_sample_has_a_mask_of_its_own_over_weights_and_biases():
    """With inputs 1, 2, 4 the sum tells which of the weights and biases were kept."""
    p, n = 0.3, 4000
    x = Tensor(np.tile([1.0, 2.0, 4.0], (n, 1)))
    y = F.drop_connect(x, Tensor(np.ones((5, 3))), Tensor(np.full(5, 8.0)), p, rng=rng(1)).data
    kept = y.astype(int)[:, :, None] >> np.arange(4) & 1
    assert close_to(kept.mean(), 1 - p, kept.size)
    for axis in range(3):
        moved = np.moveaxis(kept, axis, 0)
        count = len(moved) // 2
        both = moved[:count] & moved[count : 2 * count]
        assert close_to(both.mean(), (1 - p) ** 2, both.size)


def test_a_shared_mask_is_one_for_the_batch():
    p, n = 0.3, 50
    x = Tensor(np.tile(2.0 ** np.arange(20), (n, 1)))
    weight, bias = Tensor(np.ones((400, 20))), Tensor(np.full(400, 2.0**20))
    y = F.drop_connect(x, weight, bias, p, shared=True, rng=rng(1)).data
    np.testing.assert_array_equal(y, np.broadcast_to(y[:1], y.shape))
    kept = y[0].astype(int)[:, None] >> np.arange(21) & 1
    assert close_to(kept[:, :20].mean(), 1 - p, 8000)
    assert close_to(kept[:, 20].mean(), 1 - p, 400)


def test_any_number_of_threads_gives_the_same():
    x, weight, bias = layer_arrays(64, 300, 400)
    before, results = threads.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            for t in (x, weight, bias):
                t.grad = None
            y = F.drop_connect(x, weight, bias, rng=rng(1))
            y.backward(rng(2).normal(size=y.shape))
            results.append([y.data, x.grad, weight.grad, bias.grad])
    finally:
        threads.set_num_threads(before)
    for other in results[1:]:
        for got, wanted in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("shared", [False, True])
def test_the_same_seed_draws_the_same_masks(shared):
    x, weight, bias = layer_arrays(20)

    def draw(generator):
        return F.drop_connect(x, weight, bias, shared=shared, rng=generator).data

    np.testing.assert_array_equal(draw(rng(3)), draw(rng(3)))
    assert (draw(rng(3)) != draw(rng(4))).any()
    minidl.manual_seed(5)
    first = draw(None)
    minidl.manual_seed(5)
    np.testing.assert_array_equal(draw(None), first)


# -- inference -------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_the_moments_are_those_over_all_masks(p):
    x, weight, bias = layer_arrays()
    masks, chance = every_mask(5)
    terms = np.concatenate(
        [weight.data * x.data[:, None], np.tile(bias.data[:, None], (5, 1, 1))], 2
    )
    sums, chances = terms @ masks.T, chance(p)
    mean = sums @ chances
    variance = (sums - mean[..., None]) ** 2 @ chances
    got = F.drop_connect_moments(x, weight, bias, p)
    np.testing.assert_allclose(got[0].data, mean, rtol=1e-12)
    np.testing.assert_allclose(got[1].data, variance, rtol=1e-12)
    tested = F.drop_connect(x, weight, bias, p, training=False)
    np.testing.assert_allclose(tested.data, mean, rtol=1e-12)


def test_inference_averages_the_activation_over_the_matching_normal_law():
    """E max(z, 0) = mu Phi(mu / s) + s phi(mu / s) for z ~ N(mu, s^2)."""
    x, weight, bias = layer_arrays(6)
    samples = 4000
    y = F.drop_connect_inference(x, weight, bias, 0.4, F.relu, samples, rng(2)).data
    mean, variance = (m.data for m in F.drop_connect_moments(x, weight, bias, 0.4))
    std = np.sqrt(variance)
    at = mean / std
    exact = mean * scipy.stats.norm.cdf(at) + std * scipy.stats.norm.pdf(at)
    assert (np.abs(y - exact) <= SIGMAS * std / np.sqrt(samples)).all()


def test_inference_with_a_few_samples_is_their_average():
    x, weight, bias = layer_arrays()
    mean, variance = (m.data for m in F.drop_connect_moments(x, weight, bias, 0.3))
    generator = rng(2)
    draws = [mean + np.sqrt(variance) * generator.standard_normal((5, 3)) for _ in range(3)]
    y = F.drop_connect_inference(x, weight, bias, 0.3, F.tanh, 3, rng(2))
    np.testing.assert_allclose(y.data, np.tanh(draws).mean(0), rtol=1e-12)


def test_the_normal_law_comes_nearer_to_the_average_over_masks_than_the_mean_does():
    x, weight, bias = layer_arrays(40, 11, 4, seed=1)
    masks, chance = every_mask(12)
    terms = np.concatenate(
        [weight.data * x.data[:, None], np.tile(bias.data[:, None], (40, 1, 1))], 2
    )
    exact = np.maximum(terms @ masks.T, 0) @ chance(0.5)
    sampled = F.drop_connect_inference(x, weight, bias, 0.5, F.relu, 2000, rng(2)).data
    plain = F.relu(F.drop_connect(x, weight, bias, 0.5, training=False)).data
    assert np.abs(sampled - exact).mean() < np.abs(plain - exact).mean() / 4


def test_without_an_activation_inference_is_the_mean_and_draws_nothing():
    x, weight, bias = layer_arrays()
    generator = rng(1)
    state = generator.bit_generator.state
    y = F.drop_connect_inference(x, weight, bias, 0.3, rng=generator)
    np.testing.assert_allclose(y.data, 0.7 * F.linear(x, weight, bias).data, rtol=1e-12)
    assert generator.bit_generator.state == state


def test_inference_has_finite_gradients_where_nothing_varies():
    x, weight = Tensor(np.zeros((2, 4)), requires_grad=True), layer_arrays()[1]
    y = F.drop_connect_inference(x, weight, None, 0.5, F.tanh, 3, rng(1))
    np.testing.assert_allclose(y.data, 0, atol=1e-100)
    y.backward(rng(2).normal(size=y.shape))
    assert np.isfinite(x.grad).all()


# -- the layer -------------------------------------------------------------------------------------


def test_the_layer_in_training_and_in_both_inferences():
    layer = nn.DropConnect(4, 3, p=0.3, activation=F.relu, samples=50, rng=rng(1))
    x = Tensor(rng(2).normal(size=(6, 4)).astype(np.float32))
    arrays = x, layer.weight, layer.bias, 0.3
    layer.rng = rng(3)
    wanted = F.relu(F.drop_connect(*arrays, rng=rng(3)))
    np.testing.assert_array_equal(layer(x).data, wanted.data)
    layer.eval().rng = rng(3)
    wanted = F.drop_connect_inference(*arrays, F.relu, 50, rng(3))
    np.testing.assert_array_equal(layer(x).data, wanted.data)
    layer.inference = "mean"
    wanted = F.relu(F.linear(x, layer.weight, layer.bias) * 0.7)
    np.testing.assert_allclose(layer(x).data, wanted.data, rtol=1e-6)
    layer.train().shared, layer.rng = True, rng(3)
    wanted = F.relu(F.drop_connect(*arrays, shared=True, rng=rng(3)))
    np.testing.assert_array_equal(layer(x).data, wanted.data)


def test_the_layer_holds_what_linear_holds():
    layer, linear = nn.DropConnect(4, 3, rng=rng(1)), nn.Linear(4, 3, rng=rng(1))
    for name, value in linear.state_dict().items():
        np.testing.assert_array_equal(layer.state_dict()[name], value)
    layer.load_state_dict(linear.state_dict())
    assert nn.DropConnect(4, 3, bias=False).bias is None
    x = Tensor(np.ones((2, 4), np.float32))
    assert nn.DropConnect(4, 3, bias=False)(x).shape == (2, 3)
    told = "DropConnect(4, 3, bias=True, p=0.5, inference='gaussian', shared=False)"
    assert repr(layer) == told


def test_a_layer_of_dropped_weights_learns():
    minidl.manual_seed(0)
    x = rng(1).normal(size=(200, 8)).astype(np.float32)
    t = (x[:, 0] * x[:, 1] > 0).astype(int)
    hidden = nn.DropConnect(8, 64, p=0.3, activation=F.relu, samples=20)
    net = nn.Sequential(hidden, nn.Linear(64, 2))
    optimizer = minidl.optim.Adam(net.parameters(), 0.02)
    for _ in range(60):
        net.zero_grad()
        F.cross_entropy(net(Tensor(x)), t).backward()
        optimizer.step()
    assert (net.eval()(Tensor(x)).data.argmax(1) == t).mean() > 0.9


# -- bad input -------------------------------------------------------------------------------------

X, W, B = (Tensor(np.ones(s)) for s in ((5, 4), (3, 4), (3,)))


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ArgumentError, "drop_connect: expected p between", lambda: F.drop_connect(X, W, B, 1.5)),
        (ArgumentError, "expected p between", lambda: F.drop_connect(X, W, B, np.nan)),
        (ArgumentError, "expected p between", lambda: F.drop_connect_moments(X, W, B, -1)),
        (ArgumentError, "expected p between", lambda: F.drop_connect_inference(X, W, B, 2)),
        (ArgumentError, "samples as", lambda: F.drop_connect_inference(X, W, B, samples=0)),
        (
            ShapeError,
            r"x of shape \(\.\.\., 4\), got \(5, 3\)",
            lambda: F.drop_connect(X[:, :3], W),
        ),
        (ShapeError, r"x of shape \(\.\.\., 4\)", lambda: F.drop_connect(X.sum(), W)),
        (ShapeError, r"weight of shape \(k, d\)", lambda: F.drop_connect(X, B)),
        (ShapeError, r"bias of shape \(3,\)", lambda: F.drop_connect_moments(X, W, X)),
        (DTypeError, "x of a floating type", lambda: F.drop_connect(X.astype(int), W)),
        (DTypeError, "weight of a floating type", lambda: F.drop_connect(X, W.astype(int))),
        (DTypeError, "bias of a floating type", lambda: F.drop_connect(X, W, B.astype(int))),
        (ArgumentError, "DropConnect: expected p between", lambda: nn.DropConnect(2, 3, p=7)),
        (ArgumentError, "in_features as an integer", lambda: nn.DropConnect(0, 3)),
        (ArgumentError, "samples as an integer", lambda: nn.DropConnect(2, 3, samples=0)),
        (ArgumentError, "inference as .gauss", lambda: nn.DropConnect(2, 3, inference="none")),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call()
