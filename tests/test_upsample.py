"""Resizing against its formula place by place, the layer, and bad input."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(31)


def on_the_line(values, place):
    """The value at a place between the elements of a vector."""
    first = int(place)
    second = min(first + 1, len(values) - 1)
    return values[first] + (values[second] - values[first]) * (place - first)


def by_lines(x, out, step, align_corners):
    """Every place from its formula: first along columns, then along rows."""
    n, c, h, w = x.shape
    y = np.empty((n, c, *out))
    for a, b, p, q in np.ndindex(y.shape):
        places = []
        for at, length, size, s in ((p, h, out[0], step[0]), (q, w, out[1], step[1])):
            if align_corners:
                places.append(at * (length - 1) / (size - 1) if size > 1 else 0.0)
            else:
                places.append(min(max((at + 0.5) * s - 0.5, 0.0), length - 1))
        column = np.array([on_the_line(x[a, b, row], places[1]) for row in range(h)])
        y[a, b, p, q] = on_the_line(column, places[0])
    return y


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("out", [(7, 9), (2, 3), (4, 5), (1, 1), (12, 1)])
def test_lines(rng, out, align_corners):
    x = rng.normal(size=(2, 2, 4, 5))
    y = F.interpolate(Tensor(x), out, mode="bilinear", align_corners=align_corners)
    wanted = by_lines(x, out, (4 / out[0], 5 / out[1]), align_corners)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("out", [(8, 10), (7, 3), (1, 1), (4, 5), (3, 13)])
def test_nearest(rng, out):
    x = rng.normal(size=(2, 2, 4, 5))
    y = F.interpolate(Tensor(x), out)
    rows, columns = (np.arange(o) * n // o for n, o in zip((4, 5), out, strict=True))
    np.testing.assert_array_equal(y.data, x[:, :, rows[:, None], columns])


def test_a_factor(rng):
    x = rng.normal(size=(1, 1, 5, 3))
    y = F.interpolate(Tensor(x), scale_factor=(1.5, 2))
    assert y.shape == (1, 1, 7, 6)  # floor(7.5)
    np.testing.assert_array_equal(y.data[0, 0, :, ::2], x[0, 0, (np.arange(7) / 1.5).astype(int)])
    lines = F.interpolate(Tensor(x), None, 1.5, "bilinear")
    wanted = by_lines(x, (7, 4), (1 / 1.5, 1 / 1.5), False)
    np.testing.assert_allclose(lines.data, wanted, rtol=1e-12, atol=1e-12)


def test_a_sequence_is_an_image_of_one_row(rng):
    x = rng.normal(size=(2, 3, 6))
    for mode, image in [("nearest", "nearest"), ("linear", "bilinear")]:
        y = F.interpolate(Tensor(x), 11, mode=mode)
        wanted = F.interpolate(Tensor(x[:, :, None]), (1, 11), mode=image)
        np.testing.assert_array_equal(y.data, wanted.data[:, :, 0])


def test_nan_stays_where_it_is(rng):
    x = np.zeros((1, 1, 2, 3))
    x[0, 0, 0, 1] = np.nan
    y = F.interpolate(Tensor(x), scale_factor=2)
    assert np.isnan(y.data[0, 0]).sum() == 4
    lines = F.interpolate(Tensor(x), scale_factor=2, mode="bilinear").data[0, 0]
    assert np.isnan(lines[:3, 1:5]).all()
    assert np.isfinite(lines[3]).all()
    assert np.isfinite(lines[:, 5]).all()


def test_the_layer(rng):
    x = Tensor(rng.normal(size=(2, 3, 4, 5)).astype(np.float32))
    layer = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    wanted = F.interpolate(x, None, 2, "bilinear", True)
    np.testing.assert_array_equal(layer(x).data, wanted.data)
    np.testing.assert_array_equal(nn.Upsample((3, 7))(x).data, F.interpolate(x, (3, 7)).data)
    assert repr(layer) == "Upsample(scale_factor=2, mode='bilinear')"
    assert repr(nn.Upsample(3)) == "Upsample(size=3, mode='nearest')"


IMAGE = np.zeros((1, 2, 3, 4), np.float32)


@pytest.mark.parametrize(
    ("kind", "says", "x", "options"),
    [
        (ArgumentError, "either size or scale_factor, got neither", IMAGE, {}),
        (ArgumentError, "got both", IMAGE, {"size": 3, "scale_factor": 2}),
        (ArgumentError, "a mode among nearest, linear, bilinear", IMAGE, {"mode": "cubic"}),
        (ArgumentError, "size as an integer of at least 1", IMAGE, {"size": 0}),
        (ArgumentError, "size as an integer of at least 1", IMAGE, {"size": (1, 2, 3)}),
        (ArgumentError, "scale_factor as a positive", IMAGE, {"scale_factor": -1}),
        (ArgumentError, "scale_factor as a positive", IMAGE, {"scale_factor": np.nan}),
        (ArgumentError, "scale_factor as a positive", IMAGE, {"scale_factor": (1, 2, 3)}),
        (ArgumentError, "align_corners with", IMAGE, {"size": 2, "align_corners": False}),
        (ShapeError, "at least one pixel", IMAGE, {"scale_factor": 0.1}),
        (ShapeError, r"\(n, c, l\) for linear", IMAGE, {"size": 3, "mode": "linear"}),
        (ShapeError, r"\(n, c, h, w\) for bilinear", IMAGE[0], {"size": 3, "mode": "bilinear"}),
        (ShapeError, "not empty", IMAGE[:, :, :0], {"size": 3}),
        (ShapeError, "fits in memory", IMAGE, {"size": 2**32}),
        (DTypeError, "x of a floating type", IMAGE.astype(int), {"size": 3}),
    ],
)
def test_bad_input(kind, says, x, options):
    with pytest.raises(kind, match=f"interpolate: expected .*{says}"):
        F.interpolate(Tensor(x), **options)


@pytest.mark.parametrize("options", [{}, {"size": 2, "scale_factor": 2}, {"size": 2, "mode": "a"}])
def test_a_layer_that_cannot_be(options):
    with pytest.raises(ArgumentError, match="Upsample: expected"):
        nn.Upsample(**options)
