"""Group, layer and instance normalization agree with PyTorch's, in value and gradient."""

import numpy as np
import pytest
from peers.agreement import compare, normal

from minidl import functional as F
from minidl import nn

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("given", [(True, True), (True, False), (False, False)], ids=str)
@pytest.mark.parametrize(
    ("shape", "groups"), [((3, 12), 2), ((2, 6, 5), 3), ((2, 4, 3, 7), 1), ((3, 8, 9, 9), 4)]
)
def test_group_norm(torch, shape, groups, given, dtype):
    vectors = [normal(shape[1], seed=i) if g else None for i, g in enumerate(given)]
    peer = torch.nn.functional.group_norm
    compare(
        torch,
        lambda x, w, b: F.group_norm(x, groups, w, b, eps=1e-3),
        lambda x, w, b: peer(x, groups, w, b, eps=1e-3),
        [normal(*shape) * 2 + 1, *vectors],
        dtype,
    )


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 6, 5), (2, 3, 2, 3, 4)], ids=str)
def test_instance_norm(torch, shape, dtype):
    arrays = [normal(*shape) * 2 + 1, normal(shape[1], seed=1), normal(shape[1], seed=2)]
    peer = torch.nn.functional.instance_norm
    compare(
        torch,
        lambda x, w, b: F.instance_norm(x, None, None, w, b),
        lambda x, w, b: peer(x, weight=w, bias=b),
        arrays,
        dtype,
    )


@pytest.mark.parametrize("shape", [(3, 7), (2, 3, 5), (4, 130)], ids=str)
@pytest.mark.parametrize("axes", [1, 2])
def test_layer_norm(torch, shape, axes, dtype):
    last = shape[-axes:]
    peer = torch.nn.functional.layer_norm
    compare(
        torch,
        lambda x, w, b: F.layer_norm(x, last, w, b),
        lambda x, w, b: peer(x, last, w, b),
        [normal(*shape) * 2 + 1, normal(*last, seed=1), normal(*last, seed=2)],
        dtype,
    )


def test_nan_stays_in_its_group(torch, dtype):
    x = normal(2, 4, 3)
    x[1, 2, 0] = np.nan
    peer = torch.nn.functional.group_norm
    compare(torch, lambda x: F.group_norm(x, 2), lambda x: peer(x, 2), [x], dtype)


def test_states_have_the_same_keys(torch):
    ours, peer = nn.LayerNorm((3, 4)), torch.nn.LayerNorm((3, 4))
    assert list(ours.state_dict()) == list(peer.state_dict())
    ours, peer = nn.GroupNorm(2, 4), torch.nn.GroupNorm(2, 4)
    assert list(ours.state_dict()) == list(peer.state_dict())
