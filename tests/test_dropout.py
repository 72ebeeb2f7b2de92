"""Dropout of values and of channels, Gaussian and recurrent: what is exact, and the masks' laws.

Statistical tests draw from fixed seeds; each comparison allows 6 standard errors of a normal law, a
false alarm of 2e-9, below 1e-6 for all of this file together.
"""

import numpy as np
import pytest
from minidl.kernels import dropout_numpy, hashing

import minidl
from minidl.tensor import Tensor
from minidl import backend, nn, threads
from minidl import functional as F
from minidl.errors import ArgumentError, DTypeError, ShapeError

SIGMAS = 6


def close_to(observed, probability, count):
    """Whether a relative frequency over `count` independent draws fits a probability."""
    error = np.sqrt(probability * (1 - probability) / count)
    return abs(observed - probability) <= SIGMAS * error


def ones(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


def rng(seed=0):
    return np.random.default_rng(seed)


# -- the numbers -----------------------------------------------------------------------------------


def hashed(index, seed):
    """The specified hash, in Python's own integers."""

    def mixed(h):
        h = (h ^ (h >> 16)) * 0x7FEB352D % 2**32
        h = (h ^ (h >> 15)) * 0x846CA68B % 2**32
        return h ^ (h >> 16)

    h = mixed((index % 2**32 * 0x9E3779B9 + seed) % 2**32)
    return mixed((h + ((index >> 32) ^ (seed >> 32))) % 2**32)


def test_the_hash_takes_all_64_bits_of_an_index():
    index = [0, 1, 77, 2**32 - 1, 2**32, 2**32 + 77, 2**63 + 5, 2**64 - 1]
    for seed in (0, 9, 2**40 + 3, 2**64 - 1):
        wanted = [hashed(i, seed) for i in index]
        np.testing.assert_array_equal(hashing.hashed(np.array(index, np.uint64), seed), wanted)
    assert len(set(wanted)) == len(index)


@pytest.mark.parametrize("seed", [1, 2**64 - 7])
def test_every_bit_of_a_number_is_a_fair_coin_and_pairs_of_bits_are_independent(seed):
    n = 20_000
    numbers = hashing.numbers(n, seed)
    bits = 2 * (numbers[:, None] >> np.arange(32) & 1) - 1
    assert np.abs(bits.sum(0)).max() <= SIGMAS * np.sqrt(n)
    for other in (bits[1:], bits[2:]):
        products = bits[: len(other)].T.astype(np.float32) @ other.astype(np.float32)
        assert np.abs(products).max() <= SIGMAS * np.sqrt(n)


# -- dropout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_each_value_is_dropped_on_its_own_with_probability_p(p):
    shape = (40, 50, 20)
    y = F.dropout(ones(*shape), p, rng=rng()).data
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - p)], rtol=1e-12)
    dropped = y == 0
    assert close_to(dropped.mean(), p, dropped.size)
    for axis in range(3):  # neighbours along any axis are dropped together with p^2: independent
        moved = np.moveaxis(dropped, axis, 0)
        both = moved[0::2] & moved[1::2]
        assert close_to(both.mean(), p * p, both.size)


def test_a_mask_tells_nothing_of_its_neighbours_nor_of_the_next_seeds():
    """Products of standardized values, near and far and under related seeds, have mean 0."""
    n, p = 300_000, 0.3

    def standardized(seed):
        return (dropout_numpy.mask((n,), seed, p) - (1 - p)) / np.sqrt(p * (1 - p))

    for seed in (0, 1, 2**32 - 1, 2**63 + 17):
        u = standardized(seed)
        assert abs(u.sum()) <= SIGMAS * np.sqrt(n)
        for lag in (1, 2, 3, 8, 28, 64, 256, 784, 65536):
            assert abs((u[lag:] * u[:-lag]).sum()) <= SIGMAS * np.sqrt(n - lag)
        for other in (seed + 1, seed ^ 2**32, seed ^ 2**31):
            assert abs((u * standardized(other)).sum()) <= SIGMAS * np.sqrt(n)


