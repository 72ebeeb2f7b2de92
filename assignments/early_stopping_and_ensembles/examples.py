"""Calls small enough to try by hand, the smallest first: of those that go wrong one is shown."""

import numpy as np

from minidl.grading.example import example
from minidl.grading.protocol import Rng

NAN = np.nan


def path(*values, columns):
    """Return weights that all have the same value, one row for each value."""
    return np.repeat(np.array(values, float)[:, None], columns, axis=1)


@example("split")
def equal_rows():
    """Whichever is held out, the parts have their sizes."""
    yield np.ones((3, 1)), np.array([2, 2, 2]), 1, Rng(0)


@example("watch")
def short_series():
    """Two values, then more; mode "max"; NaN at the beginning and later; min_delta."""
    for values, patience, min_delta, mode in (
        ((1, 2), 1, 0.0, "min"),
        ((2, 1), 1, 0.0, "min"),
        ((1, 1), 1, 0.0, "min"),
        ((1, 2), 1, 0.0, "max"),
        ((1, 2, 3), 1, 0.0, "min"),
        ((1, 2, 2), 2, 0.0, "min"),
        ((1, 3, 2), 2, 0.0, "min"),
        ((2, 3, 1, 2), 2, 0.0, "min"),
        ((NAN, 1), 1, 0.0, "min"),
        ((1, NAN), 1, 0.0, "min"),
        ((3, 2), 1, 1.0, "min"),
        ((4, 2), 1, 1.0, "min"),
        ((1, 2), 1, 1.0, "max"),
        ((4, 3, 2), 2, 1.0, "min"),
    ):
        yield np.array(values, float), patience, min_delta, mode


@example("restored")
def the_first_is_the_best():
    """Two values, the second one worse; also NaN alone, after which nothing may change."""
    for values in ((1, 2), (2, 1), (NAN,)):
        for one_list in (True, False):
            steps = range(1, len(values) + 2)
            yield np.array(values, float), path(*steps, columns=7), 1, one_list


@example("walk")
def few_epochs():
    """One epoch, then more; a later start; every second epoch; the mean touched."""
    for values, start, every, touch in (
        ((1,), 1, 1, False),
        ((1, 3), 1, 1, False),
        ((1, 3), 2, 1, False),
        ((1, 3), 1, 2, False),
        ((1, 3), 1, 1, True),
        ((1, 3, 8), 1, 1, False),
        ((1, 3, 8), 1, 2, False),
    ):
        yield path(*values, columns=5), start, every, touch


@example("as_penalty")
def hardly_curved():
    """A curvature beside which 1 has no digits left."""
    yield np.array([1e-17]), 1.0, 1


@example("bootstrap")
def one_sample():
    """Nothing else can be drawn, so nobody has not seen it."""
    yield 1, 2, Rng(0)
