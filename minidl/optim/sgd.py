"""Stochastic gradient descent, with momentum and Nesterov's."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl.errors import ArgumentError, expected
from minidl.optim.optimizer import Optimizer, Params, check_rate


class SGD(Optimizer):
    """v <- momentum v + (1 - dampening) g,  theta <- theta - lr v;  g + momentum v for Nesterov.

    g is the gradient plus weight_decay * theta. The first v is g itself. The buffer excludes the
    learning rate, so changing lr acts at once.

    Parameters
    ----------
    params : parameters or groups
    lr : float, at least 0
    momentum, dampening, weight_decay : float, at least 0
    nesterov : bool; needs a momentum and no dampening

    References
    ----------
    Sutskever, Martens, Dahl & Hinton 2013, in PyTorch's form.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        for name in ("lr", "momentum", "dampening", "weight_decay"):
            check_rate("SGD", name, group[name])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError(
                expected(
                    "SGD",
                    "a momentum above 0 and no dampening for nesterov",
                    f"momentum {group['momentum']}, dampening {group['dampening']}",
                )
            )

    def update(self, p: Tensor, grad: np.ndarray, state: dict[str, Any], group: dict) -> np.ndarray:
        """Return theta - lr v."""
        momentum = group["momentum"]
        if group["weight_decay"]:
            grad = grad + group["weight_decay"] * p.data
        if momentum:
            v = state.get("momentum_buffer")
            v = grad.copy() if v is None else momentum * v + (1 - group["dampening"]) * grad
            state["momentum_buffer"] = v
            grad = grad + momentum * v if group["nesterov"] else v
        return p.data - group["lr"] * grad
