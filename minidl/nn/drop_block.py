"""DropBlock, and its schedule."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import check_range, check_sizes
from minidl.functional.drop_block import DropBlock, clipping, drop_block_mask
from minidl.nn.module import Module


class DropBlock2d(Module):
    """Drop square blocks of feature maps in training; see `minidl.functional.drop_block`.

    Parameters
    ----------
    keep_prob : share of the values to keep, in [0, 1]
    block_size : side of the blocks in pixels; clipped to the map, which is said once
    shared : one mask for all channels of an image, instead of one for each
    rng : where masks are drawn; the library's generator when None

    Attributes
    ----------
    keep_prob : what the next call uses; a DropBlockSchedule moves it
    target : the keep_prob the layer was made with, where a schedule ends
    realized : share of the mask that the last call in training kept; None before the first
    said : whether it has warned that its blocks are clipped

    References
    ----------
    Ghiasi, Lin & Le 2018.
    """

    def __init__(
        self,
        keep_prob: float = 0.9,
        block_size: int = 7,
        shared: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_range("DropBlock2d", "keep_prob", keep_prob, 0.0, 1.0)
        check_sizes("DropBlock2d", block_size=block_size)
        self.keep_prob, self.target, self.block_size = keep_prob, keep_prob, block_size
        self.shared, self.rng = shared, rng
        self.realized: float | None = None
        self.said = False

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) with blocks dropped (in evaluation, x itself)."""
        untouched = F.drop_block(x, self.keep_prob, self.block_size, training=False)
        if not self.training or x.size == 0:
            return untouched
        self.realized = 1.0
        if self.keep_prob == 1:
            return untouched
        block = min(self.block_size, *x.shape[2:])
        if block < self.block_size and not self.said:
            warnings.warn(clipping("DropBlock2d", self.block_size, x.shape), stacklevel=3)
            self.said = True
        keep, scale = drop_block_mask(x.shape, self.keep_prob, block, self.rng, self.shared)
        self.realized = 1.0 / scale if scale else 0.0
        return DropBlock.apply(x, keep=keep, scale=scale)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"keep_prob={self.keep_prob}, block_size={self.block_size}, shared={self.shared}"


class DropBlockSchedule:
    """keep_prob of every DropBlock2d in a model, from 1 down to each one's target, linearly.

    After step t of `steps`, keep_prob = 1 - (1 - target) * min(t / steps, 1). Making the schedule
    sets keep_prob to 1; `target` is the keep_prob each layer was made with.

    Parameters
    ----------
    model : Module holding the DropBlock2d layers
    steps : int, how many calls of `step` it takes to reach the targets

    References
    ----------
    Ghiasi, Lin & Le 2018, section 3.2 (scheduled DropBlock).
    """

    def __init__(self, model: Module, steps: int) -> None:
        check_sizes("DropBlockSchedule", steps=steps)
        self.layers = [m for m in model.modules() if isinstance(m, DropBlock2d)]
        self.steps, self.taken = steps, 0
        self._set()

    @property
    def progress(self) -> float:
        """Share of the way to the targets, 0 to 1."""
        return min(self.taken / self.steps, 1.0)

    def step(self) -> None:
        """Move every keep_prob one step towards its target."""
        self.taken += 1
        self._set()

    def state_dict(self) -> dict[str, int]:
        """Return how far it is, for a checkpoint."""
        return {"steps": self.steps, "taken": self.taken}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from where `state` was taken."""
        check_sizes("DropBlockSchedule", steps=state["steps"], taken=state["taken"] + 1)
        self.steps, self.taken = state["steps"], state["taken"]
        self._set()

    def _set(self) -> None:
        for layer in self.layers:
            layer.keep_prob = 1.0 - (1.0 - layer.target) * self.progress
