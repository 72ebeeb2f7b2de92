"""The loss around a trained network: along lines, over planes, and along the step itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from minidl.tensor import Tensor
from minidl import autograd, random
from minidl import functional as F
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.nn import Module, Parameter
from minidl.viz.figure import LIGHT, Theme, new_figure, style

Loss = Callable[[Tensor, Any], Tensor]


class Line(NamedTuple):
    """The loss at model + alpha * direction.

    Attributes
    ----------
    alphas : (n,)
    losses : (n,)
    """

    alphas: np.ndarray
    losses: np.ndarray


class Plane(NamedTuple):
    """The loss at model + alpha * direction + beta * other direction.

    Attributes
    ----------
    alphas : (n,), along the columns
    betas : (m,), along the rows
    losses : (m, n)
    """

    alphas: np.ndarray
    betas: np.ndarray
    losses: np.ndarray


class Smoothness(NamedTuple):
    """What happens along a step against the gradient, for steps of several lengths.

    Attributes
    ----------
    rates : (n,) step lengths, in gradients
    losses : (n,) loss there
    gradients : (n,) distance of the gradient there from the gradient here
    ratio : the largest distance of gradients over distance of weights: an effective beta of
        beta-smoothness
    """

    rates: np.ndarray
    losses: np.ndarray
    gradients: np.ndarray
    ratio: float


def filter_normalized_direction(
    model: Module, rng: np.random.Generator | None = None
) -> list[np.ndarray]:
    """Return a random direction, each of its filters as long as the model's own.

    d_ij <- d_ij / ||d_ij|| ||theta_ij|| for each filter j of layer i: a row of a matrix, an output
    channel of a convolution. Biases and the vectors of normalizations keep their place: 0.

    References
    ----------
    Li et al. 2018, section 4.
    """
    rng = random.generator(rng)
    direction = []
    for parameter in model.parameters():
        if parameter.ndim < 2:
            direction.append(np.zeros_like(parameter.data))
            continue
        step = rng.normal(size=parameter.shape)
        axes = tuple(range(1, parameter.ndim))
        length = np.sqrt((step**2).sum(axis=axes, keepdims=True))
        wanted = np.sqrt((parameter.data.astype(np.float64) ** 2).sum(axis=axes, keepdims=True))
        direction.append((step * wanted / np.maximum(length, 1e-30)).astype(parameter.dtype))
    return direction


def loss_line(
    model: Module,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    reach: float = 1.0,
    points: int = 41,
    loss: Loss = F.cross_entropy,
    rng: np.random.Generator | None = None,
    console: Console | None = None,
) -> Line:
    """Measure the loss along one filter-normalized direction, in evaluation mode.

    Parameters
    ----------
    model : left as it was, also when something goes wrong on the way
    images, labels : one batch
    reach : alpha runs from -reach to reach
    points : how many, an odd number to meet the model itself
    loss : (output, labels) to a scalar
    rng : draws the direction; the library's own when None
    console : where progress is shown; nowhere when None
    """
    check_sizes("loss_line", points=points)
    direction = filter_normalized_direction(model, rng)
    alphas = np.linspace(-reach, reach, points)
    with _Moved(model) as moved:
        losses = [
            moved.loss([(alpha, direction)], images, labels, loss)
            for alpha in _shown(alphas, console)
        ]
    return Line(alphas, np.array(losses))


def loss_plane(
    model: Module,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    reach: float = 1.0,
    points: int = 21,
    loss: Loss = F.cross_entropy,
    rng: np.random.Generator | None = None,
    console: Console | None = None,
) -> Plane:
    """Measure the loss over the plane of two filter-normalized directions; see `loss_line`.

    The model is evaluated points^2 times.
    """
    check_sizes("loss_plane", points=points)
    rng = random.generator(rng)
    first, second = (filter_normalized_direction(model, rng) for _ in range(2))
    alphas = np.linspace(-reach, reach, points)
    places = [(beta, alpha) for beta in alphas for alpha in alphas]
    with _Moved(model) as moved:
        losses = [
            moved.loss([(alpha, first), (beta, second)], images, labels, loss)
            for beta, alpha in _shown(places, console)
        ]
    return Plane(alphas, alphas, np.reshape(losses, (points, points)))


def smoothness(
    model: Module,
    images: np.ndarray,
    labels: np.ndarray,
    rates: Sequence[float] = (0.1, 0.2, 0.3, 0.4),
    loss: Loss = F.cross_entropy,
) -> Smoothness:
    """Measure loss and gradient along a step against the gradient, in the mode the model is in.

    Parameters
    ----------
    model : left as it was
    images, labels : one batch
    rates : step lengths, above 0
    loss : (output, labels) to a scalar

    References
    ----------
    Santurkar et al. 2018, section 3.1 and figure 4.
    """
    if not rates or min(rates) <= 0:
        raise ArgumentError(expected("smoothness", "rates above 0", list(rates)))
    with _Moved(model) as moved:
        _, here = moved.gradient([], images, labels, loss)
        length = _norm(here)
        losses, distances = [], []
        for rate in rates:
            value, there = moved.gradient([(-rate, here)], images, labels, loss)
            losses.append(value)
            distances.append(_norm([a - b for a, b in zip(there, here, strict=True)]))
    ratio = max(d / (r * length) for d, r in zip(distances, rates, strict=True)) if length else 0.0
    return Smoothness(np.array(rates), np.array(losses), np.array(distances), float(ratio))


def landscape_line(lines: dict[str, Line], theme: Theme = LIGHT) -> Figure:
    """Draw the loss along a direction, one line for each name."""
    if not lines:
        raise ArgumentError(expected("landscape_line", "at least one line", "none"))
    figure = new_figure(7.0, 4.0, theme)
    axes = figure.subplots()
    style(axes, theme, "Loss along a filter-normalized direction")
    for i, (name, line) in enumerate(lines.items()):
        axes.plot(
            *line,
            color=theme.series[i % len(theme.series)],
            marker="osD^"[i % 4],
            markevery=max(len(line.alphas) // 8, 1),
            label=name,
        )
    axes.set(xlabel="alpha", ylabel="loss")
    axes.legend(frameon=False, labelcolor=theme.ink, fontsize=9.5)
    return figure


def landscape_surface(planes: dict[str, Plane], theme: Theme = LIGHT) -> Figure:
    """Draw loss surfaces as levels, side by side on one logarithmic scale, the model a cross."""
    if not planes:
        raise ArgumentError(expected("landscape_surface", "at least one plane", "none"))
    figure = new_figure(4.6 * len(planes) + 0.8, 4.4, theme)
    panels = figure.subplots(1, len(planes), squeeze=False)[0]
    finite = np.concatenate([p.losses[np.isfinite(p.losses)] for p in planes.values()])
    low, high = max(float(finite.min()), 1e-6), float(finite.max())
    levels = np.geomspace(low, max(high, low * 1.01), 18)
    for panel, (name, plane) in zip(panels, planes.items(), strict=True):
        style(panel, theme, name)
        panel.grid(False)
        shown = np.clip(np.nan_to_num(plane.losses, nan=high, posinf=high), low, high)
        drawn = panel.contourf(
            plane.alphas, plane.betas, shown, levels, norm="log", cmap=theme.colour_map
        )
        panel.contour(plane.alphas, plane.betas, shown, levels, colors=theme.faint, linewidths=0.5)
        panel.plot(0, 0, "x", color=theme.series[1], markersize=9, markeredgewidth=2.5)
        panel.set(xlabel="alpha", ylabel="beta", aspect="equal")
    bar = figure.colorbar(drawn, ax=list(panels), format="%.3g")
    bar.set_label("loss", color=theme.faint)
    bar.ax.tick_params(colors=theme.faint, labelsize=9)
    bar.outline.set_visible(False)
    return figure


def smoothness_bands(runs: dict[str, Sequence[Smoothness]], theme: Theme = LIGHT) -> Figure:
    """Draw over training how far loss and gradient vary along the step: a band for each name.

    Parameters
    ----------
    runs : {name: one measurement for each moment of training}
    theme : LIGHT or DARK

    References
    ----------
    Santurkar et al. 2018, figure 4.
    """
    if not runs or not all(runs.values()):
        raise ArgumentError(expected("smoothness_bands", "at least one measurement", "none"))
    figure = new_figure(12.0, 3.8, theme)
    panels = figure.subplots(1, 3)
    titles = ("Loss along the step", "Change of the gradient", "Effective smoothness")
    for panel, title in zip(panels, titles, strict=True):
        style(panel, theme, title)
        panel.set_xlabel("measurement")
    for i, (name, measured) in enumerate(runs.items()):
        x = np.arange(1, len(measured) + 1)
        look: dict[str, Any] = {"color": theme.series[i % len(theme.series)], "alpha": 0.45}
        hatch = ("", "//", "..", "xx")[i % 4]
        for panel, field in zip(panels, ("losses", "gradients"), strict=False):
            values = np.array([getattr(m, field) for m in measured])
            panel.fill_between(x, values.min(1), values.max(1), label=name, hatch=hatch, **look)
        ratios = [m.ratio for m in measured]
        panels[2].plot(x, ratios, color=look["color"], marker="osD^"[i % 4], label=name)
    for panel in panels:
        panel.legend(frameon=False, labelcolor=theme.ink, fontsize=9)
    return figure


class _Moved:
    """A model whose parameters are moved for a while, and put back."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.parameters: list[Parameter] = list(model.parameters())
        if not self.parameters:
            raise ArgumentError(expected("landscape", "a model with parameters", "none"))

    def __enter__(self) -> _Moved:
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.kept = [(p.data, p.grad) for p in self.parameters]
        self.state = self.model.state_dict()
        return self

    def __exit__(self, *error: object) -> None:
        self.model.load_state_dict(self.state)
        for parameter, (array, grad) in zip(self.parameters, self.kept, strict=True):
            parameter.data, parameter.grad = array, grad
        for module, training in self.modes:
            module.training = training

    def move(self, steps: list[tuple[float, list[np.ndarray]]]) -> None:
        """Put the parameters at their place plus each length times direction."""
        for i, (parameter, (array, _)) in enumerate(zip(self.parameters, self.kept, strict=True)):
            moved = array
            for length, direction in steps:
                moved = moved + array.dtype.type(length) * direction[i]
            parameter.data = moved

    def loss(
        self,
        steps: list[tuple[float, list[np.ndarray]]],
        images: np.ndarray,
        labels: np.ndarray,
        loss: Loss,
    ) -> float:
        """Return the loss there, in evaluation mode."""
        self.move(steps)
        self.model.eval()
        with autograd.no_grad(), np.errstate(all="ignore"):
            return float(loss(self.model(Tensor(images)), labels).item())

    def gradient(
        self,
        steps: list[tuple[float, list[np.ndarray]]],
        images: np.ndarray,
        labels: np.ndarray,
        loss: Loss,
    ) -> tuple[float, list[np.ndarray]]:
        """Return loss and gradient there, in the mode the model is in."""
        self.move(steps)
        for parameter in self.parameters:
            parameter.grad = None
        value = loss(self.model(Tensor(images)), labels)
        value.backward()
        grads = [np.zeros_like(p.data) if p.grad is None else p.grad for p in self.parameters]
        return float(value.item()), grads


def _norm(arrays: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays)))


def _shown(places: Any, console: Console | None) -> Any:
    """Return the places, counted on the console where there is one."""
    return places if console is None else track(places, "loss surface", console=console)
