"""The ways optimizers take over a surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from minidl.tensor import Tensor
from minidl import autograd
from minidl.errors import ArgumentError, check_sizes, expected
from minidl.nn import Parameter
from minidl.viz.figure import LIGHT, Theme, new_figure, style
from minidl.viz.surfaces import Surface

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")
Make = Callable[[list[Parameter]], Any]


def optimizer_path(
    surface: Surface, make: Make, steps: int = 100, start: tuple[float, float] | None = None
) -> np.ndarray:
    """Return the points an optimizer visits on a surface.

    Parameters
    ----------
    surface : where
    make : a list of one parameter, (2,), to an optimizer of it
    steps : at least 1
    start : (x, y); the surface's own when None

    Returns
    -------
    (steps + 1, 2) float64, the start first; it ends early where the value is no number any more
    """
    check_sizes("optimizer_path", steps=steps)
    point = Parameter(np.array(surface.start if start is None else start, np.float64))
    optimizer = make([point])
    path = [point.data.copy()]

    def loss() -> Tensor:
        point.grad = None
        with np.errstate(over="ignore", invalid="ignore"):
            value = surface.f(point[0], point[1])
            value.backward()
        return value

    for _ in range(steps):
        optimizer.step(loss)
        if not np.isfinite(point.data).all():
            break
        path.append(point.data.copy())
    return np.array(path)


def optimizer_paths(
    surfaces: Surface | Sequence[Surface],
    optimizers: Mapping[str, Make],
    steps: int = 100,
    theme: Theme = LIGHT,
) -> Figure:
    """Draw the paths of several optimizers over one surface or several, side by side.

    Parameters
    ----------
    surfaces : of `minidl.viz.surfaces`, or your own
    optimizers : {name: a list of one parameter to its optimizer}, for example
        {"SGD": lambda p: optim.SGD(p, lr=0.01)}; at most eight
    steps : how many each takes
    theme : LIGHT or DARK

    Examples
    --------
    >>> from minidl import optim, viz
    >>> ways = {"Adam": lambda p: optim.Adam(p, lr=0.1)}
    >>> viz.optimizer_paths(viz.BEALE, ways, steps=20).axes[0].get_title(loc="left")
    'Beale'
    """
    places = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
    if not places or not 1 <= len(optimizers) <= len(MARKERS):
        wanted = f"at least one surface and 1 to {len(MARKERS)} optimizers"
        got = f"{len(places)} and {len(optimizers)}"
        raise ArgumentError(expected("optimizer_paths", wanted, got))
    columns = min(len(places), 2)
    rows = -(-len(places) // columns)
    figure = new_figure(5.4 * columns + 0.6, 4.6 * rows + 0.7, theme)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(places) :]:
        panel.set_visible(False)
    for panel, surface in zip(panels, places, strict=False):
        draw_levels(panel, surface, theme)
        for i, (name, make) in enumerate(optimizers.items()):
            _draw_path(panel, optimizer_path(surface, make, steps), i, name, theme)
        panel.set(xlim=surface.x_range, ylim=surface.y_range)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(len(names), 4),
        frameon=False,
        labelcolor=theme.ink,
        fontsize=9.5,
    )
    return figure


def draw_levels(axes: Axes, surface: Surface, theme: Theme, points: int = 241) -> None:
    """Draw the levels of a surface, and a star at each minimum."""
    x = np.linspace(*surface.x_range, points)
    y = np.linspace(*surface.y_range, points)
    with autograd.no_grad():
        values = surface.f(*(Tensor(a) for a in np.meshgrid(x, y))).data
    style(axes, theme, surface.name)
    axes.grid(False)
    if surface.logarithmic:
        values = values - values.min() + 1e-6 * np.ptp(values)
        levels = np.geomspace(max(values.min(), 1e-5 * values.max()), values.max(), 16)
        axes.contourf(x, y, values, levels, norm=LogNorm(), cmap=theme.colour_map, extend="min")
    else:
        axes.contourf(x, y, values, 16, cmap=theme.colour_map)
    for minimum in surface.minima:
        axes.plot(*minimum, "*", markersize=15, color=theme.paper, markeredgecolor=theme.ink)


def _draw_path(axes: Axes, path: np.ndarray, number: int, name: str, theme: Theme) -> None:
    colour = theme.series[number % len(theme.series)]
    halo = [withStroke(linewidth=3.4, foreground=theme.paper)]
    axes.plot(
        *path.T,
        path_effects=halo,
        color=colour,
        linestyle=DASHES[number // len(theme.series) % len(DASHES)],
        linewidth=1.8,
        marker=MARKERS[number],
        markevery=max(len(path) // 8, 1),
        markersize=6,
        markeredgecolor=theme.paper,
        label=name,
    )
    axes.plot(*path[-1], MARKERS[number], color=colour, markersize=10, markeredgecolor=theme.ink)
