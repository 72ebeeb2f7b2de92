"""Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import backend
from minidl.errors import ArgumentError, expected
from minidl.optim.optimizer import Optimizer, Params, check_rate


class Adam(Optimizer):
    """theta <- theta - lr m' / (sqrt(v') + eps),  m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t).

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2, where g is the gradient plus
    weight_decay * theta. eps stands after the corrected root, as in PyTorch.

    Parameters
    ----------
    params : parameters or groups
    lr : float, at least 0
    betas : (beta1, beta2), each in [0, 1)
    eps, weight_decay : float, at least 0

    References
    ----------
    Kingma & Ba 2015, algorithm 1.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        for name in ("lr", "eps", "weight_decay"):
            check_rate("Adam", name, group[name])
        if not isinstance(group["betas"], tuple | list) or len(group["betas"]) != 2:
            raise ArgumentError(expected("Adam", "betas (beta1, beta2)", group["betas"]))
        for i, beta in enumerate(group["betas"]):
            check_rate("Adam", f"beta{i + 1}", beta, below=1.0)

    def advance(
        self, arrays: list[np.ndarray], grads: list[np.ndarray], states: list[dict], group: dict
    ) -> None:
        """Write theta - lr m' / (sqrt(v') + eps)."""
        for state, p in zip(states, arrays, strict=True):
            if not state:
                state.update(step=0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
            # PyTorch saves the step as a float32 array, in which beta2^t would lose its digits.
            state["step"] = int(state["step"]) + 1
        backend.call(
            "optimizer",
            "adam",
            arrays,
            grads,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["step"] for state in states],
            group["lr"],
            *group["betas"],
            group["eps"],
            group["weight_decay"],
        )
