"""Freezing layers for fine-tuning, and letting them learn again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from minidl.errors import ArgumentError, DTypeError, expected
from minidl.nn.module import Module, Parameter

Predicate = Callable[[str, Parameter], bool]
Which = str | Iterable[str] | Predicate | None


def freeze(model: Module, which: Which = None, statistics: bool = False) -> list[str]:
    """Stop parameters from learning: `requires_grad` off, and no gradient left over.

    Make the optimizer afterwards, from `model.parameters()` or from those that still learn: frozen
    ones receive no gradient and are passed over.

    Parameters
    ----------
    model : Module
    which : the path of a layer or parameter, several of them, or a function (path, parameter) ->
        bool; all parameters when None
    statistics : bool
        normalization layers among the chosen (those with a frozen parameter, or named, or below a
        named layer) normalize by their running statistics from now on, and leave them as they are,
        also in training

    Returns
    -------
    list of str : the paths of the frozen parameters

    Raises
    ------
    ArgumentError
        for a path the model has not

    Examples
    --------
    >>> from minidl import nn
    >>> network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> nn.freeze(network, "0")
    ['0.weight', '0.bias']
    >>> nn.unfreeze(network, lambda path, parameter: path.endswith("weight"))
    ['0.weight', '2.weight']
    """
    which = _listed(which)
    chosen = _chosen("freeze", model, which)
    for _, parameter in chosen:
        parameter.requires_grad, parameter.grad = False, None
    if statistics:
        for module in _normalizations(model, which, chosen):
            if stop_learning not in module.forward_pre_hooks:
                module.register_forward_pre_hook(stop_learning)
            module.training = False
    return [path for path, _ in chosen]


def unfreeze(model: Module, which: Which = None) -> list[str]:
    """Let parameters learn again, and the statistics of their normalization layers move.

    Parameters
    ----------
    model, which : as in `freeze`

    Returns
    -------
    list of str : the paths of the parameters
    """
    which = _listed(which)
    chosen = _chosen("unfreeze", model, which)
    for _, parameter in chosen:
        parameter.requires_grad = True
    for module in _normalizations(model, which, chosen):
        hooks = module.forward_pre_hooks.callables
        for key in [key for key, hook in hooks.items() if hook is stop_learning]:
            del hooks[key]
            module.training = model.training
    return [path for path, _ in chosen]


def stop_learning(module: Module, inputs: tuple[Any, ...]) -> None:
    """Keep a normalization layer in evaluation, whatever its model was switched to."""
    module.training = False


def _listed(which: Which) -> list[str] | Predicate | None:
    """Return a list for one path or several; a function and None as they are."""
    if which is None or callable(which):
        return which
    return [which] if isinstance(which, str) else list(which)


def _chosen(
    op: str, model: Module, which: list[str] | Predicate | None
) -> list[tuple[str, Parameter]]:
    """Return (path, parameter) for the parameters that `which` means."""
    if not isinstance(model, Module):
        raise DTypeError(expected(op, "a Module", type(model).__name__))
    parameters = list(model.named_parameters())
    if which is None:
        return parameters
    if callable(which):
        return [(path, p) for path, p in parameters if which(path, p)]
    known = [path for path, _ in model.named_modules() if path] + [path for path, _ in parameters]
    for path in which:
        if path not in known:
            shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            raise ArgumentError(expected(op, f"a path among {shown}", repr(path)))
    return [(path, p) for path, p in parameters if _below(path, which)]


def _below(path: str, paths: list[str]) -> bool:
    """Whether a path is one of `paths`, or that of something inside it."""
    return any(path == start or path.startswith(f"{start}.") for start in paths)


def _normalizations(
    model: Module,
    which: list[str] | Predicate | None,
    chosen: list[tuple[str, Parameter]],
) -> list[Module]:
    """Return the layers with running statistics that `which` means."""
    owners = {path.rpartition(".")[0] for path, _ in chosen}
    named = which if isinstance(which, list) else []
    return [
        module
        for path, module in model.named_modules()
        if "running_mean" in module.buffer_names
        and (which is None or path in owners or _below(path, named))
    ]
