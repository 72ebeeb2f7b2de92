"""Checks of the dropout family: exact ones where the mask or the noise is given.

Expected values come from definitions.py, in float64. Every task stands alone. What students draw
themselves is looked at in random_checks.py.
"""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close

from .definitions import (
    averaged,
    central_differences,
    connected,
    covered,
    draw_dtype,
    draw_keep,
    draw_shape,
    draw_values,
    gamma,
    moments,
    scaled,
    stood_out,
)
from .random_checks import (
    channels_come_from_the_generator,
    channels_go_one_by_one,
    drops_at_the_rate_asked_for,
    drops_none_or_all,
    drops_whole_channels,
    each_value_for_itself,
    each_value_has_its_own_noise,
    keeps_or_drops_every_channel,
    masks_in_a_row_differ,
    noise_comes_from_the_generator,
    noise_is_normal,
    noise_of_mean_one,
    noise_of_the_right_variance,
    sequences_go_one_by_one,
    the_generator_decides,
    the_same_units_at_all_steps,
    units_come_from_the_generator,
)

# Collected with those below.
__all__ = [
    "channels_come_from_the_generator",
    "channels_go_one_by_one",
    "drops_at_the_rate_asked_for",
    "drops_none_or_all",
    "drops_whole_channels",
    "each_value_for_itself",
    "each_value_has_its_own_noise",
    "keeps_or_drops_every_channel",
    "masks_in_a_row_differ",
    "noise_comes_from_the_generator",
    "noise_is_normal",
    "noise_of_mean_one",
    "noise_of_the_right_variance",
    "sequences_go_one_by_one",
    "the_generator_decides",
    "the_same_units_at_all_steps",
    "units_come_from_the_generator",
]

# --- standard ------------------------------------------------------------------------------------


@check(task="standard", points=4)
def passes_what_is_kept(student, case):
    """In training what is kept passes as it is, and the rest is zero."""
    shape, p = draw_shape(case), case.turn(0.3, 0.6, 0.9)
    x, keep = draw_values(case, *shape, dtype=draw_dtype(case)), draw_keep(case, *shape)
    close(student.standard(x, keep, p, True), scaled(x, keep, 1.0), "y")


@check(task="standard", points=4, public=3)
def shrinks_at_test_time(student, case):
    """At test time y is the mean of training's y over all masks, whatever mask lies about."""
    shape, p = draw_shape(case), case.turn(0.3, 0.8, 0.1, 1.0, 0.65, 0.0)
    x, keep = draw_values(case, *shape, dtype=draw_dtype(case)), draw_keep(case, *shape)
    want = (1 - p) * scaled(x, True, 1.0) + p * scaled(x, False, 1.0)
    close(student.standard(x, keep, p, False), want.astype(x.dtype), "y")


# --- inverted ------------------------------------------------------------------------------------


@check(task="inverted", points=5, public=3)
def scales_what_is_kept(student, case):
    """What is kept is divided by 1 - p, whatever share of this mask that is."""
    shape, p = draw_shape(case), case.turn(0.3, 0.8, 0.1, 0.5)
    x = draw_values(case, *shape, dtype=draw_dtype(case))
    keep = draw_keep(case, *shape, p=case.turn(0.5, 0.3))
    close(student.inverted(x, keep, p), scaled(x, keep, 1 / (1 - p)), "y")


@check(task="inverted", points=3)
def keeps_all_or_nothing(student, case):
    """With p = 1 nothing is kept and y is zero; with p = 0 y is x."""
    p = case.turn(1.0, 0.0)
    x = draw_values(case, *draw_shape(case), dtype=draw_dtype(case))
    keep = np.full(x.shape, p == 0)
    close(student.inverted(x, keep, p), scaled(x, keep, 1.0), "y")


# --- inverted_backward ---------------------------------------------------------------------------


