"""LeNet-5."""

from __future__ import annotations

import numpy as np

from minidl import nn


class LeNet(nn.Sequential):
    """Two convolutions with max pooling and three linear layers, with ReLU between them.

    Parameters
    ----------
    in_channels, num_classes : int
    rng : where the weights are drawn

    Notes
    -----
    The input is (n, in_channels, 28, 28); the original's sigmoids and subsampling are today's ReLU
    and max pooling.

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998, section II.B.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, 6, 5, padding=2, rng=rng),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, rng=rng),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * 5 * 5, 120, rng=rng),
            nn.ReLU(),
            nn.Linear(120, 84, rng=rng),
            nn.ReLU(),
            nn.Linear(84, num_classes, rng=rng),
        )
