"""Pooling against loops over windows, the layers, and bad input."""

import math

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def window_count(n, k, s, p, d, ceil_mode):
    """Count by PyTorch's rule: a window may hang over if it starts in the image or its left pad."""
    count = 0
    while True:
        start = count * s - p
        fits = start + d * (k - 1) < n + p
        hangs = ceil_mode and start < n and (count - 1) * s - p + d * (k - 1) + 1 < n + p
        if not fits and not hangs:
            return count
        count += 1


def by_loops(x, kernel, stride, padding, dilation, ceil_mode, value):
    """y = value(pixels inside the image, pixels inside the padding too) for each window."""
    n, c, *image = x.shape
    sizes = [
        window_count(*size, ceil_mode)
        for size in zip(image, kernel, stride, padding, dilation, strict=True)
    ]
    y = np.empty((n, c, *sizes))
    for b, ch, i, j in np.ndindex(y.shape):
        inside, counted = [], 0
        for u in range(kernel[0]):
            for v in range(kernel[1]):
                row = i * stride[0] - padding[0] + u * dilation[0]
                column = j * stride[1] - padding[1] + v * dilation[1]
                if row < image[0] + padding[0] and column < image[1] + padding[1]:
                    counted += 1
                    if 0 <= row < image[0] and 0 <= column < image[1]:
                        inside.append(x[b, ch, row, column])
        y[b, ch, i, j] = value(inside, counted)
    return y


GEOMETRY = [
    ((2, 2), (2, 2), (0, 0)),
    ((3, 2), (2, 1), (0, 0)),
    ((3, 3), (2, 2), (1, 1)),
    ((2, 3), (3, 2), (1, 0)),
    ((5, 4), (1, 3), (2, 2)),
]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 2)])
@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRY)
def test_maximum_against_loops(rng, kernel, stride, padding, dilation, ceil_mode):
    x = rng.normal(size=(2, 2, 6, 9))
    y = F.max_pool2d(Tensor(x), kernel, stride, padding, dilation, ceil_mode)
    wanted = by_loops(x, kernel, stride, padding, dilation, ceil_mode, lambda v, _: max(v))
    np.testing.assert_array_equal(y.data, wanted)


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRY)
def test_mean_against_loops(rng, kernel, stride, padding, ceil_mode, count_include_pad):
    x = rng.normal(size=(2, 2, 6, 7))
    y = F.avg_pool2d(Tensor(x), kernel, stride, padding, ceil_mode, count_include_pad)

    def value(inside, counted):
        return sum(inside) / (counted if count_include_pad else len(inside))

    wanted = by_loops(x, kernel, stride, padding, (1, 1), ceil_mode, value)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 7), (8, 4)])
def test_adaptive_mean_against_loops(rng, size):
    x = rng.normal(size=(2, 3, 5, 7))
    y = F.adaptive_avg_pool2d(Tensor(x), size)
    assert y.shape == (2, 3, *size)
    for i, j in np.ndindex(*size):
        rows = slice(math.floor(i * 5 / size[0]), math.ceil((i + 1) * 5 / size[0]))
        columns = slice(math.floor(j * 7 / size[1]), math.ceil((j + 1) * 7 / size[1]))
        wanted = x[:, :, rows, columns].mean((2, 3))
        np.testing.assert_allclose(y.data[:, :, i, j], wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 7), (8, 4)])
def test_adaptive_maximum_against_loops(rng, size):
    x = rng.normal(size=(2, 3, 5, 7))
    y, places = F.adaptive_max_pool2d(Tensor(x), size, return_indices=True)
    for i, j in np.ndindex(*size):
        rows = slice(math.floor(i * 5 / size[0]), math.ceil((i + 1) * 5 / size[0]))
        columns = slice(math.floor(j * 7 / size[1]), math.ceil((j + 1) * 7 / size[1]))
        np.testing.assert_array_equal(y.data[:, :, i, j], x[:, :, rows, columns].max((2, 3)))
    there = np.take_along_axis(x.reshape(2, 3, -1), places.data.reshape(2, 3, -1), axis=2)
    np.testing.assert_array_equal(there.reshape(y.shape), y.data)


