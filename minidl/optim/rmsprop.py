"""RMSprop, and what led to it: AdaGrad, AdaDelta."""

from __future__ import annotations

from typing import Any

from minidl import backend
from minidl.errors import check_range
from minidl.optim.optimizer import (
    Arrays,
    Optimizer,
    Params,
    States,
    check_rate,
    check_rates,
    column,
    counted,
)


class Adagrad(Optimizer):
    """theta <- theta - lr' g / (sqrt(G) + eps),  G <- G + g^2,  lr' = lr / (1 + (t - 1) lr_decay).

    Where gradients are rare, G stays small and the steps large. g is the gradient plus
    weight_decay * theta. eps stands outside the root, as in PyTorch; the course notes and
    TensorFlow have it inside.

    Parameters
    ----------
    params : parameters or groups
    lr, lr_decay, weight_decay, eps : float, at least 0
    initial_accumulator_value : float, at least 0; G before the first step
    maximize : bool; climb instead of descending

    References
    ----------
    Duchi, Hazan & Singer 2011, section 1.2.
    """

    keeps = ("step", "sum")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        names = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
        check_rates("Adagrad", group, *names)

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write theta - lr' g / (sqrt(G) + eps)."""
        backend.call(
            "optimizer",
            "adagrad",
            arrays,
            grads,
            column(states, arrays, "sum", group["initial_accumulator_value"]),
            counted(states),
            group["lr"],
            group["lr_decay"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )


class Adadelta(Optimizer):
    """theta <- theta - lr d,  d = sqrt(u + eps) / sqrt(v + eps) g,  v <- rho v + (1 - rho) g^2.

    u <- rho u + (1 - rho) d^2 follows. Two ideas, each of which can be had alone: v forgets, where
    AdaGrad's sum grows for ever; and the root of u gives d the unit of theta, so that no learning
    rate is needed. eps stands inside both roots. g is the gradient plus weight_decay * theta.

    Parameters
    ----------
    params : parameters or groups
    lr, eps, weight_decay : float, at least 0
    rho : float in [0, 1]
    maximize : bool; climb instead of descending
    unit_correction : bool; without it d = g / sqrt(v + eps), and lr is a learning rate as any

    References
    ----------
    Zeiler 2012, sections 3.1 (the window) and 3.2 (the unit correction).
    """

    keeps = ("step", "square_avg", "acc_delta")

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        unit_correction: bool = True,
    ) -> None:
        options = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "unit_correction": unit_correction,
        }
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        check_rates("Adadelta", group, "lr", "eps", "weight_decay")
        check_range("Adadelta", "rho", group["rho"], 0.0, 1.0)

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write theta - lr d."""
        counted(states)
        backend.call(
            "optimizer",
            "adadelta",
            arrays,
            grads,
            column(states, arrays, "square_avg"),
            column(states, arrays, "acc_delta") if group["unit_correction"] else [],
            group["lr"],
            group["rho"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )


class RMSprop(Optimizer):
    """theta <- theta - lr s,  s = g / (sqrt(v) + eps),  v <- alpha v + (1 - alpha) g^2.

    Centered, v - m^2 stands under the root, m <- alpha m + (1 - alpha) g: an estimate of the
    gradient's variance. With momentum u <- momentum u + s, and theta moves by lr u. g is the
    gradient plus weight_decay * theta. eps stands outside the root, as in PyTorch; the course notes
    and TensorFlow have it inside, and take alpha = 0.9 and lr = 0.001.

    Parameters
    ----------
    params : parameters or groups
    lr, alpha, eps, weight_decay, momentum : float, at least 0; alpha below 1
    centered : bool
    maximize : bool; climb instead of descending

    References
    ----------
    Tieleman & Hinton 2012, lecture 6.5; Graves 2013, section 4.2 (centered, with momentum).
    """

    keeps = ("step", "square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        check_rates("RMSprop", group, "lr", "eps", "weight_decay", "momentum")
        check_rate("RMSprop", "alpha", group["alpha"], below=1.0)

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write theta - lr s."""
        counted(states)
        momentum = group["momentum"]
        backend.call(
            "optimizer",
            "rmsprop",
            arrays,
            grads,
            column(states, arrays, "square_avg"),
            column(states, arrays, "grad_avg") if group["centered"] else [],
            column(states, arrays, "momentum_buffer") if momentum else [],
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            momentum,
            group["maximize"],
        )
