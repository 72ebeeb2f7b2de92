"""What the optimizers share: parameter groups, state, and saving both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl.errors import ArgumentError, ShapeError, expected

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


def check_rate(op: str, name: str, value: float, below: float = math.inf) -> None:
    """Raise ArgumentError unless 0 <= value < below (NaN is refused)."""
    if not 0 <= value < below:
        wanted = f"{name} of at least 0" + (f" and below {below}" if below < math.inf else "")
        raise ArgumentError(expected(op, wanted, value))


class Optimizer:
    """Base of the optimizers: `step` moves each parameter that has a gradient.

    Parameters
    ----------
    params : parameters, or groups {"params": parameters, "lr": ..., ...} with options of their own
    defaults : the options of groups that do not give their own

    Attributes
    ----------
    param_groups : list of dict
    state : for each parameter (by its place in all groups) a dict of arrays and numbers
    """

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        given = list(params)
        if not given:
            raise ArgumentError(
                expected(
                    type(self).__name__, "at least one parameter", "none", "pass model.parameters()"
                )
            )
        groups: list[Any] = given if isinstance(given[0], dict) else [{"params": given}]
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        for group in groups:
            unknown = set(group) - set(defaults) - {"params"}
            if unknown:
                raise ArgumentError(
                    expected(
                        type(self).__name__, f"options among {sorted(defaults)}", sorted(unknown)
                    )
                )
            self.param_groups.append({**defaults, **group, "params": list(group["params"])})
            self.check(self.param_groups[-1])
        parameters = [p for group in self.param_groups for p in group["params"]]
        if len({id(p) for p in parameters}) < len(parameters):
            raise ArgumentError(
                expected(type(self).__name__, "each parameter once", "one that is there twice")
            )

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range; subclasses define it."""
        raise NotImplementedError

    def update(self, p: Tensor, grad: np.ndarray, state: dict[str, Any], group: dict) -> np.ndarray:
        """Return the new value of a parameter; subclasses define it."""
        raise NotImplementedError

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        index = 0
        for group in self.param_groups:
            self.check(group)
            for p in group["params"]:
                if p.grad is not None:
                    p.data = self.update(p, p.grad, self.state.setdefault(index, {}), group)
                index += 1

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the state and of the options, in PyTorch's arrangement."""
        start, groups = 0, []
        for group in self.param_groups:
            count = len(group["params"])
            groups.append({**group, "params": list(range(start, start + count))})
            start += count
        state = {i: {k: _copy(v) for k, v in s.items()} for i, s in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned; nothing is changed when it does not fit."""
        sizes = [len(group["params"]) for group in self.param_groups]
        got = [len(group["params"]) for group in saved["param_groups"]]
        if sizes != got:
            raise ArgumentError(
                expected(
                    "load_state_dict",
                    f"groups of {sizes} parameters",
                    got,
                    "make the optimizer for the same model",
                )
            )
        parameters = [p for group in self.param_groups for p in group["params"]]
        for i, state in saved["state"].items():
            for name, value in state.items():
                if np.ndim(value) and np.shape(value) != parameters[i].shape:
                    raise ShapeError(
                        expected(
                            "load_state_dict",
                            f"{name} of shape {parameters[i].shape}",
                            np.shape(value),
                        )
                    )
        for group, other in zip(self.param_groups, saved["param_groups"], strict=True):
            group.update({k: v for k, v in other.items() if k != "params"})
        self.state = {i: {k: _copy(v) for k, v in s.items()} for i, s in saved["state"].items()}


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