@check(task="inverted_backward", points=4, public=3)
def passes_the_gradient_where_kept(student, case):
    """dx agrees with central differences of the loss by every x."""
    shape, p = case.turn((4, 5), (3, 2, 4), (7,)), case.turn(0.3, 0.8, 0.1, 0.5)
    x, dy = draw_values(case, *shape), draw_values(case, *shape)
    keep = draw_keep(case, *shape, p=case.turn(0.5, 0.3))
    want = central_differences(lambda: np.sum(dy * scaled(x, keep, 1 / (1 - p))), x)
    dtype = draw_dtype(case)
    dx = student.inverted_backward(dy.astype(dtype), keep, p)
    close(dx, want.astype(dtype), "dx", rtol=1e-6 if dtype == np.float64 else 1e-4)


@check(task="inverted_backward", points=2)
def passes_all_or_nothing(student, case):
    """With p = 1 the gradient is zero; with p = 0 it passes as it is."""
    p = case.turn(1.0, 0.0)
    dy = draw_values(case, *draw_shape(case), dtype=draw_dtype(case))
    keep = np.full(dy.shape, p == 0)
    close(student.inverted_backward(dy, keep, p), scaled(dy, keep, 1.0), "dx")


# --- drop_connect --------------------------------------------------------------------------------


def _layer(case, dtype):
    """Return x (n, d), weight (k, d) and keep (n, k, d) of a layer that is not square."""
    n, k, d = case.turn((4, 3, 5), (3, 5, 2), (5, 2, 6), (2, 4, 3))
    x, weight = draw_values(case, n, d, dtype=dtype), draw_values(case, k, d, dtype=dtype)
    return x, weight, draw_keep(case, n, k, d)


@check(task="drop_connect", points=5)
def each_sample_meets_its_own_weights(student, case):
    """y of each sample is the sum over the weights that this sample keeps."""
    dtype = draw_dtype(case)
    x, weight, keep = _layer(case, dtype)
    close(student.drop_connect(x, weight, keep), connected(x, weight, keep).astype(dtype), "y")


@check(task="drop_connect", points=3, public=3)
def all_weights_or_one_or_none(student, case):
    """With all weights kept it is a linear layer; one weight alone; no weight; no sample."""
    which = case.turn("all", "one", "none", "no sample")
    x, weight, keep = _layer(case, np.float64)
    keep[...] = which == "all"
    keep[1, -1, 0] |= which == "one"
    if which == "no sample":
        x, keep = x[:0], keep[:0]
    close(student.drop_connect(x, weight, keep), connected(x, weight, keep), "y")


# --- drop_connect_backward -----------------------------------------------------------------------


def _backward(student, case, position, name):
    """Compare one gradient of DropConnect with central differences."""
    dtype = draw_dtype(case)
    x, weight, keep = _layer(case, np.float64)
    dy = draw_values(case, len(x), len(weight))
    got = student.drop_connect_backward(*(a.astype(dtype) for a in (dy, x, weight)), keep)
    arrays = x, weight
    want = central_differences(lambda: np.sum(dy * connected(x, weight, keep)), arrays[position])
    rtol = 1e-6 if dtype == np.float64 else 1e-4
    close(got[position], want.astype(dtype), name, rtol=rtol)


@check(task="drop_connect_backward", points=4)
def gradient_of_the_inputs(student, case):
    """dx agrees with central differences of the loss by every x."""
    _backward(student, case, 0, "dx")


@check(task="drop_connect_backward", points=5)
def gradient_of_the_weights(student, case):
    """dweight agrees with central differences of the loss by every weight."""
    _backward(student, case, 1, "dweight")


@check(task="drop_connect_backward", points=3)
def weights_that_nobody_keeps(student, case):
    """A weight that no sample keeps has gradient 0, so has the x of a sample without weights."""
    x, weight, keep = _layer(case, np.float64)
    dy = draw_values(case, len(x), len(weight))
    keep[...] = True
    keep[:, 0, 1] = False
    keep[1] = False
    dx, dweight = student.drop_connect_backward(dy, x, weight, keep)
    want = np.array([[sum(dy[i] * keep[i, :, j] * weight[:, j]) for j in range(x.shape[1])]
                     for i in range(len(x))])  # fmt: skip
    close(dx, want, "dx")
    want = sum(keep[i] * np.outer(dy[i], x[i]) for i in range(len(x)))
    close(dweight, want, "dweight")


# --- drop_connect_moments ------------------------------------------------------------------------