def test_a_module_of_ones_own_is_given_the_librarys_mask():
    class Own:
        forward = staticmethod(dropout_numpy.forward)
        backward = staticmethod(dropout_numpy.backward)

    results = []
    for brought in (False, True):
        x = ones(6, 7)
        with backend.use(Own if brought else "cython", "dropout") as used:
            y = F.dropout(x, 0.4, rng=rng(8))
            y.backward(rng(9).normal(size=(6, 7)))
        assert ("dropout", "backward" if brought else "seeded") in used.calls
        results.append((y.data, x.grad))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


@pytest.mark.parametrize("count", [1, 3])
def test_large_arrays_are_dropped_as_small_ones_are(count, monkeypatch):
    """From some size on results go around the cache, in parts that begin at any address."""
    compiled = backend.load("dropout", "cython")
    if hasattr(compiled, "LARGE"):
        monkeypatch.setitem(vars(compiled), "LARGE", 0)
    x, before = rng(1).normal(size=2_900_003).astype(np.float32), threads.get_num_threads()
    try:
        threads.set_num_threads(count)
        y = backend.call("dropout", "seeded", x, 7, 0.3, 1.5)
        keep = backend.call("dropout", "mask", x.shape, 7, 0.3)
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(y, x * keep * np.float32(1.5))
    np.testing.assert_array_equal(keep[:1000], dropout_numpy.mask((1000,), 7, 0.3))
    assert close_to(keep.mean(), 0.7, keep.size)


def test_the_gradient_goes_through_what_was_kept():
    x = ones(100)
    y = F.dropout(x, 0.3, rng=rng())
    upstream = rng(1).normal(size=100)
    y.backward(upstream)
    np.testing.assert_allclose(x.grad, upstream * y.data, rtol=1e-12)


