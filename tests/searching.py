"""One of several processes that share a study: `python searching.py <storage> <trials>`."""

import sys

import numpy as np

from minidl.models import MLP
from minidl.train import log_uniform, search


def points():
    """Three noisy classes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    return (rng.standard_normal((90, 4)) + 2.0 * labels[:, None]).astype(np.float32), labels


def run(trials, storage=None, **options):
    """Search for a learning rate and a width."""
    return search(
        lambda trial: MLP([4, trial["width"], 3]),
        {"width": [4, 8], "lr": log_uniform(1e-4, 0.3), "batch_size": (8, 32)},
        trials,
        data=points(),
        validation=0.3,
        epochs=3,
        storage=storage,
        **options,
    )


if __name__ == "__main__":
    run(int(sys.argv[2]), sys.argv[1])
