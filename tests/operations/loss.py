"""Losses."""

import numpy as np

from minidl import functional as F
from operations.sample import Sample, normal

_targets = np.array([2, 0, 3, 3])
OPERATIONS = {
    "cross_entropy": [
        Sample(
            f"{reduction}, smoothing {eps}",
            (normal(4, 5),),
            lambda x, r=reduction, e=eps: F.cross_entropy(x, _targets, r, e),
        )
        for reduction in ("mean", "sum", "none")
        for eps in (0.0, 0.1, 1.0)
    ]
    + [
        Sample("one class", (normal(2, 1),), lambda x: F.cross_entropy(x, np.array([0, 0]))),
        Sample("empty", (normal(0, 3),), lambda x: F.cross_entropy(x, np.zeros(0, int), "sum")),
    ]
}
