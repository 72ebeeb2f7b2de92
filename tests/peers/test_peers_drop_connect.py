"""DropConnect agrees with PyTorch's products of masked weights, and its inference with samples."""

import numpy as np
import pytest
from minidl.kernels import drop_connect_numpy
from peers.agreement import compare, normal

from minidl import functional as F

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("biased", [True, False])
def test_drop_connect(torch, p, biased, dtype):
    n, k, d = 6, 5, 7
    seed = int(np.random.default_rng(4).integers(2**64, dtype=np.uint64))
    keep = torch.tensor(drop_connect_numpy.mask(n, k, d + biased, seed, p))

    def peer(x, weight, bias=None):
        y = torch.einsum("iod,od,id->io", keep[..., :d].to(x.dtype), weight, x)
        return y if bias is None else y + keep[..., d] * bias

    compare(
        torch,
        lambda *a: F.drop_connect(*a, p=p, rng=np.random.default_rng(4)),
        peer,
        [normal(n, d), normal(k, d)] + ([normal(k)] if biased else []),
        dtype,
    )


def test_moments(torch, dtype):
    def peer(x, weight, bias):
        squares = torch.nn.functional.linear(x**2, weight**2, bias**2)
        return 0.7 * torch.nn.functional.linear(x, weight, bias) - 0.21 * squares

    def ours(*arrays):
        mean, variance = F.drop_connect_moments(*arrays, p=0.3)
        return mean - variance

    compare(torch, ours, peer, [normal(6, 7), normal(5, 7), normal(5)], dtype)
