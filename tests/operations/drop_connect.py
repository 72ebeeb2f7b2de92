"""DropConnect: its training form, its moments, its inference."""

import numpy as np

from minidl import functional as F
from operations.sample import Sample, normal

X, WEIGHT, BIAS = (5, 3), (4, 3), (4,)


def drawn(call, **options):
    """The call with a fresh generator of one seed."""
    return lambda *arrays: call(*arrays, rng=np.random.default_rng(5), **options)


def three(label, call):
    """One call with a bias, for vectors and for matrices of them."""
    return [
        Sample(label, (normal(*X), normal(*WEIGHT), normal(*BIAS)), call),
        Sample(f"{label}, (2, 2, 3)", (normal(2, 2, 3), normal(*WEIGHT), normal(*BIAS)), call),
    ]


def both_moments(x, weight, bias):
    mean, variance = F.drop_connect_moments(x, weight, bias, 0.3)
    return mean * 0.7 + variance


OPERATIONS = {
    "drop_connect": [
        *three("half", drawn(lambda *a, **k: F.drop_connect(*a, **k))),
        *three("a fifth", drawn(lambda *a, **k: F.drop_connect(*a, p=0.2, **k))),
        *three("shared", drawn(lambda *a, **k: F.drop_connect(*a, shared=True, **k))),
        *three("evaluation", lambda *a: F.drop_connect(*a, p=0.3, training=False)),
        *three("all", drawn(lambda *a, **k: F.drop_connect(*a, p=1.0, **k))),
        Sample(
            "no bias",
            (normal(*X), normal(*WEIGHT)),
            drawn(lambda x, w, rng: F.drop_connect(x, w, rng=rng)),
        ),
        Sample(
            "a vector", (normal(3), normal(*WEIGHT)), drawn(lambda *a, **k: F.drop_connect(*a, **k))
        ),
    ],
    "drop_connect_moments": three("both", both_moments),
    "drop_connect_inference": [
        *three(
            "tanh",
            drawn(lambda *a, **k: F.drop_connect_inference(*a, activation=F.tanh, samples=4, **k)),
        ),
        *three("identity", drawn(lambda *a, **k: F.drop_connect_inference(*a, p=0.2, **k))),
    ],
}
