"""Activations."""

from minidl import functional as F
from operations.sample import Sample, apart, normal, samples, unary


def over_classes(name):
    return [
        *samples(
            lambda x: getattr(F, name)(x), (normal(3, 4),), (normal(5),), (3 * normal(2, 3, 1),)
        ),
        Sample("the middle axis", (normal(2, 3, 4),), lambda x: getattr(F, name)(x, axis=1)),
        Sample("empty batch", (normal(0, 3),), lambda x: getattr(F, name)(x)),
    ]


def wide(*shape):
    """Values from far below to far above the bounds of hard activations, away from them."""
    return 7.3 * apart(*shape)


def with_option(name, draw=apart, **options):
    return [
        Sample(f"{o}={v}", (draw(3, 4),), lambda x, o=o, v=v: getattr(F, name)(x, **{o: v}))
        for o, v in options.items()
    ]


PRELU = [
    ((3, 4, 5), 4),
    ((3, 4), 4),
    ((2, 3, 2, 3), 1),
    ((5,), 1),
    ((), 1),
    ((0, 3), 3),
    ((2, 1, 3), 1),
]

OPERATIONS = {
    "relu": unary(lambda x: F.relu(x), apart),
    "sigmoid": unary(lambda x: F.sigmoid(x)),
    "tanh": unary(lambda x: F.tanh(x)),
    "leaky_relu": unary(lambda x: F.leaky_relu(x), apart)
    + with_option("leaky_relu", negative_slope=-0.4),
    "prelu": samples(lambda x, w: F.prelu(x, w), *((apart(*s), normal(c)) for s, c in PRELU)),
    "elu": unary(lambda x: F.elu(x), apart) + with_option("elu", alpha=1.7),
    "selu": unary(lambda x: F.selu(x), apart),
    "gelu": unary(lambda x: F.gelu(x)) + with_option("gelu", normal, approximate="tanh"),
    "softplus": unary(lambda x: F.softplus(x))
    + with_option("softplus", normal, beta=2.5)
    + [Sample("threshold", (wide(5, 4),), lambda x: F.softplus(x, beta=3.0, threshold=1.07))],
    "silu": unary(lambda x: F.silu(x)),
    "hardsigmoid": unary(lambda x: F.hardsigmoid(x), wide),
    "hardtanh": unary(lambda x: F.hardtanh(x), wide) + with_option("hardtanh", wide, max_val=2.5),
    "softmax": over_classes("softmax"),
    "log_softmax": over_classes("log_softmax"),
}
