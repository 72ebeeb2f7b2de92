"""Convolution against SciPy's correlation, the layer's weights and repr, and bad input."""

import numpy as np
import pytest
from scipy.signal import correlate

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def by_scipy(x, weight, bias, stride, padding, dilation, groups):
    """Correlate with a dilated kernel at every place, then keep every stride-th."""
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    outputs, channels, kh, kw = weight.shape
    spread = np.zeros((outputs, channels, (kh - 1) * dh + 1, (kw - 1) * dw + 1))
    spread[:, :, ::dh, ::dw] = weight
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    rows = []
    for image in padded:
        for o in range(outputs):
            first = o // (outputs // groups) * channels
            planes = image[first : first + channels]
            rows.append(correlate(planes, spread[o], mode="valid")[0, ::sh, ::sw] + bias[o])
    return np.array(rows).reshape(len(x), outputs, *rows[0].shape)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 3)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 2), (2, 5)])
def test_against_scipy(rng, kernel, stride, padding, dilation, groups):
    x, bias = rng.normal(size=(2, 4, 7, 9)), rng.normal(size=6)
    weight = rng.normal(size=(6, 4 // groups, *kernel))
    y = F.conv2d(Tensor(x), Tensor(weight), Tensor(bias), stride, padding, dilation, groups)
    wanted = by_scipy(x, weight, bias, stride, padding, dilation, groups)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-12, atol=1e-12)


def test_padding_by_name(rng):
    x, weight = Tensor(rng.normal(size=(1, 2, 6, 7))), Tensor(rng.normal(size=(3, 2, 3, 5)))
    same = F.conv2d(x, weight, padding="same")
    assert same.shape == (1, 3, 6, 7)
    np.testing.assert_array_equal(same.data, F.conv2d(x, weight, padding=(1, 2)).data)
    np.testing.assert_array_equal(
        F.conv2d(x, weight, padding="valid").data, F.conv2d(x, weight).data
    )
    assert F.conv2d(x, weight, padding="same", dilation=2).shape == (1, 3, 6, 7)
    even = Tensor(rng.normal(size=(3, 2, 2, 4)))
    wider = F.conv2d(F.pad(x, [(0, 0), (0, 0), (0, 1), (1, 2)]), even)
    np.testing.assert_array_equal(F.conv2d(x, even, padding="same").data, wider.data)


def test_the_layer_is_the_operation_with_its_weights(rng):
    layer = nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups=2, rng=rng)
    x = Tensor(rng.normal(size=(2, 4, 6, 7)).astype(np.float32))
    wanted = F.conv2d(x, layer.weight, layer.bias, (2, 1), (1, 0), (1, 2), 2)
    np.testing.assert_array_equal(layer(x).data, wanted.data)
    assert [(n, p.shape) for n, p in layer.named_parameters()] == [
        ("weight", (6, 2, 3, 2)),
        ("bias", (6,)),
    ]
    assert nn.Conv2d(1, 2, 3, padding="same").padding == "same"
    assert nn.Conv2d(1, 2, 3, bias=False).bias is None


def test_the_layer_starts_uniform_within_one_over_the_root_of_fan_in():
    layer = nn.Conv2d(8, 40, (3, 5), groups=2, rng=np.random.default_rng(0))
    bound = 1 / np.sqrt(4 * 3 * 5)
    for values in (layer.weight.data, layer.bias.data):
        assert values.dtype == np.float32
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.9 * bound
    # 2400 draws: the variance of a uniform is known to 4 %, five standard errors are 10 %.
    np.testing.assert_allclose(layer.weight.data.var(), bound**2 / 3, rtol=0.1)


def test_repr():
    assert repr(nn.Conv2d(3, 8, 3)) == "Conv2d(3, 8, kernel_size=(3, 3))"
    full = nn.Conv2d(4, 8, (3, 1), 2, 1, 2, 4, bias=False)
    assert repr(full) == (
        "Conv2d(4, 8, kernel_size=(3, 1), stride=(2, 2), padding=(1, 1), dilation=(2, 2), "
        "groups=4, bias=False)"
    )


