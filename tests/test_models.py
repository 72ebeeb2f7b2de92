"""Networks: sizes, shapes, where DropBlock stands, gradients, and that they learn."""

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import data, models, nn, optim
from minidl import functional as F
from minidl.errors import ArgumentError, ShapeError
from minidl.gradcheck import gradcheck
from minidl.models import (
    MLP,
    AlexNet,
    AutoEncoder,
    BasicBlock,
    Bottleneck,
    ConvAutoEncoder,
    LeNet,
    ResNet,
)


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
    blocks = ["layer2.0", "layer2.1", "layer3.0"]
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


# -- families --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "layers", "millions"),
    [
        (models.resnet20, 20, 0.27),
        (models.resnet32, 32, 0.46),
        (models.resnet44, 44, 0.66),
        (models.resnet56, 56, 0.85),
        (models.resnet110, 110, 1.7),
    ],
)
def test_the_cifar_family_has_the_papers_layers_and_parameters(make, layers, millions):
    """He et al. 2016, table 6."""
    model = make(rng=rng())
    kinds = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(kinds) == layers
    assert abs(count(model) / 1e6 - millions) < 0.04
    # Option B has a projection of 16 x 32 and one of 32 x 64, with two numbers for each channel.
    if layers == 20:
        assert count(make(shortcut="B")) - count(model) == 16 * 32 + 32 * 64 + 2 * 32 + 2 * 64
        assert count(make(shortcut="none")) == count(model)


# Parameters as torchvision's documentation gives them.
IMAGENET = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032}


@pytest.mark.parametrize("name", IMAGENET)
def test_the_imagenet_networks_have_torchvisions_parameters(name):
    assert count(getattr(models, name)(rng=rng())) == IMAGENET[name]


# Without the linear layers: 25088 x 4096, 4096 x 4096, 4096 x 1000 and their biases.
LINEAR = 25_088 * 4096 + 4096 * 4096 + 4096 * 1000 + 4096 + 4096 + 1000
VGGS = {11: 132_863_336, 16: 138_357_544}


@pytest.mark.parametrize("layers", [11, 13, 16, 19])
def test_vgg_has_torchvisions_parameters(layers):
    """The 124 million of the linear layers are counted by hand; those of convolutions for two."""
    if layers in VGGS:
        model = getattr(models, f"vgg{layers}")(hidden=2, pooled=1, rng=rng())
        assert count(model.features) == VGGS[layers] - LINEAR
    small = {"hidden": 2, "pooled": 1, "widths": (2,) * 5}
    plain = getattr(models, f"vgg{layers}")(**small)
    assert len([m for m in plain.modules() if isinstance(m, nn.Conv2d | nn.Linear)]) == layers
    normed = getattr(models, f"vgg{layers}_bn")(**small)
    kinds = [type(m).__name__ for m in normed.features]
    assert kinds.count("Conv2d") == kinds.count("BatchNorm2d") == layers - 3
    assert kinds[:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d" if layers == 11 else "Conv2d"]
    assert normed(Tensor(rng().normal(size=(2, 3, 32, 32)).astype(np.float32))).shape == (2, 1000)


def test_drop_block_in_a_member_of_the_family():
    options = {"drop_groups": (2, 3), "keep_prob": 0.8, "block_size": 3}
    model = models.resnet20(**options, widths=(2, 2, 4), rng=rng())
    drops = [n for n, m in model.named_modules() if isinstance(m, nn.DropBlock2d)]
    assert len(drops) == 2 * 3 * 3
    assert {name.split(".")[0] for name in drops} == {"layer2", "layer3"}
    bare = models.resnet20(**options, shortcut="none", widths=(2, 2, 4), rng=rng())
    assert sum(isinstance(m, nn.DropBlock2d) for m in bare.modules()) == 2 * 3 * 2
    x = Tensor(rng(1).normal(size=(2, 3, 16, 16)).astype(np.float32))
    assert (model(x).data != model(x).data).any()
    np.testing.assert_array_equal(model.eval()(x).data, model(x).data)


def test_shortcuts_of_option_a_pick_pixels_and_add_zeros():
    block = BasicBlock(3, 5, 2, shortcut="A", rng=rng())
    x = rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32)
    y = block.downsample(Tensor(x)).data
    np.testing.assert_array_equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()
    assert y.shape == (2, 5, 3, 2)
    assert list(block.downsample.parameters()) == []
    assert repr(block.downsample) == "ZeroPadShortcut(stride=2, extra=2)"
    narrower = BasicBlock(5, 3, shortcut="A")
    assert isinstance(narrower.downsample, nn.Sequential)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_without_shortcuts_nothing_is_added(block):
    plain, residual = (block(4, 4, shortcut=s, rng=rng()) for s in ("none", "B"))
    x = Tensor(rng(1).normal(size=(2, 4, 5, 4)).astype(np.float32))
    y = x
    for number in range(1, block.convolutions + 1):
        conv, norm = (getattr(plain, f"{kind}{number}") for kind in ("conv", "bn"))
        y = F.relu(norm(conv(y)))
    np.testing.assert_array_equal(plain(x).data, y.data)
    assert (plain.downsample, plain.drop_skip.extra_repr()) == (None, "")
    assert np.abs(plain(x).data - residual(x).data[:, : y.shape[1]]).max() > 0.1


