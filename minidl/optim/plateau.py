"""A learning rate that falls when a measurement has stopped improving."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minidl.errors import ArgumentError, check_range, expected
from minidl.optim.optimizer import Optimizer, check_rate
from minidl.optim.schedule import LRScheduler


class ReduceLROnPlateau(LRScheduler):
    """lr <- max(lr factor, min_lr) after more than `patience` measurements without improvement.

    Better than the best b so far is, in mode "min", what is below b (1 - threshold) ("rel") or
    b - threshold ("abs"); in mode "max" what is above b (1 + threshold) or b + threshold. NaN is
    never better. A measurement may come before the optimizer's first step: it is the best so far.

    Parameters
    ----------
    optimizer : whose groups' "lr" is changed
    mode : "min" or "max"
    factor : float in [0, 1)
    patience : int
    threshold : float; threshold_mode : "rel" or "abs"
    cooldown : int, measurements after a reduction that are not counted
    min_lr : float, or one for each group
    eps : float; smaller reductions are left out
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        op = "ReduceLROnPlateau"
        check_rate(op, "factor", factor, below=1.0)
        for name, value, choices in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in choices:
                raise ArgumentError(expected(op, f"{name} among {choices}", repr(value)))
        for name, number in (("patience", patience), ("cooldown", cooldown), ("eps", eps)):
            check_range(op, name, number, 0, math.inf)
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.eps = cooldown, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)
        groups = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, Sequence) else [min_lr] * groups
        if len(self.min_lrs) != groups:
            raise ArgumentError(expected(op, f"min_lr for {groups} groups", len(self.min_lrs)))

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr as it is: time alone changes nothing."""
        return lr

    def step(self, metrics: Any) -> None:
        """Take a measurement, a validation loss say: a number or a Tensor of one element."""
        value = float(metrics)
        self.last_epoch += 1
        if self._better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            lows = self.min_lrs + self.min_lrs[-1:] * (len(rates) - len(self.min_lrs))
            rates = [self._reduced(lr, low) for lr, low in zip(rates, lows, strict=True)]
        self.write(rates)

    def _better(self, value: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        relative = self.best * (1 + sign * self.threshold)
        bound = relative if self.threshold_mode == "rel" else self.best + sign * self.threshold
        return sign * value > sign * bound

    def _reduced(self, lr: float, low: float) -> float:
        lower = max(lr * self.factor, low)
        return lower if lr - lower > self.eps else lr
