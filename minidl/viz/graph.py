"""The tape as a picture: which operation took what from which."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from minidl.tensor import Tensor
from minidl.autograd import Variable
from minidl.errors import ArgumentError, expected
from minidl.viz.figure import LIGHT, Theme, new_figure, style


def computation_graph(
    result: Tensor, names: dict[str, Tensor] | None = None, theme: Theme = LIGHT
) -> Figure:
    """Draw the operations a tensor was computed by, from its inputs above to itself below.

    Parameters
    ----------
    result : with a tape: not used by backward yet, unless with retain_graph
    names : {name: leaf} for leaves that are to be called by name, `dict(model.named_parameters())`
    theme : LIGHT or DARK

    Raises
    ------
    ArgumentError
        for a tensor that no recorded operation computed
    """
    if result.grad_fn is None:
        hint = "compute it outside no_grad from something with requires_grad"
        raise ArgumentError(expected("computation_graph", "a computed tensor", "a leaf", hint))
    called = {id(leaf): name for name, leaf in (names or {}).items()}
    labels, edges = _collect(result, called)
    places = _places(labels, edges)
    deepest = 1 + max(row for _, row in places.values())
    widest = 1 + max(column for column, _ in places.values())
    figure = new_figure(max(1.9 * widest, 4.0), 0.75 * deepest + 0.6, theme)
    axes = figure.subplots()
    style(axes, theme)
    axes.grid(False)
    axes.set_axis_off()
    for start, end in edges:
        (x, y), (u, v) = places[start], places[end]
        axes.annotate(
            "",
            (u, -v + 0.26),
            (x, -y - 0.26),
            arrowprops={"arrowstyle": "-|>", "color": theme.faint, "shrinkA": 0, "shrinkB": 0},
        )
    for key, (text, leaf) in labels.items():
        x, y = places[key]
        axes.text(
            x,
            -y,
            text,
            ha="center",
            va="center",
            fontsize=8,
            color=theme.ink,
            bbox={
                "boxstyle": "round,pad=0.35" if leaf else "square,pad=0.35",
                "facecolor": theme.grid if leaf else theme.paper,
                "edgecolor": theme.faint if leaf else theme.series[0],
            },
        )
    axes.set(xlim=(-0.6, widest - 0.4), ylim=(-deepest + 0.4, 0.6))
    return figure


def _collect(
    result: Tensor, called: dict[int, str]
) -> tuple[dict[int, tuple[str, bool]], list[tuple[int, int]]]:
    """Return {node: (label, whether a leaf)} and the edges (from, to)."""
    labels: dict[int, tuple[str, bool]] = {}
    edges: list[tuple[int, int]] = []
    waiting: list[tuple[Any, Any]] = [(result.grad_fn, result)]
    while waiting:
        fn, made = waiting.pop()
        if id(fn) in labels:
            continue
        labels[id(fn)] = f"{type(fn).__name__}\n{_shape(made)}", False
        for value in fn.inputs:
            if not isinstance(value, Variable):
                continue
            if value.grad_fn is not None:
                edges.append((id(value.grad_fn), id(fn)))
                waiting.append((value.grad_fn, value))
            elif value.requires_grad or id(value) in called:
                labels[id(value)] = f"{called.get(id(value), 'leaf')}\n{_shape(value)}", True
                edges.append((id(value), id(fn)))
    return labels, list(dict.fromkeys(edges))


def _shape(value: Any) -> str:
    return "x".join(map(str, value.shape)) or "scalar"


def _places(
    labels: dict[int, tuple[str, bool]], edges: list[tuple[int, int]]
) -> dict[int, tuple[float, int]]:
    """Return {node: (column, row)}: a row below all its inputs, leaves just above their use."""
    into: dict[int, list[int]] = {key: [] for key in labels}
    out: dict[int, list[int]] = {key: [] for key in labels}
    for start, end in edges:
        into[end].append(start)
        out[start].append(end)
    missing = {key: len(starts) for key, starts in into.items()}
    ready = [key for key, count in missing.items() if not count]
    rows: dict[int, int] = {}
    while ready:
        key = ready.pop()
        rows[key] = 1 + max((rows[start] for start in into[key]), default=-1)
        for end in out[key]:
            missing[end] -= 1
            if not missing[end]:
                ready.append(end)
    for key, starts in into.items():
        if not starts and out[key]:
            rows[key] = min(rows[end] for end in out[key]) - 1
    lowest = min(rows.values())
    levels: dict[int, list[int]] = {}
    for key, row in rows.items():
        levels.setdefault(row - lowest, []).append(key)
    places: dict[int, tuple[float, int]] = {}
    for row in sorted(levels):

        def centre(key: int) -> tuple[bool, float]:
            """Operations stand left of leaves, below the middle of what they use."""
            above = [places[start][0] for start in into[key]]
            return labels[key][1], sum(above) / len(above) if above else 0.0

        for column, key in enumerate(sorted(levels[row], key=centre)):
            places[key] = float(column), row
    return places
