"""DropBlock and its schedule: what is exact, and the laws of the masks.

Statistical tests draw from fixed seeds; each comparison allows 6 standard errors of a normal law, a
false alarm of 2e-9, below 1e-7 for all of this file together.
"""

import warnings

import numpy as np
import pytest
from minidl.kernels import drop_block_numpy

import minidl
from minidl.tensor import Tensor
from minidl import backend, nn, threads
from minidl import functional as F
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.functional.drop_block import drop_block_gamma, drop_block_mask, drop_block_seeds
from minidl.train import fit

SIGMAS = 6


def close_to(observed, probability, count):
    """Whether a relative frequency over `count` independent draws fits a probability."""
    error = np.sqrt(probability * (1 - probability) / count)
    return abs(observed - probability) <= SIGMAS * error


def ones(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


def rng(seed=0):
    return np.random.default_rng(seed)


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
    assert drop_block_gamma(0.0, 1, 2, 1) == drop_block_gamma(0.0, 3, 9, 9) == 1.0


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


@pytest.mark.parametrize("telling", ["numpy", "numba", "cython"])
@pytest.mark.parametrize("block", [2, 3, 4])
def test_a_single_seed_is_the_upper_left_corner_of_its_block(block, telling):
    """So the paper's seed, a block's centre, is the upper-left middle of an even block."""
    middle = 2, 3
    corner = [at - (block - 1) // 2 for at in middle]
    seeds = np.zeros((1, 1, 7 - block + 1, 8 - block + 1), bool)
    seeds[0, 0, corner[0], corner[1]] = True
    with backend.use(telling, "drop_block"):
        keep = backend.call("drop_block", "expand", seeds, block)
    before, after = (block - 1) // 2, block // 2
    wanted = np.ones((7, 8), bool)
    rows, columns = (slice(at - before, at + after + 1) for at in middle)
    wanted[rows, columns] = False
    np.testing.assert_array_equal(keep[0, 0], wanted)


@pytest.mark.parametrize("telling", ["numpy", "numba", "cython"])
def test_every_telling_drops_the_same_blocks(telling):
    x, upstream = Tensor(rng(1).normal(size=(3, 4, 20, 17))), rng(2).normal(size=(3, 4, 20, 17))
    x.requires_grad = True
    results = []
    for used in ("numpy", telling):
        x.grad = None
        with backend.use(used):
            y = F.drop_block(x, 0.8, 4, rng=rng(3))
            y.backward(upstream)
        results.append((y.data, x.grad))
    assert 0 < (results[0][0] == 0).mean() < 1
    np.testing.assert_allclose(results[1], results[0], rtol=1e-12)


@pytest.mark.parametrize("block", [1, 3])
def test_any_number_of_threads_draws_the_same_masks(block):
    shape = 70, 40, 20, 20
    before, masks = threads.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            masks.append(drop_block_mask(shape, 0.8, block, rng(4)))
            seeds = drop_block_seeds(shape, 0.8, block, rng(4))
            np.testing.assert_array_equal(
                backend.call("drop_block", "expand", seeds, block), masks[-1][0]
            )
    finally:
        threads.set_num_threads(before)
    for keep, scale in masks:
        np.testing.assert_array_equal(keep, masks[0][0])
        assert scale == keep.size / keep.sum()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_large_maps_are_dropped_as_small_ones_are(shared, count):
    """From some size on results go around the cache, in parts that begin at any address."""
    x, before = rng(1).normal(size=(10, 11, 163, 165)).astype(np.float32), threads.get_num_threads()
    try:
        threads.set_num_threads(count)
        keep, scale = drop_block_mask(x.shape, 0.8, 5, rng(2), shared)
        y = backend.call("drop_block", "product", x, keep, scale)
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(y, x * keep * np.float32(scale))


@pytest.mark.parametrize("block", [1, 2, 5])
def test_a_module_of_ones_own_is_given_the_librarys_seeds(block):
    class Own:
        expand = staticmethod(drop_block_numpy.expand)
        forward = staticmethod(drop_block_numpy.forward)
        backward = staticmethod(drop_block_numpy.backward)

    results = []
    for brought in (False, True):
        x = Tensor(rng(5).normal(size=(4, 3, 9, 7)), requires_grad=True)
        with backend.use(Own if brought else "cython", "drop_block") as used:
            y = F.drop_block(x, 0.6, block, rng=rng(8))
            y.backward(rng(9).normal(size=x.shape))
            keep, scale = drop_block_mask(x.shape, 0.6, block, rng(8))
        assert (("drop_block", "expand") in used.calls) is brought
        assert scale == keep.size / np.count_nonzero(keep)
        results.append((y.data, x.grad))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


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
    for block in (1, 2, 3, 4):
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


def test_blocks_of_one_are_dropouts_mask():
    """The very same mask for the same seed, scaled by the realized instead of the expected rate."""
    x = Tensor(rng(1).normal(size=(5, 6, 9, 7)))
    blocks, values = F.drop_block(x, 0.7, 1, rng=rng(2)).data, F.dropout(x, 0.3, rng=rng(2)).data
    np.testing.assert_array_equal(blocks == 0, values == 0)
    rate = np.mean(values != 0)
    np.testing.assert_allclose(blocks, values * 0.7 / rate, rtol=1e-12)


def test_blocks_of_the_maps_size_are_spatial_dropouts_mask():
    x = Tensor(rng(1).normal(size=(50, 6, 4, 4)))
    blocks, maps = F.drop_block(x, 0.7, 4, rng=rng(2)).data, F.dropout2d(x, 0.3, rng=rng(2)).data
    np.testing.assert_array_equal(blocks == 0, maps == 0)
    np.testing.assert_allclose(blocks, maps * 0.7 / np.mean(maps != 0), rtol=1e-12)


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


@pytest.mark.parametrize("shared", [False, True])
def test_the_layer_tells_the_realized_keep_rate(shared):
    layer = nn.DropBlock2d(0.7, 3, shared, rng=rng(1))
    assert layer.realized is None
    x = ones(6, 5, 9, 8)
    for _ in range(2):
        kept = layer(x).data != 0
        assert layer.realized == pytest.approx(kept.mean(), rel=1e-12)
    last = layer.realized
    layer.eval()(x)
    assert layer.realized == last
    layer.train().keep_prob, layer.block_size = 0.0, 1
    assert not layer(x).data.any()
    assert layer.realized == 0.0
    layer.keep_prob = 1.0
    assert layer(x) is x
    assert layer.realized == 1.0


def test_the_layer_says_once_that_it_clips():
    layer, x = nn.DropBlock2d(0.5, 7, rng=rng()), ones(2, 3, 4, 9)
    with pytest.warns(UserWarning, match="DropBlock2d: block_size 7 is larger than .*clipped to 4"):
        first = layer(x)
    np.testing.assert_array_equal(first.data, F.drop_block(x, 0.5, 4, rng=rng()).data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)


@pytest.mark.parametrize("empty", [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4)])
def test_the_layer_leaves_what_is_empty_alone(empty):
    x = ones(*empty)
    assert nn.DropBlock2d(0.5, 2)(x) is x


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
    assert np.isnan(F.drop_block(x, 0.9, 1, rng=rng()).data).all()


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


def test_training_moves_the_schedule():
    x, t = rng(1).normal(size=(24, 2, 6, 6)).astype(np.float32), rng(2).integers(0, 3, 24)
    drop = nn.DropBlock2d(0.7, 3, rng=rng(3))
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), drop, nn.Flatten(), nn.Linear(108, 3))
    schedule = nn.DropBlockSchedule(net, steps=4)
    fit(net, (x, t), epochs=1, batch_size=8, schedules=[schedule], progress=False)
    assert drop.keep_prob == pytest.approx(1 - 0.3 * 3 / 4)
    fit(net, (x, t), epochs=1, batch_size=8, schedules=[schedule], progress=False)
    assert drop.keep_prob == pytest.approx(0.7)
    assert 0.5 < drop.realized < 1


