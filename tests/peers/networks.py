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


# -- torchvision's networks, written out: it is not installed where these tests run ----------------


def torch_alexnet(t, num_classes, hidden):
    """Krizhevsky 2014, under torchvision's names."""
    network = t.nn.Module()
    nn = t.nn
    network.features = nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    network.avgpool = nn.AdaptiveAvgPool2d((6, 6))
    network.classifier = nn.Sequential(
        *(nn.Dropout(), nn.Linear(9216, hidden), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)),
    )
    network.forward = lambda x: network.classifier(network.avgpool(network.features(x)).flatten(1))
    return network


def torch_alexnet_2012(t, num_classes, widths, hidden):
    """Krizhevsky, Sutskever & Hinton 2012, section 3: two groups, alpha not divided by n."""
    nn = t.nn

    class PaperNorm(nn.Module):
        def forward(self, a):
            squares = t.nn.functional.pad(a**2, (0, 0, 0, 0, 2, 2))
            total = sum(squares[:, i : i + a.shape[1]] for i in range(5))
            return a / (2 + 1e-4 * total) ** 0.75

    a, b, c, d, e = widths
    network = nn.Module()
    network.features = nn.Sequential(
        *(nn.Conv2d(3, a, 11, 4, 2), nn.ReLU(), PaperNorm(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(a, b, 5, padding=2, groups=2), nn.ReLU(), PaperNorm(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(b, c, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(c, d, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(d, e, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    network.classifier = nn.Sequential(
        *(nn.Dropout(), nn.Linear(36 * e, hidden), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)),
    )
    network.forward = lambda x: network.classifier(network.features(x).flatten(1))
    return network


TORCH_VGG = {
    11: [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    13: [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    16: [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    19: [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


def torch_vgg(t, layers, batch_norm, num_classes, hidden, shrink):
    """Simonyan & Zisserman 2015 in torchvision's arrangement, with channels divided by shrink."""
    nn, modules, channels = t.nn, [], 3
    for entry in TORCH_VGG[layers]:
        if entry == "M":
            modules.append(nn.MaxPool2d(2, 2))
            continue
        modules.append(nn.Conv2d(channels, entry // shrink, 3, padding=1))
        channels = entry // shrink
        modules += [nn.BatchNorm2d(channels)] if batch_norm else []
        modules.append(nn.ReLU())
    network = nn.Module()
    network.features = nn.Sequential(*modules)
    network.avgpool = nn.AdaptiveAvgPool2d((7, 7))
    network.classifier = nn.Sequential(
        *(nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, num_classes)),
    )
    network.forward = lambda x: network.classifier(network.avgpool(network.features(x)).flatten(1))
    return network


def torch_imagenet_resnet(t, depths, bottleneck, num_classes, width):
    """He et al. 2016, table 1, in torchvision's arrangement; `width` channels at first."""
    nn = t.nn

    class Block(nn.Module):
        def __init__(self, inputs, planes, stride):
            super().__init__()
            outputs = planes * (4 if bottleneck else 1)
            if bottleneck:
                self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
                self.bn1 = nn.BatchNorm2d(planes)
                self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
                self.bn2 = nn.BatchNorm2d(planes)
                self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
                self.bn3 = nn.BatchNorm2d(outputs)
            else:
                self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
                self.bn1 = nn.BatchNorm2d(planes)
                self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
                self.bn2 = nn.BatchNorm2d(planes)
            self.downsample = None
            if stride != 1 or inputs != outputs:
                conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = self.bn1(self.conv1(x)).relu()
            y = self.bn2(self.conv2(y))
            if bottleneck:
                y = self.bn3(self.conv3(y.relu()))
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    network = nn.Module()
    network.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
    network.bn1 = nn.BatchNorm2d(width)
    network.maxpool = nn.MaxPool2d(3, 2, 1)
    channels = width
    for g, depth in enumerate(depths):
        blocks, planes = [], width * 2**g
        for b in range(depth):
            blocks.append(Block(channels, planes, 2 if g and not b else 1))
            channels = planes * (4 if bottleneck else 1)
        setattr(network, f"layer{g + 1}", nn.Sequential(*blocks))
    network.fc = nn.Linear(channels, num_classes)

    def forward(x):
        x = network.maxpool(network.bn1(network.conv1(x)).relu())
        for g in range(len(depths)):
            x = getattr(network, f"layer{g + 1}")(x)
        return network.fc(x.mean((2, 3)))

    network.forward = forward
    return network


def torch_cifar_resnet(t, blocks, shortcut, num_classes, widths):
    """He et al. 2016, section 4.2: option A's shortcuts, or none at all."""
    nn, F = t.nn, t.nn.functional

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.stride, self.extra = stride, outputs - inputs

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if shortcut == "A":
                s = self.stride
                y = y + F.pad(x[:, :, ::s, ::s], (0, 0, 0, 0, 0, self.extra))
            return F.relu(y)

    network = nn.Module()
    network.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
    network.bn1 = nn.BatchNorm2d(widths[0])
    channels = widths[0]
    for g, width in enumerate(widths):
        layers = []
        for b in range(blocks):
            layers.append(Block(channels, width, 2 if g and not b else 1))
            channels = width
        setattr(network, f"layer{g + 1}", nn.Sequential(*layers))
    network.fc = nn.Linear(channels, num_classes)

    def forward(x):
        x = F.relu(network.bn1(network.conv1(x)))
        for g in range(len(widths)):
            x = getattr(network, f"layer{g + 1}")(x)
        return network.fc(x.mean((2, 3)))

    network.forward = forward
    return network


def torch_conv_auto_encoder(t, channels, widths):
    """Strided convolutions and, the other way round, transposed ones."""
    nn, (a, b) = t.nn, widths
    network = nn.Module()
    network.encoder = nn.Sequential(
        *(nn.Conv2d(channels, a, 3, 2, 1), nn.ReLU(), nn.Conv2d(a, b, 3, 2, 1), nn.ReLU())
    )
    network.decoder = nn.Sequential(
        *(nn.ConvTranspose2d(b, a, 3, 2, 1, 1), nn.ReLU()),
        nn.ConvTranspose2d(a, channels, 3, 2, 1, 1),
    )
    network.forward = lambda x: network.decoder(network.encoder(x))
    return network
