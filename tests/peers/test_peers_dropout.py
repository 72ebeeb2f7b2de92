"""Dropout and DropBlock agree with PyTorch's products with the same masks.

PyTorch draws masks of its own and takes none, so they are drawn here and multiplied there.
"""

import numpy as np
import pytest
from minidl.kernels import dropout_numpy
from peers.agreement import compare, normal

from minidl import functional as F
from minidl import nn
from minidl.functional.dropout import drop_block_seeds

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


@pytest.mark.parametrize("block", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("shared", [False, True])
def test_drop_block(torch, block, shared, telling, dtype):
    """PyTorch's max pooling spreads the seeds into blocks, and its autograd does the rest."""
    shape, keep_prob = (12, 3, 7, 5), 0.5
    rng = np.random.default_rng(6)
    seeds = torch.tensor(drop_block_seeds(shape, keep_prob, block, rng, shared)).double()
    around = (block - 1,) * 4
    dropped = torch.nn.functional.max_pool2d(torch.nn.functional.pad(seeds, around), block, 1)
    keep = (1 - dropped).to(getattr(torch, dtype))
    assert 0 < keep.sum() < keep.numel()
    compare(
        torch,
        lambda x: F.drop_block(x, keep_prob, block, shared=shared, rng=np.random.default_rng(6)),
        lambda x: x * keep * (keep.numel() / keep.sum()),
        [normal(*shape)],
        dtype,
    )
