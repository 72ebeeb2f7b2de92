"""Weight normalization of a layer, undone again, and initialized from data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.autograd import no_grad
from minidl.errors import ArgumentError, expected
from minidl.functional.weight_norm import lengths, other_axes
from minidl.nn.linear import Linear
from minidl.nn.module import Module, Parameter


class Reparametrization:
    """Called before a layer's forward: computes the weight from its length and direction.

    Parameters
    ----------
    name : the weight; its parts are <name>_g and <name>_v
    dim : the axis of the lengths, or None
    """

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, dim

    def __call__(self, module: Module, inputs: tuple[Any, ...] = ()) -> None:
        setattr(module, self.name, self.compute(module))

    def compute(self, module: Module) -> Tensor:
        """Return g v / ||v||."""
        v, g = (vars(module)[f"{self.name}_{part}"] for part in "vg")
        return F.weight_norm(v, g, self.dim)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn a weight as length and direction, w = g v / ||v||; return the module.

    The Parameter `name` gives way to two, <name>_g and <name>_v, with w as it was to begin with:
    make the optimizer after this. The weight itself is computed before every forward.

    Parameters
    ----------
    module : a layer
    name : of one of its Parameters
    dim : the axis with a length for each slice (0: one for each output); None for one length in all

    Raises
    ------
    ArgumentError
        where there is no such Parameter (or it is normalized already), or a slice is all 0

    Notes
    -----
    The keys are those of torch.nn.utils.weight_norm; `weight_norm_state` brings a state_dict from
    torch.nn.utils.parametrizations.weight_norm into this form.

    References
    ----------
    Salimans & Kingma 2016, section 2.
    """
    weight = vars(module).get(name)
    if not isinstance(weight, Parameter):
        wanted = f"a Parameter {name!r} in {type(module).__name__}"
        got = "one already normalized" if _find(module, name) else "none"
        raise ArgumentError(expected("weight_norm", wanted, got))
    made = Reparametrization(name, dim)
    g = lengths(weight.data, other_axes("weight_norm", weight.ndim, dim))
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(g.reshape(() if dim is None else g.shape)))
    module.register_parameter(f"{name}_v", weight)
    made(module)
    module.register_forward_pre_hook(made)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight a Parameter again, of the value it has now; return the module."""
    found = _find(module, name)
    if not found:
        wanted = f"weight normalization of {name!r} in {type(module).__name__}"
        raise ArgumentError(expected("remove_weight_norm", wanted, "none"))
    ((key, made),) = found.items()
    del module.forward_pre_hooks.callables[key]
    with no_grad():
        weight = made.compute(module)
    for attribute in (name, f"{name}_g", f"{name}_v"):
        delattr(module, attribute)
    module.register_parameter(name, Parameter(weight.data))
    return module


def _find(module: Module, name: str | None = None) -> dict[int, Reparametrization]:
    """Return the module's reparametrizations (of one weight, or of all) by their hook's number."""
    hooks = module.forward_pre_hooks.callables
    made = {key: hook for key, hook in hooks.items() if isinstance(hook, Reparametrization)}
    return {key: hook for key, hook in made.items() if name in (None, hook.name)}


def weight_norm_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state_dict with PyTorch's newer keys of weight normalization as ours.

    parametrizations.weight.original0 becomes weight_g, and original1 weight_v.
    """
    renamed = {}
    for key, value in state.items():
        path, found, rest = key.rpartition("parametrizations.")
        name, _, part = rest.rpartition(".")
        if found and part in ("original0", "original1"):
            key = f"{path}{name}_{'g' if part == 'original0' else 'v'}"
        renamed[key] = value
    return renamed


def init_weight_norm(model: Module, x: Tensor) -> None:
    """Scale and shift every weight-normalized layer so that, on x, its results have mean 0, std 1.

    Layer after layer, with t the results of the initial weights: g <- g / std[t] and
    b <- (b - mean[t]) / std[t], for each feature over the batch (and space).

    Parameters
    ----------
    model : Module, with layers normalized along dim 0 that have a bias
    x : Tensor, one batch of the model's input

    Raises
    ------
    ArgumentError
        without such a layer, for one without bias or of another dim, or a feature that is constant

    References
    ----------
    Salimans & Kingma 2016, section 3, equation 6.
    """
    op = "init_weight_norm"
    layers = [module for module in model.modules() if _find(module, "weight")]
    if not layers:
        wanted = "a model with weight-normalized layers"
        raise ArgumentError(expected(op, wanted, "none", "call weight_norm on them first"))
    for layer in layers:
        (made,) = _find(layer, "weight").values()
        if made.dim != 0 or vars(layer).get("bias") is None:
            wanted = "layers normalized along dim 0 that have a bias"
            raise ArgumentError(expected(op, wanted, layer))
    handles = [layer.register_forward_hook(_standardize) for layer in layers]
    try:
        with no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()


def _standardize(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Move the layer's g and b; return its results as they are with these."""
    y = output.data
    axis = y.ndim - 1 if isinstance(layer, Linear) else 1
    others = tuple(i for i in range(y.ndim) if i != axis)
    mean, std = y.mean(axis=others, keepdims=True), y.std(axis=others, keepdims=True)
    if not std.all():
        wanted = "features that differ over the batch"
        hint = "use a larger batch"
        raise ArgumentError(expected("init_weight_norm", wanted, f"constant ones of {layer}", hint))
    g = layer.weight_g
    g.data = g.data / std.reshape(g.shape)
    layer.bias.data = (layer.bias.data - mean.reshape(-1)) / std.reshape(-1)
    return Tensor((y - mean) / std)
