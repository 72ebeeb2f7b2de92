"""Networks: sizes, shapes, where DropBlock stands, gradients, and that they learn."""

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, optim
from minidl.errors import ArgumentError, ShapeError
from minidl.gradcheck import gradcheck
from minidl.models import MLP, BasicBlock, LeNet, ResNet


def rng(seed=0):
    return np.random.default_rng(seed)


def count(model):
    return sum(p.size for p in model.parameters())


# -- ResNet ----------------------------------------------------------------------------------------


def test_resnet_20_has_20_layers_and_272474_parameters():
    """By hand: convolutions 9 c_in c_out, two numbers a channel for each normalization."""
    model = ResNet(rng=rng())
    wanted = 3 * 16 * 9 + 2 * 16
    for channels, width in [(16, 16), (16, 32), (32, 64)]:
        wanted += 9 * channels * width + 5 * 9 * width * width + 6 * 2 * width
        if channels != width:  # option B: a 1x1 projection, normalized
            wanted += channels * width + 2 * width
    wanted += 64 * 10 + 10
    assert count(model) == wanted == 272_474
    convolutions = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    assert sum("downsample" not in n for n in convolutions) + 1 == 20
    assert sum("downsample" in n for n in convolutions) == 2


@pytest.mark.parametrize(
    ("depths", "widths", "size", "last"),
    [((3, 3, 3), (16, 32, 64), 32, 8), ((1, 2), (4, 6), 8, 4), ((2,), (4,), 9, 9)],
)
def test_shapes(depths, widths, size, last):
    model = ResNet(1, 7, depths, widths, rng=rng()).eval()
    shapes = []
    model.groups[len(depths) - 1].register_forward_hook(lambda m, x, y: shapes.append(y.shape))
    assert model(Tensor(np.ones((2, 1, size, size), np.float32))).shape == (2, 7)
    assert shapes == [(2, widths[-1], last, last)]
    assert [len(group) for group in model.groups] == list(depths)


def test_drop_block_stands_in_the_groups_asked_for():
    model = ResNet(1, 3, (1, 2, 1), (4, 4, 8), drop_groups=(2, 3), keep_prob=0.8, block_size=3)
    drops = {n: m for n, m in model.named_modules() if isinstance(m, nn.DropBlock2d)}
    blocks = ["groups.1.0", "groups.1.1", "groups.2.0"]
    assert set(drops) == {f"{b}.{d}" for b in blocks for d in ("drop1", "drop2", "drop_skip")}
    assert {(d.keep_prob, d.block_size) for d in drops.values()} == {(0.8, 3)}
    plain = ResNet(1, 3, (1, 2, 1), (4, 4, 8))
    assert list(plain.state_dict()) == list(model.state_dict())
    assert not any(isinstance(m, nn.DropBlock2d) for m in plain.modules())


