"""Convolution and the linear layer agree with PyTorch's, in value and gradient."""

import numpy as np
import pytest
from peers.agreement import compare, normal
from peers.networks import run_both, to_torch

from minidl import functional as F
from minidl import nn

pytestmark = pytest.mark.peers

CONVOLUTIONS = {
    "plain": ((2, 3, 7, 6), (4, 3, 3, 3), {}),
    "wide kernel, strides": ((2, 3, 9, 8), (5, 3, 2, 4), {"stride": (2, 3), "padding": (1, 2)}),
    "dilation": ((1, 2, 9, 11), (3, 2, 3, 2), {"dilation": (2, 3), "padding": 1}),
    "groups": ((3, 6, 5, 7), (4, 3, 3, 1), {"groups": 2, "padding": (1, 0)}),
    "depthwise": ((2, 4, 6, 5), (8, 1, 3, 3), {"groups": 4, "stride": 2}),
    "everything": (
        (2, 6, 11, 9),
        (9, 2, 3, 2),
        {"groups": 3, "stride": (2, 1), "dilation": (2, 3), "padding": (3, 1)},
    ),
    "1x1": ((2, 5, 4, 3), (3, 5, 1, 1), {}),
    "1x1, stride 2": ((2, 5, 5, 6), (3, 5, 1, 1), {"stride": 2}),
    "stride beyond the kernel": ((2, 2, 9, 10), (3, 2, 2, 1), {"stride": (4, 3)}),
    "padding beyond the kernel": ((1, 2, 3, 4), (2, 2, 2, 1), {"padding": (4, 3)}),
    "one pixel out": ((2, 3, 5, 4), (2, 3, 5, 4), {}),
    "same": ((2, 3, 5, 4), (2, 3, 3, 5), {"padding": "same", "dilation": (1, 2)}),
    "same, even reach by dilation": (
        (1, 2, 7, 6),
        (3, 2, 2, 3),
        {"padding": "same", "dilation": 2},
    ),
    "same, even kernel": ((2, 3, 5, 4), (2, 3, 2, 4), {"padding": "same"}),
    "same, odd reach": ((1, 2, 7, 6), (3, 2, 4, 2), {"padding": "same", "dilation": (1, 3)}),
    "sequence": ((2, 3, 9), (4, 3, 3), {}),
    "sequence, options": ((2, 4, 11), (6, 2, 3), {"stride": 2, "padding": 3, "groups": 2}),
    "sequence, dilation": ((1, 2, 9), (3, 2, 3), {"padding": 2, "dilation": 2}),
    "sequence, same": ((2, 2, 6), (3, 2, 4), {"padding": "same"}),
    "no sequences": ((0, 2, 6), (3, 2, 3), {}),
    "valid": ((2, 3, 5, 4), (2, 3, 2, 2), {"padding": "valid"}),
    "rows left over": ((1, 1, 8, 7), (1, 1, 3, 3), {"stride": 3}),
    "no images": ((0, 3, 5, 4), (2, 3, 3, 3), {"padding": 1}),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(torch, name, telling, dtype):
    x, w, options = CONVOLUTIONS[name]
    function = "conv2d" if len(x) == 4 else "conv1d"
    compare(
        torch,
        lambda x, w, b: getattr(F, function)(x, w, b, **options),
        lambda x, w, b: getattr(torch.nn.functional, function)(x, w, b, **options),
        [normal(*x), normal(*w), normal(w[0])],
        dtype,
    )


def drawn_convolution(rng):
    """A random geometry in which the kernel fits."""
    while True:
        groups, inputs, outputs = (int(v) for v in rng.integers(1, 4, 3))
        (h, w), kernel = rng.integers(3, 10, 2), rng.integers(1, 5, 2)
        stride, dilation, padding = (
            rng.integers(1, 4, 2),
            rng.integers(1, 4, 2),
            rng.integers(0, 4, 2),
        )
        if np.all((h, w) + 2 * padding >= dilation * (kernel - 1) + 1):
            break
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    options = {name: tuple(int(v) for v in value) for name, value in options.items()}
    x = normal(int(rng.integers(1, 4)), groups * inputs, int(h), int(w))
    return x, normal(groups * outputs, inputs, *kernel.tolist()), options | {"groups": groups}


@pytest.mark.parametrize("seed", range(25))
def test_conv2d_of_drawn_geometry(torch, seed, telling, dtype):
    x, w, options = drawn_convolution(np.random.default_rng(seed))
    compare(
        torch,
        lambda x, w: F.conv2d(x, w, **options),
        lambda x, w: torch.nn.functional.conv2d(x, w, **options),
        [x, w],
        dtype,
    )


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)], ids=str)
def test_conv2d_with_frozen_arguments(torch, frozen, telling, dtype):
    arrays = [normal(2, 3, 7, 6), normal(4, 3, 3, 3), normal(4)]
    compare(torch, F.conv2d, torch.nn.functional.conv2d, arrays, dtype, frozen=frozen)