def test_nothing_and_everything():
    x = ones(5)
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 0.7, training=False) is x
    everything = F.dropout(x, 1.0)
    everything.backward(np.ones(5))
    np.testing.assert_array_equal(everything.data, 0)
    np.testing.assert_array_equal(x.grad, 0)
    assert F.dropout(ones(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_the_standard_form_scales_at_test_time(p):
    x = Tensor(rng(1).normal(size=(30, 20)), requires_grad=True)
    y = F.dropout(x, p, standard=True, rng=rng(2))
    keep = F.dropout(ones(30, 20), p, rng=rng(2)).data != 0
    np.testing.assert_array_equal(y.data, x.data * keep)
    upstream = rng(3).normal(size=x.shape)
    y.backward(upstream)
    np.testing.assert_array_equal(x.grad, upstream * keep)
    tested = F.dropout(x, p, training=False, standard=True)
    np.testing.assert_allclose(tested.data, x.data * (1 - p), rtol=1e-15)


def test_the_two_forms_are_a_factor_apart_and_agree_with_their_own_expectation():
    """2^n sub-networks, here all 8 of them: the weights of a linear unit times the keep rate."""
    w, x, p = np.array([0.5, -2.0, 1.5]), np.array([1.0, 3.0, -2.0]), 0.3
    masks = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    chances = np.prod(np.where(masks, 1 - p, p), axis=1)
    average = chances @ (masks * x @ w)
    tested = F.dropout(Tensor(x), p, training=False, standard=True).data @ w
    np.testing.assert_allclose(tested, average, rtol=1e-12)
    np.testing.assert_allclose(F.dropout(Tensor(x), p, training=False).data @ w, average / (1 - p))
    inverted = F.dropout(Tensor(x), p, rng=rng(4)).data
    standard = F.dropout(Tensor(x), p, standard=True, rng=rng(4)).data
    np.testing.assert_allclose(inverted * (1 - p), standard, rtol=1e-15)


def test_standard_dropout_with_a_module_of_ones_own():
    class Own:
        forward = staticmethod(dropout_numpy.forward)
        backward = staticmethod(dropout_numpy.backward)

    results = []
    for brought in (False, True):
        x = ones(6, 7)
        with backend.use(Own if brought else "cython", "dropout") as used:
            y = F.dropout(x, 0.4, standard=True, rng=rng(8))
            y.backward(rng(9).normal(size=(6, 7)))
        assert used.brought is brought
        results.append((y.data, x.grad))
    np.testing.assert_array_equal(results[0], results[1])


# -- channels --------------------------------------------------------------------------------------

SPATIAL = [
    (F.dropout1d, nn.Dropout1d, (6,)),
    (F.dropout2d, nn.Dropout2d, (2, 3)),
    (F.dropout3d, nn.Dropout3d, (2, 1, 3)),
]


@pytest.mark.parametrize(("function", "layer", "space"), SPATIAL)
def test_whole_channels_are_dropped_each_by_itself(function, layer, space):
    x = Tensor(rng(3).normal(size=(300, 40, *space)), requires_grad=True)
    y = function(x, 0.3, rng=rng(4))
    dropped = y.data == 0
    flat = dropped.reshape(300, 40, -1)
    np.testing.assert_array_equal(flat, np.broadcast_to(flat[:, :, :1], flat.shape))
    channels = flat[:, :, 0]
    assert close_to(channels.mean(), 0.3, channels.size)
    for axis in (0, 1):
        moved = np.moveaxis(channels, axis, 0)
        both = moved[0::2] & moved[1::2]
        assert close_to(both.mean(), 0.09, both.size)
    np.testing.assert_allclose(y.data[~dropped], x.data[~dropped] / 0.7, rtol=1e-12)
    upstream = rng(5).normal(size=x.shape)
    y.backward(upstream)
    np.testing.assert_allclose(x.grad, upstream * ~dropped / 0.7, rtol=1e-12)
    made = layer(0.3, rng=rng(4))
    np.testing.assert_array_equal(made(x).data, y.data)
    assert made.eval()(x) is x
    np.testing.assert_array_equal(function(x, 1.0).data, 0)
    assert repr(made) == f"{layer.__name__}(p=0.3)"


@pytest.mark.parametrize("standard", [False, True])
def test_dropout_is_scale_free_where_weight_decay_is_not(standard):
    """Weights times 1/a and inputs times a: dropout's noise on the sum is what it was."""
    w, x = rng(1).normal(size=50), Tensor(rng(2).normal(size=(20, 50)))
    before = F.dropout(x, 0.4, standard=standard, rng=rng(3)).data @ w
    after = F.dropout(x * 8.0, 0.4, standard=standard, rng=rng(3)).data @ (w / 8)
    np.testing.assert_allclose(after, before, rtol=1e-12)


# -- Gaussian --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "p"), [("paper", 0.2), ("paper", 0.5), ("notes", 0.2), ("notes", 1)]
)
def test_gaussian_factors_have_mean_one_and_the_forms_variance(form, p):
    """In the probability q of keeping: (1 - q) / q in the paper, q (1 - q) in the notes."""
    q = 1 - p
    variance = (1 - q) / q if form == "paper" else q * (1 - q)
    x = Tensor(np.full((400, 500), 3.0), requires_grad=True)
    y = F.gaussian_dropout(x, p, form=form, rng=rng(6))
    factor = y.data / 3
    n = factor.size
    assert abs(factor.mean() - 1) <= SIGMAS * np.sqrt(variance / n)
    assert abs(factor.var() - variance) <= SIGMAS * variance * np.sqrt(2 / n)
    skew = ((factor - 1) ** 3).mean()
    assert abs(skew) <= SIGMAS * variance**1.5 * np.sqrt(15 / n)
    upstream = rng(7).normal(size=x.shape)
    y.backward(upstream)
    np.testing.assert_allclose(x.grad, upstream * factor, rtol=1e-12)


def test_the_papers_form_has_the_variance_of_inverted_dropout():
    p, x = 0.3, ones(1000, 300)
    for y in (F.dropout(x, p, rng=rng(1)), F.gaussian_dropout(x, p, rng=rng(1))):
        fourth = ((y.data - 1) ** 4).mean()
        assert abs(y.data.var() - p / (1 - p)) <= SIGMAS * np.sqrt(fourth / y.size)


def test_gaussian_dropout_in_evaluation_and_as_a_layer():
    x = Tensor(rng().normal(size=(4, 5)))
    assert F.gaussian_dropout(x, 0.0) is x
    layer = nn.GaussianDropout(0.3, "notes", rng=rng(2))
    wanted = F.gaussian_dropout(x, 0.3, form="notes", rng=rng(2)).data
    np.testing.assert_array_equal(layer(x).data, wanted)
    assert layer.eval()(x) is x
    assert repr(layer) == "GaussianDropout(p=0.3, form='notes')"


# -- alpha -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_alpha_dropout_keeps_mean_zero_and_variance_one(p):
    x = rng(3).normal(size=400_000)
    y = F.alpha_dropout(Tensor(x), p, rng=rng(4)).data
    deviation = y - y.mean()
    assert abs(y.mean()) <= SIGMAS * np.sqrt(1 / y.size)
    assert abs(y.var() - 1) <= SIGMAS * np.sqrt((deviation**4).mean() / y.size)
    values, counts = np.unique(y, return_counts=True)
    assert close_to(counts.max() / y.size, p, y.size)
    floor = -1.0507009873554805 * 1.6732632423543772
    a = ((1 - p) * (1 + p * floor**2)) ** -0.5
    np.testing.assert_allclose(values[counts.argmax()], a * (floor - floor * p), rtol=1e-12)


def test_alpha_dropout_at_its_ends():
    x = ones(6)
    assert F.alpha_dropout(x, 0.0) is x
    assert nn.AlphaDropout(0.4).eval()(x) is x
    np.testing.assert_array_equal(F.alpha_dropout(x, 1.0).data, 0)


# -- recurrent -------------------------------------------------------------------------------------


def test_recurrent_dropout_keeps_its_mask_for_a_sequence():
    layer = nn.RecurrentDropout(0.5, rng=rng(1))
    steps = [layer(ones(8, 30)).data for _ in range(3)]
    np.testing.assert_array_equal(steps[0], steps[1])
    np.testing.assert_array_equal(steps[0], steps[2])
    np.testing.assert_array_equal(np.unique(steps[0]), [0, 2])
    np.testing.assert_array_equal(layer(ones(5, 30)).data, steps[0][:5])
    layer.start()
    assert (layer(ones(8, 30)).data != steps[0]).any()


def test_recurrent_dropout_with_a_mask_for_each_step():
    layer = nn.RecurrentDropout(0.5, per_step=True, rng=rng(1))
    assert (layer(ones(8, 30)).data != layer(ones(8, 30)).data).any()
    assert repr(layer) == "RecurrentDropout(p=0.5, per_step=True)"


def test_recurrent_dropout_drops_nothing_in_evaluation():
    x = ones(4, 3)
    for per_step in (False, True):
        assert nn.RecurrentDropout(0.5, per_step).eval()(x) is x
        assert nn.RecurrentDropout(0.0, per_step)(x) is x


@pytest.mark.parametrize("per_step", [False, True])
def test_recurrent_dropout_loses_no_memory(per_step):
    """On the update, a unit whose updates are dropped remembers c; on the cell it would forget."""
    layer, c0 = nn.RecurrentDropout(0.5, per_step, rng=rng(2)), rng(3).normal(size=(20, 30))
    c, g = Tensor(c0, requires_grad=True), Tensor(rng(4).normal(size=(20, 30)), requires_grad=True)
    carried = c
    for _ in range(6):
        carried = carried + layer(g)
    upstream = rng(5).normal(size=c.shape)
    carried.backward(upstream)
    np.testing.assert_array_equal(c.grad, upstream)
    untouched = carried.data == c0
    assert untouched.any() != per_step or close_to(untouched.mean(), 0.5**6, c0.size)
    if not per_step:
        assert close_to(untouched.mean(), 0.5, c0.size)
        np.testing.assert_allclose(carried.data, c0 + 12 * g.data * ~untouched, rtol=1e-12)
        np.testing.assert_allclose(g.grad, 12 * upstream * ~untouched, rtol=1e-12)


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: F.dropout(ones(50), rng=g).data,
        lambda g: F.dropout2d(ones(9, 9, 2, 2), rng=g).data,
        lambda g: F.alpha_dropout(ones(50), rng=g).data,
        lambda g: F.gaussian_dropout(ones(50), rng=g).data,
    ],
)
def test_the_same_seed_draws_the_same_noise(draw):
    np.testing.assert_array_equal(draw(rng(3)), draw(rng(3)))
    assert (draw(rng(3)) != draw(rng(4))).any()
    minidl.manual_seed(5)
    first, second = draw(None), draw(None)
    minidl.manual_seed(5)
    np.testing.assert_array_equal(draw(None), first)
    assert (first != second).any()


