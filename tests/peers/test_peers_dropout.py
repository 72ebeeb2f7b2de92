"""Dropout agrees with PyTorch's products with the same masks.

PyTorch draws masks of its own and takes none, so they are drawn here and multiplied there.
"""

import numpy as np
import pytest
from minidl.kernels import dropout_numpy
from peers.agreement import compare, normal

from minidl import functional as F
from minidl import nn

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(7,), (3, 4, 5), (2, 3, 4, 5), (0, 3)], ids=str)
def test_dropout(torch, p, shape, telling, dtype):
    seed = int(np.random.default_rng(4).integers(2**64, dtype=np.uint64))
    keep = dropout_numpy.mask(shape, seed, p)
    compare(
        torch,
        lambda x: F.dropout(x, p, rng=np.random.default_rng(4)),
        lambda x: x * torch.tensor(keep) / (1 - p),
        [normal(*shape)],
        dtype,
    )


def test_dropout_of_everything(torch, telling, dtype):
    x = normal(3, 4)
    compare(torch, lambda x: F.dropout(x, 1.0), lambda x: torch.dropout(x, 1.0, True), [x], dtype)


@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_dropout_in_evaluation(torch, p, dtype):
    mine, peer = nn.Dropout(p).eval(), torch.nn.Dropout(p).eval()
    compare(torch, lambda x: mine(x) * 2, lambda x: peer(x) * 2, [normal(3, 4)], dtype)


def test_dropout_scales_as_pytorchs_does(torch):
    """The values that both can give are the same two, and both drop with probability p."""
    x, p = np.full(20_000, 3.0, np.float32), 0.3
    mine = nn.Dropout(p, rng=np.random.default_rng(0))(nn.Parameter(x)).numpy()
    torch.manual_seed(0)
    peer = torch.nn.Dropout(p)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(np.unique(mine), np.unique(peer), rtol=1e-6)
    for y in (mine, peer):
        # Five standard errors of a share of 20,000.
        assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / x.size)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d"])
def test_spatial_dropout(torch, name, p, dtype):
    """PyTorch's product with our mask; and by itself it drops channels and scales as we do."""
    space = {"dropout1d": (5,), "dropout2d": (5, 3), "dropout3d": (2, 5, 3)}[name]
    shape = (6, 7, *space)
    seed = int(np.random.default_rng(4).integers(2**64, dtype=np.uint64))
    keep = dropout_numpy.mask(shape[:2], seed, p).reshape(6, 7, *(1 for _ in space))
    compare(
        torch,
        lambda x: getattr(F, name)(x * 1.0, p, rng=np.random.default_rng(4)),
        lambda x: x * torch.tensor(keep) / (1 - p if p < 1 else 1),
        [normal(*shape)],
        dtype,
    )
    x = np.full((400, 50, *space), 3.0, dtype)
    torch.manual_seed(0)
    peer = getattr(torch.nn.functional, name)(torch.tensor(x), p).numpy()
    mine = getattr(F, name)(nn.Parameter(x), p, rng=np.random.default_rng(0)).data
    np.testing.assert_allclose(np.unique(mine), np.unique(peer), rtol=1e-6)
    for y in (mine, peer):
        dropped = (y == 0).reshape(400, 50, -1)
        np.testing.assert_array_equal(dropped.all(-1), dropped.any(-1))
        # Six standard errors of a share of 20,000.
        assert abs(dropped.mean() - p) <= 6 * np.sqrt(p * (1 - p) / 20_000)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 1.0])
def test_alpha_dropout_gives_the_values_that_pytorchs_gives(torch, p, dtype):
    """On equal numbers two values are possible, the kept and the dropped: the same in both."""
    x = np.full(20_000, 0.7, dtype)
    torch.manual_seed(0)
    peer = torch.nn.AlphaDropout(p)(torch.tensor(x)).numpy()
    mine = nn.AlphaDropout(p, rng=np.random.default_rng(0))(nn.Parameter(x)).data
    assert mine.dtype == peer.dtype
    np.testing.assert_allclose(np.unique(mine), np.unique(peer), rtol=1e-5, atol=1e-7)
    for y in (mine, peer):
        dropped = y == y[np.argmin(y)]
        assert p == 1 or abs(dropped.mean() - p) <= 6 * np.sqrt(p * (1 - p) / x.size)