class Times(nn.Module):
    """x * factor, in place of DropBlock."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


@pytest.mark.parametrize("channels", [3, 4])
def test_a_block_drops_after_each_normalization_and_on_the_shortcut(channels):
    block = BasicBlock(3, channels, rng=rng())
    block.drop1, block.drop2, block.drop_skip = Times(2.0), Times(3.0), Times(5.0)
    x = Tensor(rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32))
    inner = F.relu(block.bn1(block.conv1(x)) * 2.0)
    skip = x if channels == 3 else block.downsample(x)
    wanted = F.relu(block.bn2(block.conv2(inner)) * 3.0 + skip * 5.0)
    np.testing.assert_array_equal(block(x).data, wanted.data)


def test_weights_start_as_kaiming_says():
    model = ResNet(rng=rng(3))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            w = module.weight.data
            fan_out = w.shape[0] * w.shape[2] * w.shape[3]
            assert abs(np.mean(w**2) * fan_out / 2 - 1) < 5.5 * np.sqrt(2 / w.size)
    again = ResNet(rng=rng(3))
    np.testing.assert_array_equal(again.fc.weight.data, model.fc.weight.data)


@pytest.mark.parametrize(
    ("channels", "stride", "keep_prob"), [(3, 1, None), (4, 2, None), (3, 1, 0.7)]
)
def test_the_gradient_of_a_block(channels, stride, keep_prob):
    block = BasicBlock(3, channels, stride, keep_prob, block_size=2, rng=rng(1)).double()
    names = [name for name, _ in block.named_parameters()]

    def call(x, *values):
        for path, value in zip(names, values, strict=True):
            *owners, name = path.split(".")
            owner = block
            for step in owners:
                owner = getattr(owner, step)
            vars(owner)[name] = value
        for drop in (block.drop1, block.drop2, block.drop_skip):
            if keep_prob is not None:
                drop.rng = rng(5)
        return block(x)

    values = [p.data for p in block.parameters()]
    reports = gradcheck(call, [rng(2).normal(size=(3, 3, 4, 4)), *values], seed=3)
    assert len(reports) == 1 + len(names)


# -- the others ------------------------------------------------------------------------------------


def test_lenet():
    model = LeNet(rng=rng())
    assert model(Tensor(np.zeros((3, 1, 28, 28), np.float32))).shape == (3, 10)
    assert count(model) == 61_706
    assert LeNet(3, 7)(Tensor(np.zeros((1, 3, 28, 28), np.float32))).shape == (1, 7)
    with pytest.raises(ShapeError, match="linear: expected x of shape"):
        model(Tensor(np.zeros((1, 1, 32, 32), np.float32)))


def test_mlp():
    plain = MLP((5, 8, 6, 3), rng=rng())
    kinds = [type(m).__name__ for m in plain]
    assert kinds == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert [m.out_features for m in plain if isinstance(m, nn.Linear)] == [8, 6, 3]
    normed = MLP((5, 8, 3), nn.Tanh, batch_norm=True)
    assert [type(m).__name__ for m in normed] == ["Linear", "BatchNorm1d", "Tanh", "Linear"]
    assert [type(m).__name__ for m in MLP((5, 3), batch_norm=True)] == ["Linear"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MLP((5,)), "MLP: expected at least an input and an output size"),
        (lambda: MLP((5, 0)), "Linear: expected out_features"),
        (lambda: ResNet(depths=(1,), widths=(4, 8)), "ResNet: expected as many depths as widths"),
        (lambda: ResNet(depths=(), widths=()), "at least one"),
        (lambda: ResNet(depths=(0,), widths=(4,)), "ResNet: expected depth"),
        (lambda: ResNet(drop_groups=(4,)), "drop_groups within 1 to 3"),
        (lambda: ResNet(drop_groups=(0,)), "drop_groups within 1 to 3"),
        (lambda: ResNet(drop_groups=(3,), keep_prob=2), "keep_prob between"),
        (lambda: LeNet(0), "in_channels"),
    ],
)
def test_a_network_that_cannot_be(make, says):
    with pytest.raises(ArgumentError, match=says):
        make()


# -- learning --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "shape", "optimizer"),
    [
        (lambda: MLP((6, 16, 3), batch_norm=True), (8, 6), lambda p: optim.Adam(p, 0.03)),
        (lambda: MLP((6, 16, 3), nn.Sigmoid), (8, 6), lambda p: optim.SGD(p, 2.0, 0.9)),
        (lambda: LeNet(1, 3), (6, 1, 28, 28), lambda p: optim.Adam(p, 2e-3)),
        (
            lambda: ResNet(1, 3, (1, 1), (4, 8)),
            (8, 1, 8, 8),
            lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True),
        ),
        (
            lambda: ResNet(1, 3, (1, 1), (4, 8), (2,), keep_prob=0.9, block_size=2),
            (8, 1, 8, 8),
            lambda p: optim.Adam(p, 0.02),
        ),
    ],
)
def test_a_tiny_batch_is_learned_by_heart(model, shape, optimizer):
    minidl.manual_seed(1)
    network = model()
    x = Tensor(rng(2).normal(size=shape).astype(np.float32))
    targets = np.arange(shape[0]) % 3
    stepper = optimizer(network.parameters())
    losses = []
    for _ in range(40):
        stepper.zero_grad()
        loss = F.cross_entropy(network(x), targets)
        loss.backward()
        stepper.step()
        losses.append(loss.item())
    assert 0.5 < losses[0] < 3
    assert losses[-1] < 0.2 * losses[0]
    assert network(x).data.argmax(1).tolist() == targets.tolist()
