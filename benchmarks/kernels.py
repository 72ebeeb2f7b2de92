"""The three tellings of every kernel, side by side in one run.

    python benchmarks/kernels.py            (or: make tellings)

writes benchmarks/kernels.json and benchmarks/kernels.md. float32, one thread, each call allocates
its results. What is measured is processor time, so that waiting for a busy machine does not count,
and the tellings take turns, so that what a neighbour does to the caches hits all of them; minima
and medians of the rounds are kept. Compilation by Numba is over before the clock starts. NumPy,
which for convolution means plain im2col, is the measure: ratio = telling / NumPy, below 1 is
faster. The table of defaults in minidl/backend.py is chosen from this.
"""

import argparse
import importlib
import json
import math
import statistics
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import threadpoolctl

import minidl
from minidl.bench import facts
from minidl.bench.run import write

HERE = Path(__file__).parent
TELLINGS = ("numpy", "numba", "cython")

CONVOLUTIONS = [
    # n, c, size, o, kernel, stride, padding, groups
    (32, 64, 32, 64, 3, 1, 1, 1),
    (32, 128, 16, 128, 3, 1, 1, 1),
    (32, 256, 8, 256, 3, 1, 1, 1),
    (64, 16, 32, 16, 3, 1, 1, 1),
    (32, 64, 32, 128, 3, 2, 1, 1),
    (32, 256, 16, 64, 1, 1, 0, 1),
    (32, 3, 32, 64, 3, 1, 1, 1),
    (64, 1, 28, 8, 5, 1, 2, 1),
    (8, 3, 227, 96, 11, 4, 0, 1),
    (32, 64, 32, 64, 3, 1, 1, 64),
    (64, 8, 8, 16, 3, 1, 1, 1),
]

Call = tuple[str, str, str, tuple]  # family, function, what is computed, arguments


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return normal float32 numbers."""
    return rng.standard_normal(shape, dtype=np.float32)


def conv2d(rng: np.random.Generator) -> Iterator[Call]:
    """Forward and both gradients of each convolution."""
    for n, c, size, o, kernel, stride, padding, groups in CONVOLUTIONS:
        out = (size + 2 * padding - kernel) // stride + 1
        x = normal(rng, n, c, size, size)
        weight = normal(rng, o, c // groups, kernel, kernel)
        bias, dy = normal(rng, o), normal(rng, n, o, out, out)
        options = (stride, stride), (padding, padding), (1, 1), groups
        what = f"({n}, {c}, {size}, {size}) -> {o}, {kernel}x{kernel}"
        what += f", stride {stride}" * (stride > 1) + f", {groups} groups" * (groups > 1)
        yield "conv2d", "forward", what, (x, weight, bias, *options)
        yield "conv2d", "backward_input", what, (dy, weight, x.shape, *options)
        yield "conv2d", "backward_weight", what, (dy, x, weight.shape, *options)


def batch_norm(rng: np.random.Generator) -> Iterator[Call]:
    """Training, its gradients, and inference, after convolutions and after a linear layer."""
    for n, c, s in [(32, 64, 1024), (32, 256, 64), (64, 16, 64), (128, 512, 1)]:
        x, dy, x_hat = (normal(rng, n, c, s) for _ in range(3))
        gamma, beta, mean = (normal(rng, c) for _ in range(3))
        what = f"({n}, {c}, {s})"
        yield "batch_norm", "forward", what, (x, gamma, beta, 1e-5)
        yield "batch_norm", "backward", what, (dy, x_hat, gamma**2, gamma)
        yield "batch_norm", "inference", what, (x, gamma, beta, mean, beta**2, 1e-5)
        yield "batch_norm", "fused_forward", what, (x, gamma, beta, dy, 1e-5, True)
        fused = dy, x, x_hat, mean, gamma**2, gamma, None, True
        yield "batch_norm", "fused_backward", what, fused


def lrn(rng: np.random.Generator) -> Iterator[Call]:
    """AlexNet's second layer, and a small one."""
    for n, c, p in [(32, 96, 27 * 27), (64, 16, 64)]:
        x, dy = normal(rng, n, c, p), normal(rng, n, c, p)
        what = f"({n}, {c}, {p}), size 5"
        yield "lrn", "forward", what, (x, 5, 2e-5, 0.75, 1.0)
        yield "lrn", "backward", what, (dy, x, 1 + x * x, 5, 2e-5, 0.75)


