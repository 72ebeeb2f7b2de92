"""Losses as modules; their formulas, shapes and errors stand in `minidl.functional`."""

from __future__ import annotations

from typing import Any

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.functional.loss import (
    check_ignore_index,
    check_margin,
    check_options,
    check_reduction,
)
from minidl.functional.regression_loss import check_bend
from minidl.nn.module import Module


class Loss(Module):
    """What all losses share: a reduction ("mean", "sum" or "none", and what `more` names)."""

    def __init__(self, reduction: str, *more: str) -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction, *more)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Return the reduction."""
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(Loss):
    """-log softmax(logits)[target]; see `minidl.functional.cross_entropy`.

    Parameters
    ----------
    weight : (k,) weights of the classes, or None
    ignore_index : the target of rows that do not count
    reduction : "mean", "sum" or "none"
    label_smoothing : in [0, 1]

    Attributes
    ----------
    weight : a buffer, where there are weights
    """

    weight: Any

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        check_options("CrossEntropyLoss", ignore_index, reduction, label_smoothing)
        self.register_buffer("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"reduction={self.reduction!r}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}"
        )

    def forward(self, logits: Tensor, targets: Any) -> Tensor:
        """(n, k, ...) logits and (n, ...) indices or (n, k, ...) probabilities to the loss."""
        return F.cross_entropy(
            logits, targets, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(Loss):
    """-weight_t x_t, x logarithms of probabilities; see `minidl.functional.nll_loss`.

    Parameters
    ----------
    weight : (k,) weights of the classes, or None
    ignore_index : the target of rows that do not count
    reduction : "mean", "sum" or "none"

    Attributes
    ----------
    weight : a buffer, where there are weights
    """

    weight: Any

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        check_ignore_index("NLLLoss", ignore_index)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def extra_repr(self) -> str:
        """Return the options."""
        return f"reduction={self.reduction!r}, ignore_index={self.ignore_index}"

    def forward(self, log_probs: Tensor, targets: Any) -> Tensor:
        """(n, k, ...) logarithms of probabilities and (n, ...) class indices to the loss."""
        return F.nll_loss(log_probs, targets, self.weight, self.ignore_index, self.reduction)


class MSELoss(Loss):
    """(x - target)^2; see `minidl.functional.mse_loss`.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, x: Tensor, target: Any) -> Tensor:
        """Return (x - target)^2, reduced."""
        return F.mse_loss(x, target, self.reduction)


class L1Loss(Loss):
    """|x - target|; see `minidl.functional.l1_loss`.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, x: Tensor, target: Any) -> Tensor:
        """Return |x - target|, reduced."""
        return F.l1_loss(x, target, self.reduction)


class SmoothL1Loss(Loss):
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2; see `minidl.functional.smooth_l1_loss`.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
    beta : number of at least 0
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        check_bend("SmoothL1Loss", "beta", beta, zero=True)
        self.beta = beta

    def extra_repr(self) -> str:
        """Return the options."""
        return f"reduction={self.reduction!r}, beta={self.beta}"

    def forward(self, x: Tensor, target: Any) -> Tensor:
        """Return the loss of d = x - target, reduced."""
        return F.smooth_l1_loss(x, target, self.reduction, self.beta)


class HuberLoss(Loss):
    """d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); see `minidl.functional.huber_loss`.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
    delta : number above 0
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        check_bend("HuberLoss", "delta", delta, zero=False)
        self.delta = delta

    def extra_repr(self) -> str:
        """Return the options."""
        return f"reduction={self.reduction!r}, delta={self.delta}"

    def forward(self, x: Tensor, target: Any) -> Tensor:
        """Return the loss of d = x - target, reduced."""
        return F.huber_loss(x, target, self.reduction, self.delta)


class BCELoss(Loss):
    """-(t log x + (1 - t) log(1 - x)); see `minidl.functional.binary_cross_entropy`.

    Parameters
    ----------
    weight : None, or numbers that broadcast to x's shape; a buffer
    reduction : "mean", "sum" or "none"
    """

    weight: Any

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor, target: Any) -> Tensor:
        """Probabilities x and targets of the same shape to the loss."""
        return F.binary_cross_entropy(x, target, self.weight, self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of a sigmoid; see `minidl.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : None, or numbers that broadcast to x's shape; a buffer
    reduction : "mean", "sum" or "none"
    pos_weight : None, or what a positive example counts, broadcast to x's shape; a buffer
    """

    weight: Any
    pos_weight: Any

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, x: Tensor, target: Any) -> Tensor:
        """Logits x and targets of the same shape to the loss."""
        return F.binary_cross_entropy_with_logits(
            x, target, self.weight, self.reduction, self.pos_weight
        )


class KLDivLoss(Loss):
    """t (log t - x), x a logarithm of probabilities; see `minidl.functional.kl_div`.

    Parameters
    ----------
    reduction : "mean", "batchmean", "sum" or "none"
    log_target : whether the target is a logarithm too
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction, "batchmean")
        self.log_target = log_target

    def extra_repr(self) -> str:
        """Return the options."""
        return f"reduction={self.reduction!r}, log_target={self.log_target}"

    def forward(self, x: Tensor, target: Any) -> Tensor:
        """Logarithms x and the target of the same shape to the divergence."""
        return F.kl_div(x, target, self.reduction, self.log_target)


class MultiMarginLoss(Loss):
    """Hinge loss of many classes; see `minidl.functional.multi_margin_loss`.

    Parameters
    ----------
    p : 1 or 2
    margin : finite number
    weight : (k,) weights of the classes, or None; a buffer
    reduction : "mean", "sum" or "none"
    """

    weight: Any

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        check_margin("MultiMarginLoss", p, margin)
        self.p, self.margin = p, margin
        self.register_buffer("weight", weight)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"reduction={self.reduction!r}, p={self.p}, margin={self.margin}"

    def forward(self, x: Tensor, targets: Any) -> Tensor:
        """(n, k) scores and (n,) class indices to the loss."""
        return F.multi_margin_loss(x, targets, self.p, self.margin, self.weight, self.reduction)


class HingeLoss(Loss):
    """max(0, margin - t x) with targets t of -1 and 1; see `minidl.functional.hinge_loss`.

    Parameters
    ----------
    margin : finite number
    reduction : "mean", "sum" or "none"
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        check_margin("HingeLoss", 1, margin)
        self.margin = margin

    def extra_repr(self) -> str:
        """Return the options."""
        return f"reduction={self.reduction!r}, margin={self.margin}"

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Scores and targets of the same shape to the loss."""
        return F.hinge_loss(input, target, self.margin, self.reduction)