# -- sequences, borders, the transpose ------------------------------------------------------------


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 3, 2)])
def test_a_sequence_is_an_image_of_one_row(rng, stride, padding, dilation):
    x, weight, bias = rng.normal(size=(2, 4, 9)), rng.normal(size=(6, 2, 3)), rng.normal(size=6)
    y = F.conv1d(Tensor(x), Tensor(weight), Tensor(bias), stride, padding, dilation, 2)
    geometry = (1, stride), (0, padding), (1, dilation), 2
    wanted = by_scipy(x[:, :, None], weight[:, :, None], bias, *geometry)[:, :, 0]
    np.testing.assert_allclose(y.data, wanted, rtol=1e-12, atol=1e-12)


def test_a_sequence_is_not_copied_on_its_way_to_the_kernel(rng):
    x, layer = Tensor(rng.normal(size=(2, 3, 8)).astype(np.float32)), nn.Conv1d(3, 4, 3)
    y = layer(x)
    assert np.shares_memory(y.grad_fn.x, x.data)
    assert np.shares_memory(y.grad_fn.weight, layer.weight.data)


BORDERS = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", BORDERS)
@pytest.mark.parametrize("padding", [(2, 1), "same"])
def test_borders_of_the_image_itself(rng, mode, padding):
    layer = nn.Conv2d(3, 4, (3, 4), padding=padding, padding_mode=mode, rng=rng).double()
    x = rng.normal(size=(2, 3, 5, 6))
    edges = [(1, 1), (1, 2)] if padding == "same" else [(2, 2), (1, 1)]
    around = np.pad(x, [(0, 0), (0, 0), *edges], mode=BORDERS[mode])
    wanted = F.conv2d(Tensor(around), layer.weight, layer.bias)
    np.testing.assert_array_equal(layer(Tensor(x)).data, wanted.data)
    line = nn.Conv1d(3, 4, 3, padding=2, padding_mode=mode, rng=rng).double()
    around = np.pad(x[:, :, 0], [(0, 0), (0, 0), (2, 2)], mode=BORDERS[mode])
    wanted = F.conv1d(Tensor(around), line.weight, line.bias)
    np.testing.assert_array_equal(line(Tensor(x[:, :, 0])).data, wanted.data)


