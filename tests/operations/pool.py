"""Pooling."""

from minidl import functional as F
from operations.sample import Sample, apart


def pooled(name, label, shape, *args, **options):
    """One pooling; of (y, places) the first is what gradients are checked of."""

    def call(x):
        y = getattr(F, name)(x, *args, **options)
        return y[0] if options.get("return_indices") else y

    return Sample(label, (apart(*shape),), call)


OPERATIONS = {
    "max_pool2d": [
        pooled("max_pool2d", "plain", (2, 3, 4, 6), 2),
        pooled("max_pool2d", "overlapping", (1, 2, 7, 5), (3, 2), (2, 1)),
        pooled("max_pool2d", "padding", (1, 2, 5, 4), 3, 2, 1),
        pooled("max_pool2d", "dilation", (1, 1, 7, 6), 2, 1, 0, (3, 2)),
        pooled("max_pool2d", "ceil", (2, 1, 6, 5), 3, 2, ceil_mode=True),
        pooled("max_pool2d", "places", (2, 2, 5, 4), 3, 2, 1, return_indices=True),
        pooled("max_pool2d", "large window", (1, 1, 17, 16), 16, 1),
        pooled("max_pool2d", "empty batch", (0, 2, 4, 4), 2),
    ],
    "max_pool1d": [
        pooled("max_pool1d", "plain", (2, 3, 6), 2),
        pooled("max_pool1d", "overlapping", (1, 2, 8), 3, 2, 1, 2, ceil_mode=True),
        pooled("max_pool1d", "places", (2, 2, 5), 2, 1, return_indices=True),
    ],
    "avg_pool1d": [
        pooled("avg_pool1d", "plain", (2, 3, 6), 2),
        pooled("avg_pool1d", "overlapping", (1, 2, 8), 3, 2, 1, True, False),
    ],
    "adaptive_avg_pool1d": [
        pooled("adaptive_avg_pool1d", "uneven", (2, 3, 7), 3),
        pooled("adaptive_avg_pool1d", "larger than the sequence", (1, 2, 3), 5),
    ],
    "adaptive_max_pool1d": [
        pooled("adaptive_max_pool1d", "uneven", (2, 3, 7), 3),
        pooled("adaptive_max_pool1d", "places", (1, 2, 3), 5, return_indices=True),
    ],
    "adaptive_max_pool2d": [
        pooled("adaptive_max_pool2d", "to one", (2, 3, 4, 5), 1),
        pooled("adaptive_max_pool2d", "uneven", (1, 2, 7, 5), (3, 2), return_indices=True),
        pooled("adaptive_max_pool2d", "larger than the image", (1, 1, 2, 3), (3, 4)),
        pooled("adaptive_max_pool2d", "empty batch", (0, 2, 3, 3), 2),
    ],
    "avg_pool2d": [
        pooled("avg_pool2d", "plain", (2, 3, 4, 6), 2),
        pooled("avg_pool2d", "overlapping", (1, 2, 7, 5), (3, 2), (2, 1)),
        pooled("avg_pool2d", "padding", (1, 2, 5, 4), 3, 2, 1),
        pooled("avg_pool2d", "padding not counted", (1, 2, 5, 4), 3, 2, 1, count_include_pad=False),
        pooled("avg_pool2d", "ceil", (2, 1, 6, 5), 3, 2, 1, ceil_mode=True),
        pooled("avg_pool2d", "empty batch", (0, 2, 4, 4), 2),
    ],
    "adaptive_avg_pool2d": [
        pooled("adaptive_avg_pool2d", "to one", (2, 3, 4, 5), 1),
        pooled("adaptive_avg_pool2d", "uneven", (1, 2, 7, 5), (3, 2)),
        pooled("adaptive_avg_pool2d", "larger than the image", (1, 1, 2, 3), (3, 4)),
        pooled("adaptive_avg_pool2d", "one pixel", (2, 3, 1, 1), 1),
    ],
}
