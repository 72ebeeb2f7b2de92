"""What the optimizers share: parameter groups, state, and saving both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import backend
from minidl.autograd import enable_grad
from minidl.errors import ArgumentError, DTypeError, check_floating, check_size, expected

Params = Iterable[Tensor] | Iterable[dict[str, Any]]
Arrays = list[np.ndarray]
States = list[dict[str, Any]]
Closure = Callable[[], Any]

INITIAL = "initial_lr"  # what schedules note in a group: the rate they began with


def check_rate(op: str, name: str, value: float, below: float = math.inf) -> None:
    """Raise ArgumentError unless 0 <= value < below (NaN is refused)."""
    if not isinstance(value, Real) or not 0 <= value < below:
        wanted = f"{name} of at least 0" + (f" and below {below}" if below < math.inf else "")
        wanted = f"a finite {wanted}" if value == math.inf == below else wanted
        raise ArgumentError(expected(op, wanted, value))


def check_rates(op: str, group: Mapping[str, Any], *names: str) -> None:
    """Raise ArgumentError unless each of these options is a number of at least 0."""
    for name in names:
        check_rate(op, name, group[name])


def check_betas(op: str, group: Mapping[str, Any]) -> None:
    """Raise ArgumentError unless betas are two numbers in [0, 1)."""
    betas = group["betas"]
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ArgumentError(expected(op, "betas (beta1, beta2)", betas))
    for i, beta in enumerate(betas):
        check_rate(op, f"beta{i + 1}", beta, below=1.0)


class Optimizer:
    """Base of the optimizers: `step` moves each parameter that has a gradient.

    A subclass writes `check` and `advance`, and in `keeps` the names its state may have.

    Parameters
    ----------
    params : parameters, or groups {"params": parameters, "lr": ..., ...} with options of their own
    defaults : the options of groups that do not give their own

    Attributes
    ----------
    param_groups : list of dict
    state : for each parameter (by its place in all groups) a dict of arrays and numbers
    taken : how many steps were taken since it was made
    """

    keeps: tuple[str, ...] | None = None

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        self.taken = 0
        # The options of each group as they were last checked, numbers as Python's.
        self._checked: list[dict[str, Any]] = []
        op = type(self).__name__
        given = _listed(op, params)
        if not given:
            raise ArgumentError(
                expected(op, "at least one parameter", "none", "pass model.parameters()")
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Let the optimizer move more parameters: a layer that was unfrozen, say.

        Parameters
        ----------
        group : {"params": parameters, "lr": ..., ...}; options left out are the defaults
        """
        op = type(self).__name__
        known = {"params", INITIAL, *self.defaults}
        if not isinstance(group, dict) or not {"params"} <= set(group) <= known:
            wanted = f'groups with "params" and options among {sorted(self.defaults)}'
            got = sorted(group) if isinstance(group, dict) else type(group).__name__
            raise ArgumentError(expected(op, wanted, got))
        members = _listed(op, group["params"])
        for p in members:
            _check_parameter(op, p)
        parameters = [*self.parameters(), *members]
        if len({id(p) for p in parameters}) < len(parameters):
            raise ArgumentError(expected(op, "each parameter once", "one that is there twice"))
        complete = {**self.defaults, **group, "params": members}
        self.check(complete)
        self.param_groups.append(complete)

    def parameters(self) -> list[Tensor]:
        """Return the parameters of all groups, in the order in which `state` counts them."""
        return [p for group in self.param_groups for p in group["params"]]

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range; subclasses define it."""
        raise NotImplementedError

    def advance(self, arrays: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Write the new values of a group's parameters into `arrays`; subclasses define it.

        `states` are the parameters' own, empty before their first step.
        """
        raise NotImplementedError

    def step(self, closure: Closure | None = None) -> Any:
        """Move every parameter that has a gradient, in place.

        An array that cannot be written to as it lies, read-only or strided, is replaced by another.

        Parameters
        ----------
        closure : computes the loss anew, calls its backward and returns it; run before the move

        Returns
        -------
        what the closure returned, or None
        """
        loss = None if closure is None else evaluated(closure)
        self.taken += 1
        known, index = self.state.get, 0
        for number, group in enumerate(self.param_groups):
            options = self._options(number, group)
            moved, arrays, grads, states = [], [], [], []
            for p in group["params"]:
                grad = p.grad
                if grad is not None:
                    moved.append(p)
                    arrays.append(p.data)
                    grads.append(grad)
                    state = known(index)
                    if state is None:
                        state = self.state[index] = {}
                    states.append(state)
                index += 1
            if not moved:
                continue
            if backend.serving("optimizer", "fits")[0](arrays, grads):
                self.advance(arrays, grads, states, options)
                for p in moved:
                    p.written()
            else:
                self._advance_misfits(moved, grads, states, options)
        return loss

    def _options(self, number: int, group: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a group, checked again if they have changed."""
        if number < len(self._checked):
            options = self._checked[number]
            if options["params"] is group["params"] and options == group:
                return options
        self.check(group)
        # A NumPy float64 among the options, from a schedule say, would widen float32 arrays.
        options = {k: v if k == "params" else _plain(v) for k, v in group.items()}
        self._checked[number : number + 1] = [options]
        return options

    def _advance_misfits(
        self, moved: list[Tensor], grads: Arrays, states: States, options: dict[str, Any]
    ) -> None:
        """Advance copies that are contiguous and of one type, and put them in their places."""
        for p, grad in zip(moved, grads, strict=True):
            check_size(f"{type(self).__name__}.step", "grad", np.shape(grad), p.shape)
        types = [p.dtype.newbyteorder("=") for p in moved]
        arrays = [np.require(p.data, t, ["C", "A", "W"]) for p, t in zip(moved, types, strict=True)]
        grads = [np.require(grad, t, ["C", "A"]) for grad, t in zip(grads, types, strict=True)]
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
        known = {INITIAL, *self.defaults}
        for group, other in zip(self.param_groups, saved["param_groups"], strict=True):
            group.update({k: v for k, v in other.items() if k in known})
        parameters = self.parameters()
        self.state = {
            i: {k: _converted(k, v, parameters[i].dtype) for k, v in s.items() if v is not None}
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
        # Flags may be missing, which others do not have, and keep their values.
        needed = {k for k, v in self.defaults.items() if not isinstance(v, bool)}
        for group, other in zip(self.param_groups, saved["param_groups"], strict=True):
            if not needed <= set(other):
                raise ArgumentError(expected(op, f"the options {sorted(needed)}", sorted(other)))
            self.check({**group, **other})
        parameters = self.parameters()
        for i, state in saved["state"].items():
            if i not in range(len(parameters)):
                wanted = f"state of parameters 0 to {len(parameters) - 1}"
                raise ArgumentError(expected(op, wanted, repr(i), hint))
            if self.keeps is not None and not set(state) <= set(self.keeps):
                hint = "load the state of an optimizer of the same class"
                raise ArgumentError(
                    expected(op, f"state among {sorted(self.keeps)}", sorted(state), hint)
                )
            for name, value in state.items():
                if np.ndim(value):
                    check_size(op, name, np.shape(value), parameters[i].shape, hint)


def evaluated(closure: Closure) -> Any:
    """Return what a closure returns; it is recorded on the tape, whatever is around it."""
    with enable_grad():
        return closure()


def column(states: States, arrays: Arrays, name: str, value: float = 0.0) -> Arrays:
    """Return the states' arrays of this name; new ones are as the parameters, full of `value`."""
    try:
        return [state[name] for state in states]
    except KeyError:
        for state, array in zip(states, arrays, strict=True):
            if name not in state:
                state[name] = np.full_like(array, value)
    return [state[name] for state in states]


def counted(states: States) -> list[int]:
    """Add one to the steps that the states count, and return the counts."""
    counts = []
    for state in states:
        count = state["step"] = state.get("step", 0) + 1
        counts.append(count)
    return counts


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


def _plain(value: Any) -> Any:
    """Return NumPy numbers as Python's, also inside a tuple, which a list becomes."""
    if isinstance(value, tuple | list):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _converted(name: str, value: Any, dtype: np.dtype) -> Any:
    """Return a number as it is, and anything else as an array of its own, floats of `dtype`."""
    if name == "step":  # PyTorch saves it as a float32 array, in which beta^t would lose its digits
        return int(value)
    if isinstance(value, Real):
        return value
    array = np.asarray(value)
    return array.astype(dtype if array.dtype.kind == "f" else array.dtype)
