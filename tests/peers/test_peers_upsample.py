"""Resizing agrees with PyTorch's, in value and gradient."""

import pytest
from peers.agreement import compare, normal

from minidl import functional as F

pytestmark = pytest.mark.peers

TARGETS = [
    {"size": (9, 11)},
    {"size": (3, 2)},
    {"size": (1, 1)},
    {"size": 5},
    {"scale_factor": 2},
    {"scale_factor": 3.0},
    {"scale_factor": (1.7, 0.6)},
    {"scale_factor": 0.5},
]


def resized(torch, shape, options, dtype):
    peer = torch.nn.functional.interpolate
    compare(
        torch,
        lambda x: F.interpolate(x, **options),
        lambda x: peer(x, **options),
        [normal(*shape)],
        dtype,
    )


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "corners"])
def test_images(torch, target, mode, dtype):
    options = {"mode": "bilinear", "align_corners": True} if mode == "corners" else {"mode": mode}
    resized(torch, (2, 3, 5, 7), target | options, dtype)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("target", [{"size": 11}, {"scale_factor": 2.3}, {"scale_factor": 0.4}])
def test_sequences(torch, target, mode, dtype):
    resized(torch, (2, 3, 7), target | {"mode": mode}, dtype)


@pytest.mark.parametrize("length", range(1, 30))
def test_the_nearest_pixel_of_every_size(torch, length):
    """Where p h / oh is nearly an integer, rounding decides: as PyTorch's does."""
    for out in (1, 3, 7, 10, 21, 29, 49, 93):
        resized(torch, (1, 1, length), {"size": out}, "float64")
    for factor in (1.1, 1.3, 2.7, 0.9):
        # Where the size stays, PyTorch's gradient is not that of its own value: it is copied.
        if int(length * factor) not in (0, length):
            resized(torch, (1, 1, length), {"scale_factor": factor}, "float64")


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_one_pixel_and_no_images(torch, mode, dtype):
    resized(torch, (2, 2, 1, 1), {"size": (3, 4), "mode": mode}, dtype)
