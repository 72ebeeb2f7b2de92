"""Resizing."""

from minidl import functional as F
from operations.sample import Sample, normal


def resized(label, shape, *args, **options):
    return Sample(label, (normal(*shape),), lambda x: F.interpolate(x, *args, **options))


OPERATIONS = {
    "interpolate": [
        resized("nearest, twice as large", (2, 2, 3, 2), scale_factor=2),
        resized("nearest, to a size", (1, 2, 5, 4), (3, 7)),
        resized("nearest, of a sequence", (2, 3, 4), scale_factor=1.7),
        resized("bilinear, larger", (2, 2, 3, 4), (7, 5), mode="bilinear"),
        resized("bilinear, smaller", (1, 2, 7, 6), (3, 2), mode="bilinear"),
        resized("bilinear, corners", (1, 2, 3, 4), (5, 9), mode="bilinear", align_corners=True),
        resized("bilinear, by a factor", (1, 1, 4, 3), None, (1.4, 0.7), "bilinear"),
        resized("bilinear, one pixel", (2, 1, 1, 1), 3, mode="bilinear", align_corners=True),
        resized("bilinear, to one pixel", (2, 1, 3, 4), 1, mode="bilinear", align_corners=True),
        resized("linear", (2, 3, 4), 9, mode="linear"),
        resized("nearest, empty batch", (0, 2, 3, 3), 5),
        resized("bilinear, empty batch", (0, 2, 3, 3), 5, mode="bilinear"),
    ],
}
