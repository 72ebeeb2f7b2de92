"""Layers agree with PyTorch's, parameters and state included."""

import numpy as np
import pytest
from peers.agreement import compare, normal
from peers.networks import run_both, to_torch

from minidl import nn

pytestmark = pytest.mark.peers

LAYERS = {
    "Linear": (lambda nn: nn.Linear(5, 3), (4, 5)),
    "Linear without bias": (lambda nn: nn.Linear(5, 3, bias=False), (2, 4, 5)),
    "Conv2d": (lambda nn: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), groups=2), (2, 4, 7, 6)),
    "Conv2d dilated": (lambda nn: nn.Conv2d(2, 3, 3, dilation=(2, 3), padding=2), (2, 2, 7, 6)),
    "Conv2d same": (lambda nn: nn.Conv2d(2, 3, 3, padding="same", bias=False), (2, 2, 5, 6)),
    "Conv2d valid": (lambda nn: nn.Conv2d(2, 3, 3, padding="valid"), (2, 2, 5, 6)),
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(3), (6, 3)),
    "BatchNorm1d with length": (lambda nn: nn.BatchNorm1d(3, momentum=0.4), (4, 3, 5)),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(3, eps=0.1), (4, 3, 5, 2)),
    "BatchNorm2d cumulative": (lambda nn: nn.BatchNorm2d(3, momentum=None), (4, 3, 5, 2)),
    "BatchNorm2d plain": (lambda nn: nn.BatchNorm2d(3, affine=False), (4, 3, 5, 2)),
    "BatchNorm2d untracked": (
        lambda nn: nn.BatchNorm2d(3, track_running_stats=False),
        (4, 3, 5, 2),
    ),
    "LocalResponseNorm": (lambda nn: nn.LocalResponseNorm(4, 0.5), (2, 6, 3, 4)),
    "LocalResponseNorm as published": (
        lambda nn: nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0),
        (2, 6, 3, 4),
    ),
    "MaxPool2d": (lambda nn: nn.MaxPool2d(3, 2, 1), (2, 3, 8, 7)),
    "MaxPool2d dilated": (lambda nn: nn.MaxPool2d((2, 3), 1, dilation=2), (2, 3, 8, 7)),
    "AvgPool2d": (lambda nn: nn.AvgPool2d((2, 3), ceil_mode=True), (2, 3, 8, 7)),
    "AvgPool2d of the inside": (
        lambda nn: nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        (2, 3, 8, 7),
    ),
    "AdaptiveAvgPool2d": (lambda nn: nn.AdaptiveAvgPool2d((3, 2)), (2, 3, 8, 7)),
    "ReLU": (lambda nn: nn.ReLU(), (3, 4)),
    "Flatten": (lambda nn: nn.Flatten(), (2, 3, 4, 5)),
    "Flatten from the third axis": (lambda nn: nn.Flatten(2), (2, 3, 4, 5)),
    "Sigmoid": (lambda nn: nn.Sigmoid(), (3, 4)),
    "Tanh": (lambda nn: nn.Tanh(), (3, 4)),
    "Identity": (lambda nn: nn.Identity(), (3, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_over_three_batches_and_in_evaluation(torch, name, dtype):
    make, shape = LAYERS[name]
    module, peer = make(nn), make(torch.nn)
    to_torch(torch, module, peer)
    module.astype(dtype)
    peer.to(getattr(torch, dtype))
    for batch in range(3):
        module.zero_grad()
        peer.zero_grad()
        run_both(torch, module, peer, normal(*shape, seed=batch) * (batch + 1), dtype)
    module.eval().zero_grad()
    peer.eval().zero_grad()
    run_both(torch, module, peer, normal(*shape, seed=7), dtype)


def test_gradients_add_up_over_calls(torch, dtype):
    """Twice through one layer, and two backward passes: gradients are summed."""
    mine = nn.Linear(4, 4)
    peer = torch.nn.Linear(4, 4)
    to_torch(torch, mine, peer)
    mine.astype(dtype)
    peer.to(getattr(torch, dtype))
    for seed in range(2):
        x = normal(3, 4, seed=seed)
        compare(torch, lambda x: mine(mine(x)), lambda x: peer(peer(x)), [x], dtype, seed)
    for p, q in zip(mine.parameters(), peer.parameters(), strict=True):
        limit = 1e-10 if dtype == "float64" else 2e-5
        wanted = q.grad.numpy()
        np.testing.assert_allclose(p.grad, wanted, rtol=0, atol=limit * np.abs(wanted).max())
