"""Stochastic gradient descent, with momentum and Nesterov's."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import backend
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

    def advance(
        self, arrays: list[np.ndarray], grads: list[np.ndarray], states: list[dict], group: dict
    ) -> None:
        """Write theta - lr v."""
        if not group["momentum"]:
            self._move(arrays, grads, [], group)
            return
        # The first velocity is the gradient itself, to which dampening does not apply.
        first = [i for i, state in enumerate(states) if state.get("momentum_buffer") is None]
        later = [i for i in range(len(states)) if i not in first]
        for i in first:
            states[i]["momentum_buffer"] = np.zeros_like(arrays[i])
        for some, dampening in ((first, 0.0), (later, group["dampening"])):
            if some:
                self._move(
                    [arrays[i] for i in some],
                    [grads[i] for i in some],
                    [states[i]["momentum_buffer"] for i in some],
                    {**group, "dampening": dampening},
                )

    def _move(
        self, arrays: list[np.ndarray], grads: list[np.ndarray], velocities: list, group: dict
    ) -> None:
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov")
        options = [group[name] for name in names]
        backend.call("optimizer", "sgd", arrays, grads, velocities, *options)
