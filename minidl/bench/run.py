"""Measure every row on every side, taking turns, and write what came out."""

from __future__ import annotations

import fnmatch
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import minidl
from minidl.bench import accuracy, facts
from minidl.bench.rows import Row, operations
from minidl.bench.sides import TITLES, BenchError, Side, present
from minidl.bench.steps import ROWS
from minidl.errors import ArgumentError, expected

# A process that used more than its threads shows processor time beyond wall time.
TOO_MANY, BUSY = 1.1, 0.85
# Threads of OpenBLAS spin for 2^28 ticks behind their last product, some 110 ms, on a core that the
# library whose turn is next would need.
REST = 0.15
# A race is over when in this many rounds no minimum fell below this share of what it was.
SETTLED, HARDLY = 5, 0.98
RACING = ("minidl", "torch", "torch_kept", "torch_last")
# Seeds of the networks whose gradients are compared. Few ReLUs that fall to the other side decide
# about each: of 16 networks the median still moves by a third.
NETWORKS = range(48)


@dataclass(frozen=True)
class Plan:
    """How a run is made.

    Attributes
    ----------
    threads : int, for every side
    rounds : how often each side has its turn at a row, at least
    most : how often minidl and PyTorch go on where their minima still fall
    seconds : how long a turn lasts at least
    only : a part of a row's name, or a pattern with * and ?; or "accuracy" or "peaks"
    """

    threads: int = 1
    rounds: int = 7
    most: int = 28
    seconds: float = 0.04
    only: str = ""

    def wants(self, section: str) -> bool:
        """Return whether a section beside the rows is asked for."""
        return self.only in ("", section)

    def rows(self) -> list[Row]:
        """Return the rows asked for."""
        every = [*operations(), *ROWS]
        pattern = f"*{self.only}*".lower()
        found = [row for row in every if fnmatch.fnmatch(row.key.lower(), pattern)]
        if not found and not self.wants("accuracy") and not self.wants("peaks"):
            hint = "see the names in benchmarks/pytorch.md"
            raise ArgumentError(expected("bench", "--only to fit a row", repr(self.only), hint))
        return found


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the plan; return everything as one JSON-able dictionary.

    Raises
    ------
    BenchError
        when a worker fails
    """
    rows, names = plan.rows(), present()
    there = [row for row in rows if row.there]
    wanted = [name for name in names if not there or any(name in row.sides for row in there)]
    result: dict[str, Any] = {
        "format": 1,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "threads": plan.threads,
        "rounds": plan.rounds,
        "most_rounds": plan.most,
        "machine": facts.machine(),
        "missing": [row.key for row in rows if not row.there],
    }
    with ExitStack() as stack:
        sides = {name: Side(name, plan.threads) for name in wanted}
        for side in sides.values():
            stack.callback(side.close)
        result["rows"] = [_row(row, sides, plan, say) for row in there]
        result["sides"] = {name: side.ask("facts") for name, side in sides.items()}
        if plan.wants("peaks"):
            say("peaks of this machine")
            result["peaks"] = sides["numpy"].ask("peaks")
        if plan.wants("accuracy"):
            say("accuracy")
            result["accuracy"] = _accuracy(sides)
    return result


def _row(row: Row, sides: dict[str, Side], plan: Plan, say: Callable[[str], None]) -> Any:
    """Measure one row: sides prepare one after the other, then take turns.

    Minima of few samples are luck where neighbours are at work: those that are compared go on until
    they have settled.
    """
    own = {name: side for name, side in sides.items() if name in row.sides}
    for side in own.values():
        side.ask("prepare", row.key)
    turns: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in own}
    racing = {name: side for name, side in own.items() if name in RACING}
    clock = 0 if plan.threads == 1 else 1
    for played in range(plan.most):
        if played >= plan.rounds and all(_settled(turns[name], clock) for name in racing):
            break
        for name, side in (own if played < plan.rounds else racing).items():
            time.sleep(REST if plan.threads > 1 else 0)
            turns[name].append(side.ask("turn", plan.seconds))
    samples = {name: [sample for turn in turns[name] for sample in turn] for name in own}
    faults = {name: side.ask("drop") for name, side in own.items()}
    measured = {name: _summary(samples[name], row, plan, faults[name]) for name in own}
    found = {
        "name": row.name,
        "part": row.part,
        "family": row.family,
        "kind": row.kind,
        "easy": row.easy,
        "unit": "us" if row.kind == "tape" else "ms",
        "flops": row.flops,
        "bytes": row.bytes,
        "target": row.target,
        "moonshot": row.moonshot,
        "sides": measured,
    }
    say(line(found))
    return found


def _settled(turns: list[list[tuple[float, float]]], clock: int) -> bool:
    """Whether the last rounds have hardly lowered a side's minimum."""
    lowest = [min(sample[clock] for sample in turn) for turn in turns]
    return len(lowest) > SETTLED and min(lowest) >= HARDLY * min(lowest[:-SETTLED])


