"""Standout. In training the gradient of the logits is an estimate: test_standout has it."""

from minidl.tensor import Tensor
from minidl import functional as F
from operations.sample import Sample, normal, seeded

LOGITS = normal(4, 5)

OPERATIONS = {
    "standout": [
        Sample(
            "units",
            (normal(4, 5),),
            seeded(lambda x, g: F.standout(x, Tensor(LOGITS.astype(x.dtype)), rng=g)),
        ),
        Sample(
            "evaluation",
            (normal(4, 5), normal(4, 5)),
            lambda x, logits: F.standout(x, logits, training=False),
        ),
    ],
}
