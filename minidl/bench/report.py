"""The Markdown table of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from minidl.bench import bars
from minidl.bench.accuracy import BATCH
from minidl.bench.run import ratio, too_many_threads, waited
from minidl.bench.sides import KEEP, TITLES

KINDS = {
    "operation": "Operations, milliseconds",
    "step": "Training steps, milliseconds",
    "tape": "The tape, microseconds an operation",
}
PEAKS = {
    "fma_gflops": ("fused multiply-add on registers", "GF/s"),
    "sgemm_gflops": ("NumPy's product of large matrices", "GF/s"),
    "read_l1_gbs": ("reading 16 KiB", "GB/s"),
    "read_l2_gbs": ("reading 256 KiB", "GB/s"),
    "read_l3_gbs": ("reading 4 MiB", "GB/s"),
    "read_dram_gbs": ("reading 256 MiB", "GB/s"),
    "copy_gbs": ("copying 8 MiB, both arrays counted", "GB/s"),
    "triad_gbs": ("triad of 64 MiB arrays", "GB/s"),
}

HOW = """\
Written by `minidl bench`. {threads} thread(s), float32, NCHW. Every library runs in a process of
its own and they take turns, {rounds} rounds a row, minidl and PyTorch up to {most} until their
minima hardly fall any more; a cell is the minimum (median) of {clock} of one call through the
public interface, outputs allocated by each library itself. Ratio = minidl / other, of the minima:
below 1 minidl is faster. "Pages kept" is PyTorch in a process whose malloc keeps freed pages
(`GLIBC_TUNABLES={keep}`). NumPy is minidl on its NumPy specification. `forward` is forward in
training, tape included; gradients walk back over a tape that is kept, forward + backward over one
that is dropped, as training does. Spread is the distance between the quartiles of minidl's samples,
over their median. GF/s counts the direct method's arithmetic, GB/s each array moved once, for
minidl."""

GRADIENTS = """\
Gradient of a whole ResNet-20, all parameters together: distance from float64 over its length, for
{} random networks and batches of {}. Most of it is ReLUs whose input is next to zero and falls to
the other side in float32: one moves the gradient by about 1e-3, and how often that happens grows
with the rounding of everything before. Without any, rounding alone is about 1e-6. "ReLUs" is how
many of a batch are to be expected on the other side, from how far the inputs of all ReLUs are from
float64 and how many lie near zero: it says the same without the luck of which do."""


def markdown(result: dict[str, Any]) -> str:
    """Return the report of a run."""
    clock = "processor time" if result["threads"] == 1 else "wall time"
    lines = ["# minidl beside PyTorch", ""]
    lines += [
        HOW.format(
            threads=result["threads"],
            rounds=result["rounds"],
            most=result["most_rounds"],
            keep=KEEP,
            clock=clock,
        ),
        "",
    ]
    lines += [*_facts(result), "", "## Bars", "", *_bars(result), ""]
    lines += ["## Where minidl is behind", "", *_behind(result), ""]
    if "peaks" in result and result["threads"] == 1 and any(map(_misses, result["rows"])):
        lines += ["## Targets that are missed", "", *_missed(result), ""]
    for kind, title in KINDS.items():
        rows = [row for row in result["rows"] if row["kind"] == kind]
        if rows:
            lines += [f"## {title}", "", *_table(rows), ""]
    lines += _tape(result)
    if "accuracy" in result:
        lines += ["## Accuracy", "", *_accuracy(result["accuracy"]), ""]
    if "peaks" in result:
        lines += ["## This machine", "", *_peaks(result["peaks"]), ""]
        lines += ["![Roofline](roofline.png)", ""] if result["rows"] else []
    if result["missing"]:
        lines += ["## Not there yet", "", *(f"- {key}" for key in result["missing"]), ""]
    return "\n".join(lines)


def _facts(result: dict[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{k} {v}" for k, v in result["machine"].items() if v) + ".  "
    for name, facts in result["sides"].items():
        yield f"{TITLES[name]}: " + ", ".join(f"{k} {v}" for k, v in facts.items()) + ".  "
    complaints = list(too_many_threads(result))
    count = len(result["rows"])
    if complaints:
        yield "**Not to be trusted, more threads than set:** " + "; ".join(complaints) + "."
    else:
        yield f"Processor time / wall time stayed within {result['threads']} thread(s) on all rows."
    if waited(result):
        yield f"In {waited(result)} of {count} rows another program kept a side waiting."


def _bars(result: dict[str, Any]) -> Iterator[str]:
    if result["threads"] > 1:
        yield "They, and the targets of the rows, are set for one thread: here for information."
        yield ""
    yield "| ratio, PyTorch as people get it | measured | at most | moonshot | |"
    yield "|---|---:|---:|---:|---|"
    for bar in bars.bars(result):
        value = "" if bar.value is None else f"{bar.value:.3f}"
        yield f"| {bar.name} | {value} | {bar.target} | {bar.moonshot} | {bar.met} |"


def _behind(result: dict[str, Any]) -> Iterator[str]:
    """Yield the rows on which PyTorch is faster, with or without its pages kept, worst first."""
    found = []
    for row in result["rows"]:
        ratios = {name: ratio(row, name) for name in ("torch", "torch_kept")}
        worst = max((r for r in ratios.values() if r is not None), default=0.0)
        if worst > 1:
            kept = _number(ratios["torch_kept"])
            beside = f", {kept} with pages kept" if kept else ""
            text = f"- {row['name']}, {row['part']}: {_number(ratios['torch'])}{beside}"
            found.append((worst, text))
    yield from (text for _, text in sorted(found, reverse=True))
    yield "" if found else "Nowhere."
    yield "The reasons stand in [README.md](README.md)."


def _misses(row: dict[str, Any]) -> bool:
    value = ratio(row, "torch")
    return value is not None and row["kind"] != "tape" and value > bars.goals(row)[0]


def _missed(result: dict[str, Any]) -> Iterator[str]:
    """Yield what the missed targets ask for, beside what the machine can do."""
    peaks = result["peaks"]
    yield "In milliseconds. A target asks for its share of PyTorch's time in this run. Copying is"
    yield "of as many bytes, from one array of 8 MiB to another; arithmetic is on registers alone."
    yield ""
    yield "| | minidl | target | copying | arithmetic |"
    yield "|---|---:|---:|---:|---:|"
    for row in result["rows"]:
        value = ratio(row, "torch")
        if value is None or not _misses(row):
            continue
        own = row["sides"]["minidl"]["min"]
        limits = row["bytes"] / peaks["copy_gbs"] / 1e6, row["flops"] / peaks["fma_gflops"] / 1e6
        cells = own, bars.goals(row)[0] / value * own, *limits
        shown = (_digits(cell) if cell else "" for cell in cells)
        yield f"| {row['name']}, {row['part']} | " + " | ".join(shown) + " |"


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    shown = [name for name in TITLES if any(name in row["sides"] for row in rows)]
    shown = [name for name in shown if name != "torch_last"]
    heads = ["", *(TITLES[name] for name in shown), "ratio", "ratio, pages kept", "NumPy ratio"]
    heads += ["target (moonshot)", "spread", "GF/s", "GB/s"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---|" + "---:|" * (len(heads) - 1)
    for row in rows:
        cells = [f"{row['name']}, {row['part']}"]
        for name in shown:
            other = "torch_last" if name == "torch" and "torch_last" in row["sides"] else name
            cells.append(_time(row["sides"].get(other)))
        cells += [_bold(row, ratio(row, "torch")), _number(ratio(row, "torch_kept"))]
        cells += [_number(ratio(row, "numpy"))]
        cells.append("" if row["target"] is None else f"{row['target']} ({row['moonshot']})")
        seconds = row["sides"]["minidl"]["min"] * (1e-3 if row["unit"] == "ms" else 1e-6)
        cells.append(f"{row['sides']['minidl']['spread']:.0%}")
        for work in ("flops", "bytes"):
            cells.append(f"{row[work] / seconds / 1e9:.1f}" if row[work] else "")
        yield "| " + " | ".join(cells) + " |"


def _time(side: dict[str, float] | None) -> str:
    return "" if side is None else f"{_digits(side['min'])} ({_digits(side['median'])})"


def _digits(value: float) -> str:
    """Return three significant digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _bold(row: dict[str, Any], value: float | None) -> str:
    """Return a ratio, bold where it misses its target."""
    return f"**{_number(value)}**" if _misses(row) else _number(value)