def test_conv2d_carries_nan_to_the_outputs_that_see_it(torch, telling, dtype):
    x = normal(2, 2, 6, 7)
    x[1, 0, 2, 3] = np.nan
    arrays = [x, normal(3, 2, 3, 2)]
    compare(torch, F.conv2d, torch.nn.functional.conv2d, arrays, dtype)


def test_conv2d_of_views(torch, telling, dtype):
    """Transposed images, cropped and flipped kernels: what is in memory has another layout."""
    compare(
        torch,
        lambda x, w: F.conv2d(x.transpose((0, 3, 1, 2)), w[:, :, 1:, ::2]),
        lambda x, w: torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), w[:, :, 1:, ::2]),
        [normal(2, 7, 6, 3), normal(4, 3, 4, 5)],
        dtype,
    )


TRANSPOSED = {
    "plain": ((2, 3, 4, 5), (3, 4, 3, 2), {}),
    "strides": ((2, 3, 4, 3), (3, 2, 3, 4), {"stride": (2, 3), "output_padding": (1, 2)}),
    "padding": ((1, 2, 5, 4), (2, 3, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "3x3, stride 1": ((2, 4, 6, 7), (4, 3, 3, 3), {"padding": 1}),
    "padding beyond the kernel": ((1, 2, 7, 6), (2, 3, 2, 1), {"padding": (2, 1)}),
    "dilation, groups": ((2, 4, 4, 5), (4, 3, 3, 2), {"dilation": (2, 3), "groups": 2}),
    "no images": ((0, 2, 3, 3), (2, 3, 2, 2), {}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_conv_transpose2d(torch, name, telling, dtype):
    x, w, options = TRANSPOSED[name]
    compare(
        torch,
        lambda x, w, b: F.conv_transpose2d(x, w, b, **options),
        lambda x, w, b: torch.nn.functional.conv_transpose2d(x, w, b, **options),
        [normal(*x), normal(*w), normal(w[1] * options.get("groups", 1))],
        dtype,
    )


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    ("kind", "shape", "options"),
    [
        ("Conv2d", (2, 3, 6, 7), {"kernel_size": 3, "padding": (2, 1)}),
        ("Conv2d", (2, 3, 6, 7), {"kernel_size": (2, 4), "padding": "same"}),
        ("Conv2d", (2, 3, 6, 7), {"kernel_size": 3, "padding": 2, "stride": 2, "dilation": 2}),
        ("Conv1d", (2, 3, 6), {"kernel_size": 3, "padding": 3, "stride": 2}),
        ("Conv1d", (2, 3, 6), {"kernel_size": 4, "padding": "same"}),
    ],
    ids=str,
)
def test_borders(torch, kind, shape, options, mode):
    mine = getattr(nn, kind)(3, 4, padding_mode=mode, **options)
    peer = getattr(torch.nn, kind)(3, 4, padding_mode=mode, **options)
    to_torch(torch, mine, peer)
    run_both(torch, mine.double(), peer.double(), normal(*shape), "float64")


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("widths", [[(2, 3)], [(0, 1), (3, 2)], [(4, 0), (0, 4)]], ids=str)
def test_pad(torch, mode, widths, dtype):
    around = [w for pair in reversed(widths) for w in pair]
    shape = (2, 3, 5, 6)[: 2 + len(widths)]
    compare(
        torch,
        lambda x: F.pad(x, [(0, 0), (0, 0), *widths], mode=mode),
        lambda x: torch.nn.functional.pad(x, around, mode=mode),
        [normal(*shape)],
        dtype,
    )


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 4, 5), (2, 1, 3, 5), (0, 5)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("frozen", [(), (0,), (1,)], ids=str)
def test_linear(torch, shape, bias, frozen, dtype):
    arrays = [normal(*shape), normal(3, 5), normal(3) if bias else None]
    compare(torch, F.linear, torch.nn.functional.linear, arrays, dtype, frozen=frozen)
