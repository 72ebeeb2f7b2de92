"""What the benchmark times on the other libraries is what it times on minidl."""

import numpy as np
import pytest
from peers.agreement import assert_agree, normal

from minidl.bench import accuracy, run, worker
from minidl.bench.libraries import Dezero, Minidl, Torch
from minidl.bench.rows import LAYERS, Convolution, operations

pytestmark = pytest.mark.peers
RANDOM = ("dropout", "drop_block")


@pytest.mark.parametrize("key", [r.key for r in operations() if r.there and r.family != "conv2d"])
def test_every_layers_row_computes_the_same_shapes(torch, key):
    """Weights differ, and so do values; rows without weights or randomness agree in value."""
    row = next(r for r in operations() if r.key == key)
    ours, theirs = (worker.begin(row, lib)() for lib in (Minidl(), Torch()))
    if not isinstance(ours, list):
        ours, theirs = [ours.data], [theirs.detach()]
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        if row.family in ("pool", "lrn", "loss", "activation", "norm"):
            assert_agree(a, b.numpy(), "float32")


def test_pytorchs_drop_block_drops_as_many(torch):
    layer = next(layer for layer in LAYERS if layer.family == "drop_block")
    x = np.ones((8, 16, 28, 28), np.float32)
    torch.manual_seed(0)
    y = Torch().nn.DropBlock2d(0.9, 7)(torch.tensor(x)).numpy()
    assert layer.layer(Minidl.nn).block_size == 7
    assert y.shape == x.shape
    assert abs((y == 0).mean() - 0.1) < 0.02
    assert abs(y.mean() - 1) < 1e-4


def test_the_same_resnet(torch):
    exact = accuracy.resnet(Minidl(), 0, "float64", precise=False)
    for lib in (Torch(), Torch(channels_last=True)):
        theirs = accuracy.resnet(lib, 0, "float64", precise=False)
        run._same_network(theirs, exact)
        for name, y in exact.relus.items():
            np.testing.assert_allclose(theirs.relus[name], y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("part", ["forward", "input gradient", "weight gradient"])
def test_dezeros_convolutions(part):
    which = Convolution(2, 3, 7, 4, kernel=3, stride=2, padding=1)
    row = next(r for r in which.rows() if r.part == part)
    weight, x = normal(4, 3, 3, 3), normal(2, 3, 7, 7)
    dy = normal(2, 4, 4, 4)
    lib = Minidl()
    module = lib.nn.Conv2d(3, 4, 3, 2, padding=1, bias=False)
    module.weight = lib.nn.Parameter(weight)
    tensor = lib.tensor(x, True)
    y = module(tensor)
    dx, dweight = lib.gradients(y, [tensor, module.weight], lib.tensor(dy))
    wanted = {"forward": y.data, "input gradient": dx, "weight gradient": dweight}[part]
    dezero = Dezero()
    got = dezero.convolution(**row.peer)(*(dezero.variable(a) for a in (x, weight, dy)))
    np.testing.assert_allclose(got.data, wanted, rtol=1e-9, atol=1e-9)


def test_dezeros_lenet_trains():
    rng = np.random.default_rng(0)
    call = Dezero().lenet(rng.standard_normal((8, 1, 28, 28), np.float32), rng.integers(0, 10, 8))
    losses = [float(call().data) for _ in range(30)]
    assert losses[-1] < losses[0]
