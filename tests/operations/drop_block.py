"""DropBlock."""

from minidl import functional as F
from operations.sample import Sample, normal, seeded

OPERATIONS = {
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