def test_the_layers_are_the_operations():
    x = Tensor(rng().normal(size=(2, 3, 6, 6)))
    for layer, wanted in [
        (nn.Dropout(0.3, rng=rng(1)), F.dropout(x, 0.3, rng=rng(1))),
        (nn.Dropout(0.3, True, rng(1)), F.dropout(x, 0.3, standard=True, rng=rng(1))),
        (nn.AlphaDropout(0.3, rng(1)), F.alpha_dropout(x, 0.3, rng=rng(1))),
    ]:
        np.testing.assert_array_equal(layer(x).data, wanted.data)
        assert layer.state_dict() == {}
    assert nn.Dropout(0.3).eval()(x) is x
    np.testing.assert_array_equal(nn.Dropout(0.25, standard=True).eval()(x).data, 0.75 * x.data)
    assert repr(nn.Dropout(0.3)) == "Dropout(p=0.3)"
    assert repr(nn.Dropout(0.3, standard=True)) == "Dropout(p=0.3, standard=True)"


def test_nan_passes_whether_it_is_kept_or_dropped():
    x = Tensor(np.full((8, 8, 1, 1), np.nan))
    for y in (F.dropout(x), F.dropout2d(x), F.alpha_dropout(x), F.gaussian_dropout(x)):
        assert np.isnan(y.data).all()