def _summary(
    samples: list[tuple[float, float]], row: Row, plan: Plan, faults: float
) -> dict[str, float]:
    """Return minimum, median, spread and the ratio of processor to wall time.

    On one thread the time is processor time, so that waiting for a busy machine does not count; on
    more it is wall time.
    """
    unit = 1e6 if row.kind == "tape" else 1e3
    times = sorted((s[0] if plan.threads == 1 else s[1]) * unit / row.calls for s in samples)
    low, _, high = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
    median = statistics.median(times)
    return {
        "min": times[0],
        "median": median,
        "spread": (high - low) / median,
        "cpu_per_wall": sum(s[0] for s in samples) / sum(s[1] for s in samples),
        "samples": len(times),
        "page_faults": faults,
    }


def line(row: dict[str, Any]) -> str:
    """Return one row as it is shown while the benchmark runs."""
    times = ", ".join(f"{TITLES[n]} {side['min']:.4g}" for n, side in row["sides"].items())
    ratios = [
        f"{r:.3f} of {TITLES[name]}"
        for name in ("torch", "torch_kept")
        if (r := ratio(row, name)) is not None
    ]
    shown = f"{row['name']}, {row['part']}: {times} {row['unit']}"
    return f"{shown}; {', '.join(ratios)}" if ratios else shown


def ratio(row: dict[str, Any], against: str, of: str = "min") -> float | None:
    """Return minidl's time over a side's; None where that side did not take part.

    "torch" stands for the layout of PyTorch that the row compares with.
    """
    sides = row["sides"]
    if against == "torch" and "torch_last" in sides:
        against = "torch_last"
    return sides["minidl"][of] / sides[against][of] if against in sides else None


def _accuracy(sides: dict[str, Side]) -> dict[str, Any]:
    """Return errors of convolutions, and of ResNet-20s: gradients, and ReLUs that may flip."""
    compared = [name for name in ("minidl", "torch") if name in sides]
    precise = "set_precise" in minidl.__all__
    convolutions = {
        name: {row: list(map(float, e)) for row, e in sides[name].ask("convolutions").items()}
        for name in compared
    }
    errors: dict[str, list[float]] = {}
    flips: dict[str, list[float]] = {}
    for seed in NETWORKS:
        exact = sides["minidl"].ask("resnet", seed, "float64", False)
        asked: dict[str, tuple[Side, bool]] = {name: (sides[name], False) for name in compared}
        if precise:
            asked["minidl precise"] = (sides["minidl"], True)
        for name, (side, direct) in asked.items():
            got = side.ask("resnet", seed, "float32", direct)
            errors.setdefault(name, []).append(accuracy.apart(got.gradients, exact.gradients))
            flips.setdefault(name, []).append(accuracy.flips(got.relus, exact.relus))
        if "torch" in sides and seed == NETWORKS[0]:
            _same_network(sides["torch"].ask("resnet", seed, "float64", False), exact)
    return {"convolutions": convolutions, "resnet20": errors, "flips": flips}


def _same_network(theirs: accuracy.Network, exact: accuracy.Network) -> None:
    """Raise BenchError unless both libraries compute the same in float64."""
    distance = accuracy.apart(theirs.gradients, exact.gradients)
    if not distance < 1e-6:
        wanted = "ResNet-20 gradients in float64 that agree to 1e-6"
        raise BenchError(expected("bench: accuracy", wanted, f"{distance:.1e} apart"))


def too_many_threads(result: dict[str, Any]) -> Iterator[str]:
    """Yield a complaint for each side of a row that used more processor time than it may."""
    for row in result["rows"]:
        for name, side in row["sides"].items():
            if side["cpu_per_wall"] > TOO_MANY * result["threads"]:
                yield (
                    f"{row['name']}: {row['part']}: {name} used {side['cpu_per_wall']:.2f} s of "
                    f"processor time per second on {result['threads']} thread(s)"
                )


def waited(result: dict[str, Any]) -> int:
    """Return in how many rows a side was kept waiting: another program was at work."""
    return sum(
        any(side["cpu_per_wall"] < BUSY for side in row["sides"].values()) for row in result["rows"]
    )


def write(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, then move it there: nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content.encode() if isinstance(content, str) else content)
    beside.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Return an earlier run's results.

    Raises
    ------
    ArgumentError
        for a file that is not there, or that no run wrote
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArgumentError(expected("bench", f"results in {path}", error)) from None
    if not _is_result(result):
        raise ArgumentError(
            expected("bench", f"{path} as `minidl bench` wrote it", "something else")
        )
    return result


def _is_result(found: Any) -> bool:
    """Whether this has what a comparison reads: rows with times on sides, minidl's among them."""
    try:
        return found["format"] == 1 and all(
            isinstance(row["name"] + row["part"], str)
            and "minidl" in row["sides"]
            and all(
                min(side["min"], side["median"]) > 0 and side["spread"] >= 0
                for side in row["sides"].values()
            )
            for row in found["rows"]
        )
    except (AttributeError, KeyError, TypeError):
        return False