def pool(rng: np.random.Generator) -> Iterator[Call]:
    """Windows of 2x2 and of 3x3 with stride 2; adaptive pooling is told in NumPy only."""
    for n, c, size, kernel, padding in [(32, 64, 32, 2, 0), (32, 64, 32, 3, 1), (64, 16, 8, 2, 0)]:
        out = (size + 2 * padding - kernel) // 2 + 1
        x, dy = normal(rng, n, c, size, size), normal(rng, n, c, out, out)
        window = (kernel, kernel), (2, 2), (padding, padding)
        specification = importlib.import_module("minidl.kernels.pool_numpy")
        _, argmax = specification.max_forward(x, *window, (1, 1), (out, out))
        _, where = specification.max_forward_local(x, *window, (1, 1), (out, out))
        what = f"({n}, {c}, {size}, {size}), {kernel}x{kernel}, stride 2"
        yield "pool", "max_forward", what, (x, *window, (1, 1), (out, out))
        yield "pool", "max_backward", what, (dy, argmax, x.shape)
        yield "pool", "max_forward_local", what, (x, *window, (1, 1), (out, out))
        yield "pool", "max_backward_local", what, (dy, where, x.shape, *window, (1, 1))
        yield "pool", "avg_forward", what, (x, *window, (out, out), True)
        yield "pool", "avg_backward", what, (dy, x.shape, *window, True)


def drop_block(rng: np.random.Generator) -> Iterator[Call]:
    """About a tenth of the pixels dropped, each channel with a mask of its own."""
    for n, c, size, block in [(32, 256, 28, 7), (64, 16, 8, 3)]:
        seeds = rng.random((n, c, size - block + 1, size - block + 1)) < 0.1 / block**2
        keep = rng.random((n, c, size, size)) < 0.9
        x = normal(rng, n, c, size, size)
        what = f"({n}, {c}, {size}, {size}), block {block}"
        yield "drop_block", "expand", what, (seeds, block)
        yield "drop_block", "forward", what, (x, keep)
        yield "drop_block", "backward", what, (x, keep, 1.1)
        yield "drop_block", "mask", what, (x.shape, 7, 0.1 / block**2, block)
        yield "drop_block", "product", what, (x, keep, 1.1)


def dropout(rng: np.random.Generator) -> Iterator[Call]:
    """25 MB, and a small layer."""
    for n, d in [(3200, 2048), (64, 64)]:
        x, keep = normal(rng, n, d), rng.random((n, d)) < 0.5
        yield "dropout", "forward", f"({n}, {d})", (x, keep, 0.5)
        yield "dropout", "backward", f"({n}, {d})", (x, keep, 0.5)
        yield "dropout", "seeded", f"({n}, {d})", (x, 7, 0.5, 2.0)


def softmax_cross_entropy(rng: np.random.Generator) -> Iterator[Call]:
    """Many classes, and ten."""
    for n, k in [(4096, 1000), (64, 10)]:
        logits, targets = normal(rng, n, k), rng.integers(0, k, n)
        probabilities = np.full((n, k), 1 / k, np.float32)
        yield "softmax_cross_entropy", "forward", f"({n}, {k})", (logits, targets)
        yield (
            "softmax_cross_entropy",
            "backward",
            f"({n}, {k})",
            (normal(rng, n), probabilities, targets),
        )


FAMILIES = (batch_norm, conv2d, drop_block, dropout, lrn, pool, softmax_cross_entropy)