# -- bad input -------------------------------------------------------------------------------------

X = Tensor(np.ones((2, 3, 4, 4)))
IMPROPER = [1.1, -0.1, np.nan, "half"]


@pytest.mark.parametrize(
    "name", ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "gaussian_dropout"]
)
def test_probabilities_that_are_none(name):
    rank = {"dropout1d": 3, "dropout3d": 5}.get(name, 4)
    for p in IMPROPER:
        with pytest.raises(ArgumentError, match=f"{name}: expected p between 0.0 and 1.0, got"):
            getattr(F, name)(Tensor(np.ones((2,) * rank)), p)
    with pytest.raises(DTypeError, match=f"{name}: expected x of a floating type"):
        getattr(F, name)(Tensor(np.ones((2,) * rank, int)))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout,
        nn.Dropout1d,
        nn.Dropout2d,
        nn.Dropout3d,
        nn.AlphaDropout,
        nn.GaussianDropout,
        nn.RecurrentDropout,
    ],
)
def test_layers_of_probabilities_that_are_none(layer):
    for p in IMPROPER:
        with pytest.raises(ArgumentError, match=f"{layer.__name__}: expected p between 0.0 and"):
            layer(p)


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ShapeError, r"dropout1d: expected x of shape \(n, c, l\)", lambda: F.dropout1d(X)),
        (ShapeError, r"dropout2d: expected x of shape \(n, c, h, w\)", lambda: F.dropout2d(X[0])),
        (ShapeError, r"dropout3d: expected x of shape \(n, c, d, h, w\)", lambda: F.dropout3d(X)),
        (ArgumentError, "form as .paper. or .notes.", lambda: F.gaussian_dropout(X, form="both")),
        (ArgumentError, "GaussianDropout: expected form", lambda: nn.GaussianDropout(form="p")),
        (ArgumentError, "p below 1, got 1.*infinite", lambda: F.gaussian_dropout(X, 1)),
        (ArgumentError, "GaussianDropout: expected p below 1", lambda: nn.GaussianDropout(1.0)),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call()
