"""What `minidl bench` does: measure, print, write, compare."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from minidl.bench import bars, report, roofline
from minidl.bench.run import Plan, measure, read, too_many_threads, write
from minidl.bench.sides import absent


def run(
    only: str, quick: bool, threads: int, against: Path | None, output: Path, out: Console
) -> list[str]:
    """Run the benchmark; return what is wrong, one line each.

    Parameters
    ----------
    only : part of a row's name; then nothing but the table and the JSON are made
    quick : fewer and shorter turns
    threads : for every library
    against : an earlier run's JSON, or None
    output : folder
    out : where progress is shown
    """
    before = None if against is None else read(against)
    plan = Plan(threads, rounds=3, seconds=0.02, only=only) if quick else Plan(threads, only=only)
    for complaint in absent():
        out.print(f"Note: {complaint}", soft_wrap=True)
    result = measure(plan, lambda text: out.print(text, soft_wrap=True))
    name = "pytorch" if threads == 1 else f"pytorch-{threads}-threads"
    write(output / f"{name}.json", json.dumps(result, indent=1) + "\n")
    if not only and threads == 1:
        roofline.draw(result, output / "roofline.png")
    write(output / f"{name}.md", report.markdown(result))
    for bar in bars.bars(result):
        value = "-" if bar.value is None else f"{bar.value:.3f}"
        out.print(f"{value:>8} at most {bar.target}: {bar.name}: {bar.met}", soft_wrap=True)
    out.print(f"Written: {output / name}.md and .json", soft_wrap=True)
    wrong = [f"bench: {text}" for text in too_many_threads(result)]
    if before is not None:
        wrong += [f"bench: slower: {text}" for text in bars.slower(result, before)]
    return wrong
