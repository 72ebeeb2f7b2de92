"""Dropout of values and of channels, and Gaussian dropout."""

from minidl import functional as F
from operations.sample import Sample, normal, seeded


def channels(call, *shape):
    """The rows of one spatial dropout."""
    return [
        Sample("half", (normal(*shape),), seeded(lambda x, g: call(x, 0.5, rng=g))),
        Sample("all", (normal(*shape),), seeded(lambda x, g: call(x, 1.0, rng=g))),
        Sample("evaluation", (normal(*shape),), lambda x: call(x * 1.0, training=False)),
    ]


OPERATIONS = {
    "dropout": [
        Sample("half", (normal(4, 5),), seeded(lambda x, g: F.dropout(x, 0.5, rng=g))),
        Sample("a tenth", (normal(2, 3, 2),), seeded(lambda x, g: F.dropout(x, 0.1, rng=g))),
        Sample("all", (normal(6),), seeded(lambda x, g: F.dropout(x, 1.0, rng=g))),
        Sample("none", (normal(6),), lambda x: F.dropout(x * 1.0, 0.0)),
        Sample("evaluation", (normal(6),), lambda x: F.dropout(x * 1.0, training=False)),
        Sample("standard", (normal(6),), seeded(lambda x, g: F.dropout(x, standard=True, rng=g))),
        Sample(
            "standard, evaluation",
            (normal(6),),
            lambda x: F.dropout(x, 0.3, training=False, standard=True),
        ),
    ],
    "dropout1d": channels(lambda *a, **k: F.dropout1d(*a, **k), 3, 4, 2),
    "dropout2d": channels(lambda *a, **k: F.dropout2d(*a, **k), 3, 4, 2, 3),
    "dropout3d": channels(lambda *a, **k: F.dropout3d(*a, **k), 2, 4, 1, 2, 2),
    "alpha_dropout": [
        Sample("half", (normal(4, 5),), seeded(lambda x, g: F.alpha_dropout(x, 0.5, rng=g))),
        Sample("a tenth", (normal(2, 9),), seeded(lambda x, g: F.alpha_dropout(x, 0.1, rng=g))),
        Sample("all", (normal(6),), lambda x: F.alpha_dropout(x, 1.0)),
        Sample("evaluation", (normal(6),), lambda x: F.alpha_dropout(x * 1.0, training=False)),
    ],
    "gaussian_dropout": [
        Sample("paper", (normal(4, 5),), seeded(lambda x, g: F.gaussian_dropout(x, 0.5, rng=g))),
        Sample(
            "notes",
            (normal(4, 5),),
            seeded(lambda x, g: F.gaussian_dropout(x, 0.2, form="notes", rng=g)),
        ),
        Sample("evaluation", (normal(6),), lambda x: F.gaussian_dropout(x * 1.0, training=False)),
    ],
}
