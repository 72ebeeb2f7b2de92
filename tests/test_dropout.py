"""Dropout, DropBlock and its schedule: what is exact, and the laws of the masks.

Statistical tests draw from fixed seeds; each comparison allows 6 standard errors of a normal law, a
false alarm of 2e-9, below 1e-7 for all of this file together.
"""

import warnings

import numpy as np
import pytest
from minidl.kernels import dropout_numpy

import minidl
from minidl.tensor import Tensor
from minidl import backend, nn
from minidl import functional as F
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.functional.dropout import drop_block_gamma, drop_block_seeds

SIGMAS = 6


def close_to(observed, probability, count):
    """Whether a relative frequency over `count` independent draws fits a probability."""
    error = np.sqrt(probability * (1 - probability) / count)
    return abs(observed - probability) <= SIGMAS * error


def ones(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


def rng(seed=0):
    return np.random.default_rng(seed)


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
        assert ("dropout", "backward" if brought else "seeded_backward") in used.calls
        results.append((y.data, x.grad))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


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


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: F.dropout(ones(50), rng=g).data,
        lambda g: F.drop_block(ones(2, 3, 6, 6), 0.5, 2, rng=g).data,
    ],
)
def test_the_same_seed_draws_the_same_mask(draw):
    np.testing.assert_array_equal(draw(rng(3)), draw(rng(3)))
    assert (draw(rng(3)) != draw(rng(4))).any()
    minidl.manual_seed(5)
    first, second = draw(None), draw(None)
    minidl.manual_seed(5)
    np.testing.assert_array_equal(draw(None), first)
    assert (first != second).any()


@pytest.mark.parametrize("layer", [nn.Dropout(0.5, rng=rng(2)), nn.DropBlock2d(0.5, 2, rng=rng(2))])
def test_the_layers_drop_in_training_only(layer):
    x = ones(2, 3, 6, 6)
    assert (layer.train()(x).data == 0).any()
    assert layer.eval()(x) is x
    assert layer.state_dict() == {}


def test_the_layers_are_the_operations():
    x = Tensor(rng().normal(size=(2, 3, 6, 6)))
    wanted = F.dropout(x, 0.3, rng=rng(1)).data
    np.testing.assert_array_equal(nn.Dropout(0.3, rng(1))(x).data, wanted)
    wanted = F.drop_block(x, 0.6, 3, shared=True, rng=rng(1)).data
    np.testing.assert_array_equal(nn.DropBlock2d(0.6, 3, True, rng(1))(x).data, wanted)
    assert repr(nn.Dropout(0.3)) == "Dropout(p=0.3)"
    assert repr(nn.DropBlock2d()) == "DropBlock2d(keep_prob=0.9, block_size=7, shared=False)"


# -- DropBlock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep_prob", "block", "h", "w"), [(0.9, 7, 28, 28), (0.8, 3, 7, 5), (0.5, 2, 4, 9)]
)
def test_gamma(keep_prob, block, h, w):
    wanted = (1 - keep_prob) / block**2 * (h * w) / ((h - block + 1) * (w - block + 1))
    assert drop_block_gamma(keep_prob, block, h, w) == pytest.approx(wanted, rel=1e-15)


def test_gamma_at_its_ends():
    assert drop_block_gamma(1.0, 3, 9, 9) == 0
    assert drop_block_gamma(0.25, 6, 6, 6) == 0.75  # block = map: one place, the whole channel
    assert drop_block_gamma(0.25, 1, 6, 8) == 0.75  # block 1: dropout
    assert drop_block_gamma(0.0, 1, 2, 1) == 1.0


@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_seeds_are_independent_and_hit_with_probability_gamma(block):
    h, w = 9, 7
    seeds = drop_block_seeds((400, 10, h, w), 0.7, block, rng())
    assert seeds.shape == (400, 10, h - block + 1, w - block + 1)
    gamma = drop_block_gamma(0.7, block, h, w)
    assert close_to(seeds.mean(), gamma, seeds.size)
    both = seeds[:, 0::2] & seeds[:, 1::2]
    assert close_to(both.mean(), gamma**2, both.size)


@pytest.mark.parametrize("block", [2, 3, 4, 5])
def test_only_whole_blocks_inside_the_map_are_dropped(block):
    dropped = F.drop_block(ones(20, 3, 6, 8), 0.7, block, rng=rng(block)).data == 0
    assert dropped.any()
    assert not dropped.all()
    covered = np.zeros_like(dropped)
    for i in range(6 - block + 1):
        for j in range(8 - block + 1):
            whole = dropped[:, :, i : i + block, j : j + block].all((2, 3))
            covered[:, :, i : i + block, j : j + block] |= whole[:, :, None, None]
    np.testing.assert_array_equal(dropped, covered)


