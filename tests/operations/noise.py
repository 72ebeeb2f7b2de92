"""Noise. In training the gradient of binary units is an estimate: test_noise has it."""

from minidl import functional as F
from operations.sample import Sample, normal, seeded

OPERATIONS = {
    "gaussian_noise": [
        Sample("noise", (normal(3, 4),), seeded(lambda x, g: F.gaussian_noise(x, 0.3, rng=g))),
        Sample("a number", (normal(),), seeded(lambda x, g: F.gaussian_noise(x, 0.3, rng=g))),
        Sample("evaluation", (normal(3),), lambda x: F.gaussian_noise(x * 1.0, training=False)),
    ],
    "binary_stochastic": [
        Sample("evaluation", (normal(3, 4),), lambda x: F.binary_stochastic(x, training=False)),
    ],
}
