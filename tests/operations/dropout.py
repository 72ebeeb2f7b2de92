"""The dropout family."""

from minidl import functional as F
from operations.sample import Sample, normal, seeded

OPERATIONS = {
    "dropout": [
        Sample("half", (normal(4, 5),), seeded(lambda x, g: F.dropout(x, 0.5, rng=g))),
        Sample("a tenth", (normal(2, 3, 2),), seeded(lambda x, g: F.dropout(x, 0.1, rng=g))),
        Sample("all", (normal(6),), seeded(lambda x, g: F.dropout(x, 1.0, rng=g))),
        Sample("none", (normal(6),), lambda x: F.dropout(x * 1.0, 0.0)),
        Sample("evaluation", (normal(6),), lambda x: F.dropout(x * 1.0, training=False)),
    ],
    "drop_block": [
        Sample(
            f"keep {keep}, block {block}, shared {shared}",
            (normal(2, 3, 5, 4),),
            seeded(lambda x, g, k=keep, b=block, s=shared: F.drop_block(x, k, b, shared=s, rng=g)),
        )
        for keep, block, shared in [
            (0.5, 1, False),
            (0.6, 2, False),
            (0.7, 3, True),
            (0.5, 4, False),
            (0.0, 1, True),
        ]
    ],
}
