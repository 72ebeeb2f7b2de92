"""The process in which a race is run: `python -m minidl.course.contest`, started by race.py.

Everybody runs in turn, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minidl import threads

ROUNDS, MOST_SECONDS = 30, 6.0
CLOSE = 1e-3


def run(wish: Mapping[str, str]) -> dict[str, Any]:
    """Let everybody run, and return what was measured.

    Parameters
    ----------
    wish : paths of the assignment's `race`, the student's `source`, and of the compiled `extension`
        ("" for none), and the `task`'s function.

    Returns
    -------
    dict
        on: the arrays in words; runners: name, first, later (milliseconds) and right for each;
        notes: who could not run, and why.
    """
    threads.set_num_threads(1)
    rules = runpy.run_path(wish["race"])
    given = rules["arguments"]()
    yours = _functions(wish, rules["STUDENT"])
    measured, notes, right = [], [], None
    for name, function in rules["runners"](yours).items():
        try:
            first, result = _timed(function, given)
        except Exception as error:
            if name == f"your {wish['task']}":
                raise
            if not isinstance(error, NotImplementedError):
                notes.append(f"{name} raised {type(error).__name__}: {error}")
            continue
        right = result if right is None else right
        measured.append((name, function, first, _same(result, right)))
    later = _in_turn([function for _, function, _, _ in measured], given)
    runners = [
        {"name": name, "first": 1000 * first, "later": 1000 * seconds, "right": fits}
        for (name, _, first, fits), seconds in zip(measured, later, strict=True)
    ]
    arrays = (f"{a.shape} {a.dtype}" for a in given if isinstance(a, np.ndarray))
    return {"on": ", ".join(arrays), "notes": notes, "runners": runners}


def _functions(wish: Mapping[str, str], names: Sequence[str]) -> dict[str, Callable[..., Any]]:
    """Return the student's functions that can run here: what Cython compiles only as compiled."""
    module = runpy.run_path(wish["source"], run_name="submission")
    if wish["extension"]:
        # An extension comes before a source file of the same name in the same folder.
        compiled = importlib.import_module(wish["task"])
        module[wish["task"]] = getattr(compiled, wish["task"])
    slow = {name for name in names if name.endswith("_cython") and not wish["extension"]}
    return {name: module[name] for name in names if callable(module.get(name)) and name not in slow}


def _timed(function: Callable[..., Any], given: Sequence[Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*given)
    return time.perf_counter() - start, result


def _in_turn(functions: Sequence[Callable[..., Any]], given: Sequence[Any]) -> list[float]:
    """Return the median seconds of each function over many rounds."""
    times: list[list[float]] = [[] for _ in functions]
    until = time.perf_counter() + MOST_SECONDS
    for _ in range(ROUNDS):
        for function, seconds in zip(functions, times, strict=True):
            seconds.append(_timed(function, given)[0])
        if time.perf_counter() > until:
            break
    return [float(np.median(seconds)) for seconds in times]


def _same(result: Any, right: np.ndarray) -> bool:
    if not isinstance(result, np.ndarray) or result.shape != right.shape:
        return False
    return bool(np.abs(result - right).max() <= CLOSE * np.abs(right).max())


if __name__ == "__main__":
    made = run(json.loads(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(made), encoding="utf-8")