def test_a_bottleneck_drops_after_each_convolution_and_on_the_shortcut():
    block = Bottleneck(3, 2, rng=rng())
    block.drop1, block.drop2, block.drop3 = Times(2.0), Times(3.0), Times(4.0)
    block.drop_skip = Times(5.0)
    x = Tensor(rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32))
    y = F.relu(block.bn1(block.conv1(x)) * 2.0)
    y = F.relu(block.bn2(block.conv2(y)) * 3.0)
    wanted = F.relu(block.bn3(block.conv3(y)) * 4.0 + block.downsample(x) * 5.0)
    np.testing.assert_array_equal(block(x).data, wanted.data)


class Halved(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x) * 0.5


def test_norms_of_a_block_are_seen_and_replaced_as_layers_are():
    """A hook sees what the normalization alone returns; any layer of the sizes may stand there."""
    block, x = BasicBlock(2, 2, rng=rng()), Tensor(rng(1).standard_normal((3, 2, 5, 5)))
    fused, seen = block(x).data, []
    with block.bn2.register_forward_hook(lambda module, inputs, y: seen.append(y.data)):
        np.testing.assert_allclose(block(x).data, fused, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.maximum(seen[0] + x.data, 0), fused, rtol=1e-12, atol=1e-12)
    block.bn2 = Halved(2)
    np.testing.assert_allclose(block(x).data, np.maximum(seen[0] / 2 + x.data, 0), rtol=1e-12)
    block.bn2 = nn.Identity()
    assert block(x).shape == x.shape


def test_large_images_are_made_small_first():
    small = {"depths": (1, 1), "widths": (4, 8)}
    model = ResNet(3, 5, **small, block=Bottleneck, large_images=True, rng=rng())
    shapes = []
    model.layer1.register_forward_hook(lambda m, x, y: shapes.append(y.shape))
    assert model.eval()(Tensor(np.ones((2, 3, 33, 40), np.float32))).shape == (2, 5)
    assert shapes == [(2, 16, 9, 10)]


def test_alexnet():
    """The paper's layers: normalization after the first two, groups, pooling that overlaps."""
    paper = AlexNet(10, hidden=8, rng=rng())
    kinds = [type(m).__name__ for m in paper.features]
    norm = ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]
    assert kinds == [*norm, *norm, *["Conv2d", "ReLU"] * 3, "MaxPool2d"]
    convolutions = [m for m in paper.features if isinstance(m, nn.Conv2d)]
    assert [m.groups for m in convolutions] == [1, 2, 1, 2, 2]
    assert [m.out_channels for m in convolutions] == [96, 256, 384, 384, 256]
    # 60 million parameters (section 3.5), of which the convolutions have 2.3.
    assert count(paper.features) == 2_334_080
    # torchvision's 61,100,840 without 9216 x 4096, 4096 x 4096, 4096 x 1000 and their biases.
    assert count(models.alexnet(hidden=2).features) == 61_100_840 - 58_631_144
    x = Tensor(np.zeros((1, 3, 224, 224), np.float32))
    shapes = []
    paper.features.register_forward_hook(lambda m, x, y: shapes.append(y.shape))
    assert paper.eval()(x).shape == (1, 10)
    assert shapes == [(1, 256, 6, 6)]
    apart = AlexNet(10, lrn=False, overlapping=False, hidden=8)
    assert not any(isinstance(m, nn.LocalResponseNorm) for m in apart.modules())
    assert {m.kernel_size for m in apart.features if isinstance(m, nn.MaxPool2d)} == {(2, 2)}
    tiny = AlexNet(10, 1, widths=(4, 4, 4, 4, 4), hidden=8, stem=(5, 1, 2), pooled=2)
    assert tiny(Tensor(np.ones((2, 1, 28, 28), np.float32))).shape == (2, 10)