def _tape(result: dict[str, Any]) -> list[str]:
    """Return what the tape costs beyond the arithmetic itself."""
    lines = []
    for row in result["rows"]:
        if row["kind"] == "tape":
            own, bare = row["sides"]["minidl"]["min"], row["sides"]["numpy"]["min"]
            lines.append(
                f"Tape, {row['part']}: {own:.2f} us gross, {own - bare:.2f} us net of NumPy's own "
                f"{bare:.2f} us.  "
            )
    return [*lines, ""] if lines else []


def _accuracy(found: dict[str, Any]) -> Iterator[str]:
    names = list(found["convolutions"])
    yield "Largest error of float32 against float64, relative to the largest value: forward / input"
    yield "gradient / weight gradient."
    yield ""
    yield "| | " + " | ".join(TITLES[name] for name in names) + " |"
    yield "|---|" + "---|" * len(names)
    for row in found["convolutions"][names[0]]:
        cells = [" / ".join(f"{e:.1e}" for e in found["convolutions"][n][row]) for n in names]
        yield f"| {row} | " + " | ".join(cells) + " |"
    yield ""
    networks = found["resnet20"]
    yield GRADIENTS.format(len(networks[names[0]]), BATCH)
    yield ""
    yield "| | median | mean | largest | ReLUs |"
    yield "|---|---:|---:|---:|---:|"
    for name, errors in networks.items():
        numbers = (statistics.median(errors), statistics.fmean(errors), max(errors))
        shown = " | ".join(f"{e:.1e}" for e in numbers)
        flips = statistics.fmean(found["flips"][name])
        yield f"| {TITLES.get(name, name)} | {shown} | {flips:.2f} |"


def _peaks(peaks: dict[str, float]) -> Iterator[str]:
    yield "| one thread, measured in this run | |"
    yield "|---|---:|"
    for name, (what, unit) in PEAKS.items():
        yield f"| {what} | {peaks[name]:.0f} {unit} |"
