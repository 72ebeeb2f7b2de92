"""Residual networks: the CIFAR family and the ImageNet family, with DropBlock where asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.functional.batch_norm import finish
from minidl.nn import init
from minidl.nn.module import Module

SHORTCUTS = ("A", "B", "none")


class ZeroPadShortcut(Module):
    """Every stride-th pixel, and channels of zeros behind the others: nothing to learn.

    Parameters
    ----------
    stride : int
    extra : channels of zeros

    References
    ----------
    He, Zhang, Ren & Sun 2016, section 3.3, option A.
    """

    def __init__(self, stride: int, extra: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, extra

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c + extra, h / stride, w / stride), rounded up."""
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, [(0, 0), (0, self.extra), (0, 0), (0, 0)])

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"stride={self.stride}, extra={self.extra}"


def _normalized(norm: Module, x: Tensor, residual: Tensor | None) -> Tensor:
    """Return relu(norm(x) + residual), in one pass over memory where nobody looks in between."""
    if norm.takes_relu():
        return norm(x, residual=residual, relu=True)
    return finish(norm(x), residual, relu=True)


class ResidualBlock(Module):
    """relu(shortcut(x) + convolutions(x)), with DropBlock where keep_prob is given; abstract.

    Parameters
    ----------
    in_channels, channels, stride : int
    keep_prob : float or None
        DropBlock's, after each batch normalization and on the shortcut; None leaves it out
    block_size : int
    shortcut : where the size changes, "B" projects with a 1x1 convolution and "A" pads with zeros;
        "none" leaves out every shortcut, which makes the plain network of the same size
    rng : where weights and masks are drawn

    References
    ----------
    He, Zhang, Ren & Sun 2016, section 3.3; Ghiasi, Lin & Le 2018, section 4.1.
    """

    expansion: ClassVar[int] = 1  # channels of the result for each of `channels`

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        keep_prob: float | None = None,
        block_size: int = 7,
        shortcut: str = "B",
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if shortcut not in SHORTCUTS:
            wanted = f"a shortcut among {', '.join(SHORTCUTS)}"
            raise ArgumentError(expected(type(self).__name__, wanted, repr(shortcut)))
        self.skips = shortcut != "none"
        self._make_convolutions(in_channels, channels, stride, rng)
        out_channels = channels * self.expansion
        self.downsample: Module | None = None
        if self.skips and (stride != 1 or in_channels != out_channels):
            if shortcut == "A" and out_channels >= in_channels:
                self.downsample = ZeroPadShortcut(stride, out_channels - in_channels)
            else:
                self.downsample = nn.Sequential(
                    nn.Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng),
                    nn.BatchNorm2d(out_channels),
                )

        def drop() -> Module:
            if keep_prob is None:
                return nn.Identity()
            return nn.DropBlock2d(keep_prob, block_size, rng=rng)

        for number in range(1, self.convolutions + 1):
            setattr(self, f"drop{number}", drop())
        self.drop_skip = drop() if self.skips else nn.Identity()

    convolutions: ClassVar[int]

    def _make_convolutions(
        self, inputs: int, channels: int, stride: int, rng: np.random.Generator | None
    ) -> None:
        """Make conv1, bn1 and so on; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__}._make_convolutions: write this method")

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) to (n, channels * expansion, h / stride, w / stride)."""
        skip = None
        if self.skips:
            skip = self.drop_skip(x if self.downsample is None else self.downsample(x))
        parts = vars(self)
        for number in range(1, self.convolutions + 1):
            conv, norm, drop = (parts[f"{kind}{number}"] for kind in ("conv", "bn", "drop"))
            last = skip if number == self.convolutions else None
            if isinstance(drop, nn.Identity):
                x = _normalized(norm, conv(x), last)
            else:
                x = drop(norm(conv(x)))
                x = F.relu(x if last is None else x + last)
        return x


class BasicBlock(ResidualBlock):
    """relu(shortcut(x) + bn(conv3x3(relu(bn(conv3x3(x)))))); see ResidualBlock.

    References
    ----------
    He, Zhang, Ren & Sun 2016, figure 5, left.
    """

    convolutions = 2

    def _make_convolutions(
        self, inputs: int, channels: int, stride: int, rng: np.random.Generator | None
    ) -> None:
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, padding=1, bias=False, rng=rng)
        self.bn2 = nn.BatchNorm2d(channels)


class Bottleneck(ResidualBlock):
    """1x1 to `channels`, 3x3 with the stride, 1x1 to four times as many; see ResidualBlock.

    References
    ----------
    He, Zhang, Ren & Sun 2016, figure 5, right; the stride stands where torchvision has it.
    """

    expansion = 4
    convolutions = 3

    def _make_convolutions(
        self, inputs: int, channels: int, stride: int, rng: np.random.Generator | None
    ) -> None:
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False, rng=rng)
        self.bn3 = nn.BatchNorm2d(4 * channels)


