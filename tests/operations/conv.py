"""Convolution."""

from minidl import functional as F
from operations.sample import Sample, normal


def conv(label, x, weight, bias=True, **options):
    arrays = (normal(*x), normal(*weight), *([normal(weight[0])] if bias else []))
    name = "conv2d" if len(x) == 4 else "conv1d"
    return Sample(label, arrays, lambda x, w, b=None: getattr(F, name)(x, w, b, **options))


def transposed(label, x, weight, bias=True, **options):
    outputs = weight[1] * options.get("groups", 1)
    arrays = (normal(*x), normal(*weight), *([normal(outputs)] if bias else []))
    return Sample(label, arrays, lambda x, w, b=None: F.conv_transpose2d(x, w, b, **options))


OPERATIONS = {
    "conv2d": [
        conv("plain", (2, 3, 5, 4), (4, 3, 3, 2)),
        conv("without bias", (1, 2, 4, 5), (3, 2, 1, 1), bias=False),
        conv("strides", (2, 2, 7, 5), (3, 2, 3, 2), stride=(2, 3)),
        conv("padding", (1, 2, 3, 4), (2, 2, 3, 2), padding=(2, 1)),
        conv("same", (1, 2, 5, 4), (2, 2, 3, 5), padding="same"),
        conv("same, even kernel", (1, 2, 4, 5), (2, 2, 2, 4), padding="same"),
        conv("dilation", (1, 2, 7, 6), (2, 2, 3, 2), dilation=(2, 3), padding=1),
        conv("groups", (2, 4, 4, 5), (6, 2, 2, 3), groups=2, stride=2, padding=1),
        conv("depthwise", (1, 3, 4, 4), (3, 1, 3, 3), groups=3, padding=1),
        conv("kernel as large as the image", (2, 1, 3, 4), (2, 1, 3, 4)),
        conv("empty batch", (0, 2, 4, 4), (2, 2, 3, 3)),
    ],
    "conv1d": [
        conv("plain", (2, 3, 7), (4, 3, 3)),
        conv("stride, padding, dilation", (1, 2, 9), (3, 2, 3), stride=2, padding=2, dilation=2),
        conv("groups without bias", (2, 4, 5), (6, 2, 2), groups=2, bias=False),
        conv("same, even kernel", (2, 2, 5), (3, 2, 4), padding="same"),
        conv("empty batch", (0, 2, 4), (2, 2, 3)),
    ],
    "conv_transpose2d": [
        transposed("plain", (2, 3, 3, 4), (3, 2, 3, 2)),
        transposed("strides", (1, 2, 3, 2), (2, 3, 2, 3), stride=(2, 3), output_padding=(1, 2)),
        transposed("padding, dilation", (1, 2, 3, 4), (2, 2, 3, 2), padding=1, dilation=(1, 2)),
        transposed("groups without bias", (2, 4, 3, 3), (4, 2, 3, 3), groups=2, bias=False),
        transposed("empty batch", (0, 2, 3, 3), (2, 2, 2, 2)),
    ],
}
