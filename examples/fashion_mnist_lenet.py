"""LeNet on Fashion-MNIST: 10,000 training images are enough for 88 %.

The first 10,000 of the 60,000 training images, mirrored and shifted by a pixel at random, train a
LeNet with AdamW while the learning rate falls along half a cosine. What it claims: at least 88 % of
the 10,000 test images are named rightly. The settings were found with training images that are not
used here; the test images are looked at once, at the end.

    python examples/fashion_mnist_lenet.py            about one minute on two cores
    python examples/fashion_mnist_lenet.py --seed 1 --root FOLDER_OF_THE_FOUR_IDX_FILES
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

import minidl
from minidl import data, models, optim, train

TARGET = 0.88
BATCH = 64


def learn(images: np.ndarray, labels: np.ndarray, epochs: int, lr: float) -> models.LeNet:
    """Return a LeNet trained on images mirrored and shifted at random."""
    model = models.LeNet()
    moved = data.Compose([data.RandomHorizontalFlip(), data.RandomCrop(28, padding=1)])
    loader = data.DataLoader(images, labels, batch_size=BATCH, shuffle=True, transform=moved)
    optimizer = optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05)
    cosine = optim.CosineAnnealingLR(optimizer, epochs * len(loader))
    train.fit(model, loader, epochs=epochs, optimizer=optimizer, schedules=[cosine])
    return model


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure once, and return 0 where the claim holds, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="the folder of the four IDX files")
    options = parser.parse_args(arguments)
    start, worked = time.perf_counter(), time.process_time()

    images, labels = data.fashion_mnist(options.root)
    images, labels = images[: options.images], labels[: options.images]
    test_images, test_labels = data.fashion_mnist(options.root, train=False)
    mean, deviation = images.mean(), images.std()
    minidl.manual_seed(options.seed)
    model = learn((images - mean) / deviation, labels, options.epochs, options.lr)
    pair = ((test_images - mean) / deviation, test_labels)
    score = train.evaluate(model, pair)

    counts = train.confusion_matrix(model, pair)
    print("\nrightly named, of each class:")
    for name, right in zip(data.FASHION_MNIST_CLASSES, np.diag(counts), strict=True):
        print(f"  {name:12} {right / np.count_nonzero(test_labels == 0):.1%}")
    seconds = f"{time.perf_counter() - start:.0f} s, {time.process_time() - worked:.0f} s of work"
    print(f"\n{len(images):,} training images, seed {options.seed}: {seconds}")
    holds = score.accuracy >= TARGET
    print(f"claim: at least {TARGET:.0%} of {len(test_labels):,} test images")
    print(f"measured: {score.accuracy:.2%}: the claim {'holds' if holds else 'does NOT hold'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
