"""What `minidl bench` does: measure, print, write, compare."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from rich.console import Console

from minidl.bench import bars, report, roofline
from minidl.bench.run import Plan, measure, read, too_many_threads, write
from minidl.bench.sides import TITLES, absent
from minidl.errors import ArgumentError, expected


def run(
    only: str, quick: bool, threads: int, against: Path | None, output: Path | None, out: Console
) -> list[str]:
    """Run the benchmark; return what is wrong, one line each.

    Parameters
    ----------
    only : part of a row's name; "" for all rows, the peaks, the accuracy and the picture
    quick : fewer and shorter turns
    threads : for every library
    against : an earlier run's JSON, or None
    output : folder; None for benchmarks/ after a whole run, and for no files after another
    out : where progress is shown
    """
    plan = Plan(threads, only=only)
    if quick:
        plan = Plan(threads, rounds=3, most=3, seconds=0.02, only=only)
    plan.rows()
    before = None if against is None else _earlier(against, plan)
    if output is None and not only and not quick:
        output = Path("benchmarks")
    if output is not None:
        _make(output)
    for complaint in absent():
        out.print(f"Note: {complaint}", soft_wrap=True)
    result = measure(plan, lambda text: out.print(text, soft_wrap=True))
    for text in _verdicts(result, whole=not only):
        out.print(text, soft_wrap=True)
    if output is not None:
        _save(result, output, whole=not only)
        out.print(f"Written: {output}", soft_wrap=True)
    wrong = [f"bench: {text}" for text in too_many_threads(result)]
    if before is not None:
        wrong += [f"bench: slower: {text}" for text in bars.slower(result, before)]
    return wrong


def _earlier(path: Path, plan: Plan) -> dict[str, Any]:
    """Return an earlier run with which the plan can be compared: as many threads, the same rows."""
    before = read(path)
    if before.get("threads") != plan.threads:
        wanted = f"{path} of a run on {plan.threads} thread(s)"
        hint = f"add --threads {before.get('threads')}"
        raise ArgumentError(expected("bench", wanted, before.get("threads"), hint))
    rows = {(row["name"], row["part"]) for row in before["rows"]}
    if rows.isdisjoint((row.name, row.part) for row in plan.rows()):
        raise ArgumentError(expected("bench", f"{path} with rows of this run", "none of them"))
    return before


def _make(folder: Path) -> None:
    """Make a folder to write to, before minutes go into what shall stand there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ArgumentError(expected("bench", f"a folder {folder} to write to", error)) from None


def _verdicts(result: dict[str, Any], whole: bool) -> Iterator[str]:
    """Yield the bars of a whole run; the mean ratios of a part."""
    if whole:
        for bar in bars.bars(result):
            value = "" if bar.value is None else f"{bar.value:.3f}"
            yield f"{value:>8} at most {bar.target}: {bar.name}: {bar.met.strip('*')}"
        return
    for name in ("torch", "torch_kept", "numpy"):
        mean = bars.mean(result["rows"], name)
        if mean is not None:
            yield f"{mean:8.3f} of {TITLES[name]}, geometric mean of these rows"
    for name, errors in result.get("accuracy", {}).get("resnet20", {}).items():
        median, mean = statistics.median(errors), statistics.fmean(errors)
        numbers = f"median {median:.1e}, mean {mean:.1e}"
        flips = statistics.fmean(result["accuracy"]["flips"][name])
        yield (
            f"{TITLES.get(name, name)}: error of ResNet-20's gradient, {numbers}; "
            f"{flips:.2f} ReLUs of a batch may flip"
        )


def _save(result: dict[str, Any], folder: Path, whole: bool) -> None:
    """Write the picture of a whole run, the JSON and the table; threads beyond one are named."""
    threads = result["threads"]
    name = "pytorch" if threads == 1 else f"pytorch-{threads}-threads"
    if whole and threads == 1:
        roofline.draw(result, folder / "roofline.png")
    write(folder / f"{name}.json", json.dumps(result, indent=1) + "\n")
    write(folder / f"{name}.md", report.markdown(result))
