"""DropBlock at work: where blocks begin, what they cover, what is left of the activation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minidl import backend, random
from minidl.errors import ArgumentError, check_rank, expected
from minidl.functional.drop_block import drop_block_gamma
from minidl.viz.figure import LIGHT, Theme, new_figure, style

COLUMNS = ("activation", "where blocks begin", "mask", "output")


def drop_block_masks(
    activation: np.ndarray,
    settings: Sequence[tuple[float, int]],
    rng: np.random.Generator | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """Draw one row for each setting: the activation, the seeds, the mask and the output.

    Parameters
    ----------
    activation : (h, w), one channel of a real feature map
    settings : (keep probability, block size) of each row
    rng : draws the seeds, as in training; the library's own when None
    theme : LIGHT or DARK
    """
    check_rank("drop_block_masks", "activation", activation.shape, "h w")
    if not settings:
        raise ArgumentError(expected("drop_block_masks", "at least one setting", "none"))
    largest = max(block_size for _, block_size in settings)
    if largest > min(activation.shape):
        wanted = f"blocks that fit into {activation.shape}"
        raise ArgumentError(expected("drop_block_masks", wanted, f"{largest}x{largest}"))
    rng = random.generator(rng)
    figure = new_figure(10.5, 0.5 + 2.45 * len(settings), theme)
    rows = figure.subplots(len(settings), len(COLUMNS), squeeze=False)
    for panels, (keep_prob, block_size) in zip(rows, settings, strict=True):
        _row(panels, activation, keep_prob, block_size, rng, theme)
    for panel, title in zip(rows[0], COLUMNS, strict=True):
        panel.set_title(title, color=theme.ink, fontsize=11, fontweight="bold", pad=8)
    return figure


def _row(
    panels: np.ndarray,
    activation: np.ndarray,
    keep_prob: float,
    block_size: int,
    rng: np.random.Generator,
    theme: Theme,
) -> None:
    """Draw one setting, with the very kernels that training calls."""
    x = activation[None, None]
    height, width = activation.shape
    gamma = drop_block_gamma(keep_prob, block_size, height, width)
    seeds = rng.random((1, 1, height - block_size + 1, width - block_size + 1)) < gamma
    keep = backend.call("drop_block", "expand", seeds, block_size)
    y, scale = backend.call("drop_block", "forward", x, keep)
    top = float(max(activation.max(), y.max(), 1e-12))
    for panel in panels:
        style(panel, theme)
        panel.grid(False)
        panel.set(xticks=[], yticks=[], aspect="equal")
        for spine in panel.spines.values():
            spine.set(visible=True, color=theme.grid)
    _cells(panels[0], activation, top, theme)
    _cells(panels[1], np.zeros_like(activation), 1.0, theme)
    _seeds(panels[1], seeds[0, 0], block_size, theme)
    _cells(panels[2], np.zeros_like(activation), 1.0, theme)
    _dropped(panels[2], keep[0, 0], theme)
    _cells(panels[3], y[0, 0], top, theme)
    _dropped(panels[3], keep[0, 0], theme)
    kept = int(keep.sum())
    panels[0].set_ylabel(f"keep_prob {keep_prob:g}\nblock {block_size}x{block_size}", fontsize=10)
    panels[0].yaxis.label.set_color(theme.ink)
    panels[1].set_xlabel(f"{_count(int(seeds.sum()))} drawn", fontsize=9)
    panels[2].set_xlabel(f"{kept} of {keep.size} kept ({kept / keep.size:.0%})", fontsize=9)
    panels[3].set_xlabel(f"what is kept x {scale:.2f}", fontsize=9)


def _count(seeds: int) -> str:
    return "1 block" if seeds == 1 else f"{seeds} blocks"


def _cells(axes: Axes, values: np.ndarray, top: float, theme: Theme) -> None:
    height, width = values.shape
    axes.pcolormesh(
        values, cmap=theme.colour_map, vmin=0, vmax=top, edgecolors=theme.grid, linewidth=0.6
    )
    axes.set(xlim=(0, width), ylim=(height, 0))


def _dropped(axes: Axes, keep: np.ndarray, theme: Theme) -> None:
    """Colour and hatch what is dropped, so that it also shows without colour."""
    for row, column in np.argwhere(~keep):
        cell = Rectangle((column, row), 1, 1, hatch="//")
        cell.set(facecolor=theme.series[1], edgecolor=theme.paper)
        axes.add_patch(cell)


def _seeds(axes: Axes, seeds: np.ndarray, block_size: int, theme: Theme) -> None:
    """Mark each upper left corner and the block it opens; frame the positions where one fits."""
    rows, columns = seeds.shape
    inset = 0.07
    frame = Rectangle((inset, inset), columns - 2 * inset, rows - 2 * inset, fill=False)
    frame.set(edgecolor=theme.faint, linestyle="--")
    axes.add_patch(frame)
    for row, column in np.argwhere(seeds):
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=theme.series[1]))
        block = Rectangle((column, row), block_size, block_size, fill=False, linewidth=1.8)
        block.set_edgecolor(theme.series[1])
        axes.add_patch(block)