def measure(family: str, function: str, arguments: tuple, rounds: int, seconds: float) -> dict:
    """Time the tellings in turn: {telling: {"min_ms": ..., "median_ms": ...}}.

    A round lasts at least a millisecond for each telling, by repeating short calls.
    """
    kernels = {}
    for telling in TELLINGS:
        module = importlib.import_module(f"minidl.kernels.{family}_{telling}")
        kernels[telling] = getattr(module, function)
        kernels[telling](*arguments)
    started = time.process_time()
    kernels["numpy"](*arguments)
    once = time.process_time() - started
    repeat = max(1, math.ceil(1e-3 / once))
    rounds = max(3, min(rounds, int(seconds / (once * repeat))))
    times: dict[str, list[float]] = {telling: [] for telling in TELLINGS}
    for _ in range(rounds):
        for telling, kernel in kernels.items():
            started = time.process_time()
            for _ in range(repeat):
                kernel(*arguments)
            times[telling].append((time.process_time() - started) / repeat * 1e3)
    return {
        telling: {"min_ms": min(values), "median_ms": statistics.median(values)}
        for telling, values in times.items()
    }


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    packages = {name: metadata.version(name) for name in ("numpy", "numba", "cython")}
    return {**facts.machine(), **packages, **facts.pools()}


def mean_ratio(rows: list[dict], telling: str) -> float:
    """Return the geometric mean of a telling's ratios to NumPy."""
    ratios = [row["times"][telling]["min_ms"] / row["times"]["numpy"]["min_ms"] for row in rows]
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def summary(rows: list[dict]) -> Iterator[str]:
    """Lines of the table of families: mean and worst ratio of each telling, and the fastest."""
    yield "| family | numba: mean, worst | cython: mean, worst | fastest |"
    yield "|---|---|---|---|"
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        cells = [family]
        for telling in TELLINGS[1:]:
            worst = max(r["times"][telling]["min_ms"] / r["times"]["numpy"]["min_ms"] for r in own)
            cells.append(f"{mean_ratio(own, telling):.2f}, {worst:.2f}")
        cells.append(min(TELLINGS, key=lambda telling: mean_ratio(own, telling)))
        yield "| " + " | ".join(cells) + " |"


def report(machine: dict[str, str], rows: list[dict]) -> str:
    """Everything as Markdown."""
    lines = ["# Kernels: NumPy, Numba and Cython side by side", ""]
    lines += ["Written by `python benchmarks/kernels.py`. One thread, float32; milliseconds of"]
    lines += ["processor time, minimum (median) over interleaved rounds; ratio of the minima to"]
    lines += ["NumPy's, below 1 is faster.", ""]
    lines += [", ".join(f"{name}: {value}" for name, value in machine.items()) + ".", ""]
    lines += ["The mean of a family is the geometric mean over its rows below.", ""]
    lines += [*summary(rows), ""]
    lines += ["| family | function | input | numpy | numba | ratio | cython | ratio |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row["family"], row["function"], row["input"]]
        base = row["times"]["numpy"]["min_ms"]
        for telling in TELLINGS:
            found = row["times"][telling]
            cells.append(f"{found['min_ms']:.3f} ({found['median_ms']:.3f})")
            if telling != "numpy":
                cells.append(f"{found['min_ms'] / base:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds for each row, at most")
    parser.add_argument("--seconds", type=float, default=0.6, help="NumPy's time for each row")
    parser.add_argument("--only", choices=[family.__name__ for family in FAMILIES])
    parser.add_argument("--output", type=Path, default=HERE / "kernels", help="without suffix")
    chosen = parser.parse_args()
    rows = []
    minidl.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        found = machine()
        for family in FAMILIES:
            if chosen.only not in (None, family.__name__):
                continue
            for name, function, what, arguments in family(np.random.default_rng(0)):
                times = measure(name, function, arguments, chosen.rounds, chosen.seconds)
                rows.append({"family": name, "function": function, "input": what, "times": times})
                shown = "  ".join(f"{t} {times[t]['min_ms']:9.3f} ms" for t in TELLINGS)
                print(f"{name}.{function:<16} {what:<44} {shown}", flush=True)
    write(chosen.output.with_suffix(".md"), report(found, rows))
    written = json.dumps({"machine": found, "rows": rows}, indent=1) + "\n"
    write(chosen.output.with_suffix(".json"), written)


if __name__ == "__main__":
    main()
