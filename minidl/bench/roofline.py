"""The roofline picture: what each row reaches of what this machine can do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib.ticker as ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minidl.bench.run import write

# Okabe and Ito's colours, apart for every kind of eye.
COLOURS = {
    "conv2d": "#0072B2",
    "norm": "#D55E00",
    "pool": "#009E73",
    "lstm": "#CC79A7",
    "linear": "#56B4E9",
}
OTHERS = "#7A7A7A"
ROOF = "#333333"
NAMES = {
    "conv2d": "convolution",
    "norm": "normalization",
    "pool": "pooling",
    "lstm": "LSTM",
    "linear": "linear",
}
MEMORY = (("triad_gbs", "DRAM"), ("read_l3_gbs", "L3"), ("read_l2_gbs", "L2"))
ARITHMETIC = (("fma_gflops", "FMA"), ("sgemm_gflops", "sgemm"))
INTENSITY, LABELS = (0.07, 700.0), 0.078
WORK = {"flops": "GF/s, in arithmetic of the direct method", "bytes": "GB/s that must move"}
# Below this many operations a byte, memory is the limit, and GB/s say more than GF/s.
BALANCE = 3.0


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the picture of a run beside its place, then move it there."""
    rows = [r for r in result["rows"] if r["flops"] and r["bytes"] and r["kind"] == "operation"]
    busy = [row for row in rows if _intensity(row) > BALANCE]
    moving = [row for row in rows if _intensity(row) <= BALANCE]
    tall = 1.2 + 0.24 * max(len(busy), len(moving))
    figure = Figure(figsize=(15, 6 + tall), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(6, tall), hspace=0.03)
    upper, lower = parts
    peaks = result["peaks"]
    _roofline(upper.subplots(), rows, peaks)
    left, right = lower.subplots(1, 2)
    _ladder(left, busy, "flops", [(peaks[k], label) for k, label in ARITHMETIC])
    _ladder(right, moving, "bytes", [(peaks[k], label) for k, label in MEMORY])
    title = f"What minidl and PyTorch reach of this machine ({result['machine']['processor']}"
    figure.suptitle(f"{title}, {result['threads']} thread)", fontsize=15, fontweight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    write(path, buffer.getvalue())


def _intensity(row: dict[str, Any]) -> float:
    return row["flops"] / row["bytes"]


def _rates(row: dict[str, Any], work: str) -> dict[str, float]:
    """Return GF/s or GB/s of minidl and of PyTorch, of whom took part."""
    both = {side: row["sides"].get(side) for side in ("minidl", "torch")}
    return {side: row[work] / found["min"] / 1e6 for side, found in both.items() if found}


def _roofline(axes: Axes, rows: list[dict[str, Any]], peaks: dict[str, float]) -> None:
    """Roofs of memory and arithmetic over operations for each byte, and every row under them."""
    low, high = INTENSITY
    fma = peaks["fma_gflops"]
    for name, label in MEMORY:
        ridge = fma / peaks[name]
        axes.plot((low, ridge), (low * peaks[name], fma), color=ROOF, lw=1.1)
        axes.annotate(
            f"{label} {peaks[name]:.0f} GB/s",
            (LABELS, LABELS * peaks[name]),
            xytext=(0, 5),
            textcoords="offset points",
            rotation=32,
            rotation_mode="anchor",
            fontsize=9,
            color=ROOF,
        )
    axes.plot((fma / peaks["read_l2_gbs"], high), (fma, fma), color=ROOF, lw=1.8)
    axes.text(high * 0.95, fma * 1.08, f"FMA {fma:.0f} GF/s", ha="right", fontsize=9, color=ROOF)
    least = min((min(_rates(row, "flops").values()) for row in rows), default=1.0)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(least / 2, fma * 5))
    for row in rows:
        _pair(axes, row, _intensity(row), "flops")
    axes.set_xlabel("operations for each byte that must move at least")
    axes.set_ylabel(WORK["flops"])
    axes.set_title("Roofline (a point above the roof computes less: Winograd)", fontsize=12)
    _dress(axes)
    _legend(axes, rows)


def _dress(axes: Axes) -> None:
    """Plain numbers, a light grid behind, no frame above and to the right."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.grid(which="major", color="#E6E6E6", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _pair(axes: Axes, row: dict[str, Any], place: float, work: str, across: bool = False) -> None:
    """Both libraries' points of a row: a filled and a hollow one, joined by a line."""
    rates = _rates(row, work)
    colour = COLOURS.get(row["family"], OTHERS)

    def plot(values: list[float], *style: Any, **more: Any) -> None:
        places = [place] * len(values)
        axes.plot(*((values, places) if across else (places, values)), *style, **more)

    plot(list(rates.values()), color=colour, lw=1.2, alpha=0.45, zorder=2)
    if "torch" in rates:
        plot([rates["torch"]], "o", ms=7, mfc="white", mec=colour, mew=1.3, zorder=3)
    plot([rates["minidl"]], "o", ms=7.5, color=colour, zorder=4)


def _legend(axes: Axes, rows: list[dict[str, Any]]) -> None:
    found = {row["family"] for row in rows}
    for family, colour in COLOURS.items():
        if family in found:
            axes.plot([], [], "o", color=colour, label=f"minidl, {NAMES[family]}")
    axes.plot([], [], "o", color=OTHERS, label="minidl, others")
    axes.plot([], [], "o", mfc="white", mec=OTHERS, mew=1.3, label="PyTorch, as people get it")
    axes.legend(loc="lower right", fontsize=9.5, frameon=False)


def _ladder(
    axes: Axes, rows: list[dict[str, Any]], work: str, limits: list[tuple[float, str]]
) -> None:
    """Each row by name, with the machine's limits as lines."""
    for place, row in enumerate(reversed(rows)):
        _pair(axes, row, place, work, across=True)
    top = len(rows) - 0.4
    for i, (limit, label) in enumerate(limits):
        # Labels of neighbouring lines stand on two levels.
        height = top + 0.9 * (i % 2)
        axes.plot((limit, limit), (-0.7, height), color=ROOF, lw=1.1, ls=(0, (5, 4)), zorder=1)
        text = f"{label} {limit:.0f}"
        side = "right" if i % 2 else "left" if len(limits) == 2 else "center"
        axes.text(limit, height + 0.1, text, ha=side, va="bottom", fontsize=9, color=ROOF)
    names = [f"{row['name']}, {row['part']}" for row in reversed(rows)]
    axes.set(xscale="log", ylim=(-0.7, len(rows) + 1.4))
    axes.set_yticks(range(len(rows)), names, fontsize=8.5)
    arithmetic = work == "flops"
    axes.set_xlim(right=max(limit for limit, _ in limits) * (4 if arithmetic else 1.6))
    title = "Where arithmetic is the limit" if arithmetic else "Where memory is the limit"
    axes.set_title(title, fontsize=12)
    axes.set_xlabel(WORK[work])
    _dress(axes)
