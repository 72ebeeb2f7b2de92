"""Pooling."""

from minidl import functional as F
from operations.sample import Sample, apart


def pooled(name, label, shape, *args, **options):
    return Sample(label, (apart(*shape),), lambda x: getattr(F, name)(x, *args, **options))


OPERATIONS = {
    "max_pool2d": [
        pooled("max_pool2d", "plain", (2, 3, 4, 6), 2),
        pooled("max_pool2d", "overlapping", (1, 2, 7, 5), (3, 2), (2, 1)),
        pooled("max_pool2d", "padding", (1, 2, 5, 4), 3, 2, 1),
        pooled("max_pool2d", "dilation", (1, 1, 7, 6), 2, 1, 0, (3, 2)),
        pooled("max_pool2d", "ceil", (2, 1, 6, 5), 3, 2, ceil_mode=True),
        pooled("max_pool2d", "empty batch", (0, 2, 4, 4), 2),
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
