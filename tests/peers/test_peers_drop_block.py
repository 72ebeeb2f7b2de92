"""DropBlock agrees with PyTorch's max pooling and products on the same seeds."""

import numpy as np
import pytest
from peers.agreement import compare, normal

from minidl import functional as F
from minidl.functional.drop_block import drop_block_seeds

pytestmark = pytest.mark.peers


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
