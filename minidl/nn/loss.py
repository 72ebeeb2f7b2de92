"""Losses as modules."""

from __future__ import annotations

from typing import Any

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.functional.loss import check_options
from minidl.nn.module import Module


class CrossEntropyLoss(Module):
    """-log softmax(logits)[target]; see `minidl.functional.cross_entropy`."""

    def __init__(self, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__()
        check_options("CrossEntropyLoss", reduction, label_smoothing)
        self.reduction, self.label_smoothing = reduction, label_smoothing

    def extra_repr(self) -> str:
        """Return the options."""
        return f"reduction={self.reduction!r}, label_smoothing={self.label_smoothing}"

    def forward(self, logits: Tensor, targets: Any) -> Tensor:
        """(n, k) logits and (n,) class indices to the loss."""
        return F.cross_entropy(logits, targets, self.reduction, self.label_smoothing)
