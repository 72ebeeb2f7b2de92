"""Stochastic gradient descent, with momentum and Nesterov's in two forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minidl import backend
from minidl.errors import ArgumentError, expected
from minidl.optim.optimizer import (
    Arrays,
    Closure,
    Optimizer,
    Params,
    States,
    check_rate,
    check_rates,
    column,
    evaluated,
)


class SGD(Optimizer):
    """v <- momentum v + (1 - dampening) g,  theta <- theta - lr v;  g + momentum v for Nesterov.

    g is the gradient plus weight_decay * theta. The first v is g itself. The buffer excludes the
    learning rate, so changing lr acts at once; `Momentum` has it inside.

    What is called gradient descent, stochastic or mini-batch, differs only in what the loss was
    computed from: all samples, one, or a batch of a DataLoader.

    Parameters
    ----------
    params : parameters or groups
    lr : float, at least 0
    momentum, dampening, weight_decay : float, at least 0
    nesterov : bool; needs a momentum and no dampening
    maximize : bool; climb instead of descending

    References
    ----------
    Sutskever, Martens, Dahl & Hinton 2013, in PyTorch's form.
    """

    keeps = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        check_rates("SGD", group, "lr", "momentum", "dampening", "weight_decay")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError(
                expected(
                    "SGD",
                    "a momentum above 0 and no dampening for nesterov",
                    f"momentum {group['momentum']}, dampening {group['dampening']}",
                )
            )

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write theta - lr v."""
        if not group["momentum"]:
            self._move(arrays, grads, [], group, group["dampening"])
            return
        # The first velocity is the gradient itself, to which dampening does not apply.
        first = [i for i, state in enumerate(states) if "momentum_buffer" not in state]
        velocities = column(states, arrays, "momentum_buffer")
        if not first or not group["dampening"]:
            self._move(arrays, grads, velocities, group, group["dampening"])
            return
        later = [i for i in range(len(states)) if i not in first]
        for some, dampening in ((first, 0.0), (later, group["dampening"])):
            lists = [[given[i] for i in some] for given in (arrays, grads, velocities)]
            self._move(lists[0], lists[1], lists[2], group, dampening)

    def _move(
        self, arrays: Arrays, grads: Arrays, velocities: Arrays, group: dict, dampening: float
    ) -> None:
        backend.call(
            "optimizer",
            "sgd",
            arrays,
            grads,
            velocities,
            group["lr"],
            group["momentum"],
            dampening,
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
        )


class Momentum(Optimizer):
    """v <- momentum v + lr g,  theta <- theta - v: the learning rate is inside the buffer.

    The form of many course notes. While lr stays the same it is `SGD(momentum=...)`, its v being lr
    times that one's; when lr changes, the v gathered so far goes on at the old rate.

    With lookahead, g is the gradient at theta - momentum v, Nesterov's form as Sutskever wrote it:
    `step` takes a closure that computes the loss there, or the `ahead` block surrounds forward and
    backward. The points at which it takes its gradients are the parameters of
    `SGD(nesterov=True)`.

    Parameters
    ----------
    params : parameters or groups
    lr, weight_decay : float, at least 0
    momentum : float in [0, 1)
    lookahead : bool

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, optim
    >>> p = nn.Parameter(np.array([1.0]))
    >>> optimizer = optim.Momentum([p], lr=0.1, momentum=0.9, lookahead=True)
    >>> for _ in range(2):
    ...     with optimizer.ahead():
    ...         optimizer.zero_grad()
    ...         (p * p).sum().backward()
    ...     optimizer.step()
    >>> print(p.data)
    [0.496]

    References
    ----------
    Polyak 1964; Sutskever, Martens, Dahl & Hinton 2013, equations 3 and 4 (look-ahead).
    """

    keeps = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        lookahead: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "lookahead": lookahead,
        }
        super().__init__(params, options)
        self._looked = False

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        check_rates("Momentum", group, "lr", "weight_decay")
        check_rate("Momentum", "momentum", group["momentum"], below=1.0)

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Move the parameters of groups with lookahead to theta - momentum v inside the block."""
        before = []
        for p, velocity, group in self._buffered():
            if group["lookahead"] and velocity is not None:
                before.append((p, p.data))
                p.data = p.data - np.asarray(group["momentum"] * velocity, p.dtype)
        try:
            yield
        finally:
            for p, data in before:
                p.data = data
        self._looked = True

    def _buffered(self) -> Iterator[tuple[Any, np.ndarray | None, dict[str, Any]]]:
        index = 0
        for group in self.param_groups:
            for p in group["params"]:
                yield p, self.state.get(index, {}).get("momentum_buffer"), group
                index += 1

    def step(self, closure: Closure | None = None) -> Any:
        """Move every parameter that has a gradient, in place.

        Parameters
        ----------
        closure : computes the loss anew, calls its backward and returns it; run at theta - momentum
            v where lookahead is set

        Returns
        -------
        what the closure returned, or None

        Raises
        ------
        ArgumentError
            with lookahead, where gradients were taken neither in a closure nor in an `ahead` block
        """
        loss = None
        if closure is not None:
            with self.ahead():
                loss = evaluated(closure)
        elif not self._looked and any(group["lookahead"] for group in self.param_groups):
            hint = "the gradient belongs to theta - momentum v"
            raise ArgumentError(
                expected("Momentum.step", "a closure, or an ahead block before", "neither", hint)
            )
        self._looked = False
        super().step()
        return loss

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write theta - v."""
        velocities = column(states, arrays, "momentum_buffer")
        options = group["lr"], group["momentum"], group["weight_decay"]
        backend.call("optimizer", "momentum", arrays, grads, velocities, *options)
