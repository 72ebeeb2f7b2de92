"""Layers of noise: on inputs and activations, on weights, and binary stochastic units."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.functional.noise import check_std
from minidl.nn.module import Module, Parameter


class GaussianNoise(Module):
    """x + std * e with e ~ N(0, 1) in training; see `minidl.functional.gaussian_noise`.

    Parameters
    ----------
    std : standard deviation of the noise, at least 0
    rng : where the noise is drawn; the library's generator when None
    """

    def __init__(self, std: float = 0.1, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        check_std("GaussianNoise", std)
        self.std, self.rng = std, rng

    def forward(self, x: Tensor) -> Tensor:
        """Return x with noise (in evaluation, x itself)."""
        return F.gaussian_noise(x, self.std, self.training, self.rng)

    def extra_repr(self) -> str:
        """Return the standard deviation."""
        return f"std={self.std}"


class BinaryStochastic(Module):
    """Units that are 1 with probability sigmoid(x), else 0, with the straight-through gradient.

    In evaluation the probability itself; see `minidl.functional.binary_stochastic`.

    Parameters
    ----------
    slope : whether the gradient is multiplied by the derivative of the sigmoid
    rng : where the units are drawn; the library's generator when None
    """

    def __init__(self, slope: bool = False, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.slope, self.rng = slope, rng

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros and ones (in evaluation, probabilities)."""
        return F.binary_stochastic(x, self.training, self.slope, self.rng)

    def extra_repr(self) -> str:
        """Return the option."""
        return f"slope={self.slope}"


class WeightNoise(Module):
    """A module whose every call in training uses parameters w + std * e, e ~ N(0, 1).

    The gradient at the noisy parameters reaches the parameters themselves. To second order the
    expected squared error grows by lambda E||grad_w f||^2 with lambda = std^2.

    Parameters
    ----------
    module : whose floating parameters, at any depth, get noise
    std : standard deviation of the noise, at least 0
    rng : where the noise is drawn; the library's generator when None

    References
    ----------
    Graves 2011, Practical variational inference for neural networks; Bishop 1995.
    """

    def __init__(
        self, module: Module, std: float = 0.1, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        check_std("WeightNoise", std)
        self.module, self.std, self.rng = module, std, rng

    def forward(self, *inputs: Any) -> Any:
        """Call the module with noisy parameters (in evaluation, with its own)."""
        if not self.training or self.std == 0:
            return self.module(*inputs)
        noisy: dict[int, Tensor] = {}
        held: list[tuple[Module, str, Parameter]] = []
        try:
            for owner in self.module.modules():
                for name, value in list(vars(owner).items()):
                    if isinstance(value, Parameter) and value.dtype.kind == "f":
                        if id(value) not in noisy:
                            noisy[id(value)] = F.gaussian_noise(value, self.std, rng=self.rng)
                        held.append((owner, name, value))
                        vars(owner)[name] = noisy[id(value)]
            return self.module(*inputs)
        finally:
            for owner, name, value in held:
                vars(owner)[name] = value

    def extra_repr(self) -> str:
        """Return the standard deviation."""
        return f"std={self.std}"
