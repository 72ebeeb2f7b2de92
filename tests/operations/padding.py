"""Padding."""

from minidl import functional as F
from operations.sample import Sample, normal


def padded(label, shape, widths, **options):
    return Sample(label, (normal(*shape),), lambda x: F.pad(x, widths, **options))


OPERATIONS = {
    "pad": [
        padded("uneven", (3, 2), [(1, 0), (2, 3)], value=0.5),
        padded("none", (3,), [(0, 0)]),
        padded("mirror", (2, 3, 4), [(0, 0), (2, 1), (0, 3)], mode="reflect"),
        padded("edge", (2, 1, 3), [(0, 0), (2, 1), (0, 5)], mode="replicate"),
        padded("other end", (1, 2, 3), [(1, 0), (2, 2), (0, 3)], mode="circular"),
        padded("mirror, empty batch", (0, 3), [(0, 0), (1, 2)], mode="reflect"),
    ],
}
