"""Training curves: loss, accuracy, and a schedule beside them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from minidl.errors import ArgumentError, expected
from minidl.train import History, RateCurve
from minidl.viz.figure import LIGHT, Theme, new_figure, style

MARKERS = ("o", "s", "D")
LABELS = {"": "while training", "train_": "train", "validation_": "validation"}


def training_curves(
    history: History,
    keep_prob: Sequence[float] = (),
    target: float | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """Draw loss and accuracy over the epochs.

    Parameters
    ----------
    history : of at least one epoch
    keep_prob : DropBlock's keep probability at the end of each epoch, drawn in a third panel
    target : an accuracy from 0 to 1 to compare with, drawn as a dashed line
    theme : LIGHT or DARK
    """
    if not len(history):
        raise ArgumentError(expected("training_curves", "at least one epoch", "none"))
    figure = new_figure(10.5, 3.6, theme)
    ratios = (1.0, 1.0, 0.72) if keep_prob else (1.0, 1.0)
    panels = figure.subplots(1, len(ratios), width_ratios=ratios)
    epochs = [epoch.number for epoch in history]

    style(panels[0], theme, "Loss")
    _line(panels[0], epochs, history.loss, theme.series[0], "o")
    panels[0].set_ylim(bottom=0)

    style(panels[1], theme, "Accuracy (%)")
    lines = {"train": (history.train_accuracy, "o"), "held out": (history.validation_accuracy, "s")}
    drawn = {name: line for name, line in lines.items() if line[0]}
    for colour, (name, (values, marker)) in zip(theme.series, drawn.items(), strict=False):
        percent = [100 * value for value in values]
        label = f"{name}: {percent[-1]:.2f} %"
        _line(panels[1], epochs, percent, colour, marker, label)
    if target is not None:
        panels[1].axhline(
            100 * target,
            color=theme.faint,
            dashes=(4, 3),
            linewidth=1.2,
            label=f"at least {100 * target:g} %",
        )
    panels[1].set_ylim(top=100.4)
    panels[1].legend(loc="lower right", frameon=False, labelcolor=theme.ink, fontsize=9.5)

    if keep_prob:
        style(panels[2], theme, "DropBlock's keep_prob")
        _line(panels[2], epochs, list(keep_prob), theme.series[2], "D")
        panels[2].set_ylim(min(keep_prob) - 0.1, 1.01)
    for panel in panels:
        _count_epochs(panel, epochs[-1])
    return figure


def history_curves(history: History, theme: Theme = LIGHT) -> Figure:
    """Draw every value of a history over the epochs: a panel for each kind.

    The loss while training, the measured loss of the training and of the validation data stand in
    one panel, and so for accuracy and each metric; the learning rate on a logarithmic scale.

    Parameters
    ----------
    history : of at least one epoch
    theme : LIGHT or DARK
    """
    if not len(history):
        raise ArgumentError(expected("history_curves", "at least one epoch", "none"))
    kinds: dict[str, list[str]] = {}
    for name in history.names:
        kinds.setdefault(name.removeprefix("train_").removeprefix("validation_"), []).append(name)
    columns = min(len(kinds), 3)
    rows = -(-len(kinds) // columns)
    figure = new_figure(4.2 * columns, 3.4 * rows, theme)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in panels[len(kinds) :]:
        figure.delaxes(spare)
    for panel, (kind, names) in zip(panels, kinds.items(), strict=False):
        _draw_kind(panel, history, kind, names, theme)
        _count_epochs(panel, history.last.number)
    return figure


def _draw_kind(panel: Axes, history: History, kind: str, names: list[str], theme: Theme) -> None:
    """Draw the values of one kind: while training, and measured on either set."""
    title = "learning rate" if kind == "lr" else kind.replace("_", " ")
    style(panel, theme, title[:1].upper() + title[1:])
    for name, colour, marker in zip(names, theme.series, MARKERS, strict=False):
        drawn = [epoch for epoch in history if name in epoch.values]
        label = LABELS[name.removesuffix(kind)]
        numbers = [epoch.number for epoch in drawn]
        _line(panel, numbers, [epoch[name] for epoch in drawn], colour, marker, label)
    if kind != "lr":
        panel.legend(frameon=False, labelcolor=theme.ink, fontsize=9)
    elif min(history["lr"]) > 0:
        panel.set_yscale("log")


def rate_curve(curve: RateCurve, theme: Theme = LIGHT) -> Figure:
    """Draw a learning-rate range test: the loss over the rate, smoothed, and the suggested rate.

    Parameters
    ----------
    curve : what `minidl.train.find_lr` returned
    theme : LIGHT or DARK
    """
    figure = new_figure(6.0, 3.6, theme)
    panel = figure.subplots()
    style(panel, theme, "Loss while the learning rate grows")
    panel.plot(curve.rates, curve.losses, color=theme.faint, linewidth=0.8, label="of each batch")
    panel.plot(curve.rates, curve.smoothed, color=theme.series[0], linewidth=2, label="smoothed")
    panel.axvline(
        curve.suggestion,
        color=theme.series[1],
        dashes=(4, 3),
        linewidth=1.2,
        label=f"suggestion {curve.suggestion:.2g}",
    )
    panel.set_xscale("log")
    panel.set_xlabel("learning rate")
    low, high = float(curve.smoothed.min()), float(curve.smoothed[0])
    panel.set_ylim(low - 0.2 * (high - low), high + 0.5 * (high - low))
    panel.legend(frameon=False, labelcolor=theme.ink, fontsize=9)
    return figure


def _count_epochs(panel: Axes, last: int) -> None:
    """Let a panel's lower axis count epochs in whole numbers."""
    panel.set_xlabel("epoch")
    panel.set_xlim(0.5, last + 0.5)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def _line(
    axes: Axes,
    x: Sequence[int],
    y: Sequence[float],
    colour: str,
    marker: str,
    label: str | None = None,
) -> None:
    axes.plot(x, y, color=colour, marker=marker, markersize=4.5, linewidth=2, label=label)
