"""Adam and AMSGrad, AdamW, AdaMax."""

from __future__ import annotations

from typing import Any

from minidl import backend
from minidl.optim.optimizer import (
    Arrays,
    Optimizer,
    Params,
    States,
    check_betas,
    check_rates,
    column,
    counted,
)


class Adam(Optimizer):
    """theta <- theta - lr m' / (sqrt(v') + eps),  m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t).

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2, where g is the gradient plus
    weight_decay * theta. eps stands after the corrected root, as in PyTorch; other notes have it
    inside the root, or ("epsilon hat") before the correction.

    Parameters
    ----------
    params : parameters or groups
    lr : float, at least 0
    betas : (beta1, beta2), each in [0, 1)
    eps, weight_decay : float, at least 0
    amsgrad : bool; the largest v so far takes the place of v, and is corrected afterwards as in
        PyTorch (others correct first): a rare large gradient is not forgotten
    maximize : bool; climb instead of descending

    References
    ----------
    Kingma & Ba 2015, algorithm 1; Reddi, Kale & Kumar 2018, algorithm 2 (AMSGrad).
    """

    keeps = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        op = type(self).__name__
        check_rates(op, group, "lr", "eps", "weight_decay")
        check_betas(op, group)

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write theta - lr m' / (sqrt(v') + eps)."""
        beta1, beta2 = group["betas"]
        backend.call(
            "optimizer",
            "adam",
            arrays,
            grads,
            column(states, arrays, "exp_avg"),
            column(states, arrays, "exp_avg_sq"),
            counted(states),
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            column(states, arrays, "max_exp_avg_sq") if group["amsgrad"] else (),
            self.decoupled,
            group["maximize"],
        )


class AdamW(Adam):
    """Adam with decoupled decay: theta <- (1 - lr weight_decay) theta before Adam's step.

    The decay does not pass through m and v, so all weights shrink at one rate, whatever the size of
    their gradients. For plain SGD both kinds of decay are the same.

    Parameters
    ----------
    params : parameters or groups; see `decay_groups` for a decay of the weights alone
    lr, betas, eps, amsgrad, maximize : as in Adam
    weight_decay : float, at least 0

    References
    ----------
    Loshchilov & Hutter 2019, algorithm 2.
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class Adamax(Optimizer):
    """theta <- theta - lr / (1 - beta1^t) m / u,  u <- max(beta2 u, |g| + eps).

    m <- beta1 m + (1 - beta1) g, where g is the gradient plus weight_decay * theta. u, a decaying
    maximum of the gradient's size, needs no correction. eps stands as in PyTorch; the paper has
    none, and divides 0 by 0 where a gradient has always been zero.

    Parameters
    ----------
    params : parameters or groups
    lr, eps, weight_decay : float, at least 0
    betas : (beta1, beta2), each in [0, 1)
    maximize : bool; climb instead of descending

    References
    ----------
    Kingma & Ba 2015, algorithm 2.
    """

    keeps = ("step", "exp_avg", "exp_inf")

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        check_rates("Adamax", group, "lr", "eps", "weight_decay")
        check_betas("Adamax", group)

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write theta - lr / (1 - beta1^t) m / u."""
        beta1, beta2 = group["betas"]
        backend.call(
            "optimizer",
            "adamax",
            arrays,
            grads,
            column(states, arrays, "exp_avg"),
            column(states, arrays, "exp_inf"),
            counted(states),
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