def _sums(case, dtype):
    """Return x, weight and p whose masks are few enough to be listed."""
    n, k, d = case.turn((3, 2, 4), (2, 4, 3), (4, 3, 5), (1, 2, 6))
    p = case.turn(0.3, 0.75, 0.1, 0.6)
    return draw_values(case, n, d, dtype=dtype), draw_values(case, k, d, dtype=dtype), p


@check(task="drop_connect_moments", points=3)
def mean_over_all_masks(student, case):
    """mean is the average of y over all masks, weighted by their probabilities."""
    dtype = draw_dtype(case)
    x, weight, p = _sums(case, dtype)
    mean, _ = student.drop_connect_moments(x, weight, p)
    close(mean, moments(x, weight, p)[0].astype(dtype), "mean")


@check(task="drop_connect_moments", points=6)
def variance_over_all_masks(student, case):
    """variance is that of y over all masks; with nothing or everything dropped it is 0."""
    dtype = draw_dtype(case)
    x, weight, p = _sums(case, dtype)
    for rate in (p, case.turn(0.0, 1.0)):
        _, variance = student.drop_connect_moments(x, weight, rate)
        want = moments(x, weight, rate)[1].astype(dtype)
        close(variance, want, "variance", atol=1e-6)


# --- drop_connect_inference ----------------------------------------------------------------------


@check(task="drop_connect_inference", points=6)
def averages_what_the_activation_gives(student, case):
    """y is the average of relu over draws that have the given mean and variance."""
    n, k, s = case.turn((3, 4, 5), (2, 3, 8), (5, 2, 3))
    dtype = draw_dtype(case)
    mean, variance = case.normal(n, k, dtype=dtype), case.uniform(n, k, low=2, high=9, dtype=dtype)
    noise = case.normal(s, n, k, dtype=dtype)
    y = student.drop_connect_inference(mean, variance, noise)
    close(y, averaged(mean, variance, noise).astype(dtype), "y")


@check(task="drop_connect_inference", points=2)
def one_draw_or_no_scatter(student, case):
    """With a single draw y is its relu; where the variance is 0, y is the mean's relu."""
    s, spread = case.turn((1, 4.0), (4, 0.0), (1, 0.25))
    mean, noise = case.normal(3, 5), case.normal(s, 3, 5)
    variance = np.full((3, 5), spread)
    y = student.drop_connect_inference(mean, variance, noise)
    close(y, averaged(mean, variance, noise), "y")


# --- standout ------------------------------------------------------------------------------------


def _units(case, dtype=np.float64, scale=0.6):
    """Return x, weight, alpha, beta and uniform numbers of a layer that is not square."""
    n, k, d = case.turn((5, 4, 3), (4, 6, 5), (6, 3, 4))
    alpha, beta = case.turn((0.7, -0.4), (1.5, 0.8), (-0.5, 0.3), (1.0, 0.0))
    x = case.normal(n, d, dtype=dtype)
    weight = case.normal(k, d, scale=scale, dtype=dtype)
    return x, weight, alpha, beta, case.uniform(n, k, dtype=dtype)


@check(task="standout", points=4, public=3)
def probability_follows_the_sums(student, case):
    """probability is sigmoid(alpha * sum + beta), in training and at test time."""
    dtype = draw_dtype(case)
    given = _units(case, dtype)
    _, probability = student.standout(*given, case.number % 2 == 0)
    close(probability, stood_out(*given[:4])[1].astype(dtype), "probability")


@check(task="standout", points=4)
def keeps_units_by_their_probability(student, case):
    """In training a unit passes as it is where uniform lies below its probability."""
    dtype = draw_dtype(case)
    given = _units(case, dtype)
    h, probability = stood_out(*given[:4])
    # A number next to its probability would make rounding decide.
    near = np.abs(given[4] - probability) < 1e-3
    given[4][near] = np.where(probability[near] > 0.5, 0.0, 0.999)
    y, _ = student.standout(*given, True)
    close(y, np.where(given[4] < probability, h, 0).astype(dtype), "y")


@check(task="standout", points=4)
def weighs_units_at_test_time(student, case):
    """At test time a unit is multiplied by its probability."""
    dtype = draw_dtype(case)
    given = _units(case, dtype)
    h, probability = stood_out(*given[:4])
    y, _ = student.standout(*given, False)
    close(y, (h * probability).astype(dtype), "y")


