"""Checks of what students draw themselves: rates, variances, independence, and the generator.

A draw order is nobody's business. So what comes back is judged by statistics whose false alarms are
bounded: 1e-9 for each comparison (minidl.grading.statistics), and at most some 200 comparisons in a
graded submission, below 1e-6 for all together. What no draw can change is judged exactly.
"""

from statistics import NormalDist

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close
from minidl.grading.statistics import (
    distributed,
    mean_within,
    rate_within,
    variance_within,
)

from .definitions import (
    RATES,
    chance_of,
    demand_form,
    demand_generator_decides,
    demand_neighbours_apart,
    demand_scaled_where_kept,
    draw_generator,
    draw_values,
    kept_whole,
)

# --- draw_mask -----------------------------------------------------------------------------------


@check(task="draw_mask", points=4, hidden=4)
def drops_at_the_rate_asked_for(student, case):
    """A mask of truth values, False at a rate of p."""
    shape, p = case.turn((120, 150), (9000,), (20, 30, 5, 6)), case.turn(*RATES)
    keep = student.draw_mask(shape, p, draw_generator(case))
    demand_form(keep, shape, bool, "keep")
    rate_within(np.count_nonzero(keep), keep.size, 1 - p, "the part of keep that is True")


@check(task="draw_mask", points=2)
def drops_none_or_all(student, case):
    """With p = 0 nothing is dropped, with p = 1 everything."""
    shape, p = case.turn((5, 3), (2, 3, 4), (40,), (2, 1, 3, 5)), case.turn(0.0, 1.0)
    keep = student.draw_mask(shape, p, draw_generator(case))
    close(keep, np.full(shape, p == 0), "keep")


@check(task="draw_mask", points=3, hidden=4)
def each_value_for_itself(student, case):
    """What becomes of a value tells nothing about its neighbours along any axis."""
    p = case.turn(0.4, 0.7, 0.5)
    keep = student.draw_mask((40, 30, 12), p, draw_generator(case))
    demand_form(keep, (40, 30, 12), bool, "keep")
    demand_neighbours_apart(keep, "keep", {0: "samples", 1: "rows", 2: "columns"})
    rate_within(np.count_nonzero(keep), keep.size, 1 - p, "the part of keep that is True")


@check(task="draw_mask", points=3, hidden=4)
def masks_in_a_row_differ(student, case):
    """One generator, many masks: each knows nothing of the last, nor how many it has to drop."""
    n, p, count = 60, case.turn(0.4, 0.75, 0.3), 240
    masks = student.masks_in_a_row((6, 10), p, count, draw_generator(case))
    demand_form(masks, (count, 6, 10), bool, "keep")
    demand_neighbours_apart(masks, "keep", {0: "masks"})
    usual = round(n * (1 - p))
    exactly = int(np.sum(masks.sum(axis=(1, 2)) == usual))
    name = f"the part of the masks that keep exactly {usual} of {n} values"
    rate_within(exactly, count, chance_of(usual, n, 1 - p), name)


@check(task="draw_mask", points=2)
def the_generator_decides(student, case):
    """The same generator in the same state gives the same mask, another one gives another."""
    demand_generator_decides(lambda rng: student.draw_mask((12, 25), 0.5, rng), case, "keep")


# --- gaussian ------------------------------------------------------------------------------------


