"""Whole networks agree with PyTorch's, and state_dicts travel both ways."""

import numpy as np
import pytest
from peers import networks
from peers.agreement import DTYPES, assert_agree, normal
from peers.networks import (
    assert_states_agree,
    convolutional,
    resnets,
    run_both,
    to_minidl,
    to_torch,
)

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import load, models, nn, optim, save
from minidl.models import MLP, LeNet

pytestmark = pytest.mark.peers


def test_a_sequential_network(torch, telling, dtype):
    mine, peer = convolutional(nn), convolutional(torch.nn)
    to_torch(torch, mine, peer)
    mine.astype(dtype)
    peer.to(getattr(torch, dtype))
    if dtype == "float64":
        run_both(torch, mine, peer, normal(5, 2, 9, 8), dtype)
    mine.eval().zero_grad()
    peer.eval().zero_grad()
    run_both(torch, mine, peer, normal(5, 2, 9, 8, seed=1), dtype)


def test_a_sequential_networks_state_travels_both_ways(torch, dtype):
    """Each side first trains on batches of its own, so that every buffer has moved."""
    x = normal(4, 2, 9, 8, seed=5).astype(dtype)
    for to_peer in (True, False):
        mine = convolutional(nn).astype(dtype)
        peer = convolutional(torch.nn).to(getattr(torch, dtype))
        for batch in range(2):
            mine(Tensor(normal(6, 2, 9, 8, seed=batch).astype(dtype)))
            peer(torch.tensor(normal(5, 2, 9, 8, seed=batch + 2).astype(dtype)))
        if to_peer:
            to_torch(torch, mine, peer)
        else:
            to_minidl(mine, peer)
        assert_states_agree(mine, peer, dtype)
        with torch.no_grad():
            wanted = peer.eval()(torch.tensor(x)).numpy()
        assert_agree(mine.eval()(Tensor(x)).data, wanted, dtype)


def test_pytorchs_tensors_load_as_they_are(torch, dtype):
    mine = convolutional(nn).astype(dtype)
    peer = convolutional(torch.nn).to(getattr(torch, dtype))
    peer(torch.tensor(normal(3, 2, 9, 8).astype(dtype)))
    mine.load_state_dict(peer.state_dict())
    assert_states_agree(mine, peer, dtype)
    before = mine.state_dict()
    with torch.no_grad():
        for value in peer.state_dict().values():
            value.add_(1)
    for key, value in mine.state_dict().items():
        np.testing.assert_array_equal(value, before[key], f"{key} shares PyTorch's memory")


def test_containers_and_shared_modules_have_pytorchs_keys(torch):
    def network(nn, base):
        class Network(base):
            def __init__(self):
                super().__init__()
                shared = nn.Linear(2, 2)
                self.scale = nn.Parameter(scale)
                self.layers = nn.ModuleList([shared, nn.BatchNorm1d(2), shared])
                self.heads = nn.ModuleDict({"b": nn.Linear(2, 1), "a": nn.Linear(2, 3)})
                self.none = None

        return Network()

    scale = np.ones(2, np.float32)
    mine = network(nn, nn.Module)
    scale = torch.ones(2)
    peer = network(torch.nn, torch.nn.Module)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in peer.named_parameters()]
    to_torch(torch, mine, peer)
    assert_states_agree(mine, peer, "float32")


def test_a_whole_resnet_in_float64(torch, telling):
    mine, peer = resnets(torch)
    to_torch(torch, mine, peer)
    run_both(torch, mine.double(), peer.double(), normal(3, 1, 9, 8), "float64", rtol=1e-9)


def test_a_whole_resnet_in_float32_errs_no_more_than_pytorch(torch, telling):
    """Against the float64 gradient; twice PyTorch's own error leaves room for chance."""
    mine, peer = resnets(torch)
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


OPTIMIZERS = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "Adam": {"lr": 3e-3, "weight_decay": 1e-3},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_a_resnet_takes_the_same_way(torch, name):
    """Five steps of loss, backward and update: Adam divides small errors by small gradients."""
    mine, peer = resnets(torch, (1, 1), (4, 6))
    to_torch(torch, mine, peer)
    mine.double()
    peer.double()
    ours = getattr(optim, name)(mine.parameters(), **OPTIMIZERS[name])
    theirs = getattr(torch.optim, name)(peer.parameters(), **OPTIMIZERS[name])
    targets = np.random.default_rng(0).integers(0, 10, 12)
    for step in range(5):
        x = normal(12, 1, 8, 8, seed=step)
        loss = F.cross_entropy(mine(Tensor(x)), targets, label_smoothing=0.1)
        wanted = torch.nn.functional.cross_entropy(
            peer(torch.tensor(x)), torch.tensor(targets), label_smoothing=0.1
        )
        assert_agree(loss.data, wanted.detach().numpy(), "float64", f"loss {step}", 1e-9)
        for optimizer, value in ((ours, loss), (theirs, wanted)):
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        assert_states_agree(mine, peer, "float64", 1e-9)


