"""Layers and whole networks agree with PyTorch's, and state_dicts travel both ways."""

import math

import numpy as np
import pytest
from peers.agreement import DTYPES, assert_agree

from minidl.tensor import Tensor
from minidl import nn, save
from minidl.models import LeNet, ResNet

pytestmark = pytest.mark.peers


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def to_torch(torch, module, peer):
    """Load a minidl state into a PyTorch module, strictly."""
    peer.load_state_dict({k: torch.tensor(v) for k, v in module.state_dict().items()})


def run_both(torch, module, peer, x, dtype, seed=0):
    """Compare output, gradients of input and parameters, and the state afterwards."""
    mine = Tensor(x.astype(dtype), requires_grad=True)
    other = torch.tensor(x.astype(dtype), requires_grad=True)
    y, z = module(mine), peer(other)
    assert_agree(y.data, z.detach().numpy(), dtype)
    upstream = np.random.default_rng(seed).normal(size=y.shape).astype(dtype)
    y.backward(upstream)
    z.backward(torch.tensor(upstream))
    assert_agree(mine.grad, other.grad.numpy(), dtype, "gradient of the input")
    theirs = dict(peer.named_parameters())
    assert [name for name, _ in module.named_parameters()] == list(theirs)
    for name, p in module.named_parameters():
        assert_agree(p.grad, theirs[name].grad.numpy(), dtype, f"gradient of {name}")
    state = peer.state_dict()
    assert list(module.state_dict()) == list(state)
    for name, value in module.state_dict().items():
        if value.dtype.kind == "f":
            assert_agree(value, state[name].numpy(), dtype, name)
        else:
            np.testing.assert_array_equal(value, state[name].numpy())


LAYERS = {
    "Linear": (lambda nn: nn.Linear(5, 3), (4, 5)),
    "Linear without bias": (lambda nn: nn.Linear(5, 3, bias=False), (2, 4, 5)),
    "Conv2d": (lambda nn: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), groups=2), (2, 4, 7, 6)),
    "Conv2d same": (lambda nn: nn.Conv2d(2, 3, 3, padding="same", bias=False), (2, 2, 5, 6)),
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
    "MaxPool2d": (lambda nn: nn.MaxPool2d(3, 2, 1), (2, 3, 8, 7)),
    "AvgPool2d": (lambda nn: nn.AvgPool2d((2, 3), ceil_mode=True), (2, 3, 8, 7)),
    "AdaptiveAvgPool2d": (lambda nn: nn.AdaptiveAvgPool2d((3, 2)), (2, 3, 8, 7)),
    "ReLU": (lambda nn: nn.ReLU(), (3, 4)),
    "Flatten": (lambda nn: nn.Flatten(), (2, 3, 4, 5)),
    "Sigmoid": (lambda nn: nn.Sigmoid(), (3, 4)),
    "Tanh": (lambda nn: nn.Tanh(), (3, 4)),
    "Identity": (lambda nn: nn.Identity(), (3, 4)),
}


@pytest.mark.parametrize("dtype", DTYPES)
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_loss(torch, reduction, dtype):
    logits, targets = normal(5, 4).astype(dtype), np.array([3, 0, 1, 1, 2])
    options = {"reduction": reduction, "label_smoothing": 0.2}
    mine = nn.CrossEntropyLoss(**options)(Tensor(logits), targets)
    peer = torch.nn.CrossEntropyLoss(**options)(torch.tensor(logits), torch.tensor(targets))
    assert_agree(mine.data, peer.numpy(), dtype)