@pytest.mark.parametrize("block", [2, 3, 4])
def test_a_single_seed_is_the_upper_left_corner_of_its_block(block):
    """So the paper's seed, a block's centre, is the upper-left middle of an even block."""

    class OneSeed:
        def geometric(self, gamma, count):
            gaps = np.full(count, 1000)
            gaps[0] = 1 + (8 - block + 1) + 2
            return gaps

    y = F.drop_block(ones(1, 1, 7, 8), 0.9, block, rng=OneSeed()).data[0, 0]
    wanted = np.full((7, 8), 56 / (56 - block**2))
    wanted[1 : 1 + block, 2 : 2 + block] = 0
    np.testing.assert_allclose(y, wanted, rtol=1e-12)


@pytest.mark.parametrize("gamma", [0.002, 0.03, 0.3])
def test_seeds_are_independent_draws(gamma):
    """Rate, first and last place, and neighbours: within 4.5 standard deviations of Bernoulli."""
    h, w, block = 9, 11, 2
    keep_prob = 1 - gamma * block**2 * (h - 1) * (w - 1) / (h * w)
    seeds = drop_block_seeds((300, 20, h, w), keep_prob, block, rng=rng(3))
    flat = seeds.ravel()

    def agrees(count, trials, p):
        assert abs(count - trials * p) <= 4.5 * np.sqrt(trials * p * (1 - p))

    agrees(flat.sum(), flat.size, gamma)
    for row in (seeds[:, :, 0, 0], seeds[:, :, -1, -1], seeds[:, :, 3]):
        agrees(row.sum(), row.size, gamma)
    for lag in (1, 2, w - 1, (h - 1) * (w - 1)):
        agrees((flat[lag:] & flat[:-lag]).sum(), flat.size - lag, gamma**2)
    assert not np.array_equal(seeds[0], seeds[1])


def test_masks_are_per_channel_or_shared():
    own = F.drop_block(ones(6, 4, 8, 8), 0.6, 3, rng=rng()).data
    assert (own[:, :1] != own).any()
    shared = F.drop_block(ones(6, 4, 8, 8), 0.6, 3, shared=True, rng=rng()).data
    np.testing.assert_array_equal(shared, np.broadcast_to(shared[:, :1], shared.shape))
    assert (shared[0] != shared[1]).any()