class ResNet(Module):
    """A convolution, groups of residual blocks that halve the image, mean, linear layer.

    `resnet20` to `resnet110` are the CIFAR family (6 n + 2 layers for n blocks in each of three
    groups), `resnet18`, `resnet34` and `resnet50` the ImageNet family, whose layers have
    torchvision's names.

    Parameters
    ----------
    in_channels, num_classes : int
    depths : blocks in each group
    widths : channels of each group; each group but the first starts with stride 2
    drop_groups : which groups (counted from 1) have DropBlock, after convolutions and on skips
    keep_prob, block_size : DropBlock's
    block : BasicBlock or Bottleneck
    shortcut : "A", "B" or "none"; see ResidualBlock
    large_images : start with a 7x7 convolution of stride 2 and max pooling, not with 3x3
    rng : where weights (Kaiming normal, fan_out) and masks are drawn

    Attributes
    ----------
    layer1, layer2, ... : the groups; `groups` lists them

    References
    ----------
    He, Zhang, Ren & Sun 2016, sections 3.3, 4.1 and 4.2.
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
        block: type[ResidualBlock] = BasicBlock,
        shortcut: str = "B",
        large_images: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_groups(depths, widths, drop_groups)
        kernel, stride = (7, 2) if large_images else (3, 1)
        self.conv1 = nn.Conv2d(
            in_channels, widths[0], kernel, stride, kernel // 2, bias=False, rng=rng
        )
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1) if large_images else nn.Identity()
        channels = widths[0]
        for g, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            keep = keep_prob if g in drop_groups else None
            blocks = []
            for stride in [1 if g == 1 else 2] + [1] * (depth - 1):
                blocks.append(block(channels, width, stride, keep, block_size, shortcut, rng))
                channels = width * block.expansion
            setattr(self, f"layer{g}", nn.Sequential(*blocks))
        self.avgpool = nn.GlobalAvgPool2d()
        self.fc = nn.Linear(channels, num_classes, rng=rng)
        init.apply(self, init.kaiming_normal_, layers=nn.Conv2d, mode="fan_out", rng=rng)

    @property
    def groups(self) -> list[Module]:
        """The groups of blocks, in order."""
        return [module for name, module in self.named_children() if name.startswith("layer")]

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) images to (n, num_classes) logits."""
        x = self.maxpool(_normalized(self.bn1, self.conv1(x), None))
        for group in self.groups:
            x = group(x)
        return self.fc(self.avgpool(x))


def _check_groups(
    depths: Sequence[int], widths: Sequence[int], drop_groups: Collection[int]
) -> None:
    """Raise ArgumentError unless the groups are as many depths as widths, and drop_groups some."""
    if len(depths) != len(widths) or not depths:
        wanted = "as many depths as widths, at least one"
        raise ArgumentError(expected("ResNet", wanted, (depths, widths)))
    for depth, width in zip(depths, widths, strict=True):
        check_sizes("ResNet", depth=depth, width=width)
    listed = isinstance(drop_groups, Collection)
    if not listed or not set(drop_groups) <= set(range(1, len(depths) + 1)):
        wanted = f"drop_groups within 1 to {len(depths)}"
        raise ArgumentError(expected("ResNet", wanted, drop_groups, "a list such as (2, 3)"))


def _cifar(blocks: int, num_classes: int, shortcut: str, options: dict[str, Any]) -> ResNet:
    depths = (blocks,) * 3
    return ResNet(num_classes=num_classes, depths=depths, shortcut=shortcut, **options)


def resnet20(num_classes: int = 10, shortcut: str = "A", **options: Any) -> ResNet:
    """Return the CIFAR network of 20 layers, 0.27 million parameters; options as in `ResNet`.

    References
    ----------
    He, Zhang, Ren & Sun 2016, section 4.2.
    """
    return _cifar(3, num_classes, shortcut, options)


def resnet32(num_classes: int = 10, shortcut: str = "A", **options: Any) -> ResNet:
    """Return the CIFAR network of 32 layers, 0.46 million parameters; see `resnet20`."""
    return _cifar(5, num_classes, shortcut, options)


def resnet44(num_classes: int = 10, shortcut: str = "A", **options: Any) -> ResNet:
    """Return the CIFAR network of 44 layers, 0.66 million parameters; see `resnet20`."""
    return _cifar(7, num_classes, shortcut, options)


def resnet56(num_classes: int = 10, shortcut: str = "A", **options: Any) -> ResNet:
    """Return the CIFAR network of 56 layers, 0.85 million parameters; see `resnet20`."""
    return _cifar(9, num_classes, shortcut, options)


def resnet110(num_classes: int = 10, shortcut: str = "A", **options: Any) -> ResNet:
    """Return the CIFAR network of 110 layers, 1.7 million parameters; see `resnet20`."""
    return _cifar(18, num_classes, shortcut, options)


def _imagenet(
    depths: Sequence[int], block: type[ResidualBlock], num_classes: int, options: dict[str, Any]
) -> ResNet:
    options = {"widths": (64, 128, 256, 512), "large_images": True, **options}
    return ResNet(num_classes=num_classes, depths=depths, block=block, **options)


def resnet18(num_classes: int = 1000, **options: Any) -> ResNet:
    """Return the ImageNet network of 18 layers, 11.7 million parameters; options as in `ResNet`.

    torchvision's weights load by name.

    References
    ----------
    He, Zhang, Ren & Sun 2016, table 1.
    """
    return _imagenet((2, 2, 2, 2), BasicBlock, num_classes, options)


def resnet34(num_classes: int = 1000, **options: Any) -> ResNet:
    """Return the ImageNet network of 34 layers, 21.8 million parameters; see `resnet18`."""
    return _imagenet((3, 4, 6, 3), BasicBlock, num_classes, options)


def resnet50(num_classes: int = 1000, **options: Any) -> ResNet:
    """Return the ImageNet network of 50 layers, 25.6 million parameters; see `resnet18`."""
    return _imagenet((3, 4, 6, 3), Bottleneck, num_classes, options)
