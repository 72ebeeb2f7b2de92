"""Calls small enough to try by hand, the smallest first: of those that go wrong one is shown."""

import numpy as np

from minidl.grading.example import example

BOTH, FIRST, SECOND = (1, 1), (1, 0), (0, 1)


@example("train_two")
def two_numbers():
    """Two parameters of one number: one step, two, and steps that one of them sits out."""
    for eps in (0.0, 1.0):
        for parts in ((BOTH,), (BOTH, BOTH)):
            yield training(parts, eps)
    for alone in (FIRST, SECOND):
        for parts in ((BOTH, alone), (alone, BOTH)):
            yield training(parts, 0.0)


def training(parts, eps):
    """Return arguments of train_two in which the gradients are 1, then 2."""
    grads = np.array([[1.0], [2.0]])[: len(parts)]
    start = np.array([1.0])
    return start, start, grads, grads, np.array(parts), [1.0, 0.5, 0.5, eps]


@example("watch_losses")
def few_losses():
    """A worse loss, an equal one, NaN; then counting anew after a record, and after a cut."""
    for losses, patience in (
        ((1, 2), 0),
        ((1, 1), 0),
        ((1, 2), 1),
        ((2, 1), 0),
        ((1, 3, 2), 0),
        ((1, 2, 2), 1),
        ((2, 3, 1, 2), 1),
        ((1, 2, 2, 2), 1),
        ((np.nan, 1), 1),
        ((1, np.nan), 1),
    ):
        yield np.array(losses, float), 1.0, 0.25, patience
