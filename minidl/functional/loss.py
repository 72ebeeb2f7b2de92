"""Losses over classes: cross-entropy, likelihood, divergence, margins."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl import tensor as tensor_module
from minidl.autograd import Function, Variable
from minidl.errors import (
    ArgumentError,
    ShapeError,
    check_floating,
    check_range,
    check_size,
    check_sizes,
    expected,
)
from minidl.functional.class_rows import (
    as_rows,
    check_mean,
    checked_classes,
    class_weights,
    count_of,
    reduced,
    rows_that_count,
)
from minidl.functional.softmax import log_softmax

if TYPE_CHECKING:
    from minidl.tensor import Tensor

FAMILY = "softmax_cross_entropy"
REDUCTIONS = ("mean", "sum", "none")


class SoftmaxCrossEntropy(Function):
    """loss_i = -log softmax(x_i)[target_i] for each row, and their mean or sum where asked for.

    With smoothing eps the target's weight 1 is shared: 1 - eps for it, and eps / k for every class.
    """

    def forward(self, logits, targets, reduction, smoothing):
        """Return the losses, or one number."""
        self.targets, self.reduction, self.smoothing = targets, reduction, smoothing
        if smoothing:
            losses, self.probabilities = backend.call(
                FAMILY, "smoothed_forward", logits, targets, smoothing
            )
        else:
            losses, self.probabilities = backend.call(FAMILY, "forward", logits, targets)
        if reduction == "none":
            return losses
        total = np.add.reduce(losses)
        return np.asarray(total / len(losses) if reduction == "mean" else total)

    def backward(self, grad):
        """Return grad_i (softmax(x_i) - onehot(target_i)), or with the shares of smoothing."""
        n = len(self.targets)
        if self.reduction != "none":
            each = np.empty(n, grad.dtype)
            each.fill(grad / n if self.reduction == "mean" else grad)
            grad = each
        p = self.probabilities
        if self.last_walk and grad.dtype == p.dtype and not backend.brought(FAMILY):
            self.probabilities = None  # they become the gradient
            dlogits = backend.call(
                FAMILY, "smoothed_backward", grad, p, self.targets, self.smoothing, out=p
            )
        elif self.smoothing:
            dlogits = backend.call(
                FAMILY, "smoothed_backward", grad, p, self.targets, self.smoothing
            )
        else:
            dlogits = backend.call(FAMILY, "backward", grad, p, self.targets)
        return dlogits, None, None, None


class DenseCrossEntropy(Function):
    """loss_i = -sum_j w_j ((1 - eps) q_ij + eps / k) log softmax(x_i)_j for each row."""

    def forward(self, logits, q, weight, smoothing):
        """Return the losses."""
        k = logits.shape[1]
        factor = np.ones(k, q.dtype) if weight is None else weight
        self.logits, self.factor = logits, (1 - smoothing) * factor
        self.q = ((1 - smoothing) * q + smoothing / k) * factor
        losses, self.probabilities = backend.call(FAMILY, "dense_forward", logits, self.q)
        return losses

    def backward(self, grad):
        """Return grad_i (softmax(x_i)_j sum q_i - q_ij), and -grad_i w_j log softmax(x_i)_j."""
        dlogits = dq = None
        if self.needs[0]:
            dlogits = backend.call(FAMILY, "dense_backward", grad, self.probabilities, self.q)
        if self.needs[1]:
            logs = backend.call("activation", "log_softmax_forward", self.logits)
            dq = -grad[:, None] * logs * self.factor
        return dlogits, dq, None, None


def check_reduction(op: str, reduction: str, *more: str) -> None:
    """Raise ArgumentError unless there is such a reduction."""
    known = REDUCTIONS + more
    if reduction not in known:
        names = ", ".join(f'"{name}"' for name in known[:-1]) + f' or "{known[-1]}"'
        raise ArgumentError(expected(op, names, repr(reduction)))


def check_ignore_index(op: str, ignore_index: int) -> None:
    """Raise ArgumentError unless it is an integer."""
    if type(ignore_index) is not int and not isinstance(ignore_index, Integral):
        raise ArgumentError(expected(op, "ignore_index as an integer", repr(ignore_index)))


def check_probabilities(
    op: str, name: str, probabilities: Any, high: float = 1.0, hint: str = ""
) -> None:
    """Raise ArgumentError where a number is below 0 or above `high`; NaN passes."""
    array = tensor_module.as_array(probabilities)
    outside = (array < 0) | (array > high)
    if outside.any():
        bounds = f"between 0 and {high:g}" if high < np.inf else "of at least 0"
        raise ArgumentError(expected(op, f"{name} {bounds}", float(array[outside][0]), hint))


def check_margin(op: str, p: int, margin: float) -> None:
    """Raise ArgumentError unless p is 1 or 2 and the margin a finite number."""
    if p not in (1, 2):
        raise ArgumentError(expected(op, "p as 1 or 2", repr(p)))
    if not isinstance(margin, Real) or not np.isfinite(margin):
        raise ArgumentError(expected(op, "margin as a finite number", repr(margin)))


def check_options(op: str, ignore_index: int, reduction: str, label_smoothing: float) -> None:
    """Raise ArgumentError unless the options are among those there are."""
    check_ignore_index(op, ignore_index)
    check_reduction(op, reduction)
    check_range(op, "label_smoothing", label_smoothing, 0.0, 1.0)


def cross_entropy(
    logits: Tensor,
    targets: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """loss = -sum_j w_j q_j log softmax(x)_j, with q = (1 - eps) onehot(target) + eps / k.

    Parameters
    ----------
    logits : (n, k) float, or (n, k, d1, ...) with a class for each place, or (k,)
    targets : (n,), (n, d1, ...) or () integers in [0, k), or probabilities q in logits' shape,
        which may want a gradient; their sum is not looked at, and a q of 0 costs nothing, even
        where the logit is -inf (in PyTorch NaN)
    weight : (k,) float, w, the weight of each class; all 1 when None
    ignore_index : rows with this target neither cost nor count
    reduction : "mean", "sum" or "none"; the mean of weighted losses divides by the sum of the
        targets' weights (of probabilities: by the number of rows)
    label_smoothing : eps in [0, 1]; as in PyTorch, eps / k goes to every class (`smooth_labels` has
        the form that shares eps among the other classes)

    Returns
    -------
    Tensor, a scalar, or of the shape of class targets for reduction "none"

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        for logits and targets that do not fit, targets out of range, negative probabilities, or a
        mean over nothing: no rows, or none that counts (in PyTorch NaN, which would run on into
        every parameter)

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.3; Szegedy et al. 2016, section 7.
    """
    op = "cross_entropy"
    check_floating(op, "logits", logits)
    check_options(op, ignore_index, reduction, label_smoothing)
    classes = targets.data if isinstance(targets, Variable) else tensor_module.as_array(targets)
    if classes.dtype.kind == "f":
        check_mean(op, reduction, classes.size)
        return _of_probabilities(logits, targets, weight, reduction, label_smoothing)
    if _is_plain(logits, classes, weight, ignore_index):
        try:
            return SoftmaxCrossEntropy.apply(
                logits, classes.astype(np.int64), reduction, label_smoothing
            )
        except IndexError:
            pass  # a target is no class: one that is ignored, or a mistake that is told below
    rows = rows_that_count(op, "logits", logits, classes, ignore_index)
    factor = class_weights(op, weight, rows.values)
    check_mean(op, reduction, count_of(rows, factor))
    if label_smoothing and factor is not None:
        onehot = np.eye(rows.values.shape[1], dtype=factor.dtype)[rows.classes]
        losses = DenseCrossEntropy.apply(rows.values, onehot, factor, label_smoothing)
    elif label_smoothing and backend.brought(FAMILY):
        losses = _smoothed(rows.values, rows.classes, label_smoothing)
    else:
        losses = SoftmaxCrossEntropy.apply(rows.values, rows.classes, "none", label_smoothing)
        if factor is not None:
            losses = losses * factor[rows.classes]
    return reduced(losses, rows, factor, reduction)


def _is_plain(logits: Tensor, classes: np.ndarray, weight: Any, ignore_index: int) -> bool:
    """Whether this is the usual call, whose targets the kernel itself checks."""
    shape = logits.shape
    return (
        len(shape) == 2
        and weight is None
        and classes.shape == shape[:1]
        and classes.dtype.kind in "iu"
        and shape[0] > 0
        and not 0 <= ignore_index < shape[1]
        and not backend.brought(FAMILY)
    )


def _smoothed(logits: Tensor, classes: np.ndarray, eps: float) -> Tensor:
    """Label smoothing around a cross-entropy that knows nothing of it."""
    losses = SoftmaxCrossEntropy.apply(logits, classes, "none", 0.0)
    return losses * (1 - eps) - log_softmax(logits).mean(axis=1) * eps


def _of_probabilities(
    logits: Tensor, q: Any, weight: Any, reduction: str, label_smoothing: float
) -> Tensor:
    """Cross-entropy with a whole distribution for each row."""
    op = "cross_entropy"
    q = q if isinstance(q, Variable) else tensor_module.Tensor(q)
    hint = "class indices are integers: convert with .astype(np.int64)"
    check_size(op, "targets that are probabilities", q.shape, logits.shape, hint)
    check_probabilities(op, "probabilities", q, np.inf)
    shape = logits.shape[:1] + logits.shape[2:] if logits.ndim > 1 else ()
    values, q = as_rows(op, "logits", logits), as_rows(op, "targets", q)
    factor = class_weights(op, weight, values)
    losses = DenseCrossEntropy.apply(values, q, factor, label_smoothing)
    if reduction == "none":
        return losses.reshape(shape)
    return losses.mean() if reduction == "mean" else losses.sum()


def nll_loss(
    log_probabilities: Tensor,
    targets: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """loss_i = -w_target x_i,target: the negative log-likelihood, for x = log softmax.

    Parameters
    ----------
    log_probabilities : (n, k), (n, k, d1, ...) or (k,) float
    targets, weight, ignore_index, reduction : as for `cross_entropy`, targets as class indices

    Returns
    -------
    Tensor, a scalar, or of the shape of targets for reduction "none"

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        as `cross_entropy` does

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 5.5.
    """
    op = "nll_loss"
    check_floating(op, "log_probabilities", log_probabilities)
    check_ignore_index(op, ignore_index)
    check_reduction(op, reduction)
    classes = targets.data if isinstance(targets, Variable) else tensor_module.as_array(targets)
    rows = rows_that_count(op, "log_probabilities", log_probabilities, classes, ignore_index)
    factor = class_weights(op, weight, rows.values)
    check_mean(op, reduction, count_of(rows, factor))
    losses = -rows.values[np.arange(len(rows.classes)), rows.classes]
    if factor is not None:
        losses = losses * factor[rows.classes]
    return reduced(losses, rows, factor, reduction)


def smooth_labels(labels: Any, num_classes: int, eps: float) -> Tensor:
    """q = 1 - eps for the right class, eps / (K - 1) for each of the others.

    The form of the course, which keeps the right class at 1 - eps. PyTorch's label_smoothing=e
    gives e / K to every class: the same distribution for e = eps K / (K - 1).

    Parameters
    ----------
    labels : integers in [0, K), of any shape (n, ...)
    num_classes : K, at least 2
    eps : in [0, 1]

    Returns
    -------
    Tensor (n, ..., K) float32: targets for `cross_entropy` (for labels (n,))

    References
    ----------
    Szegedy et al. 2016, section 7; Goodfellow, Bengio & Courville 2016, section 7.5.1.
    """
    op = "smooth_labels"
    check_sizes(op, num_classes=num_classes)
    check_range(op, "eps", eps, 0.0, 1.0)
    if num_classes < 2:
        raise ArgumentError(expected(op, "num_classes of at least 2", num_classes))
    labels = tensor_module.as_array(labels)
    classes = checked_classes(op, labels.reshape(-1), num_classes, None)
    q = np.full((classes.size, num_classes), eps / (num_classes - 1), np.float32)
    q[np.arange(classes.size), classes] = 1 - eps
    return tensor_module.Tensor(q.reshape(*labels.shape, num_classes))


def multi_margin_loss(
    scores: Tensor,
    targets: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """loss_i = sum_{j != target} w_target max(0, margin - x_i,target + x_ij)^p / k: the hinge.

    Parameters
    ----------
    scores : (n, k) float, or (k,)
    targets : (n,) integers, or ()
    p : 1 or 2
    margin : by how much the right class should win
    weight : (k,) float, or None
    reduction : "mean" (over rows), "sum" or "none"

    Returns
    -------
    Tensor, a scalar, or (n,) for reduction "none"

    References
    ----------
    Weston & Watkins 1999.
    """
    op = "multi_margin_loss"
    check_floating(op, "scores", scores)
    check_reduction(op, reduction)
    check_margin(op, p, margin)
    if scores.ndim > 2:
        raise ShapeError(expected(op, "scores of shape (n, k)", scores.shape))
    classes = tensor_module.as_array(targets)
    rows = rows_that_count(op, "scores", scores, classes, None)
    check_mean(op, reduction, len(rows.classes))
    right = np.arange(len(rows.classes)), rows.classes
    k = rows.values.shape[1]
    behind = (rows.values - rows.values[right].reshape(-1, 1) + margin).clip(0.0)
    others = np.ones(rows.values.shape, rows.values.dtype)
    others[right] = 0
    losses = ((behind * behind if p == 2 else behind) * others).sum(axis=1) / k
    factor = class_weights(op, weight, rows.values)
    if factor is not None:
        losses = losses * factor[rows.classes]
    return reduced(losses, rows, None, reduction)
