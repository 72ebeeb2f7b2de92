"""Augmentation of a batch, and the workers of DataLoader, measured.

    python benchmarks/augmentation.py

writes benchmarks/augmentation.md: milliseconds for each kind of augmentation on 64 float32 images
of 3 x 32 x 32 in one thread, and the time of a pass over a loader beside a convolution that learns,
with no workers, threads and processes, for a transform that is NumPy's and one that is pure Python.
The second table is wall time, of interest on an idle machine with two cores or more.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import minidl
from minidl import data, nn
from minidl.bench import facts
from minidl.bench.run import write

HERE = Path(__file__).parent
# What flip and crop of a batch may take, in milliseconds.
ALLOWED = 2.0


def images(n: int = 64) -> np.ndarray:
    """Return random images (n, 3, 32, 32)."""
    return np.random.default_rng(0).random((n, 3, 32, 32), dtype=np.float32)


def kinds() -> dict[str, data.Augmentation]:
    """Return what is measured, flip and crop first."""
    flip, crop = data.RandomHorizontalFlip(), data.RandomCrop(32, padding=4)
    return {
        "flip + crop with padding 4": data.Compose([flip, crop]),
        "flip": flip,
        "crop with padding 4": crop,
        "cutout 8 x 8": data.Cutout(8),
        "Gaussian noise": data.GaussianNoise(sigma=0.1),
        "rotation": data.RandomRotation(15),
        "rotation, shift, scale": data.RandomAffine(15, (0.1, 0.1), (0.9, 1.1)),
        "resize to 24": data.Resize(24),
        "brightness, contrast, saturation": data.ColorJitter(0.4, 0.4, 0.4),
        "all four of colour": data.ColorJitter(0.4, 0.4, 0.4, 0.1),
        "PCA lighting": data.PCALighting(images()),
    }


def per_call(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return minimum and median of a call's processor time, in milliseconds."""
    call()
    times = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(5):
            call()
        times.append((time.process_time() - started) / 5 * 1e3)
    return min(times), statistics.median(times)


def array_work(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change images in ways that NumPy does."""
    jitter, affine = data.ColorJitter(0.4, 0.4, 0.4, 0.1), data.RandomAffine(15, scale=(0.9, 1.1))
    return data.GaussianNoise(sigma=0.05)(affine(jitter(x, rng), rng), rng)


def python_work(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Compute in pure Python, for about as long, and hold the interpreter's lock all the while."""
    total = 0.0
    for number in range(400_000):
        total += number * 0.5
    return x + np.float32(total * 0)


def passes(transform: Callable, rounds: int) -> list[float]:
    """Return the seconds of a pass with each kind of workers, which take turns."""
    loaders = [
        data.DataLoader(images(64 * 24), batch_size=64, transform=transform, **options)
        for options in WORKERS.values()
    ]
    layer = nn.Conv2d(3, 32, 3, padding=1, rng=np.random.default_rng(0))
    best = [float("inf")] * len(loaders)
    for turn in range(rounds + 1):
        for place, loader in enumerate(loaders):
            started = time.perf_counter()
            for (x,) in loader:
                y = layer(x)
                y.backward(y.data)
            if turn:  # workers start in the first
                best[place] = min(best[place], time.perf_counter() - started)
    return best


WORKERS = {
    "none": {},
    "1 thread": {"num_workers": 1},
    "2 threads": {"num_workers": 2},
    "1 process": {"num_workers": 1, "processes": True},
    "2 processes": {"num_workers": 2, "processes": True},
}


def report(rounds: int) -> Iterator[str]:
    """Measure, and yield everything as lines of Markdown."""
    yield "# Augmentation and the workers of DataLoader\n"
    yield "Written by `python benchmarks/augmentation.py`.\n"
    yield ", ".join(f"{name}: {value}" for name, value in facts.machine().items()) + ".\n"
    yield "Milliseconds of processor time, 64 float32 images of 3 x 32 x 32, one thread:\n"
    yield "| augmentation | minimum | median |"
    yield "|---|---|---|"
    x, rng = images(), np.random.default_rng(0)
    for number, (name, augment) in enumerate(kinds().items()):
        least, median = per_call(lambda augment=augment: augment(x, rng), rounds)
        yield f"| {name} | {least:.2f} | {median:.2f} |"
        if number == 0 and least > ALLOWED:
            raise SystemExit(f"{name}: expected at most {ALLOWED} ms, got {least:.2f}")
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    yield f"\nLoad of the machine before the second table (1, 5, 15 minutes): {busy}."
    yield "\nSeconds of a pass of 24 such batches beside a convolution that learns, minima:\n"
    yield "| workers | " + " | ".join(WORKERS) + " |"
    yield "|---|" + "---|" * len(WORKERS)
    for name, transform in [("NumPy", array_work), ("pure Python", python_work)]:
        seconds = " | ".join(f"{each:.2f}" for each in passes(transform, max(rounds // 5, 2)))
        yield f"| transform in {name} | {seconds} |"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--output", type=Path, default=HERE / "augmentation.md")
    chosen = parser.parse_args()
    minidl.set_num_threads(1)
    lines = []
    for line in report(chosen.rounds):
        print(line, flush=True)
        lines.append(line)
    write(chosen.output, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