def test_auto_encoders_keep_the_shape_and_spoil_the_input_in_training_alone():
    full = AutoEncoder((48, 10, 3), rng=rng())
    images = Tensor(rng(1).normal(size=(4, 3, 4, 4)).astype(np.float32))
    assert full(images).shape == images.shape
    assert full.encode(images).shape == (4, 3)
    assert [m.out_features for m in full.decoder if isinstance(m, nn.Linear)] == [10, 48]
    conv = ConvAutoEncoder(3, (4, 6), noise=0.5, rng=rng())
    assert conv.encode(images).shape == (4, 6, 1, 1)
    assert conv(images).shape == images.shape
    assert (conv(images).data != conv(images).data).any()
    conv.eval()
    np.testing.assert_array_equal(conv(images).data, conv(images).data)
    masked = AutoEncoder((48, 3), noise=nn.Dropout(1.0), rng=rng())
    np.testing.assert_array_equal(masked(images).data, masked(images * 0.0).data)
    with pytest.raises(ShapeError, match="sides are multiples of 4"):
        conv(Tensor(np.ones((1, 3, 6, 8), np.float32)))


def test_auto_encoders_learn_to_give_digits_back():
    images, _ = data.digits()
    x = Tensor(images[:256].reshape(-1, 1, 8, 8).astype(np.float32))
    for network in (AutoEncoder((64, 32, 12), rng=rng()), ConvAutoEncoder(1, (8, 16), rng=rng())):
        optimizer = optim.Adam(network.parameters(), 1e-2)
        for _ in range(60):
            optimizer.zero_grad()
            loss = ((network(x) - x) ** 2).mean()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.35 * x.data.var()


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
        (lambda: ResNet(shortcut="C"), "BasicBlock: expected a shortcut among A, B, none"),
        (lambda: models.VGG((1,), widths=(4, 8)), "VGG: expected as many depths as widths"),
        (lambda: models.vgg11(widths=(4, 8, 0, 8, 8)), "VGG: expected width as an integer"),
        (lambda: AlexNet(widths=(4,)), "AlexNet: expected five widths"),
        (lambda: AutoEncoder((5,)), "MLP: expected at least an input and an output"),
        (lambda: ConvAutoEncoder(1, ()), "ConvAutoEncoder: expected at least one width"),
        (lambda: ConvAutoEncoder(1, (4,), noise=-1.0), "GaussianNoise: expected"),
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
        (
            lambda: ResNet(1, 3, (1, 1), (4, 8), block=Bottleneck, shortcut="A"),
            (8, 1, 8, 8),
            lambda p: optim.Adam(p, 0.02),
        ),
        (
            lambda: ResNet(1, 3, (1, 1), (4, 8), shortcut="none"),
            (8, 1, 8, 8),
            lambda p: optim.Adam(p, 0.02),
        ),
        (
            lambda: models.VGG((1, 1), 3, True, 1, 0.0, (4, 8), hidden=16, pooled=2),
            (8, 1, 8, 8),
            lambda p: optim.Adam(p, 0.02),
        ),
        (
            lambda: AlexNet(3, 1, 0.0, widths=(8, 8, 8, 8, 8), hidden=16, stem=(5, 1, 2), pooled=2),
            (6, 1, 24, 24),
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