@pytest.mark.parametrize("shared", [False, True])
def test_what_is_kept_is_scaled_by_count_over_count_ones(shared):
    x = Tensor(rng().normal(size=(3, 4, 6, 5)), requires_grad=True)
    y = F.drop_block(x, 0.6, 2, shared=shared, rng=rng(9))
    keep = y.data != 0
    wanted = x.data * keep * (keep.size / keep.sum())
    np.testing.assert_allclose(y.data, wanted, rtol=1e-12)
    upstream = rng(1).normal(size=y.shape)
    y.backward(upstream)
    np.testing.assert_allclose(x.grad, upstream * keep * (keep.size / keep.sum()), rtol=1e-12)
    np.testing.assert_allclose(F.drop_block(ones(9, 4, 6, 6), 0.6, 2).data.mean(), 1, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_when_all_is_dropped_there_are_zeros(dtype):
    x = Tensor(rng().normal(size=(2, 3, 4, 4)).astype(dtype), requires_grad=True)
    for block in (1, 4):
        y = F.drop_block(x, 0.0, block)
        y.backward(np.ones(y.shape))
        np.testing.assert_array_equal(y.data, 0)
        np.testing.assert_array_equal(x.grad, 0)
        assert y.dtype == dtype


def test_keep_prob_1_evaluation_and_an_empty_batch_leave_x_alone():
    x = ones(2, 3, 4, 4)
    assert F.drop_block(x, 1.0, 2) is x
    assert F.drop_block(x, 0.2, 2, training=False) is x
    empty = ones(0, 3, 4, 4)
    assert F.drop_block(empty, 0.2, 2) is empty


def test_blocks_of_one_have_dropouts_mask_law():
    keep = F.drop_block(ones(100, 10, 8, 5), 0.7, 1, rng=rng()).data != 0
    assert close_to(keep.mean(), 0.7, keep.size)
    for axis in (0, 1, 2):
        moved = np.moveaxis(keep, axis, 0)
        both = moved[0::2] & moved[1::2]
        assert close_to(both.mean(), 0.49, both.size)


def test_blocks_of_the_maps_size_drop_whole_channels():
    keep = F.drop_block(ones(500, 20, 6, 6), 0.7, 6, rng=rng()).data != 0
    whole = keep.all((2, 3))
    np.testing.assert_array_equal(whole, keep.any((2, 3)))
    assert close_to(whole.mean(), 0.7, whole.size)


@pytest.mark.parametrize(("block", "keep_prob"), [(2, 0.9), (3, 0.9), (3, 0.7), (4, 0.8)])
def test_the_realized_keep_rate_is_above_the_target_by_the_overlaps(block, keep_prob):
    """A pixel is kept if none of the seeds that cover it hit: (1 - gamma)^(number of them)."""
    h, w, images = 10, 12, 2000
    gamma = drop_block_gamma(keep_prob, block, h, w)
    covering = np.zeros((h, w))
    for i in range(h - block + 1):
        for j in range(w - block + 1):
            covering[i : i + block, j : j + block] += 1
    exact = ((1 - gamma) ** covering).mean()
    keep = F.drop_block(ones(images, 1, h, w), keep_prob, block, rng=rng(block)).data != 0
    per_image = keep.mean((1, 2, 3))
    error = per_image.std() / np.sqrt(images)
    assert abs(per_image.mean() - exact) <= SIGMAS * error
    assert keep_prob < per_image.mean() < keep_prob + (1 - keep_prob) ** 2


def test_a_block_larger_than_the_map_is_clipped_with_one_warning():
    x = ones(40, 5, 4, 9)
    with pytest.warns(
        UserWarning, match=r"block_size 7 is larger than .*\(4, 9\); clipped to 4"
    ) as w:
        y = F.drop_block(x, 0.5, 7, rng=rng())
    assert len(w) == 1
    np.testing.assert_array_equal(y.data, F.drop_block(x, 0.5, 4, rng=rng()).data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.drop_block(x, 0.5, 4, rng=rng())
        F.drop_block(x, 0.5, 7, training=False)


def test_nan_passes_where_it_is_kept():
    x = Tensor(np.full((1, 1, 2, 2), np.nan))
    for y in (F.dropout(x, 0.5, rng=rng()), F.drop_block(x, 0.9, 1, rng=rng())):
        assert np.isnan(y.data).any()


# -- the schedule ----------------------------------------------------------------------------------


def test_the_schedule_goes_from_one_to_each_target_linearly():
    model = nn.Sequential(nn.DropBlock2d(0.8, 2), nn.Sequential(nn.ReLU(), nn.DropBlock2d(0.5, 2)))
    schedule = nn.DropBlockSchedule(model, steps=10)
    first, second = model[0], model[1][1]
    seen = [(first.keep_prob, second.keep_prob)]
    for _ in range(14):
        schedule.step()
        seen.append((first.keep_prob, second.keep_prob))
    np.testing.assert_allclose(seen[0], [1, 1])
    np.testing.assert_allclose(seen[5], [0.9, 0.75])
    np.testing.assert_allclose(seen[10:], [[0.8, 0.5]] * 5)
    np.testing.assert_allclose(np.diff(seen[:11], axis=0), [[-0.02, -0.05]] * 10)
    assert schedule.progress == 1.0


def test_a_second_schedule_ends_where_the_first_did():
    block = nn.DropBlock2d(0.8, 2)
    for steps in (4, 2):
        schedule = nn.DropBlockSchedule(block, steps)
        assert block.keep_prob == 1.0
        for _ in range(steps):
            schedule.step()
        assert block.keep_prob == pytest.approx(0.8)
    nn.DropBlockSchedule(block, 2)
    assert block.target == 0.8


@pytest.mark.parametrize("steps", [0, -1, 2.5])
def test_a_schedule_that_cannot_be(steps):
    with pytest.raises(ArgumentError, match="DropBlockSchedule: expected steps as an integer"):
        nn.DropBlockSchedule(nn.DropBlock2d(), steps)


# -- bad input -------------------------------------------------------------------------------------

MAPS = np.ones((2, 3, 4, 4))


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ArgumentError, "dropout: expected p between", lambda: F.dropout(Tensor(MAPS), 1.1)),
        (ArgumentError, "dropout: expected p between", lambda: F.dropout(Tensor(MAPS), np.nan)),
        (ArgumentError, "dropout: expected p between", lambda: F.dropout(Tensor(MAPS), "half")),
        (DTypeError, "dropout: expected x of a floating", lambda: F.dropout(Tensor([1, 2]))),
        (ArgumentError, "keep_prob between", lambda: F.drop_block(Tensor(MAPS), -0.1, 2)),
        (ArgumentError, "keep_prob between", lambda: F.drop_block(Tensor(MAPS), np.nan, 2)),
        (ArgumentError, "keep_prob between", lambda: F.drop_block(Tensor(MAPS), 1.1, 2)),
        (ArgumentError, "block_size as an integer", lambda: F.drop_block(Tensor(MAPS), 0.5, 0)),
        (ArgumentError, "block_size as an integer", lambda: F.drop_block(Tensor(MAPS), 0.5, 1.5)),
        (ShapeError, r"add a channel axis", lambda: F.drop_block(Tensor(MAPS[0]), 0.5, 2)),
        (DTypeError, "a floating type", lambda: F.drop_block(Tensor(MAPS.astype(int)), 0.5, 2)),
        (ArgumentError, "Dropout: expected p between", lambda: nn.Dropout(-0.5)),
        (ArgumentError, "DropBlock2d: expected keep_prob between", lambda: nn.DropBlock2d(1.5)),
        (ArgumentError, "DropBlock2d: expected block_size", lambda: nn.DropBlock2d(0.5, 0)),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call()
