"""DropBlock against dropout against none: a small ResNet on Fashion-MNIST, three seeds.

The three networks differ in one number only. Dropout and DropBlock stand in the same places (after
each batch normalization and on the skips of the last two groups), keep the same share of the values
and go there by the same schedule, linearly from 1; dropout drops single values, which is DropBlock
with blocks of 1, DropBlock drops squares. Nothing else regularizes: no augmentation, no weight
decay, and 1,000 training images are few enough to be learned by heart. What it claims: dropping
narrows the gap between training and test accuracy, with either kind. What it measures besides:
mean and standard error of the test accuracy over the seeds, and the differences between the ways
seed by seed, with the verdict whether they are larger than twice their error. With these
settings the gap narrows and the test accuracy does not rise: see README.md.

    python examples/drop_block_study.py            about four minutes on two cores
    python examples/drop_block_study.py --seeds 5 --keep-prob 0.8 --block-size 5
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence

import numpy as np

import minidl
from minidl import data, models, optim, train

WAYS = ("none", "dropout", "DropBlock")
Pair = tuple[np.ndarray, np.ndarray]


def network(way: str, width: int, keep_prob: float, block_size: int) -> models.ResNet:
    """Return the network: without dropping, with blocks of 1, or with blocks of `block_size`."""
    return models.ResNet(
        in_channels=1,
        depths=(1, 1, 1),
        widths=(width, 2 * width, 4 * width),
        drop_groups=() if way == "none" else (2, 3),
        keep_prob=keep_prob,
        block_size=block_size if way == "DropBlock" else 1,
    )


def learn(model: models.ResNet, pair: Pair, epochs: int) -> None:
    """Train with Adam, the rate along half a cosine, keep_prob from 1 to its target."""
    loader = data.DataLoader(*pair, batch_size=64, shuffle=True)
    steps = epochs * len(loader)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    schedules = [
        optim.CosineAnnealingLR(optimizer, steps),
        minidl.nn.DropBlockSchedule(model, steps),
    ]
    train.fit(
        model, loader, epochs=epochs, optimizer=optimizer, schedules=schedules, progress=False
    )


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error (deviation of n - 1, over the root of n)."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def compare(gaps: dict[str, np.ndarray], tests: dict[str, np.ndarray]) -> None:
    """Print gap and test accuracy of each way, and the differences seed by seed."""
    print(f"\nmean and standard error over {len(tests['none'])} seeds, in per cent:")
    for way in WAYS:
        parts = [
            f"{100 * a:6.2f} +- {100 * e:.2f}"
            for a, e in map(mean_and_error, (tests[way], gaps[way]))
        ]
        print(f"  {way:10} test {parts[0]}   train - test {parts[1]}")
    print("differences in test accuracy, seed by seed:")
    for first, second in itertools.combinations(reversed(WAYS), 2):
        mean, error = mean_and_error(tests[first] - tests[second])
        clear = abs(mean) > 2 * error
        says = "more than two errors" if clear else "within two errors: no difference is shown"
        print(f"  {first} - {second}: {100 * mean:+.2f} +- {100 * error:.2f} points, {says}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train each way with each seed, compare, and return 0 where the claim holds, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many, at least 2")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=1000, help="to train on")
    parser.add_argument("--width", type=int, default=16, help="channels of the first group")
    parser.add_argument("--keep-prob", type=float, default=0.9)
    parser.add_argument("--block-size", type=int, default=5)
    parser.add_argument("--root", help="the folder of the four IDX files")
    options = parser.parse_args(arguments)
    if options.seeds < 2:
        parser.error("--seeds: at least 2, or there is no standard error")
    start, worked = time.perf_counter(), time.process_time()

    images, labels = data.fashion_mnist(options.root)
    images, labels = images[: options.images], labels[: options.images]
    test_images, test_labels = data.fashion_mnist(options.root, train=False)
    mean, deviation = images.mean(), images.std()
    pair, test = (
        ((images - mean) / deviation, labels),
        ((test_images - mean) / deviation, test_labels),
    )
    print(f"{len(labels):,} images to train on, {len(test_labels):,} to test on")
    tests = {way: np.zeros(options.seeds) for way in WAYS}
    gaps = {way: np.zeros(options.seeds) for way in WAYS}
    for seed, way in itertools.product(range(options.seeds), WAYS):
        minidl.manual_seed(seed)
        model = network(way, options.width, options.keep_prob, options.block_size)
        learn(model, pair, options.epochs)
        known, score = train.evaluate(model, pair), train.evaluate(model, test)
        tests[way][seed], gaps[way][seed] = score.accuracy, known.accuracy - score.accuracy
        print(f"seed {seed}   {way:10} train {known.accuracy:.2%}   test {score}", flush=True)

    compare(gaps, tests)
    seconds = f"{time.perf_counter() - start:.0f} s, {time.process_time() - worked:.0f} s of work"
    none, *others = (gaps[way].mean() for way in WAYS)
    holds = all(gap < none for gap in others)
    print(f"\n{seconds}\nclaim: dropping narrows the gap between training and test accuracy")
    shown = " and ".join(f"{100 * gap:.1f}" for gap in others)
    verdict = "holds" if holds else "does NOT hold"
    print(f"measured: from {100 * none:.1f} points to {shown}: the claim {verdict}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
