"""Initial values of parameters."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from minidl.tensor import Tensor
from minidl import random
from minidl.errors import ArgumentError, ShapeError, expected

Initialized = TypeVar("Initialized", bound=Tensor)


def default(
    shape: tuple[int, ...], fan_in: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draw float32 from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of Linear and Conv2d."""
    bound = 1 / math.sqrt(fan_in)
    return random.generator(rng).uniform(-bound, bound, shape).astype(np.float32)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight (out, in, *kernel)."""
    if len(shape) < 2:
        raise ShapeError(expected("init", "a weight with at least two axes (out, in, ...)", shape))
    space = math.prod(shape[2:])
    return shape[1] * space, shape[0] * space


def kaiming_normal_(
    weight: Initialized,
    mode: str = "fan_in",
    negative_slope: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Initialized:
    """Draw N(0, 2 / ((1 + a^2) n)) into `weight`, n its fan_in or fan_out, a the negative slope.

    References
    ----------
    He, Zhang, Ren & Sun 2015, section 2.2.
    """
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(expected("kaiming_normal_", '"fan_in" or "fan_out"', repr(mode)))
    n = fans(weight.shape)[mode == "fan_out"]
    std = math.sqrt(2 / ((1 + negative_slope**2) * n))
    weight.data = random.generator(rng).normal(0, std, weight.shape).astype(weight.dtype)
    return weight


def zeros_(weight: Initialized) -> Initialized:
    """Fill `weight` with zeros."""
    weight.data = np.zeros_like(weight.data)
    return weight


def ones_(weight: Initialized) -> Initialized:
    """Fill `weight` with ones."""
    weight.data = np.ones_like(weight.data)
    return weight
