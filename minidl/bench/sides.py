"""The worker processes, as the one who runs the benchmark sees them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import platform
import subprocess
import sys
from typing import Any

from minidl.errors import MinidlError, expected

# What malloc must be told so that a freed block's pages stay with the process.
KEEP = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
KEEP += ":glibc.malloc.top_pad=67108864"
TITLES = {
    "minidl": "minidl",
    "torch": "PyTorch",
    "torch_kept": "PyTorch (pages kept)",
    "torch_last": "PyTorch (channels-last)",
    "numpy": "NumPy",
    "dezero": "DeZero",
}
NEEDS = {"torch": "torch", "torch_kept": "torch", "torch_last": "torch", "dezero": "dezero"}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

ALLOCATORS = ("GLIBC_TUNABLES", "LD_PRELOAD", "MINIDL_ALLOCATOR")


class BenchError(MinidlError, RuntimeError):
    """A side that could not do its part."""


def installed(side: str) -> bool:
    """Return whether the library behind a side can be imported."""
    return side not in NEEDS or importlib.util.find_spec(NEEDS[side]) is not None


def absent() -> list[str]:
    """Return, for each side that cannot take part, why."""
    missing = {NEEDS[side] for side in TITLES if not installed(side)}
    lines = [
        f"bench: expected {name}, it is not installed; pip install 'minidl[peers]' brings it"
        for name in sorted(missing)
    ]
    if "torch" not in missing and platform.libc_ver()[0] != "glibc":
        lines.append("bench: a malloc that keeps its pages is asked of glibc; this system has none")
    return lines


def present() -> list[str]:
    """Return the sides that can take part."""
    glibc = platform.libc_ver()[0] == "glibc"
    return [s for s in TITLES if installed(s) and (glibc or s != "torch_kept")]


def environment(side: str, threads: int) -> dict[str, str]:
    """Return the environment of a side's process: thread counts, and who allocates."""
    env = {k: v for k, v in os.environ.items() if k not in ALLOCATORS}
    env.update(dict.fromkeys(THREADS, str(threads)))
    if side != "minidl":
        env["MINIDL_ALLOCATOR"] = "off"
    if side == "torch_kept":
        env["GLIBC_TUNABLES"] = KEEP
    return env


class Side:
    """One library in a process of its own; `ask` sends a message and returns the answer."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "minidl.bench.worker", name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(name, threads),
        )

    def ask(self, what: str, *arguments: Any) -> Any:
        """Send a message; return what the worker answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump((what, *arguments), self.process.stdin, protocol=5)
            self.process.stdin.flush()
            outcome, result = pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            code = self.process.wait()
            got = f"its process ended with code {code}"
            raise BenchError(expected(f"bench: {self.name}", f"an answer to {what}", got)) from None
        if outcome == "error":
            raise BenchError(f"bench: {self.name} failed at {what}{arguments}:\n{result}")
        return result

    def close(self) -> None:
        """End the process."""
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):  # what a process that is gone did not read
                stream.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
