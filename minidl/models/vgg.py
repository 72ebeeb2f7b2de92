"""VGG: 3x3 convolutions, five poolings, three linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.nn import init

DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(nn.Module):
    """Groups of 3x3 convolutions with a max pooling after each, then three linear layers.

    `vgg11` to `vgg19_bn` are the networks of the paper, under torchvision's names.

    Parameters
    ----------
    depths : convolutions in each group
    num_classes : int
    batch_norm : whether each convolution is normalized
    in_channels : int
    dropout : share of the hidden values that is dropped
    widths : channels of each group
    hidden : features of the two linear layers between
    pooled : side of the image that the linear layers see; 1 suits small images
    rng : where weights (Kaiming normal with fan_out; N(0, 0.01) for linear layers) are drawn

    References
    ----------
    Simonyan & Zisserman 2015, table 1.
    """

    def __init__(
        self,
        depths: Sequence[int] = DEPTHS[11],
        num_classes: int = 1000,
        batch_norm: bool = False,
        in_channels: int = 3,
        dropout: float = 0.5,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        hidden: int = 4096,
        pooled: int = 7,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if len(depths) != len(widths) or not depths:
            wanted = "as many depths as widths, at least one"
            raise ArgumentError(expected("VGG", wanted, (depths, widths)))
        layers: list[nn.Module] = []
        channels = in_channels
        for depth, width in zip(depths, widths, strict=True):
            check_sizes("VGG", depth=depth, width=width, pooled=pooled)
            for _ in range(depth):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, rng=rng))
                layers += [nn.BatchNorm2d(width)] if batch_norm else []
                layers.append(nn.ReLU())
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(
            nn.Linear(channels * pooled**2, hidden, rng=rng),
            nn.ReLU(),
            nn.Dropout(dropout, rng=rng),
            nn.Linear(hidden, hidden, rng=rng),
            nn.ReLU(),
            nn.Dropout(dropout, rng=rng),
            nn.Linear(hidden, num_classes, rng=rng),
        )
        init.apply(self, init.kaiming_normal_, layers=nn.Conv2d, mode="fan_out", rng=rng)
        init.apply(self, init.normal_, layers=nn.Linear, std=0.01, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) images to (n, num_classes) logits."""
        return self.classifier(self.avgpool(self.features(x)).flatten())


def vgg11(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-11, 133 million parameters; options as in `VGG`. torchvision's weights load.

    References
    ----------
    Simonyan & Zisserman 2015, table 1, configuration A.
    """
    return VGG(DEPTHS[11], num_classes, **options)


def vgg11_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-11 with batch normalization; see `vgg11`."""
    return VGG(DEPTHS[11], num_classes, True, **options)


def vgg13(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-13, configuration B; see `vgg11`."""
    return VGG(DEPTHS[13], num_classes, **options)


def vgg13_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-13 with batch normalization; see `vgg11`."""
    return VGG(DEPTHS[13], num_classes, True, **options)


def vgg16(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-16, configuration D; see `vgg11`."""
    return VGG(DEPTHS[16], num_classes, **options)


def vgg16_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-16 with batch normalization; see `vgg11`."""
    return VGG(DEPTHS[16], num_classes, True, **options)


def vgg19(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-19, configuration E; see `vgg11`."""
    return VGG(DEPTHS[19], num_classes, **options)


def vgg19_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """Return VGG-19 with batch normalization; see `vgg11`."""
    return VGG(DEPTHS[19], num_classes, True, **options)
