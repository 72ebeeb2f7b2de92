"""What happens inside a network: activations and gradients by layer, and its first filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, ShapeError, check_sizes, expected
from minidl.nn import Module
from minidl.viz.figure import LIGHT, Theme, new_figure, style


def activations(model: Module, x: Any) -> dict[str, np.ndarray]:
    """Return {path: output} of every layer that holds no other layer, for one batch."""
    found: dict[str, np.ndarray] = {}
    handles = []

    def keep(path: str) -> Callable[[Module, Any, Any], None]:
        def hook(module: Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                found[path] = output.data

        return hook

    for path, module in model.named_modules():
        if not list(module.children()):
            handles.append(module.register_forward_hook(keep(path or type(module).__name__)))
    try:
        model(x if isinstance(x, Tensor) else Tensor(x))
    finally:
        for handle in handles:
            handle.remove()
    return found


def activation_histograms(model: Module, x: Any, bins: int = 60, theme: Theme = LIGHT) -> Figure:
    """Draw the distribution of every layer's outputs on one batch, with mean and deviation."""
    return _histograms("activation_histograms", activations(model, x), bins, theme)


def gradient_histograms(
    model: Module,
    x: Any,
    targets: Any,
    loss: Callable[[Tensor, Any], Tensor] = F.cross_entropy,
    bins: int = 60,
    theme: Theme = LIGHT,
) -> Figure:
    """Draw the distribution of every parameter's gradient on one batch; gradients are put back."""
    parameters = dict(model.named_parameters())
    before = {name: p.grad for name, p in parameters.items()}
    try:
        for p in parameters.values():
            p.grad = None
        loss(model(x if isinstance(x, Tensor) else Tensor(x)), targets).backward()
        grads = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    finally:
        for name, p in parameters.items():
            p.grad = before[name]
    return _histograms("gradient_histograms", grads, bins, theme)


def _histograms(op: str, values: Mapping[str, np.ndarray], bins: int, theme: Theme) -> Figure:
    check_sizes(op, bins=bins)
    if not values:
        raise ArgumentError(expected(op, "a model with layers", "none"))
    columns = min(len(values), 3)
    rows = -(-len(values) // columns)
    figure = new_figure(3.6 * columns, 2.3 * rows + 0.2, theme)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(values) :]:
        panel.set_visible(False)
    for panel, (name, array) in zip(panels, values.items(), strict=False):
        style(panel, theme, name)
        finite = array[np.isfinite(array)].astype(np.float64)
        panel.hist(finite, bins=bins, color=theme.series[0])
        panel.set_yticks([])
        panel.xaxis.set_major_locator(MaxNLocator(4))
        lost = array.size - finite.size
        text = f"mean {finite.mean():.3g}, std {finite.std():.3g}" if finite.size else ""
        panel.set_xlabel(text + (f", {lost} not finite" if lost else ""), fontsize=9)
    return figure


def first_filters(model: Module, theme: Theme = LIGHT) -> Figure:
    """Draw the filters of the first convolution: in colour for three channels, else one by one.

    Raises
    ------
    ArgumentError
        when the model has no convolution of images
    """
    weight = next((p.data for p in model.parameters() if p.ndim == 4), None)
    if weight is None:
        raise ArgumentError(expected("first_filters", "a model with a convolution", "none"))
    colour = weight.shape[1] == 3
    pictures = weight.transpose(0, 2, 3, 1) if colour else weight.reshape(-1, *weight.shape[2:])
    columns = min(len(pictures), 16)
    rows = -(-len(pictures) // columns)
    figure = new_figure(0.55 * columns + 0.3, 0.55 * rows + 0.6, theme)
    figure.suptitle(
        f"{weight.shape[0]} filters of {weight.shape[2]}x{weight.shape[3]}",
        color=theme.ink,
        fontsize=11,
        fontweight="bold",
        ha="left",
        x=0.02,
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    most = float(np.abs(pictures).max()) or 1.0
    for panel in panels:
        panel.set_axis_off()
    for panel, picture in zip(panels, pictures, strict=False):
        if colour:
            panel.imshow(0.5 + 0.5 * picture / most, interpolation="nearest")
        else:
            panel.imshow(picture, cmap="gray", vmin=-most, vmax=most, interpolation="nearest")
    return figure


def confusion_matrix(
    labels: Any, predictions: Any, names: list[str] | None = None, theme: Theme = LIGHT
) -> Figure:
    """Draw how often each class (row) was taken for each class (column), with the counts.

    Parameters
    ----------
    labels, predictions : (n,) integers
    names : of the classes; their numbers when None
    """
    labels, predictions = (np.asarray(a).astype(np.int64) for a in (labels, predictions))
    if labels.shape != predictions.shape or labels.ndim != 1 or not labels.size:
        got = f"{labels.shape} and {predictions.shape}"
        raise ShapeError(expected("confusion_matrix", "labels and predictions (n,)", got))
    k = int(max(labels.max(), predictions.max())) + 1 if names is None else len(names)
    if min(labels.min(), predictions.min()) < 0 or max(labels.max(), predictions.max()) >= k:
        worst = max(labels.max(), predictions.max())
        raise ArgumentError(expected("confusion_matrix", f"classes 0 to {k - 1}", worst))
    counts = np.bincount(k * labels + predictions, minlength=k * k).reshape(k, k)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(0.5 * k + 1.6, 3.2)
    figure = new_figure(side + 0.4, side, theme)
    axes = figure.subplots()
    style(axes, theme, f"{np.trace(counts) / counts.sum():.1%} right of {counts.sum()}")
    axes.grid(False)
    axes.imshow(share, cmap=theme.colour_map, vmin=0, vmax=1)
    shown = [str(i) for i in range(k)] if names is None else names
    axes.set_xticks(range(k), shown, rotation=0 if names is None else 45)
    axes.set_yticks(range(k), shown)
    axes.set(xlabel="predicted", ylabel="true")
    for i, j in np.argwhere(counts):
        ink = theme.paper if share[i, j] > 0.5 else theme.ink
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=ink, fontsize=8.5)
    return figure
