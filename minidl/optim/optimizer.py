"""What the optimizers share: parameter groups, state, and saving both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl.errors import ArgumentError, DTypeError, check_floating, check_size, expected

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


def check_rate(op: str, name: str, value: float, below: float = math.inf) -> None:
    """Raise ArgumentError unless 0 <= value < below (NaN is refused)."""
    if not isinstance(value, Real) or not 0 <= value < below:
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
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        op = type(self).__name__
        given = _listed(op, params)
        if not given:
            raise ArgumentError(
                expected(op, "at least one parameter", "none", "pass model.parameters()")
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            if not isinstance(group, dict) or not {"params"} <= set(group) <= {"params", *defaults}:
                wanted = f'groups with "params" and options among {sorted(defaults)}'
                got = sorted(group) if isinstance(group, dict) else type(group).__name__
                raise ArgumentError(expected(op, wanted, got))
            members = _listed(op, group["params"])
            for p in members:
                _check_parameter(op, p)
            self.param_groups.append({**defaults, **group, "params": members})
            self.check(self.param_groups[-1])
        parameters = self.parameters()
        if len({id(p) for p in parameters}) < len(parameters):
            raise ArgumentError(expected(op, "each parameter once", "one that is there twice"))

    def parameters(self) -> list[Tensor]:
        """Return the parameters of all groups, in the order in which `state` counts them."""
        return [p for group in self.param_groups for p in group["params"]]

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range; subclasses define it."""
        raise NotImplementedError

    def advance(
        self, arrays: list[np.ndarray], grads: list[np.ndarray], states: list[dict], group: dict
    ) -> None:
        """Write the new values of a group's parameters into `arrays`; subclasses define it.

        `states` are the parameters' own, empty before their first step.
        """
        raise NotImplementedError

    def step(self) -> None:
        """Move every parameter that has a gradient, in place.

        An array that cannot be written to as it lies, read-only or strided, is replaced by another.
        """
        index = 0
        for group in self.param_groups:
            self.check(group)
            moved, grads, states = [], [], []
            for p in group["params"]:
                grad = p.grad
                if grad is not None:
                    if grad.shape != p.shape:
                        check_size(f"{type(self).__name__}.step", "grad", grad.shape, p.shape)
                    moved.append(p)
                    grads.append(_lying(grad, p.dtype))
                    states.append(self.state.setdefault(index, {}))
                index += 1
            if not moved:
                continue
            arrays = [p.data if p.data.flags.carray else np.array(p.data, order="C") for p in moved]
            # A NumPy float64 among the options, from a schedule say, would widen float32 arrays.
            options = {name: _plain(value) for name, value in group.items() if name != "params"}
            self.advance(arrays, grads, states, options)
            for p, array in zip(moved, arrays, strict=True):
                p.data = array

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
        self._check_saved(saved)
        for group, other in zip(self.param_groups, saved["param_groups"], strict=True):
            group.update({k: other[k] for k in group if k != "params"})
        parameters = self.parameters()
        self.state = {
            i: {k: _converted(v, parameters[i].dtype) for k, v in s.items()}
            for i, s in saved["state"].items()
        }

    def _check_saved(self, saved: Mapping[str, Any]) -> None:
        """Raise an error unless `saved` holds groups and state of an optimizer like this one."""
        op = f"{type(self).__name__}.load_state_dict"
        if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= set(saved):
            found = list(saved) if isinstance(saved, Mapping) else type(saved).__name__
            raise ArgumentError(expected(op, 'a mapping with "state" and "param_groups"', found))
        sizes = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in saved["param_groups"]]
        hint = "make the optimizer for the same model"
        if sizes != theirs:
            raise ArgumentError(expected(op, f"groups of {sizes} parameters", theirs, hint))
        for group, other in zip(self.param_groups, saved["param_groups"], strict=True):
            if not set(group) <= set(other):
                raise ArgumentError(expected(op, f"the options {sorted(group)}", sorted(other)))
            self.check(other)
        parameters = self.parameters()
        for i, state in saved["state"].items():
            if i not in range(len(parameters)):
                wanted = f"state of parameters 0 to {len(parameters) - 1}"
                raise ArgumentError(expected(op, wanted, repr(i), hint))
            for name, value in state.items():
                if np.ndim(value):
                    check_size(op, name, np.shape(value), parameters[i].shape, hint)


def _listed(op: str, params: Any) -> list[Any]:
    """Return `params` as a list; a lone tensor or a module is refused."""
    if isinstance(params, Tensor) or not isinstance(params, Iterable):
        raise DTypeError(
            expected(
                op, "a list of parameters", type(params).__name__, "pass model.parameters() or [p]"
            )
        )
    return list(params)


def _check_parameter(op: str, p: Any) -> None:
    """Raise an error unless p is a leaf of the tape of a floating type."""
    if not isinstance(p, Tensor):
        hint = "pass model.parameters()"
        raise DTypeError(expected(op, "parameters that are Tensors", type(p).__name__, hint))
    check_floating(op, "each parameter", p)
    if not p.is_leaf:
        raise ArgumentError(
            expected(op, "parameters that nothing computed", p, "pass a Parameter itself")
        )


def _lying(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return `array` contiguous and of `dtype`: itself, if it is so already."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.array(array, dtype=dtype, order="C")


def _plain(value: Any) -> Any:
    """Return NumPy numbers as Python's, also inside a tuple."""
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _converted(value: Any, dtype: np.dtype) -> Any:
    """Return a number as it is, and anything else as an array of its own, floats of `dtype`."""
    if value is None or isinstance(value, Real):
        return value
    array = np.asarray(value)
    return array.astype(dtype if array.dtype.kind == "f" else array.dtype)
