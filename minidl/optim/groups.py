"""Which parameters are weights: those that decay and penalties are meant for."""

from __future__ import annotations

from typing import Any

from minidl.errors import DTypeError, expected
from minidl.nn import GroupNorm, LayerNorm, Module, Parameter
from minidl.nn.norm import ChannelNorm
from minidl.optim.optimizer import check_rate

NORMS = (ChannelNorm, GroupNorm, LayerNorm)
APART = ("bias", "gain", "shift")


def named_weights(model: Module) -> dict[str, Parameter]:
    """Return the weights of a model by path: no biases, nothing of normalization layers.

    A weight has at least two axes, belongs to no normalization layer, and its name does not begin
    with bias, gain or shift. A bias moves a unit's threshold and cannot make the function steeper,
    and a layer whose gains are pulled to zero is switched off: neither is penalized.
    """
    if not isinstance(model, Module):
        raise DTypeError(expected("named_weights", "a Module", type(model).__name__))
    known = {id(p): path for path, p in model.named_parameters()}
    found = {}
    for module in model.modules():
        for name, value in vars(module).items():
            if (
                isinstance(value, Parameter)
                and value.ndim >= 2
                and not isinstance(module, NORMS)
                and not name.startswith(APART)
            ):
                found[known[id(value)]] = value
    return found


def decay_groups(model: Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return two groups for an optimizer: weights that decay, and everything else that does not.

    Parameters
    ----------
    model : Module
    weight_decay : float, at least 0, for the weights as `named_weights` tells them

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.1: biases are not penalized.

    Examples
    --------
    >>> from minidl import nn, optim
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    >>> optimizer = optim.AdamW(optim.decay_groups(model, 0.05), lr=1e-3)
    >>> [(len(g["params"]), g["weight_decay"]) for g in optimizer.param_groups]
    [(2, 0.05), (4, 0.0)]
    """
    check_rate("decay_groups", "weight_decay", weight_decay)
    weights = list(named_weights(model).values())
    chosen = {id(p) for p in weights}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