@check(task="standout", points=2)
def sums_far_from_zero(student, case):
    """Where a sum is far from zero the probability is 0 or 1, and nothing becomes NaN."""
    x, weight, _, beta, uniform = _units(case, scale=3000.0)
    _, probability = student.standout(x, weight, 1.0, beta, uniform, case.number % 2 == 0)
    close(probability, stood_out(x, weight, 1.0, beta)[1], "probability")


# --- drop_block_gamma ----------------------------------------------------------------------------


def _gammas(student, keep_probs, *sizes):
    """Compare gamma for several probabilities of keeping."""
    want = np.array([gamma(float(keep_prob), *sizes) for keep_prob in keep_probs])
    close(student.gammas(keep_probs, *sizes), want, "gamma")


@check(task="drop_block_gamma", points=3, public=3)
def gamma_of_a_square_map(student, case):
    """The blocks that begin would cover 1 - keep_prob of a square map, if none overlapped."""
    block_size, side = case.turn((3, 7), (1, 5), (4, 9), (7, 28), (2, 4))
    _gammas(student, case.uniform(4, low=0.75, high=0.99), block_size, side, side)


@check(task="drop_block_gamma", points=3)
def gamma_of_other_maps(student, case):
    """Maps that are higher than wide, or wider than high; a block as high as the map."""
    block_size, h, w = case.turn((3, 6, 9), (2, 8, 5), (4, 4, 11), (5, 13, 7))
    _gammas(student, case.uniform(4, low=0.75, high=0.99), block_size, h, w)


@check(task="drop_block_gamma", points=2)
def gamma_at_both_ends(student, case):
    """gamma is 0 where all is to be kept and 1 where nothing is, whatever the block."""
    block_size, h, w = case.turn((3, 8, 10), (2, 3, 5), (1, 4, 3))
    _gammas(student, np.array([1.0, 0.95, 0.0]), block_size, h, w)
    _gammas(student, np.array([1.0, 0.9, 0.0]), 5, 5, 9)


# --- drop_block_mask -----------------------------------------------------------------------------


@check(task="drop_block_mask", points=4, public=3)
def a_block_lies_where_it_begins(student, case):
    """One seed drops the square of pixels below and right of it, and nothing else."""
    block_size, rows, columns = case.turn((3, 4, 5), (2, 3, 4), (4, 2, 6), (5, 3, 3))
    seeds = np.zeros((2, 2, rows, columns), bool)
    seeds[0, 1, case.integer(0, rows - 1), case.integer(0, columns - 1)] = True
    seeds[1, 0, -1, 0] = True
    close(student.drop_block_mask(seeds, block_size), covered(seeds, block_size), "keep")


@check(task="drop_block_mask", points=4)
def blocks_may_overlap(student, case):
    """A pixel is dropped where at least one block covers it."""
    shape, block_size = case.turn(((2, 3, 6, 7), 3), ((3, 1, 8, 5), 2), ((1, 2, 5, 9), 4))
    seeds = case.uniform(*shape) < 0.15
    seeds[0, 0, 1, 1:3] = True  # two neighbours, for everybody
    seeds[0, 0, 4, 4] = False
    close(student.drop_block_mask(seeds, block_size), covered(seeds, block_size), "keep")


@check(task="drop_block_mask", points=2, public=3)
def blocks_of_every_size(student, case):
    """Blocks of one pixel, blocks as high as the map, blocks as large as the map."""
    shape, block_size = case.turn(((2, 2, 5, 4), 1), ((2, 3, 1, 4), 3), ((3, 4, 1, 1), 6))
    seeds = draw_keep(case, *shape)
    close(student.drop_block_mask(seeds, block_size), covered(seeds, block_size), "keep")


# --- drop_block ----------------------------------------------------------------------------------


def _normalized(student, case, keep, channels, rectified=False):
    """Compare y and scale of drop_block_once with the counts of the mask."""
    n, _, h, w = keep.shape
    x = draw_values(case, n, channels, h, w, dtype=draw_dtype(case))
    x = np.maximum(x, 0) if rectified else x
    kept = sum(bool(k) for k in keep.flat)
    scale = keep.size / kept if kept else 0.0
    y, got = student.drop_block_once(x, keep)
    close(got, np.array(scale), "scale")
    close(y, scaled(x, keep, scale), "y")


