"""AlexNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, check_sizes, expected


class AlexNet(nn.Module):
    """Five convolutions, three of them pooled, and three linear layers, as published in 2012.

    `alexnet` is torchvision's, without normalization and of other widths.

    Parameters
    ----------
    num_classes, in_channels : int
    dropout : share of the values that is dropped before each hidden linear layer
    lrn : local response normalization after the first two convolutions
    overlapping : whether pooling windows are 3x3 with stride 2, or 2x2 side by side
    groups : parts of the channels that convolutions 2, 4 and 5 keep apart, on a processor each
    widths : channels of the five convolutions
    hidden : features of the two linear layers between
    stem : kernel, stride and padding of the first convolution; (5, 1, 2) suits small images
    pooled : side of the image that the linear layers see
    rng : where weights and masks are drawn

    Notes
    -----
    The input is (n, in_channels, 224, 224) or larger. The paper's 224 need the padding of 2 to
    give 55 x 55 places. Weights start as PyTorch's do, not from N(0, 0.01).

    References
    ----------
    Krizhevsky, Sutskever & Hinton 2012, section 3.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
        lrn: bool = True,
        overlapping: bool = True,
        groups: int = 2,
        widths: Sequence[int] = (96, 256, 384, 384, 256),
        hidden: int = 4096,
        stem: tuple[int, int, int] = (11, 4, 2),
        pooled: int = 6,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if len(widths) != 5:
            raise ArgumentError(expected("AlexNet", "five widths", widths))
        check_sizes("AlexNet", hidden=hidden, pooled=pooled)
        kernels = [stem, (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)]
        layers: list[nn.Module] = []
        channels = in_channels
        for number, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
            parts = groups if number in (1, 3, 4) else 1
            layers.append(nn.Conv2d(channels, width, *kernel, groups=parts, rng=rng))
            layers.append(nn.ReLU())
            if lrn and number < 2:
                # alpha is divided by the size; the paper's 1e-4 is not.
                layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0))
            if number in (0, 1, 4):
                layers.append(nn.MaxPool2d(3, 2) if overlapping else nn.MaxPool2d(2))
            channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout, rng=rng),
            nn.Linear(channels * pooled**2, hidden, rng=rng),
            nn.ReLU(),
            nn.Dropout(dropout, rng=rng),
            nn.Linear(hidden, hidden, rng=rng),
            nn.ReLU(),
            nn.Linear(hidden, num_classes, rng=rng),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) images to (n, num_classes) logits."""
        return self.classifier(self.avgpool(self.features(x)).flatten())


def alexnet(num_classes: int = 1000, **options: Any) -> AlexNet:
    """Return torchvision's AlexNet, 61 million parameters: its weights load. Options as `AlexNet`.

    References
    ----------
    Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks.
    """
    variant = {"lrn": False, "groups": 1, "widths": (64, 192, 384, 256, 256)}
    return AlexNet(num_classes, **{**variant, **options})
