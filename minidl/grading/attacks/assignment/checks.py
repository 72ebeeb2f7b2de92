"""Checks for the attacks: the right answer is never what came in, nor a constant."""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close


@check(task="scale", points=3, public=1, hidden=2)
def scales(student, case):
    """Every number is multiplied."""
    x, factor = case.normal(3), case.turn(2.5, -0.5)
    close(student.scale(x, factor), factor * x, "y")


@check(task="centre", points=2, public=1, hidden=2)
def centres(student, case):
    """The mean is taken away."""
    x = case.normal(4, mean=3.0)
    close(student.centre(x), x - sum(x) / 4, "y")


@check(task="centre", points=2, public=1, hidden=1)
def centres_single_precision(student, case):
    """float32 in, float32 out, with two axes."""
    x = case.normal(2, 3, mean=-2.0, dtype=np.float32)
    close(student.centre(x), (x - x.astype(np.float64).mean()).astype(np.float32), "y")


@check(task="squash", points=3, public=1, hidden=2)
def squashes(student, case):
    """Between -1 and 1."""
    x = case.normal(3)
    close(student.squash(x), np.where(x > 0, x / (1 + x), x / (1 - x)), "y")