@pytest.mark.parametrize("size", [1, 3, 7, 9])
def test_adaptive_maximum_of_sequences_against_loops(rng, size):
    x = rng.normal(size=(2, 3, 7))
    y, places = nn.AdaptiveMaxPool1d(size, return_indices=True)(Tensor(x))
    for i in range(size):
        window = x[:, :, math.floor(i * 7 / size) : math.ceil((i + 1) * 7 / size)]
        np.testing.assert_array_equal(y.data[:, :, i], window.max(2))
    np.testing.assert_array_equal(np.take_along_axis(x, places.data, axis=2), y.data)
    np.testing.assert_array_equal(nn.AdaptiveMaxPool1d(size)(Tensor(x)).data, y.data)


def test_places_of_the_maxima(rng):
    x = rng.normal(size=(2, 3, 7, 6))
    y, places = F.max_pool2d(Tensor(x), 3, 2, 1, return_indices=True)
    np.testing.assert_array_equal(y.data, F.max_pool2d(Tensor(x), 3, 2, 1).data)
    assert (places.dtype, places.requires_grad) == (np.int64, False)
    there = np.take_along_axis(x.reshape(2, 3, -1), places.data.reshape(2, 3, -1), axis=2)
    np.testing.assert_array_equal(there.reshape(y.shape), y.data)
    layers = nn.MaxPool1d(2, return_indices=True), nn.AdaptiveMaxPool2d(2, return_indices=True)
    for layer, values in zip(layers, (x[:, :, 0], x), strict=True):
        found, where = layer(Tensor(values))
        assert found.shape == where.shape


@pytest.mark.parametrize("name", ["max_pool", "avg_pool", "adaptive_avg_pool"])
def test_a_sequence_is_an_image_of_one_row(rng, name):
    x = rng.normal(size=(2, 3, 9))
    flat, image = getattr(F, f"{name}1d"), getattr(F, f"{name}2d")
    if name == "adaptive_avg_pool":
        y, wanted = flat(Tensor(x), 4), image(Tensor(x[:, :, None]), (1, 4))
        layer = nn.AdaptiveAvgPool1d(4)
    else:
        y = flat(Tensor(x), 3, 2, 1, ceil_mode=True)
        wanted = image(Tensor(x[:, :, None]), (1, 3), (1, 2), (0, 1), ceil_mode=True)
        layer = {"max_pool": nn.MaxPool1d, "avg_pool": nn.AvgPool1d}[name](3, 2, 1, ceil_mode=True)
    np.testing.assert_array_equal(y.data, wanted.data[:, :, 0])
    np.testing.assert_array_equal(layer(Tensor(x)).data, y.data)


def test_the_first_of_equal_maxima_gets_the_gradient():
    x = Tensor(np.zeros((1, 1, 2, 2)), requires_grad=True)
    F.max_pool2d(x, 2).backward(np.array([[[[3.0]]]]))
    np.testing.assert_array_equal(x.grad[0, 0], [[3.0, 0.0], [0.0, 0.0]])


def test_gradients_of_overlapping_windows_add_up():
    x = Tensor(np.array([[[[1.0, 5.0, 2.0]]]]), requires_grad=True)
    F.max_pool2d(x, (1, 2), 1).backward(np.array([[[[2.0, 3.0]]]]))
    np.testing.assert_array_equal(x.grad, [[[[0.0, 5.0, 0.0]]]])


def test_nan_wins(rng):
    x = rng.normal(size=(1, 1, 4, 4))
    x[0, 0, 1, 2] = np.nan
    for y in (F.max_pool2d(Tensor(x), 2), F.avg_pool2d(Tensor(x), 2)):
        assert np.isnan(y.data[0, 0]).tolist() == [[False, True], [False, False]]


def test_minus_infinity_is_a_value_like_any_other():
    x = Tensor(np.full((1, 1, 2, 2), -np.inf), requires_grad=True)
    y = F.max_pool2d(x, 2)
    assert y.item() == -np.inf
    y.backward(np.ones((1, 1, 1, 1)))
    assert x.grad.sum() == 1.0