@pytest.mark.parametrize(
    ("mode", "width", "says"),
    [
        ("reflect", 4, "reflect borders of at most 3 along axis 2"),
        ("circular", 5, "circular borders of at most 4 along axis 2"),
        ("mirror", 1, "a mode among constant, reflect, replicate, circular, got 'mirror'"),
        ("replicate", -1, "pairs of non-negative widths"),
    ],
)
def test_borders_that_cannot_be(mode, width, says):
    with pytest.raises((ArgumentError, ShapeError), match=says):
        F.pad(Tensor(np.zeros((1, 1, 4))), [(0, 0), (0, 0), (width, 0)], mode=mode)
    with pytest.raises(ShapeError, match="replicate borders of at most 0"):
        F.pad(Tensor(np.zeros((1, 0))), [(0, 0), (1, 0)], mode="replicate")


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("stride", "padding", "extra", "dilation"), [(1, 0, 0, 1), ((2, 3), 1, (1, 2), (2, 1))]
)
def test_the_transpose_is_the_transposed_matrix(rng, stride, padding, extra, dilation, groups):
    """<conv(u), x> = <u, conv_transpose(x)> for every u: the definition of a transpose."""
    weight = rng.normal(size=(4, 6 // groups, 3, 2))
    x = rng.normal(size=(2, 4, 3, 5))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = F.conv_transpose2d(Tensor(x), Tensor(weight), output_padding=extra, **options)
    u = rng.normal(size=y.shape)
    there = F.conv2d(Tensor(u), Tensor(weight), **options)
    assert there.shape == x.shape
    np.testing.assert_allclose((there.data * x).sum(), (u * y.data).sum(), rtol=1e-10)


def test_output_padding_chooses_among_the_sizes_that_become_the_same():
    x, weight = Tensor(np.ones((1, 2, 3, 4))), Tensor(np.ones((2, 5, 3, 3)))
    for extra, size in [(0, (5, 7)), (1, (6, 8))]:
        y = F.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=extra)
        assert y.shape == (1, 5, *size)
        assert F.conv2d(y, weight, stride=2, padding=1).shape == x.shape


def test_the_transposed_layer(rng):
    layer = nn.ConvTranspose2d(4, 6, (3, 2), 2, 1, (1, 0), 2, rng=rng)
    x = Tensor(rng.normal(size=(2, 4, 3, 5)).astype(np.float32))
    wanted = F.conv_transpose2d(x, layer.weight, layer.bias, 2, 1, (1, 0), 2)
    np.testing.assert_array_equal(layer(x).data, wanted.data)
    assert (layer.weight.shape, layer.bias.shape, wanted.shape[1]) == ((4, 3, 3, 2), (6,), 6)
    bound = 1 / np.sqrt(3 * 3 * 2)
    assert 0.8 * bound < np.abs(layer.weight.data).max() <= bound
    assert repr(nn.ConvTranspose2d(1, 2, 3, 2)).startswith("ConvTranspose2d(1, 2, kernel_size=(3")
    assert nn.ConvTranspose2d(1, 2, 3, bias=False).bias is None


@pytest.mark.parametrize(
    ("says", "shape", "options"),
    [
        (r"x of shape \(n, c, h, w\)", (4, 3, 3), {}),
        (r"x with 4 channels", (1, 3, 3, 3), {}),
        ("output_padding below the stride", (1, 4, 3, 3), {"output_padding": 1}),
        ("groups that divide the 4 channels", (1, 4, 3, 3), {"groups": 3}),
        ("a result of at least one pixel", (1, 4, 3, 3), {"padding": 3}),
        (r"x and weight of at least one pixel, got \(1, 4, 0, 3\) and", (1, 4, 0, 3), {}),
        ("stride as an integer", (1, 4, 3, 3), {"stride": 0}),
        (r"bias of shape \(2,\)", (1, 4, 3, 3), {"bias": Tensor(np.zeros(4))}),
    ],
)
def test_a_transpose_that_cannot_be(says, shape, options):
    with pytest.raises((ArgumentError, ShapeError), match=f"conv_transpose2d: expected {says}"):
        F.conv_transpose2d(Tensor(np.zeros(shape)), Tensor(np.zeros((4, 2, 3, 3))), **options)


@pytest.mark.parametrize(
    ("says", "x", "options"),
    [
        (r"x of shape \(n, c, l\), got \(3, 5\); add a channel axis", (3, 5), {}),
        (r"x of shape \(n, c, l\), got \(5,\); add batch and channel", (5,), {}),
        ("a sequence at least as large as the kernel's 7, got 5 with", (1, 3, 5), {"dilation": 3}),
        ("padding as an integer of at least 0, got -1", (1, 3, 5), {"padding": -1}),
        ("stride as an integer of at least 1, got", (1, 3, 5), {"stride": (1, 2)}),
    ],
)
def test_a_sequence_that_cannot_be(says, x, options):
    with pytest.raises((ArgumentError, ShapeError), match=f"conv1d: expected {says}"):
        F.conv1d(Tensor(np.zeros(x)), Tensor(np.zeros((2, 3, 3))), **options)


X, W = np.zeros((2, 3, 5, 5), np.float32), np.zeros((4, 3, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("kind", "says", "x", "weight", "options"),
    [
        (ShapeError, r"got \(3, 5, 5\); add a channel axis with x\[:, None\]", X[0], W, {}),
        (ShapeError, r"got \(5, 5\); add batch and channel", X[0, 0], W, {}),
        (ShapeError, r"expected weight of shape \(o, c, kh, kw\), got \(3, 3, 3\)", X, W[0], {}),
        (ShapeError, r"expected x with 3 channels \(axis 1\)", X[:, :2], W, {}),
        (ShapeError, r"with 6 channels .* for 2 groups", X, W, {"groups": 2}),
        (ShapeError, r"expected bias of shape \(4,\)", X, W, {"bias": Tensor(np.zeros(3))}),
        (ShapeError, r"at least as large as the kernel's 3 x 3, got 2 x 5", X[:, :, :2], W, {}),
        (ShapeError, r"kernel's 7 x 7, got 5 x 5", X, W, {"dilation": 3}),
        (DTypeError, r"x of a floating type, got int64; convert", X.astype(int), W, {}),
        (DTypeError, r"weight of a floating type, got bool", X, W.astype(bool), {}),
        (DTypeError, r"bias of a floating type", X, W, {"bias": Tensor(np.zeros(4, int))}),
        (ArgumentError, "stride as an integer of at least 1", X, W, {"stride": -1}),
        (ArgumentError, "stride as an integer of at least 1", X, W, {"stride": (1, 1, 1)}),
        (ArgumentError, "stride as an integer of at least 1", X, W, {"stride": 1.5}),
        (ArgumentError, "padding as an integer of at least 0", X, W, {"padding": (1, -1)}),
        (ArgumentError, "padding of at most 1099511627776", X, W, {"padding": 2**40 + 1}),
        (ShapeError, "an output that fits in memory", X, W, {"padding": 2**40}),
        (ArgumentError, "dilation as an integer of at least 1", X, W, {"dilation": 0}),
        (ArgumentError, "groups as an integer of at least 1, got 0", X, W, {"groups": 0}),
        (ArgumentError, "groups that divide the 4 outputs, got 3", X, W[:, :1], {"groups": 3}),
        (ArgumentError, '"same" or "valid", got \'some\'', X, W, {"padding": "some"}),
        (ArgumentError, "stride 1 for padding=", X, W, {"padding": "same", "stride": 2}),
    ],
)
def test_bad_input(kind, says, x, weight, options):
    with pytest.raises(kind, match=says) as caught:
        F.conv2d(Tensor(x), Tensor(weight), **options)
    assert str(caught.value).startswith("conv2d: expected ")


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 1, 3),
        (1, -1, 3),
        (1, 1, 0),
        (1, 1, (3, 3, 3)),
        (1, 1, 3, 0),
        (1, 1, 3, 1, -1),
        (1, 1, 3, 1, "sane"),
        (1, 1, 3, 2, "same"),
        (1, 1, 3, 1, 0, 1, 1, True, "mirror"),
        (1, 1, 3, 1, 0, 0),
        (3, 4, 3, 1, 0, 1, 2),
        (4, 3, 3, 1, 0, 1, 2),
        (4, 4, 3, 1, 0, 1, 0),
    ],
)
def test_a_layer_that_cannot_be(arguments):
    with pytest.raises(ArgumentError, match="Conv2d: expected "):
        nn.Conv2d(*arguments)


def test_not_a_tensor():
    with pytest.raises(DTypeError, match=r"conv2d: expected x as a Tensor, got list; wrap it"):
        nn.Conv2d(1, 1, 1)([[[[1.0]]]])


def test_nan_reaches_every_output_it_touches(rng):
    x = rng.normal(size=(1, 1, 4, 4))
    x[0, 0, 0, 0] = np.nan
    y = F.conv2d(Tensor(x), Tensor(rng.normal(size=(1, 1, 2, 2)))).data[0, 0]
    assert np.isnan(y).tolist() == [[True, False, False], [False] * 3, [False] * 3]