def test_a_schedule_goes_on_where_its_state_was_taken():
    blocks = [nn.DropBlock2d(0.6, 2) for _ in range(2)]
    first, second = (nn.DropBlockSchedule(block, steps=8) for block in blocks)
    for _ in range(3):
        first.step()
    second.load_state_dict(first.state_dict())
    assert first.state_dict() == {"steps": 8, "taken": 3}
    for _ in range(6):
        assert blocks[0].keep_prob == blocks[1].keep_prob
        first.step()
        second.step()
    assert blocks[1].keep_prob == pytest.approx(0.6)
    with pytest.raises(ArgumentError, match="DropBlockSchedule: expected taken"):
        second.load_state_dict({"steps": 8, "taken": -1})


@pytest.mark.parametrize("steps", [0, -1, 2.5])
def test_a_schedule_that_cannot_be(steps):
    with pytest.raises(ArgumentError, match="DropBlockSchedule: expected steps as an integer"):
        nn.DropBlockSchedule(nn.DropBlock2d(), steps)


# -- the layer -------------------------------------------------------------------------------------


def test_the_layer_is_the_operation():
    x = Tensor(rng().normal(size=(2, 3, 6, 6)))
    wanted = F.drop_block(x, 0.6, 3, shared=True, rng=rng(1)).data
    layer = nn.DropBlock2d(0.6, 3, True, rng(1))
    np.testing.assert_array_equal(layer(x).data, wanted)
    assert layer.eval()(x) is x
    assert layer.state_dict() == {}
    assert repr(nn.DropBlock2d()) == "DropBlock2d(keep_prob=0.9, block_size=7, shared=False)"


