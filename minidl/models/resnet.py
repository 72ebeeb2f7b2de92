"""Residual networks of the CIFAR family, with DropBlock where it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.nn import init
from minidl.nn.module import Module


class BasicBlock(Module):
    """relu(shortcut(x) + bn(conv(relu(bn(conv(x)))))).

    DropBlock stands after each batch normalization and on the shortcut where keep_prob is given.

    Parameters
    ----------
    in_channels, channels, stride : int
    keep_prob : float or None
        DropBlock's; None leaves it out
    block_size : int
    rng : where weights and masks are drawn

    References
    ----------
    He, Zhang, Ren & Sun 2016, figure 2; Ghiasi, Lin & Le 2018, section 4.1.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        keep_prob: float | None = None,
        block_size: int = 7,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, padding=1, bias=False, rng=rng)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False, rng=rng),
                nn.BatchNorm2d(channels),
            )

        def drop() -> Module:
            if keep_prob is None:
                return nn.Identity()
            return nn.DropBlock2d(keep_prob, block_size, rng=rng)

        self.drop1, self.drop2, self.drop_skip = drop(), drop(), drop()

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) to (n, channels, h / stride, w / stride)."""
        skip = self.drop_skip(x if self.downsample is None else self.downsample(x))
        y = self.conv1(x)
        if isinstance(self.drop1, nn.Identity):
            # Nothing stands between them: normalization, sum and ReLU in one pass over memory.
            y = self.bn1(y, relu=True)
            return self.bn2(self.conv2(y), residual=skip, relu=True)
        y = F.relu(self.drop1(self.bn1(y)))
        return F.relu(self.drop2(self.bn2(self.conv2(y))) + skip)


class ResNet(Module):
    """A 3x3 convolution, groups of residual blocks that halve the image, mean, linear layer.

    ResNet-20 for CIFAR is `ResNet(depths=(3, 3, 3), widths=(16, 32, 64))`: 6 n + 2 layers for n
    blocks in each group.

    Parameters
    ----------
    in_channels, num_classes : int
    depths : blocks in each group
    widths : channels of each group; each group but the first starts with stride 2
    drop_groups : which groups (counted from 1) have DropBlock, after convolutions and on skips
    keep_prob, block_size : DropBlock's
    rng : where weights (Kaiming normal, fan_out) and masks are drawn

    References
    ----------
    He, Zhang, Ren & Sun 2016, section 4.2; projections where the size changes (option B).
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        depths: Sequence[int] = (3, 3, 3),
        widths: Sequence[int] = (16, 32, 64),
        drop_groups: Collection[int] = (),
        keep_prob: float = 0.9,
        block_size: int = 7,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if len(depths) != len(widths) or not depths:
            raise ArgumentError(
                expected("ResNet", "as many depths as widths, at least one", (depths, widths))
            )
        listed = isinstance(drop_groups, Collection)
        if not listed or not set(drop_groups) <= set(range(1, len(depths) + 1)):
            raise ArgumentError(
                expected(
                    "ResNet",
                    f"drop_groups within 1 to {len(depths)}",
                    drop_groups,
                    "a list such as (2, 3)",
                )
            )
        self.conv1 = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(widths[0])
        groups = []
        channels = widths[0]
        for g, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            check_sizes("ResNet", depth=depth, width=width)
            keep = keep_prob if g in drop_groups else None
            strides = [1 if g == 1 else 2] + [1] * (depth - 1)
            blocks = []
            for stride in strides:
                blocks.append(BasicBlock(channels, width, stride, keep, block_size, rng))
                channels = width
            groups.append(nn.Sequential(*blocks))
        self.groups = nn.ModuleList(groups)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes, rng=rng)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) images to (n, num_classes) logits."""
        x = self.bn1(self.conv1(x), relu=True)
        for group in self.groups:
            x = group(x)
        return self.fc(self.pool(x).flatten())
