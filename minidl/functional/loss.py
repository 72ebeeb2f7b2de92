"""Losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl import tensor as tensor_module
from minidl.autograd import Function
from minidl.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    check_floating,
    check_range,
    check_rank,
    check_size,
    expected,
)
from minidl.functional.activation import log_softmax

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class SoftmaxCrossEntropy(Function):
    """loss_i = -log softmax(x_i)[target_i], one loss for each row."""

    def forward(self, logits, *, targets):
        """Return the losses."""
        self.targets = targets
        losses, self.probabilities = backend.call(
            "softmax_cross_entropy", "forward", logits, targets
        )
        return losses

    def backward(self, grad):
        """Return grad_i (softmax(x_i) - onehot(target_i))."""
        return backend.call(
            "softmax_cross_entropy", "backward", grad, self.probabilities, self.targets
        )


def _class_indices(op: str, targets: Any, n: int, k: int) -> np.ndarray:
    targets = tensor_module.as_array(targets)
    if targets.dtype.kind not in "iu":
        raise DTypeError(
            expected(
                op,
                "targets as integers, the index of each row's class",
                targets.dtype,
                "convert with .astype(np.int64), or one-hot rows with .argmax(1)",
            )
        )
    check_size(op, "targets", targets.shape, (n,), "one class index for each row of the logits")
    if n and (targets.min() < 0 or targets.max() >= k):
        wrong = targets[(targets < 0) | (targets >= k)][0]
        raise ArgumentError(expected(op, f"targets between 0 and {k - 1}", wrong))
    return targets.astype(np.int64)


def check_options(op: str, reduction: str, label_smoothing: float) -> None:
    """Raise ArgumentError unless the options are among those there are."""
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(expected(op, '"mean", "sum" or "none"', repr(reduction)))
    check_range(op, "label_smoothing", label_smoothing, 0.0, 1.0)


def cross_entropy(
    logits: Tensor, targets: Any, reduction: str = "mean", label_smoothing: float = 0.0
) -> Tensor:
    """loss = -sum_j q_j log softmax(x)_j, with q = (1 - eps) onehot(target) + eps / k.

    Parameters
    ----------
    logits : (n, k) float
    targets : (n,) integers in [0, k)
    reduction : "mean", "sum" or "none"
    label_smoothing : eps in [0, 1]; as in PyTorch, eps / k goes to every class

    Returns
    -------
    Tensor, a scalar, or (n,) for reduction "none"

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        for logits that are not (n, k), targets that are not integers, or are out of range
    """
    op = "cross_entropy"
    check_floating(op, "logits", logits)
    check_rank(op, "logits", logits.shape, "n k")
    check_options(op, reduction, label_smoothing)
    n, k = logits.shape
    if n == 0 and reduction == "mean":
        raise ShapeError(
            expected(op, 'at least one row for reduction "mean"', logits.shape, 'use "sum"')
        )
    losses = SoftmaxCrossEntropy.apply(logits, targets=_class_indices(op, targets, n, k))
    if label_smoothing:
        uniform = log_softmax(logits).mean(axis=1)
        losses = losses * (1 - label_smoothing) - uniform * label_smoothing
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()
