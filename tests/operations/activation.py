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


OPERATIONS = {
    "relu": unary(lambda x: F.relu(x), apart),
    "sigmoid": unary(lambda x: F.sigmoid(x)),
    "tanh": unary(lambda x: F.tanh(x)),
    "softmax": over_classes("softmax"),
    "log_softmax": over_classes("log_softmax"),
}
