"""Rows of a table."""

import numpy as np

from minidl import functional as F
from operations.sample import Sample, normal


def lookup(label, index, shape, **options):
    """A sample of one lookup."""
    index = np.array(index, int)
    return Sample(label, (normal(*shape),), lambda w: F.embedding(index, w, **options))


OPERATIONS = {
    "embedding": [
        lookup("rows", [2, 0, 4], (5, 3)),
        lookup("a row several times", [[1, 1, 3], [3, 1, 0]], (4, 2)),
        lookup("one number", 1, (3, 2)),
        lookup("none", [], (3, 2)),
        lookup("far apart", [0, 6, 6, 0, 6, 2], (7, 1)),
    ],
}
