"""Networks written once for minidl.nn and torch.nn, and ways to compare the two."""

import numpy as np
from peers.agreement import assert_agree

from minidl.tensor import Tensor
from minidl.bench.libraries import torch_resnet
from minidl.models import ResNet


def convolutional(nn):
    """Convolutions, normalizations and linear layers, some of them nested."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Sequential(
            nn.Conv2d(4, 6, (3, 2), groups=2), nn.BatchNorm2d(6, momentum=None), nn.Tanh()
        ),
        nn.LocalResponseNorm(3),
        nn.AdaptiveAvgPool2d((2, 1)),
        nn.Flatten(),
        nn.Linear(12, 7),
        nn.BatchNorm1d(7, affine=False),
        nn.Sigmoid(),
        nn.Linear(7, 5, bias=False),
    )


def to_torch(torch, module, peer):
    """Load a minidl state into a PyTorch module, strictly."""
    peer.load_state_dict({k: torch.tensor(v) for k, v in module.state_dict().items()})


def to_minidl(module, peer):
    """Load a PyTorch module's state into a minidl module, strictly."""
    module.load_state_dict({k: v.numpy() for k, v in peer.state_dict().items()})


def assert_states_agree(module, peer, dtype, rtol=1e-10):
    """The same keys in the same order, and the same values."""
    state = peer.state_dict()
    assert list(module.state_dict()) == list(state)
    for name, value in module.state_dict().items():
        if value.dtype.kind == "f":
            assert_agree(value, state[name].numpy(), dtype, name, rtol)
        else:
            np.testing.assert_array_equal(value, state[name].numpy())


def run_both(torch, module, peer, x, dtype, seed=0, rtol=1e-10):
    """Compare output, gradients of input and parameters, and the state afterwards."""
    mine = Tensor(x.astype(dtype), requires_grad=True)
    other = torch.tensor(x.astype(dtype), requires_grad=True)
    y, z = module(mine), peer(other)
    assert_agree(y.data, z.detach().numpy(), dtype, rtol=rtol)
    upstream = np.random.default_rng(seed).normal(size=y.shape).astype(dtype)
    y.backward(upstream)
    z.backward(torch.tensor(upstream))
    assert_agree(mine.grad, other.grad.numpy(), dtype, "gradient of the input", rtol)
    theirs = dict(peer.named_parameters())
    assert [name for name, _ in module.named_parameters()] == list(theirs)
    for name, p in module.named_parameters():
        assert_agree(p.grad, theirs[name].grad.numpy(), dtype, f"gradient of {name}", rtol)
    assert_states_agree(module, peer, dtype, rtol)


def resnets(torch, depths=(2, 1, 2), widths=(4, 6, 8)):
    """minidl's ResNet and its peer, each with initial weights of its own."""
    mine = ResNet(1, 10, depths, widths, rng=np.random.default_rng(0))
    return mine, torch_resnet(torch, 1, depths, widths)