@check(task="drop_block", points=4)
def scaled_by_what_the_mask_keeps(student, case):
    """y is scaled by the number of values of the mask over those it keeps, counted in all."""
    n, c, h, w = case.turn((3, 2, 4, 5), (2, 3, 5, 3), (4, 1, 3, 3))
    keep = draw_keep(case, n, c, h, w, p=0.2)
    keep[0] = True
    keep[1, 0, :2, :2] = False
    _normalized(student, case, keep, c)


@check(task="drop_block", points=1)
def zeros_of_x_are_not_dropped(student, case):
    """What is kept is counted in the mask: a zero that x has itself, behind a ReLU, was kept."""
    n, c, h, w = case.turn((2, 2, 4, 3), (3, 1, 5, 4), (1, 3, 3, 3))
    _normalized(student, case, draw_keep(case, n, c, h, w, p=0.2), c, rectified=True)


@check(task="drop_block", points=3)
def one_mask_for_all_channels(student, case):
    """A mask with one channel serves all channels of x, and its own values are counted."""
    n, c, h, w = case.turn((2, 3, 4, 5), (3, 4, 3, 3), (1, 2, 6, 4))
    _normalized(student, case, draw_keep(case, n, 1, h, w, p=0.25), c)


@check(task="drop_block", points=2)
def everything_or_nothing_dropped(student, case):
    """A mask that keeps nothing gives zeros and scale 0, never NaN; one that keeps all gives x."""
    keep = np.full(case.turn((2, 3, 3, 4), (1, 2, 4, 3)), case.turn(False, True))
    _normalized(student, case, keep, keep.shape[1])


# --- drop_block_schedule -------------------------------------------------------------------------


@check(task="drop_block_schedule", points=3)
def falls_in_a_straight_line(student, case):
    """From 1 before the first step to the goal after the last, the same amount at each step."""
    steps, goal = case.turn((10, 0.8), (7, 0.5), (25, 0.0), (4, 0.93))
    taken = np.arange(steps + 1)
    fallen = (1 - goal) * taken / steps
    close(student.schedule(taken, steps, goal), 1 - fallen, "keep_prob")


@check(task="drop_block_schedule", points=2)
def stays_at_its_goal(student, case):
    """Beyond the last step nothing changes any more, also where one step is all."""
    steps, goal = case.turn((5, 0.8), (1, 0.9), (12, 0.6))
    taken = np.array([0, steps, steps + 1, 2 * steps, 100 * steps])
    close(student.schedule(taken, steps, goal), np.array([1.0] + 4 * [goal]), "keep_prob")


# --- cell_update ---------------------------------------------------------------------------------


def _cell(case, dtype):
    """Return the memory, both gates, the candidate, a mask and p."""
    n, d = case.turn((3, 4), (2, 6), (5, 1))
    c, g = draw_values(case, n, d, dtype=dtype), draw_values(case, n, d, dtype=dtype)
    f, i = (case.uniform(n, d, low=0.2, high=0.9, dtype=dtype) for _ in range(2))
    return c, f, i, g, draw_keep(case, n, d), case.turn(0.3, 0.7, 0.15)


@check(task="cell_update", points=5)
def drops_what_is_written(student, case):
    """The new memory is what stays of the old one, and what is kept of the update."""
    dtype = draw_dtype(case)
    c, f, i, g, keep, p = _cell(case, dtype)
    stays = f.astype(np.float64) * c
    written = scaled(i.astype(np.float64) * g, keep, 1 / (1 - p))
    close(student.cell_update(c, f, i, g, keep, p), (stays + written).astype(dtype), "c")


@check(task="cell_update", points=3)
def remembers_what_is_not_written(student, case):
    """With every update dropped the memory fades by the gate alone; with p = 0 nothing is lost."""
    c, f, i, g, keep, _ = _cell(case, np.float64)
    p = case.turn(0.6, 0.0)
    keep[...] = p == 0
    want = f * c if p else f * c + i * g
    close(student.cell_update(c, f, i, g, keep, p), want, "c")
