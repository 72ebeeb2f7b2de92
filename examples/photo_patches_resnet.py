"""A residual network in the manner of CIFAR's on photo patches, beside a linear classifier.

Eight photos, eight classes: patches of 32x32 pixels from the left part of each photo train a small
ResNet and, with the same pixels and as many epochs, one linear layer; patches from the right part,
which shares no pixel with the left one, test both. What it claims: the ResNet names more patches
rightly than the linear classifier, by at least ten points.

    python examples/photo_patches_resnet.py            about one minute on two cores
    python examples/photo_patches_resnet.py --depth 2 --width 16 --epochs 40
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

import minidl
from minidl import data, models, nn, optim, train

MARGIN = 0.10
Pair = tuple[np.ndarray, np.ndarray]


def learn(model: nn.Module, pair: Pair, epochs: int, lr: float) -> None:
    """Train with AdamW, patches mirrored at random, the rate along half a cosine."""
    mirrored = data.RandomHorizontalFlip()
    loader = data.DataLoader(*pair, batch_size=64, shuffle=True, transform=mirrored)
    optimizer = optim.AdamW(model.parameters(), lr=lr)
    cosine = optim.CosineAnnealingLR(optimizer, epochs * len(loader))
    train.fit(model, loader, epochs=epochs, optimizer=optimizer, schedules=[cosine], progress=False)


def show_classes(model: nn.Module, test: Pair) -> None:
    """Print how many patches of each photo are named rightly, and the commonest mistake."""
    counts = train.confusion_matrix(model, test)
    right = np.diag(counts) / counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    for name, share, wrong in zip(data.PHOTOS, right, counts, strict=True):
        other = f"   else mostly {data.PHOTOS[wrong.argmax()]}" if wrong.any() else ""
        print(f"  {name:20} {share:7.1%}{other}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train both, measure both, and return 0 where the claim holds, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--per-class", type=int, default=250, help="patches of each photo")
    parser.add_argument("--test-per-class", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--depth", type=int, default=1, help="residual blocks in each group")
    parser.add_argument("--width", type=int, default=16, help="channels of the first group")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    start, worked = time.perf_counter(), time.process_time()

    images, labels = data.photo_patches(per_class=options.per_class)
    test_images, test_labels = data.photo_patches(False, options.test_per_class)
    scaler = data.StandardScaler().fit(images)
    pair, test = (scaler.transform(images), labels), (scaler.transform(test_images), test_labels)
    print(f"{len(images):,} patches to train on, {len(test_images):,} to test on")

    minidl.manual_seed(options.seed)
    classes = len(data.PHOTOS)
    widths = [options.width, 2 * options.width, 4 * options.width]
    resnet = models.ResNet(3, classes, depths=[options.depth] * 3, widths=widths)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(images[0].size, classes))
    accuracies = []
    for name, model, lr in (("ResNet", resnet, 3e-3), ("linear", linear, 1e-3)):
        learn(model, pair, options.epochs, lr)
        known, score = train.evaluate(model, pair), train.evaluate(model, test)
        size = sum(parameter.size for parameter in model.parameters())
        print(f"{name}   {size:7,} parameters   train {known.accuracy:.2%}", end="")
        print(f"   test {score.accuracy:.2%}", flush=True)
        accuracies.append(score.accuracy)

    print("\nthe ResNet on the test patches of each photo:")
    show_classes(resnet, test)
    seconds = f"{time.perf_counter() - start:.0f} s, {time.process_time() - worked:.0f} s of work"
    print(f"\nseed {options.seed}: {seconds}")
    ahead = accuracies[0] - accuracies[1]
    holds = ahead >= MARGIN
    print(f"claim: the ResNet is ahead by at least {100 * MARGIN:.0f} points")
    print(f"measured: {100 * ahead:.1f}: the claim {'holds' if holds else 'does NOT hold'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
