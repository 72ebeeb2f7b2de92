"""What the attacks of `minidl selftest` sit in: three tasks, so that a loss is seen to spread."""

import numpy as np


def scale(x, factor):
    """y = factor * x, of x's shape and dtype."""
    return (x * factor).astype(x.dtype)


def centre(x):
    """y = x - mean(x), of x's shape and dtype."""
    return x - x.dtype.type(np.sum(x) / x.size)


def squash(x):
    """y = x / (1 + |x|), of x's shape and dtype."""
    return x / (1 + np.abs(x))
