"""The bars minidl is held to, and where a run stands against them and against an earlier run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from minidl.bench.run import ratio

Rows = Iterable[dict[str, Any]]

# Slower means: minimum and median both grew, relative to the yardstick, by more than this or by
# the spread of the samples, whichever is larger.
NOISE = 0.1
SINGLE = (1.05, 0.9)


class Bar(NamedTuple):
    """One bar: what it is about, what was measured, what is asked."""

    name: str
    value: float | None
    target: float
    moonshot: float

    @property
    def met(self) -> str:
        """The verdict in a word."""
        if self.value is None:
            return "not measured"
        if self.value <= self.moonshot:
            return "moonshot"
        return "met" if self.value <= self.target else "**missed**"


def mean(rows: Rows, against: str) -> float | None:
    """Return the geometric mean of the ratios of the minima; None without any."""
    ratios = [r for r in (ratio(row, against) for row in rows) if r is not None]
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None


def operations(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of single operations."""
    return [row for row in result["rows"] if row["kind"] == "operation"]


def bars(result: dict[str, Any]) -> Iterator[Bar]:
    """Yield every bar."""
    single = operations(result)
    hard = [row for row in single if not row["easy"]]
    yield Bar("geometric mean of the operations", mean(single, "torch"), 0.4, 0.25)
    yield Bar(
        "the same against a page-keeping malloc, without LRN, DropBlock, dropout, pooling forward "
        "and first layers",
        mean(hard, "torch_kept"),
        *(0.65, 0.5),
    )
    worst = max(
        ((r, row) for row in single if (r := ratio(row, "torch")) is not None),
        key=lambda pair: pair[0],
        default=(None, None),
    )
    label = "" if worst[1] is None else f": {worst[1]['name']}, {worst[1]['part']}"
    yield Bar(f"the worst single operation{label}", worst[0], *SINGLE)
    for row in result["rows"]:
        if row["kind"] == "step" and row["target"] is not None:
            yield Bar(f"{row['name']}, training step", ratio(row, "torch"), *goals(row))
    errors = result.get("accuracy", {}).get("resnet20", {})
    for name, average in (("median", statistics.median), ("mean", statistics.fmean)):
        if "torch" in errors:
            apart = average(errors["minidl"]) / average(errors["torch"])
            yield Bar(f"{name} error of ResNet-20's gradient, minidl / PyTorch", apart, 1.0, 1.0)
    flips = result.get("accuracy", {}).get("flips", {})
    if "torch" in flips:
        more = statistics.fmean(flips["minidl"]) / statistics.fmean(flips["torch"])
        yield Bar("ReLUs of ResNet-20 that rounding may flip, minidl / PyTorch", more, 1.0, 1.0)


def goals(row: dict[str, Any]) -> tuple[float, float]:
    """Return a row's target and moonshot, by default those of any single operation."""
    return (SINGLE[0], SINGLE[1]) if row["target"] is None else (row["target"], row["moonshot"])


def slower(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """Return a line for each row on which minidl got slower than in an earlier run.

    Both runs are taken relative to the page-keeping PyTorch of the same run (else PyTorch, else
    NumPy), so that a slower machine is not mistaken for slower code. A row counts when minimum and
    median have both grown by more than 10 % and by more than the samples' spread in either run.
    """
    earlier = {(row["name"], row["part"]): row for row in before["rows"]}
    lines = []
    for row in now["rows"]:
        old = earlier.get((row["name"], row["part"]))
        if old is None:
            continue
        yardstick = next(
            (
                name
                for name in ("torch_kept", "torch_last", "torch", "numpy")
                if name in row["sides"] and name in old["sides"]
            ),
            None,
        )
        if yardstick is None:
            continue
        growth = [_relative(row, yardstick, of) / _relative(old, yardstick, of) for of in ORDER]
        noise = max(NOISE, *(r["sides"][s]["spread"] for r in (row, old) for s in (yardstick, US)))
        if min(growth) > 1 + noise:
            lines.append(
                f"{row['name']}: {row['part']}: {min(growth):.2f} times slower relative to "
                f"{yardstick} ({old['sides'][US]['min']:.4g} -> {row['sides'][US]['min']:.4g} "
                f"{row['unit']}; noise {noise:.0%})"
            )
    return lines


ORDER = ("min", "median")
US = "minidl"


def _relative(row: dict[str, Any], yardstick: str, of: str) -> float:
    return row["sides"][US][of] / row["sides"][yardstick][of]
