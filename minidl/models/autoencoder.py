"""Auto-encoders: fully connected, convolutional, and of either kind denoising."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, ShapeError, check_sizes, expected
from minidl.functional.conv import check_images
from minidl.models.mlp import MLP


def _noise(noise: float | nn.Module, rng: np.random.Generator | None) -> nn.Module:
    """Return the layer that spoils the input in training."""
    return noise if isinstance(noise, nn.Module) else nn.GaussianNoise(noise, rng=rng)


class AutoEncoder(nn.Module):
    """decode(encode(x)), both fully connected, the decoder the encoder's mirror image.

    Parameters
    ----------
    sizes : features of the input, of each hidden layer, and of the code
    activation : makes the activation layers; code and result are plain
    noise : what spoils the input in training, for a denoising auto-encoder: the standard deviation
        of Gaussian noise, or a layer such as nn.Dropout(0.3); the target stays the clean input
    rng : where weights and noise are drawn

    Examples
    --------
    >>> network = AutoEncoder((64, 32, 8), rng=np.random.default_rng(0))
    >>> network.encode(Tensor(np.zeros((5, 8, 8), np.float32))).shape
    (5, 8)

    References
    ----------
    Hinton & Salakhutdinov 2006; Vincent, Larochelle, Bengio & Manzagol 2008.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[], nn.Module] = nn.ReLU,
        noise: float | nn.Module = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.noise = _noise(noise, rng)
        self.encoder = MLP(sizes, activation, rng=rng)
        self.decoder = MLP(tuple(reversed(sizes)), activation, rng=rng)

    def encode(self, x: Tensor) -> Tensor:
        """(n, ...) to the codes (n, sizes[-1])."""
        return self.encoder(x.flatten())

    def decode(self, code: Tensor) -> Tensor:
        """(n, sizes[-1]) to (n, sizes[0])."""
        return self.decoder(code)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (n, ...) as it is decoded from its code, in x's shape."""
        return self.decode(self.encode(self.noise(x))).reshape(x.shape)


class ConvAutoEncoder(nn.Module):
    """decode(encode(x)) for images: each layer halves them, and a transposed one doubles them.

    Parameters
    ----------
    in_channels : int
    widths : channels after each halving
    noise : as in `AutoEncoder`
    rng : where weights and noise are drawn

    References
    ----------
    Masci, Meier, Ciresan & Schmidhuber 2011; with strides in place of pooling.
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: Sequence[int] = (16, 32),
        noise: float | nn.Module = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if not widths:
            raise ArgumentError(expected("ConvAutoEncoder", "at least one width", widths))
        self.noise = _noise(noise, rng)
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        channels = in_channels
        for width in widths:
            check_sizes("ConvAutoEncoder", width=width)
            encoder += [nn.Conv2d(channels, width, 3, 2, padding=1, rng=rng), nn.ReLU()]
            back = nn.ConvTranspose2d(width, channels, 3, 2, padding=1, output_padding=1, rng=rng)
            decoder = [back, nn.ReLU(), *decoder]
            channels = width
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder[:-1])
        self.multiple = 2 ** len(widths)

    def encode(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) to (n, widths[-1], h / 2^k, w / 2^k) for k widths."""
        check_images("ConvAutoEncoder", x)
        if x.shape[2] % self.multiple or x.shape[3] % self.multiple:
            wanted = f"images whose sides are multiples of {self.multiple}"
            raise ShapeError(expected("ConvAutoEncoder", wanted, x.shape, "pad or crop them"))
        return self.encoder(x)

    def decode(self, code: Tensor) -> Tensor:
        """(n, widths[-1], h, w) to (n, in_channels, 2^k h, 2^k w)."""
        return self.decoder(code)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (n, in_channels, h, w) as it is decoded from its code."""
        return self.decode(self.encode(self.noise(x)))
