"""Compile the Numba kernels now, so that nobody waits for them later.

Numba keeps what it compiled in a folder: beside the kernels where that can be written, otherwise in
the user's cache, or where NUMBA_CACHE_DIR says. The next process loads it from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from minidl.tensor import Tensor
from minidl import backend, functional, nn
from minidl.errors import expected
from minidl.numba_cache import is_spare


def tasks() -> dict[str, Callable[[], list[nn.Module]]]:
    """Return for each family with Numba kernels what makes the layers that need them."""
    return {
        "conv2d": lambda: [nn.Conv2d(2, 2, 3, padding=1)],
        "batch_norm": lambda: [nn.BatchNorm2d(2)],
        "lrn": lambda: [nn.LocalResponseNorm(3)],
        "pool": lambda: [nn.MaxPool2d(2), nn.AvgPool2d(2)],
        "dropout": lambda: [nn.Dropout(0.5)],
        "drop_block": lambda: [nn.DropBlock2d(0.9, 3)],
        "softmax_cross_entropy": lambda: [nn.Flatten()],
    }


def warm() -> Iterator[tuple[str, float]]:
    """Compile family after family, for float32: yield (family, seconds) as each is done."""
    images = np.linspace(-1, 1, 2 * 2 * 8 * 8, dtype=np.float32).reshape(2, 2, 8, 8)
    with backend.use("numba"):
        for family, make in tasks().items():
            start = time.perf_counter()
            for layer in make():
                _step(layer, images)
            yield family, time.perf_counter() - start


def _step(layer: nn.Module, images: np.ndarray) -> None:
    """One training step of a layer, and one look at its evaluation."""
    x = Tensor(images, requires_grad=True)
    functional.cross_entropy(layer(x).flatten(), np.array([0, 1])).backward()
    layer.eval()(x.detach())


def cache_folder() -> Path:
    """Return the folder where Numba keeps what it compiled for the kernels.

    Raises
    ------
    BackendError
        without Numba kernels, and where there is no folder that outlives this process
    """
    module = backend.load("pool", "numba")
    for kernel in vars(module).values():
        if hasattr(kernel, "stats"):
            folder = Path(kernel.stats.cache_path)
            if not is_spare(folder):
                return folder
            wanted = "a folder to write to, beside the kernels or at home"
            hint = "set NUMBA_CACHE_DIR to one"
            raise backend.BackendError(expected("warmup", wanted, "none", hint))
    raise backend.BackendError(f"warmup: expected Numba kernels, got {module}")
