"""Batch normalization after training: folded into the layer before it, or into one linear map."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import backend
from minidl.errors import ArgumentError, DTypeError, check_size, expected
from minidl.functional.batch_norm import finish
from minidl.nn.batch_norm import BatchNorm, BatchNorm1d, BatchNorm2d
from minidl.nn.container import Sequential
from minidl.nn.conv import Conv1d, Conv2d
from minidl.nn.linear import Linear
from minidl.nn.module import Module, Parameter

FOLDS: dict[type[Module], type[BatchNorm]] = {
    Linear: BatchNorm1d,
    Conv1d: BatchNorm1d,
    Conv2d: BatchNorm2d,
}


class Folded(Module):
    """What a folded batch normalization leaves in its place: y = relu(x + residual), or x alone."""

    fuses_relu = True

    def forward(self, x: Tensor, *, residual: Tensor | None = None, relu: bool = False) -> Tensor:
        """Return x, or what the network asked of the normalization beyond normalizing."""
        return finish(x, residual, relu)


def scale_and_shift(norm: BatchNorm) -> tuple[np.ndarray, np.ndarray]:
    """Return (scale, shift): in evaluation, `norm` maps every channel to scale * x + shift.

    Parameters
    ----------
    norm : BatchNorm1d, BatchNorm2d or BatchNorm3d with running statistics

    Returns
    -------
    scale, shift : (num_features,), of the type of the statistics

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 2, line 11.
    """
    dtype = _statistics("scale_and_shift", norm)[0].dtype
    scale, shift = backend.call("batch_norm", "fold", *_wide(norm), norm.eps)
    return scale.astype(dtype), shift.astype(dtype)


def fold_batch_norm(layer: Module, norm: BatchNorm) -> Module:
    """Return one layer that computes norm(layer(x)) of evaluation: a copy of `layer`, with a bias.

    weight' = scale * weight,  bias' = scale * (bias - mean) + beta,
    scale = gamma / sqrt(var + eps), row by row.

    Parameters
    ----------
    layer : Linear, Conv1d or Conv2d, whose results are the channels that `norm` normalizes
    norm : BatchNorm1d (behind Conv2d BatchNorm2d) with running statistics

    Raises
    ------
    DTypeError, ArgumentError, ShapeError
        for other layers, without running statistics, or where the channels do not agree

    References
    ----------
    Jacob et al. 2018, section 3.2; PyTorch's fuse_conv_bn_eval and fuse_linear_bn_eval.
    """
    _check_pair("fold_batch_norm", layer, norm)
    folded = copy.deepcopy(layer)
    _fold(folded, norm)
    return folded


def fold_batch_norms(model: Module, pairs: Iterable[tuple[str, str]] = ()) -> Module:
    """Return a copy of the model, in evaluation, with its batch normalizations folded away.

    Folded is every normalization that directly follows a layer with weights in a Sequential, and
    every pair of names given. What is used in several places, watched by a hook, or not preceded
    by such a layer stays as it is.

    Parameters
    ----------
    model : Module; it is not changed
    pairs : (layer, norm) names of attributes that the forward of their module calls one after the
        other, such as ("conv1", "bn1"): each is looked for in every module of the model

    Returns
    -------
    Module of the same structure, each folded normalization replaced by a Folded

    Raises
    ------
    ArgumentError
        for a pair found nowhere, or one that cannot be folded
    """
    op = "fold_batch_norms"
    folded = copy.deepcopy(model).eval()
    places = Counter(id(child) for module in folded.modules() for child in module.children())
    found = [place for module in folded.modules() for place in _neighbours(module, places)]
    for layer_name, norm_name in pairs:
        named = [(m, layer_name, norm_name) for m in folded.modules() if _has(m, norm_name)]
        named = [place for place in named if _has(place[0], layer_name)]
        if not named:
            wanted = "pairs of names that some module of the model has"
            raise ArgumentError(expected(op, wanted, (layer_name, norm_name)))
        for module, *names in named:
            layer, norm = (vars(module)[name] for name in names)
            _check_pair(op, layer, norm)
            if not _alone(layer, places) or not _alone(norm, places):
                wanted = f"{layer_name} and {norm_name} used in one place, without hooks"
                hint = "after remove_weight_norm a layer has none"
                raise ArgumentError(expected(op, wanted, "others", hint))
        found += [place for place in named if place not in found]
    taken = Counter((module, name) for module, *names in found for name in names)
    twice = [name for (_, name), count in taken.items() if count > 1]
    if twice:
        raise ArgumentError(expected(op, "every layer in one pair", f"{twice[0]} in more"))
    for module, layer_name, norm_name in found:
        _fold(vars(module)[layer_name], vars(module)[norm_name])
        setattr(module, norm_name, Folded().eval())
    return folded


def _neighbours(module: Module, places: Counter[int]) -> list[tuple[Module, str, str]]:
    """Return (module, layer's name, norm's name) of what a Sequential calls one after the other."""
    if not isinstance(module, Sequential):
        return []
    return [
        (module, before, after)
        for (before, layer), (after, norm) in pairwise(module.named_children())
        if isinstance(norm, BatchNorm)
        and isinstance(norm, FOLDS.get(type(layer), ()))
        and norm.track_running_stats
        and _alone(layer, places)
        and _alone(norm, places)
    ]


def _has(module: Module, name: str) -> bool:
    return isinstance(vars(module).get(name), Module)


def _alone(module: Module, places: Counter[int]) -> bool:
    """Whether the module stands in one place only and nobody watches its calls."""
    hooks = module.forward_pre_hooks, module.forward_hooks, module.backward_hooks
    return places[id(module)] == 1 and not any(len(h) for h in hooks)


def _statistics(op: str, norm: BatchNorm) -> tuple[np.ndarray, np.ndarray]:
    """Return the running statistics of a batch normalization that keeps them."""
    if not isinstance(norm, BatchNorm):
        raise DTypeError(expected(op, "a batch normalization", type(norm).__name__))
    if norm.running_mean is None or norm.running_var is None:
        wanted = "a batch normalization with running statistics"
        raise ArgumentError(expected(op, wanted, norm, "without them every batch has its own"))
    return norm.running_mean, norm.running_var


def _check_pair(op: str, layer: Any, norm: BatchNorm) -> None:
    """Raise an error unless `norm` can be folded into `layer`."""
    _statistics(op, norm)
    kind = FOLDS.get(type(layer))
    if kind is None:
        wanted = f"a layer among {[k.__name__ for k in FOLDS]}"
        raise DTypeError(expected(op, wanted, type(layer).__name__))
    if not isinstance(norm, kind):
        wanted = f"{kind.__name__} behind {type(layer).__name__}"
        raise DTypeError(expected(op, wanted, type(norm).__name__))
    if not isinstance(layer.weight, Parameter):
        hint = "call remove_weight_norm first"
        raise ArgumentError(expected(op, "a weight that is a Parameter", "a computed one", hint))
    check_size(op, "channels", (norm.num_features,), layer.weight.shape[:1], "fold layers in order")


def _wide(norm: BatchNorm) -> tuple[np.ndarray, ...]:
    """Return gamma, beta, mean and var in float64: rounded once, when the result is stored."""
    c = norm.num_features
    gamma = np.ones(c) if norm.weight is None else norm.weight.data
    beta = np.zeros(c) if norm.bias is None else norm.bias.data
    vectors = gamma, beta, *_statistics("fold", norm)
    return tuple(np.asarray(v, np.float64) for v in vectors)


def _fold(layer: Any, norm: BatchNorm) -> None:
    """Change the layer's weight and bias to those of both."""
    kept = layer.weight
    rows = kept.data.reshape(kept.shape[0], -1).astype(np.float64)
    bias = np.zeros(len(rows)) if layer.bias is None else layer.bias.data.astype(np.float64)
    weight, bias = backend.call(
        "batch_norm", "fold_into_linear", rows, bias, *_wide(norm), norm.eps
    )
    kept.data = weight.reshape(kept.shape).astype(kept.dtype)
    layer.bias = Parameter(bias.astype(kept.dtype), kept.requires_grad)