def test_the_same_seed_draws_the_same_mask():
    def draw(generator):
        return F.drop_block(ones(2, 3, 6, 6), 0.5, 2, rng=generator).data

    np.testing.assert_array_equal(draw(rng(3)), draw(rng(3)))
    assert (draw(rng(3)) != draw(rng(4))).any()
    minidl.manual_seed(5)
    first, second = draw(None), draw(None)
    minidl.manual_seed(5)
    np.testing.assert_array_equal(draw(None), first)
    assert (first != second).any()


# -- bad input -------------------------------------------------------------------------------------

MAPS = Tensor(np.ones((2, 3, 4, 4)))


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ArgumentError, "keep_prob between", lambda: F.drop_block(MAPS, -0.1, 2)),
        (ArgumentError, "keep_prob between", lambda: F.drop_block(MAPS, np.nan, 2)),
        (ArgumentError, "keep_prob between", lambda: F.drop_block(MAPS, 1.1, 2)),
        (ArgumentError, "block_size as an integer", lambda: F.drop_block(MAPS, 0.5, 0)),
        (ArgumentError, "block_size as an integer", lambda: F.drop_block(MAPS, 0.5, 1.5)),
        (ShapeError, r"add a channel axis", lambda: F.drop_block(MAPS[0], 0.5, 2)),
        (ShapeError, r"add a channel axis", lambda: nn.DropBlock2d()(MAPS[0])),
        (DTypeError, "a floating type", lambda: F.drop_block(MAPS.astype(int), 0.5, 2)),
        (ArgumentError, "DropBlock2d: expected keep_prob between", lambda: nn.DropBlock2d(1.5)),
        (ArgumentError, "DropBlock2d: expected keep_prob between", lambda: nn.DropBlock2d(np.nan)),
        (ArgumentError, "DropBlock2d: expected block_size", lambda: nn.DropBlock2d(0.5, 0)),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call()