def peer_resnet(torch, depths, widths):
    """PyTorch's modules in the arrangement, and under the names, of minidl.models.ResNet."""
    peer_nn = torch.nn

    class Block(peer_nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = peer_nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = peer_nn.BatchNorm2d(outputs)
            self.conv2 = peer_nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = peer_nn.BatchNorm2d(outputs)
            self.downsample = None
            if stride != 1 or inputs != outputs:
                conv = peer_nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.downsample = peer_nn.Sequential(conv, peer_nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    class Network(peer_nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = peer_nn.Conv2d(1, widths[0], 3, padding=1, bias=False)
            self.bn1 = peer_nn.BatchNorm2d(widths[0])
            inputs, groups = widths[0], []
            for g, (depth, width) in enumerate(zip(depths, widths, strict=True)):
                blocks = []
                for b in range(depth):
                    blocks.append(Block(inputs, width, 2 if g > 0 and b == 0 else 1))
                    inputs = width
                groups.append(peer_nn.Sequential(*blocks))
            self.groups = peer_nn.ModuleList(groups)
            self.fc = peer_nn.Linear(inputs, 10)

        def forward(self, x):
            x = self.bn1(self.conv1(x)).relu()
            for group in self.groups:
                x = group(x)
            return self.fc(x.mean((2, 3)))

    return Network()


@pytest.fixture
def resnets(torch):
    depths, widths = (2, 1, 2), (4, 6, 8)
    mine = ResNet(1, 10, depths, widths, rng=np.random.default_rng(0))
    return mine, peer_resnet(torch, depths, widths)


def test_a_whole_resnet_in_float64(torch, resnets):
    mine, peer = resnets
    to_torch(torch, mine, peer)
    run_both(torch, mine.double(), peer.double(), normal(3, 1, 9, 8), "float64")


def test_a_whole_resnet_in_float32_errs_no_more_than_pytorch(torch, resnets):
    """Against the float64 gradient; twice PyTorch's own error leaves room for chance."""
    mine, peer = resnets
    to_torch(torch, mine, peer)
    x, upstream = normal(8, 1, 9, 8), normal(8, 10, seed=1)
    gradients = {}
    for dtype in DTYPES:
        mine.astype(dtype).zero_grad()
        peer.to(getattr(torch, dtype)).zero_grad()
        mine(Tensor(x.astype(dtype))).backward(upstream.astype(dtype))
        peer(torch.tensor(x.astype(dtype))).backward(torch.tensor(upstream.astype(dtype)))
        ours = np.concatenate([p.grad.ravel() for p in mine.parameters()])
        theirs = torch.cat([p.grad.ravel() for p in peer.parameters()]).numpy()
        gradients[dtype] = ours, theirs
    exact = gradients["float64"][1]
    error, peer_error = (np.linalg.norm(g - exact) for g in gradients["float32"])
    assert error <= 2 * peer_error


def test_states_travel_to_pytorch_and_back_through_a_file(torch, resnets, tmp_path):
    from safetensors.torch import load_file, save_file

    mine, peer = resnets
    save(mine, tmp_path / "mine.safetensors")
    peer.load_state_dict(load_file(tmp_path / "mine.safetensors"))
    with torch.no_grad():
        for p in peer.parameters():
            p.mul_(1.5).add_(0.01)
    save_file(peer.state_dict(), tmp_path / "peer.safetensors")
    import minidl

    mine.load_state_dict(minidl.load(tmp_path / "peer.safetensors"))
    x = normal(2, 1, 8, 8).astype(np.float32)
    with torch.no_grad():
        wanted = peer.eval()(torch.tensor(x)).numpy()
    assert_agree(mine.eval()(Tensor(x)).data, wanted, "float32")


def test_lenet_state_has_pytorchs_keys(torch):
    mine = LeNet()
    layers = [
        torch.nn.Conv2d(1, 6, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 16, 5),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(400, 120),
        torch.nn.ReLU(),
        torch.nn.Linear(120, 84),
        torch.nn.ReLU(),
        torch.nn.Linear(84, 10),
    ]
    peer = torch.nn.Sequential(*layers)
    to_torch(torch, mine, peer)
    run_both(torch, mine.double(), peer.double(), normal(2, 1, 28, 28), "float64")


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda nn: nn.Linear(64, 500), 64),
        (lambda nn: nn.Conv2d(8, 100, (3, 5), groups=2), 60),
    ],
)
def test_default_initialization_has_the_same_law(torch, make, fan_in):
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)) on both sides: the bounds and the variance."""
    for module in (make(nn), make(torch.nn)):
        for p in (module.weight, module.bias):
            values = np.asarray(p.detach().numpy())
            assert np.abs(values).max() <= 1 / math.sqrt(fan_in)
            assert np.abs(values).max() >= 0.9 / math.sqrt(fan_in)
            # The standard error of the variance of 100 uniform values is 9 % of it; six of them.
            assert abs(values.var() * 3 * fan_in - 1) < 0.54
