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
from minidl.functional.softmax import log_softmax

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class SoftmaxCrossEntropy(Function):
    """loss_i = -log softmax(x_i)[target_i] for each row, and their mean or sum where asked for.

    With smoothing eps the target's weight 1 is shared: 1 - eps for it, and eps / k for every class.
    """

    def forward(self, logits, *, targets, reduction, smoothing):
        """Return the losses, or one number."""
        self.targets, self.reduction, self.smoothing = targets, reduction, smoothing
        if smoothing:
            losses, self.probabilities = backend.call(
                "softmax_cross_entropy", "smoothed_forward", logits, targets, smoothing
            )
        else:
            losses, self.probabilities = backend.call(
                "softmax_cross_entropy", "forward", logits, targets
            )
        if reduction == "none":
            return losses
        total = losses.sum()
        return np.asarray(total / len(losses) if reduction == "mean" else total)

    def backward(self, grad):
        """Return grad_i (softmax(x_i) - onehot(target_i)), or with the shares of smoothing."""
        n = len(self.targets)
        if self.reduction != "none":
            grad = np.full(n, grad / n if self.reduction == "mean" else grad)
        arguments = grad, self.probabilities, self.targets
        if self.smoothing:
            return backend.call(
                "softmax_cross_entropy", "smoothed_backward", *arguments, self.smoothing
            )
        return backend.call("softmax_cross_entropy", "backward", *arguments)


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
    targets = targets.astype(np.int64)
    # Read as an unsigned number, a negative one is large.
    if n and targets.view(np.uint64).max() >= k:
        wrong = targets[(targets < 0) | (targets >= k)][0]
        raise ArgumentError(expected(op, f"targets between 0 and {k - 1}", wrong))
    return targets


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
    indices = _class_indices(op, targets, n, k)
    if label_smoothing and backend.brought("softmax_cross_entropy"):
        return _smoothed(logits, indices, reduction, label_smoothing)
    return SoftmaxCrossEntropy.apply(
        logits, targets=indices, reduction=reduction, smoothing=label_smoothing
    )


def _smoothed(logits: Tensor, targets: np.ndarray, reduction: str, eps: float) -> Tensor:
    """Label smoothing around a cross-entropy that knows nothing of it."""
    losses = SoftmaxCrossEntropy.apply(logits, targets=targets, reduction="none", smoothing=0.0)
    losses = losses * (1 - eps) - log_softmax(logits).mean(axis=1) * eps
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()
