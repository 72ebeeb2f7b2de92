"""Speeds as bars, with the spread of the repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from minidl.errors import ArgumentError, expected
from minidl.viz.figure import LIGHT, Theme, new_figure, style


def speed_bars(
    speeds: Mapping[str, Sequence[float]],
    unit: str = "images/s",
    highlight: str = "",
    theme: Theme = LIGHT,
) -> Figure:
    """Draw the median of each series as a bar, and its middle half as a line at the bar's end.

    Parameters
    ----------
    speeds : name -> repeated measurements, positive, larger is faster
    unit : of the measurements
    highlight : the name of the bar in another colour
    theme : LIGHT or DARK
    """
    if not speeds or any(len(values) == 0 for values in speeds.values()):
        wanted = "at least one series of measurements"
        raise ArgumentError(expected("speed_bars", wanted, dict(speeds)))
    figure = new_figure(10.5, 0.9 + 0.55 * len(speeds), theme)
    axes = figure.subplots()
    style(axes, theme, f"Training speed ({unit}, more is better)")
    axes.grid(False, axis="y")
    quartiles = {name: np.percentile(values, (25, 50, 75)) for name, values in speeds.items()}
    top = max(high for _, _, high in quartiles.values())
    for row, (name, (low, median, high)) in enumerate(quartiles.items()):
        colour = theme.series[1] if name == highlight else theme.series[0]
        axes.barh(row, median, height=0.62, color=colour)
        axes.plot((low, high), (row, row), color=theme.ink, linewidth=1.6)
        axes.text(
            high + 0.012 * top,
            row,
            f"{median:,.0f}",
            va="center",
            color=theme.ink,
            fontsize=10,
            fontweight="bold" if name == highlight else "normal",
        )
    axes.set_yticks(range(len(speeds)), list(speeds), color=theme.ink, fontsize=10)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * top)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure
