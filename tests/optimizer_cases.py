"""Calls of every optimizer step: (label, function, build).

build(p, g, a, b, c, t, none) puts parameters, gradients and state in place: a of either sign,
b at least 2 a^2, c at least 0, t the steps, and none where an option makes a state unnecessary.
They are lists, or single arrays for what makes lists of them.
"""

import functools

import numpy as np

STEPS = [
    ("sgd", "sgd", lambda p, g, a, b, c, t, no: (p, g, no, 0.02, 0.0, 0.0, 0.3, False, True)),
    ("sgd, momentum", "sgd", lambda p, g, a, b, c, t, no: (p, g, a, 0.02, 0.9, 0.4, 0.0, False)),
    ("Nesterov", "sgd", lambda p, g, a, b, c, t, no: (p, g, a, 0.02, 0.9, 0.0, 0.3, True, True)),
    ("momentum", "momentum", lambda p, g, a, b, c, t, no: (p, g, a, 0.02, 0.9, 0.3)),
    (
        "adam",
        "adam",
        lambda p, g, a, b, c, t, no: (p, g, a, b, t, 0.02, 0.8, 0.95, 1e-8, 0.3, no, False, True),
    ),
    (
        "amsgrad",
        "adam",
        lambda p, g, a, b, c, t, no: (p, g, a, b, t, 0.02, 0.8, 0.95, 0.1, 0.0, c, False, False),
    ),
    (
        "adamw",
        "adam",
        lambda p, g, a, b, c, t, no: (p, g, a, b, t, 0.02, 0.8, 0.95, 0.1, 0.3, c, True, False),
    ),
    (
        "rmsprop",
        "rmsprop",
        lambda p, g, a, b, c, t, no: (p, g, b, no, no, 0.02, 0.95, 1e-8, 0.3, 0.0, True),
    ),
    (
        "rmsprop, centered, momentum",
        "rmsprop",
        lambda p, g, a, b, c, t, no: (p, g, b, a, c, 0.02, 0.95, 0.1, 0.0, 0.9, False),
    ),
    (
        "adagrad",
        "adagrad",
        lambda p, g, a, b, c, t, no: (p, g, b, t, 0.02, 0.1, 1e-8, 0.3, True),
    ),
    (
        "adadelta",
        "adadelta",
        lambda p, g, a, b, c, t, no: (p, g, b, c, 0.3, 0.95, 1e-6, 0.3, False),
    ),
    (
        "adadelta, no correction",
        "adadelta",
        lambda p, g, a, b, c, t, no: (p, g, b, no, 0.3, 0.95, 1e-6, 0.0, True),
    ),
    (
        "adamax",
        "adamax",
        lambda p, g, a, b, c, t, no: (p, g, a, b, t, 0.02, 0.8, 0.95, 1e-8, 0.3, False),
    ),
]


def pure(step):
    """A step as a function: arrays stand for lists of one, and come back but for the gradient."""

    @functools.wraps(step)
    def function(*arguments):
        copies = [[a.copy()] if isinstance(a, np.ndarray) else a for a in arguments]
        step(*([] if a is None else a for a in copies))
        given = zip(arguments, copies, strict=True)
        results = [copied[0] for a, copied in given if isinstance(a, np.ndarray)]
        return (results[0], *results[2:])

    return function