def test_a_resnets_state_travels_to_pytorch_and_back_through_a_file(torch, tmp_path):
    from safetensors.torch import load_file, save_file

    mine, peer = resnets(torch)
    mine(Tensor(normal(4, 1, 8, 8).astype(np.float32)))
    save(mine, tmp_path / "mine.safetensors")
    peer.load_state_dict(load_file(tmp_path / "mine.safetensors"))
    assert_states_agree(mine, peer, "float32")
    x = normal(2, 1, 8, 8, seed=1).astype(np.float32)
    for _ in range(2):
        with torch.no_grad():
            wanted = peer.eval()(torch.tensor(x)).numpy()
            assert_agree(mine.eval()(Tensor(x)).data, wanted, "float32")
            for p in peer.parameters():
                p.mul_(1.5).add_(0.01)
            peer.train()(torch.tensor(normal(4, 1, 8, 8, seed=2).astype(np.float32)))
        save_file(peer.state_dict(), tmp_path / "peer.safetensors")
        mine.load_state_dict(load(tmp_path / "peer.safetensors"))
        assert_states_agree(mine, peer, "float32")


def test_lenet(torch):
    mine = LeNet()
    t = torch.nn
    peer = t.Sequential(
        *(t.Conv2d(1, 6, 5, padding=2), t.ReLU(), t.MaxPool2d(2)),
        *(t.Conv2d(6, 16, 5), t.ReLU(), t.MaxPool2d(2), t.Flatten()),
        *(t.Linear(400, 120), t.ReLU(), t.Linear(120, 84), t.ReLU(), t.Linear(84, 10)),
    )
    to_torch(torch, mine, peer)
    run_both(torch, mine.double(), peer.double(), normal(2, 1, 28, 28), "float64")


def test_mlp_with_batch_normalization(torch):
    mine = MLP((6, 5, 4, 3), nn.Tanh, batch_norm=True)
    t = torch.nn
    peer = t.Sequential(
        *(t.Linear(6, 5), t.BatchNorm1d(5), t.Tanh()),
        *(t.Linear(5, 4), t.BatchNorm1d(4), t.Tanh(), t.Linear(4, 3)),
    )
    to_torch(torch, mine, peer)
    run_both(torch, mine.double(), peer.double(), normal(7, 6), "float64")


# -- families: PyTorch's weights load by name, and outputs and gradients agree ---------------------


VGG_WIDTHS = {"widths": (8, 16, 32, 64, 64), "hidden": 16}
FAMILIES = {
    "alexnet": (
        lambda: models.alexnet(7, hidden=16),
        lambda t: networks.torch_alexnet(t, 7, 16),
        (2, 3, 80, 75),
    ),
    "AlexNet of 2012": (
        lambda: models.AlexNet(7, widths=(8, 12, 16, 16, 12), hidden=16),
        lambda t: networks.torch_alexnet_2012(t, 7, (8, 12, 16, 16, 12), 16),
        (1, 3, 224, 224),
    ),
    **{
        f"vgg{layers}{'_bn' * norm}": (
            lambda layers=layers, norm=norm: getattr(models, f"vgg{layers}{'_bn' * norm}")(
                5, **VGG_WIDTHS
            ),
            lambda t, layers=layers, norm=norm: networks.torch_vgg(t, layers, norm, 5, 16, 8),
            (2, 3, 64, 40),
        )
        for layers in (11, 13, 16, 19)
        for norm in (False, True)
    },
    **{
        name: (
            lambda name=name: getattr(models, name)(6, widths=(8, 16, 32, 64)),
            lambda t, depths=depths, deep=deep: networks.torch_imagenet_resnet(
                t, depths, deep, 6, 8
            ),
            (2, 3, 64, 67),
        )
        for name, depths, deep in [
            ("resnet18", (2, 2, 2, 2), False),
            ("resnet34", (3, 4, 6, 3), False),
            ("resnet50", (3, 4, 6, 3), True),
        ]
    },
    **{
        f"CIFAR ResNet, shortcut {shortcut}": (
            lambda shortcut=shortcut: models.resnet32(5, shortcut, widths=(4, 6, 8)),
            lambda t, shortcut=shortcut: networks.torch_cifar_resnet(t, 5, shortcut, 5, (4, 6, 8)),
            (3, 3, 13, 16),
        )
        for shortcut in ("A", "none")
    },
    "convolutional auto-encoder": (
        lambda: models.ConvAutoEncoder(2, (4, 6)),
        lambda t: networks.torch_conv_auto_encoder(t, 2, (4, 6)),
        (3, 2, 8, 12),
    ),
}


def without_dropout(module):
    """Switch dropout off, and leave everything else in training."""
    for part in module.modules():
        if type(part).__name__ == "Dropout":
            part.p = 0.0


@pytest.mark.parametrize("name", FAMILIES)
def test_pytorchs_weights_load_by_name(torch, name, tmp_path):
    """Through a file, as weights travel; in training, so that statistics follow as well."""
    from safetensors.torch import save_file

    make, make_peer, shape = FAMILIES[name]
    torch.manual_seed(1)
    mine, peer = make(), make_peer(torch)
    save_file(peer.state_dict(), tmp_path / "peer.safetensors")
    mine.load_state_dict(load(tmp_path / "peer.safetensors"))
    assert_states_agree(mine, peer, "float32")
    without_dropout(mine)
    without_dropout(peer)
    run_both(torch, mine.double(), peer.double(), normal(*shape), "float64", rtol=1e-8)
    x = normal(*shape, seed=3).astype(np.float32)
    with torch.no_grad():
        wanted = peer.float().eval()(torch.tensor(x)).numpy()
    assert_agree(mine.float().eval()(Tensor(x)).data, wanted, "float32", rtol=1e-4)