def test_the_layers_are_the_operations(rng):
    x = Tensor(rng.normal(size=(2, 3, 7, 6)))
    pairs = [
        (nn.MaxPool2d(3, 2, 1, 1, False, True), F.max_pool2d(x, 3, 2, 1, 1, True)),
        (nn.MaxPool2d((3, 2)), F.max_pool2d(x, (3, 2), (3, 2))),
        (nn.AvgPool2d(3, 2, 1, True, False), F.avg_pool2d(x, 3, 2, 1, True, False)),
        (nn.AvgPool2d(2), F.avg_pool2d(x, 2, 2)),
        (nn.AdaptiveAvgPool2d((2, 3)), F.adaptive_avg_pool2d(x, (2, 3))),
        (nn.AdaptiveMaxPool2d((2, 3)), F.adaptive_max_pool2d(x, (2, 3))),
        (nn.GlobalAvgPool1d(), F.adaptive_avg_pool1d(x[0], 1).flatten()),
        (nn.GlobalMaxPool1d(), F.adaptive_max_pool1d(x[0], 1).flatten()),
        (nn.GlobalAvgPool2d(), F.adaptive_avg_pool2d(x, 1).flatten()),
        (nn.GlobalMaxPool2d(), F.adaptive_max_pool2d(x, 1).flatten()),
    ]
    for layer, wanted in pairs:
        given = x[0] if type(layer).__name__.endswith("Pool1d") else x
        np.testing.assert_array_equal(layer(given).data, wanted.data)
        assert list(layer.parameters()) == []


def test_repr():
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"
    assert (
        repr(nn.AvgPool2d(3, 1)) == "AvgPool2d(kernel_size=(3, 3), stride=(1, 1), padding=(0, 0))"
    )
    assert repr(nn.AdaptiveAvgPool2d(1)) == "AdaptiveAvgPool2d(output_size=(1, 1))"


IMAGE = np.zeros((2, 3, 4, 4), np.float32)


@pytest.mark.parametrize(
    "name", ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"]
)
@pytest.mark.parametrize(
    ("kind", "says", "x", "size"),
    [
        (ShapeError, r"got \(3, 4, 4\); add a channel axis with x\[:, None\]", IMAGE[0], 2),
        (ShapeError, r"got \(4, 4\); add batch and channel", IMAGE[0, 0], 2),
        (ShapeError, "an image at least as large", IMAGE[:, :, :0], 1),
        (DTypeError, "x of a floating type, got uint8", IMAGE.astype(np.uint8), 2),
        (ArgumentError, "size as an integer of at least 1", IMAGE, 0),
        (ArgumentError, "size as an integer of at least 1", IMAGE, (2, 2, 2)),
        (ArgumentError, "size as an integer of at least 1", IMAGE, None),
    ],
)
def test_bad_input(name, kind, says, x, size):
    with pytest.raises(kind, match=says) as caught:
        getattr(F, name)(Tensor(x), size)
    assert str(caught.value).startswith(f"{name}: expected ")


SEQUENCES = ["max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d"]


@pytest.mark.parametrize("name", SEQUENCES)
def test_bad_sequences(name):
    with pytest.raises(ShapeError, match=rf"{name}: expected x of shape \(n, c, l\)"):
        getattr(F, name)(Tensor(IMAGE), 2)
    with pytest.raises(ShapeError, match=f"{name}: expected a sequence at least as large"):
        getattr(F, name)(Tensor(IMAGE[:, :, 0, :0]), 1)
    with pytest.raises(ArgumentError, match="_size as an integer of at least 1, got"):
        getattr(F, name)(Tensor(IMAGE[:, :, 0]), (1, 2))
    if not name.startswith("adaptive"):
        with pytest.raises(ArgumentError, match="padding of at most half the kernel 2, got 2"):
            getattr(F, name)(Tensor(IMAGE[:, :, 0]), 2, 1, 2)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    ("kind", "says", "arguments"),
    [
        (ShapeError, "kernel's 5 x 5, got 4 x 4", (5,)),
        (ArgumentError, "stride as an integer of at least 1", (2, -1)),
        (ArgumentError, "padding as an integer of at least 0", (2, 1, -1)),
        (ArgumentError, "padding of at most half the kernel", (2, 1, (0, 2))),
    ],
)
def test_bad_geometry(name, kind, says, arguments):
    with pytest.raises(kind, match=says):
        getattr(F, name)(Tensor(IMAGE), *arguments)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.MaxPool2d(0),
        lambda: nn.MaxPool2d(2, -1),
        lambda: nn.MaxPool2d(2, dilation=0),
        lambda: nn.AvgPool2d((1, 2, 3)),
        lambda: nn.AvgPool2d(2, padding=-1),
        lambda: nn.AdaptiveAvgPool2d(0),
    ],
)
def test_a_layer_that_cannot_be(make):
    with pytest.raises(ArgumentError, match="Pool2d: expected "):
        make()
