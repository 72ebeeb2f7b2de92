"""Losses as modules."""

from __future__ import annotations

from typing import Any

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.functional.loss import check_options, check_reduction
from minidl.nn.module import Module


class Loss(Module):
    """A loss of an output and its target, with options: abstract."""

    def __init__(self, reduction: str, *more: str, **options: Any) -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction, *more)
        self.reduction = reduction
        self.options = options

    def extra_repr(self) -> str:
        """Return the options."""
        shown = {"reduction": self.reduction, **self.options}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items() if v is not None)


class CrossEntropyLoss(Loss):
    """-sum_j w_j q_j log softmax(logits)_j; see `minidl.functional.cross_entropy`."""

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        check_options("CrossEntropyLoss", reduction, label_smoothing)
        super().__init__(
            reduction, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing
        )

    def forward(self, logits: Tensor, targets: Any) -> Tensor:
        """(n, k) logits and (n,) class indices, or (n, k) probabilities, to the loss."""
        o = self.options
        return F.cross_entropy(
            logits, targets, o["weight"], o["ignore_index"], self.reduction, o["label_smoothing"]
        )


class NLLLoss(Loss):
    """-w_target x_target for log-probabilities x; see `minidl.functional.nll_loss`."""

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction, weight=weight, ignore_index=ignore_index)

    def forward(self, log_probabilities: Tensor, targets: Any) -> Tensor:
        """(n, k) log-probabilities and (n,) class indices to the loss."""
        return F.nll_loss(log_probabilities, targets, **self.options, reduction=self.reduction)


class MSELoss(Loss):
    """(x - t)^2; see `minidl.functional.mse_loss`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two arrays of one shape to the loss."""
        return F.mse_loss(input, target, self.reduction)


class L1Loss(Loss):
    """|x - t|; see `minidl.functional.l1_loss`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two arrays of one shape to the loss."""
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(Loss):
    """A parabola of height beta / 2 between lines; see `minidl.functional.smooth_l1_loss`."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction, beta=beta)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two arrays of one shape to the loss."""
        return F.smooth_l1_loss(input, target, self.reduction, **self.options)


class HuberLoss(Loss):
    """A parabola between lines of slope delta; see `minidl.functional.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction, delta=delta)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two arrays of one shape to the loss."""
        return F.huber_loss(input, target, self.reduction, **self.options)


class BCELoss(Loss):
    """-w (t log p + (1 - t) log(1 - p)); see `minidl.functional.binary_cross_entropy`."""

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction, weight=weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Probabilities and targets of one shape to the loss."""
        return F.binary_cross_entropy(input, target, **self.options, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of logits; see `functional.binary_cross_entropy_with_logits`."""

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction, weight=weight, pos_weight=pos_weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Logits and targets of one shape to the loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, **self.options, reduction=self.reduction
        )


class KLDivLoss(Loss):
    """p (log p - x) for log-probabilities x; see `minidl.functional.kl_div`."""

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction, "batchmean", log_target=log_target)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Log-probabilities and probabilities of one shape to the loss."""
        return F.kl_div(input, target, self.reduction, **self.options)


class MultiMarginLoss(Loss):
    """The hinge over classes; see `minidl.functional.multi_margin_loss`."""

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction, p=p, margin=margin, weight=weight)

    def forward(self, scores: Tensor, targets: Any) -> Tensor:
        """(n, k) scores and (n,) class indices to the loss."""
        return F.multi_margin_loss(scores, targets, **self.options, reduction=self.reduction)


class HingeLoss(Loss):
    """max(0, margin - t x) for t = -1 or 1; see `minidl.functional.hinge_loss`."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Scores and signs of one shape to the loss."""
        return F.hinge_loss(input, target, **self.options, reduction=self.reduction)
