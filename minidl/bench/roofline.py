"""The roofline picture: what each row reaches of what this machine can do."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import matplotlib.ticker as ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, apart for every kind of eye.
COLOURS = {
    "conv2d": "#0072B2",
    "norm": "#D55E00",
    "pool": "#009E73",
    "lstm": "#CC79A7",
    "linear": "#56B4E9",
}
OTHERS = "#7A7A7A"
NAMES = {"conv2d": "convolution", "norm": "normalization", "lstm": "LSTM", "pool": "pooling"}
MEMORY = (("read_l2_gbs", "L2"), ("read_l3_gbs", "L3"), ("triad_gbs", "DRAM"))
INTENSITY = (0.05, 1000.0)
# Below this many operations a byte, memory is the limit, and GB/s say more than GF/s.
BALANCE = 3.0


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the picture of a run beside its place, then move it there."""
    figure = Figure(figsize=(15, 8.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    rows = [r for r in result["rows"] if r["flops"] and r["bytes"] and r["kind"] == "operation"]
    _arithmetic(left, [r for r in rows if _intensity(r) > BALANCE], result["peaks"])
    _bandwidth(right, [r for r in rows if _intensity(r) <= BALANCE], result["peaks"])
    title = (
        f"minidl and PyTorch against the limits of this machine: {result['machine']['processor']}"
    )
    figure.suptitle(f"{title}, {result['threads']} thread", fontsize=14, fontweight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(buffer.getvalue())
    beside.replace(path)


def _intensity(row: dict[str, Any]) -> float:
    return row["flops"] / row["bytes"]


def _rates(row: dict[str, Any], work: str) -> dict[str, float]:
    """Return GF/s or GB/s of minidl and of PyTorch, of whom took part."""
    both = {side: row["sides"].get(side) for side in ("minidl", "torch")}
    return {side: row[work] / found["min"] / 1e6 for side, found in both.items() if found}


def _arithmetic(axes: Axes, rows: list[dict[str, Any]], peaks: dict[str, float]) -> None:
    """Roofs over operations per byte, and each row that computes more than it moves."""
    low, high = INTENSITY
    fma, sgemm = peaks["fma_gflops"], peaks["sgemm_gflops"]
    axes.plot((low, high), (fma, fma), color="#222222", lw=1.6)
    axes.text(high, fma * 1.03, f"FMA peak {fma:.0f} GF/s", ha="right", va="bottom", fontsize=9)
    axes.plot((low, high), (sgemm, sgemm), color="#222222", lw=0.9, ls=(0, (5, 4)))
    axes.text(low, sgemm, f" sgemm {sgemm:.0f} GF/s", va="top", fontsize=9)
    for name, _ in MEMORY:
        ridge = fma / peaks[name]
        axes.plot((low, ridge), (low * peaks[name], fma), color="#999999", lw=1)
    axes.set(xscale="log", yscale="log", xlim=(2, high), ylim=(4, fma * 4))
    for row in rows:
        _pair(axes, row, _intensity(row), "flops")
    axes.set_xlabel("operations for each byte that must move")
    axes.set_ylabel("GF/s, counted as the direct method's arithmetic")
    axes.set_title("Arithmetic: above the roof only by computing less (Winograd)", fontsize=11)
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.grid(which="major", color="#E5E5E5", lw=0.8)
    axes.set_axisbelow(True)
    _legend(axes, rows)


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
    for family in dict.fromkeys(row["family"] for row in rows):
        label = NAMES.get(family, family)
        axes.plot([], [], "o", color=COLOURS.get(family, OTHERS), label=f"minidl, {label}")
    axes.plot([], [], "o", mfc="white", mec="#444444", label="PyTorch")
    axes.legend(loc="lower right", fontsize=9, frameon=False)


def _bandwidth(axes: Axes, rows: list[dict[str, Any]], peaks: dict[str, float]) -> None:
    """GB/s of each row that moves more than it computes, beside what memory gives."""
    rows = sorted(rows, key=lambda row: (row["family"], row["name"], row["part"]), reverse=True)
    for y, row in enumerate(rows):
        _pair(axes, row, y, "bytes", across=True)
    for name, label in MEMORY:
        axes.axvline(peaks[name], color="#222222", lw=1, ls=(0, (5, 4)), zorder=1)
        text = f"{label} {peaks[name]:.0f}"
        axes.text(peaks[name], len(rows) - 0.3, text, ha="center", va="bottom", fontsize=9)
    axes.set(xscale="log", ylim=(-0.7, len(rows) - 0.4))
    axes.set_yticks(range(len(rows)), [f"{r['name']}, {r['part']}" for r in rows], fontsize=8.5)
    axes.set_xlabel("GB/s, each array moved once")
    axes.set_title("Memory: filled is minidl, hollow is PyTorch\n", fontsize=11)
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.grid(axis="both", which="major", color="#E5E5E5", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