def _noise(student, case, n, p):
    """Return the factors by which gaussian has multiplied n values away from zero."""
    x = draw_values(case, n // 50, 50)
    y = student.gaussian(x, p, draw_generator(case))
    demand_form(y, x.shape, x.dtype, "y")
    return y / x, np.sqrt(p / (1 - p))


@check(task="gaussian", points=4, hidden=4)
def noise_of_mean_one(student, case):
    """y is x times noise of mean 1: on average nothing changes, and zeros stay zeros."""
    p, dtype = case.turn(0.3, 0.6, 0.1, 0.75), case.turn(np.float64, np.float32)
    x = draw_values(case, 200, 100, dtype=dtype)
    x[:, ::10] = 0
    y = student.gaussian(x, p, draw_generator(case))
    close(y[:, ::10], x[:, ::10], "y where x is 0")
    alive = x != 0
    e = y[alive] / x[alive]
    rate_within(np.count_nonzero(e > 1), e.size, 0.5, "the part of y / x above 1")
    mean_within(e, 1.0, np.sqrt(p / (1 - p)), "y / x")


@check(task="gaussian", points=4, hidden=4)
def noise_of_the_right_variance(student, case):
    """The variance of y / x is p / (1 - p)."""
    e, std = _noise(student, case, 15_000, case.turn(0.3, 0.75, 0.15, 0.6))
    variance_within(e, 1.0, std, "y / x")


@check(task="gaussian", points=2, hidden=4)
def noise_is_normal(student, case):
    """y / x follows a normal distribution."""
    e, std = _noise(student, case, 6_000, case.turn(0.5, 0.25))
    distributed(e, NormalDist(1.0, std).cdf, "y / x")


@check(task="gaussian", points=2, hidden=4)
def each_value_has_its_own_noise(student, case):
    """The noise of a value tells nothing about that of its neighbours."""
    p = case.turn(0.5, 0.2)
    e, std = _noise(student, case, 10_000, p)
    demand_neighbours_apart(e > 1, "y / x > 1", {0: "rows", 1: "columns"})
    variance_within(e, 1.0, std, "y / x")


@check(task="gaussian", points=2)
def noise_comes_from_the_generator(student, case):
    """The same generator gives the same noise, another one gives another."""
    x, p = draw_values(case, 6, 10), case.turn(0.3, 0.6)
    demand_generator_decides(lambda rng: student.gaussian(x, p, rng), case, "y")


# --- spatial -------------------------------------------------------------------------------------


@check(task="spatial", points=5, hidden=4)
def drops_whole_channels(student, case):
    """A channel of an image is zero as a whole, or x / (1 - p) as a whole."""
    p, dtype = case.turn(0.3, 0.6, 0.1, 0.75), case.turn(np.float64, np.float32)
    x = draw_values(case, 25, 20, 2, 3, dtype=dtype)
    y = student.spatial(x, p, draw_generator(case))
    demand_form(y, x.shape, x.dtype, "y")
    demand_scaled_where_kept(y, x, p, (2, 3), "channels")


@check(task="spatial", points=3, hidden=4)
def channels_go_one_by_one(student, case):
    """What becomes of a channel tells nothing about the next channel or the next image."""
    p = case.turn(0.4, 0.7)
    x = draw_values(case, 80, 50, 1, 2)
    y = student.spatial(x, p, draw_generator(case))
    demand_form(y, x.shape, x.dtype, "y")
    kept = kept_whole(y, (2, 3))
    demand_neighbours_apart(kept, "what is kept", {0: "images", 1: "channels"})
    rate_within(int(kept.sum()), kept.size, 1 - p, "the part of the channels that is kept")


@check(task="spatial", points=2)
def keeps_or_drops_every_channel(student, case):
    """With p = 0 y is x, with p = 1 it is zero, never NaN."""
    p = case.turn(0.0, 1.0)
    x = draw_values(case, 3, 4, 5, 2)
    close(student.spatial(x, p, draw_generator(case)), x * (1 - p), "y")


@check(task="spatial", points=2)
def channels_come_from_the_generator(student, case):
    """The same generator drops the same channels, another one drops others."""
    x = draw_values(case, 12, 10, 2, 2)
    demand_generator_decides(lambda rng: student.spatial(x, 0.5, rng), case, "y")


# --- variational ---------------------------------------------------------------------------------


@check(task="variational", points=5, hidden=4)
def the_same_units_at_all_steps(student, case):
    """A unit of a sequence is dropped at all steps, or x / (1 - p) at all steps."""
    p, dtype = case.turn(0.3, 0.6, 0.1, 0.75), case.turn(np.float64, np.float32)
    x = draw_values(case, 6, 25, 20, dtype=dtype)
    y = student.variational(x, p, draw_generator(case))
    demand_form(y, x.shape, x.dtype, "y")
    demand_scaled_where_kept(y, x, p, (0,), "units")


@check(task="variational", points=3, hidden=4)
def sequences_go_one_by_one(student, case):
    """What becomes of a unit tells nothing about the next unit or the next sequence."""
    p = case.turn(0.4, 0.7)
    x = draw_values(case, 2, 80, 50)
    y = student.variational(x, p, draw_generator(case))
    demand_form(y, x.shape, x.dtype, "y")
    kept = kept_whole(y, (0,))[0]
    demand_neighbours_apart(kept, "what is kept", {0: "sequences", 1: "units"})
    rate_within(int(kept.sum()), kept.size, 1 - p, "the part of the units that is kept")


@check(task="variational", points=2)
def units_come_from_the_generator(student, case):
    """The same generator drops the same units, another one drops others."""
    x = draw_values(case, 3, 12, 10)
    demand_generator_decides(lambda rng: student.variational(x, 0.5, rng), case, "y")
    p = case.turn(0.0, 0.2)
    y = student.variational(x, p, draw_generator(case))
    close(y, np.where(y != 0, x / (1 - p), 0), "y")
