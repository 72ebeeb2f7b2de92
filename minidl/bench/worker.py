"""One library in a process of its own, which prepares rows and times them when it is its turn.

    python -m minidl.bench.worker SIDE THREADS

Messages are pickled tuples on standard input; every one gets one answer on standard output:
("ok", result) or ("error", text). Whatever the library prints goes to standard error.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from minidl.bench import accuracy, facts, peaks
from minidl.bench.libraries import LIBRARIES
from minidl.bench.rows import Row, operations
from minidl.bench.steps import ROWS

SHORTEST = 1e-3


def all_rows() -> dict[str, Row]:
    """Return every row there can be, by key."""
    return {row.key: row for row in (*operations(), *ROWS)}


def begin(row: Row, lib: Any) -> Callable[[], object]:
    """Return the call to be timed."""
    rng = np.random.default_rng(0)
    if row.start is not None:
        return row.start(lib, rng)
    arrays = [make(rng) for make in row.inputs]
    if lib.name == "dezero":
        return _begin_dezero(row, lib, arrays[0], rng)
    assert row.layer is not None
    module = row.layer(lib.nn)
    wants_input = row.part != "weight gradient"
    module.requires_grad_(row.part != "input gradient")
    x = lib.tensor(arrays[0], wants_input)
    rest = [lib.tensor(array, array.dtype.kind == "f") for array in arrays[1:]]

    def forward() -> Any:
        y = module(x, *rest)
        return y[0] if isinstance(y, tuple) else y

    if row.part == "forward":
        return forward
    y = forward()
    dy = lib.tensor(rng.standard_normal(tuple(y.shape), dtype=np.float32))
    wanted = [t for t in (x, *rest, *module.parameters()) if t.requires_grad]
    if row.part.startswith("forward"):
        return lambda: lib.gradients(forward(), wanted, dy, keep=False)
    return lambda: lib.gradients(y, wanted, dy)


def _begin_dezero(row: Row, lib: Any, x: np.ndarray, rng: np.random.Generator) -> Any:
    """DeZero on a convolution's direction, or on batch normalization."""
    if "norm" in row.peer:
        layer = lib.L.BatchNorm()
        y = layer(lib.variable(x))
        dy = rng.standard_normal(x.shape, dtype=np.float32)
        if row.part == "forward":
            return lambda: layer(lib.variable(x))
        return lambda: y.creator.backward(lib.variable(dy))
    weight = rng.standard_normal(row.peer["weight"], dtype=np.float32)
    out = lib.F.conv2d(x, weight, None, row.peer["stride"], row.peer["padding"]).shape
    dy = lib.variable(rng.standard_normal(out, dtype=np.float32))
    call = lib.convolution(**row.peer)
    x, weight = lib.variable(x), lib.variable(weight)
    return lambda: call(x, weight, dy)


class Clocked:
    """A call, how often it is repeated for one sample, and its samples."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call
        for _ in range(2):
            call()
        started = time.process_time()
        call()
        self.once = max(time.process_time() - started, 1e-7)
        self.calls = self.faults = 0
        self.repeat = max(1, math.ceil(SHORTEST / self.once))

    def turn(self, seconds: float) -> list[tuple[float, float]]:
        """Return samples (processor seconds, wall seconds) of one call, for about `seconds`."""
        if self.once < seconds:
            self.call()
        samples: list[tuple[float, float]] = []
        call, loop = self.call, range(self.repeat)
        faults = page_faults()
        end = time.perf_counter() + seconds
        while not samples or time.perf_counter() < end:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in loop:
                call()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            samples.append((cpu / self.repeat, wall / self.repeat))
        self.faults += page_faults() - faults
        self.calls += len(samples) * self.repeat
        return samples


def page_faults() -> int:
    """Return how many pages this process was handed so far; 0 where nobody counts."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


class Worker:
    """Answers messages: each method is one."""

    def __init__(self, side: str, threads: int) -> None:
        self.lib = LIBRARIES[side]()
        self.lib.limit_threads(threads)
        self.rows = all_rows()
        self.clocked: Clocked | None = None

    def prepare(self, key: str) -> None:
        """Make a row's call ready, compiled and warm."""
        self.clocked = Clocked(begin(self.rows[key], self.lib))

    def turn(self, seconds: float) -> list[tuple[float, float]]:
        """Return samples of the prepared row."""
        assert self.clocked is not None
        return self.clocked.turn(seconds)

    def drop(self) -> float:
        """Forget the prepared row; return how many fresh pages one call was handed."""
        assert self.clocked is not None
        faults = self.clocked.faults / max(self.clocked.calls, 1)
        self.clocked = None
        return faults

    def facts(self) -> dict[str, str]:
        """Return what this side's numbers depend on."""
        return facts.versions(self.lib)

    def peaks(self) -> dict[str, float]:
        """Return what this machine can do at most."""
        return peaks.measure()

    def convolutions(self) -> dict[str, np.ndarray]:
        """Return the results of the convolution rows, for their accuracy."""
        return accuracy.convolutions(self.lib)

    def resnet(self, seed: int, dtype: str, precise: bool) -> accuracy.Network:
        """Return the gradients of a ResNet-20 and what its ReLUs return."""
        return accuracy.resnet(self.lib, seed, dtype, precise)


def serve(source: BinaryIO, sink: BinaryIO, worker: Worker) -> None:
    """Answer until the input ends."""
    while True:
        try:
            what, *arguments = pickle.load(source)
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("ok", getattr(worker, what)(*arguments))
        except Exception:
            answer = ("error", traceback.format_exc())
        pickle.dump(answer, sink, protocol=5)
        sink.flush()


def main() -> None:
    """Keep standard output for answers, leave Ctrl-C to who runs the benchmark, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    private = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, private, Worker(sys.argv[1], int(sys.argv[2])))


if __name__ == "__main__":
    main()
