"""Samples of calls: what the files beside this one are written in.

Values stay away from kinks, where a difference quotient is no derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minidl.tensor import Tensor


@dataclass
class Sample:
    """One call of an operation: what it shows, its arrays, and the call on Tensors of them."""

    label: str
    arrays: tuple[np.ndarray, ...]
    call: Callable[..., Tensor]


_rng = np.random.default_rng(20_240_607)


def restart(name):
    """Let a file's values follow from its name, whatever the files before it have drawn."""
    _rng.bit_generator.state = np.random.default_rng(
        [20_240_607, *name.encode()]
    ).bit_generator.state


def normal(*shape):
    return _rng.normal(size=shape)


def positive(*shape):
    return _rng.uniform(0.5, 2.0, shape)


def apart(*shape):
    """Distinct values, none closer to another or to 0 than 0.05: maxima and signs are stable."""
    count = int(np.prod(shape))
    return (_rng.permutation(count) - count // 2 + 0.5).reshape(shape) * 0.1


def mask(*shape):
    return _rng.random(shape) < 0.6


def samples(call, *cases):
    """Samples of one call without options: cases are tuples of arrays."""
    return [Sample("x".join(str(a.shape) for a in arrays), arrays, call) for arrays in cases]


def unary(call, draw=normal):
    """Samples over ranks 0 to 4, sizes of one and none."""
    return samples(call, *((draw(*s),) for s in [(), (1,), (5,), (3, 1, 2), (2, 3, 2, 3), (0, 4)]))


def binary(call, draw=normal, right=None):
    """Samples of equal and of broadcast shapes, and of Python numbers."""
    shapes = [((3, 4), (3, 4)), ((3, 1), (1, 4)), ((4,), (2, 3, 4)), ((2, 3), ()), ((), ())]
    cases = [(draw(*a), (right or draw)(*b)) for a, b in shapes]
    x = draw(2, 3)
    return [
        *samples(call, *cases),
        Sample("a number on the right", (x,), lambda a: call(a, 1.7)),
        Sample("a number on the left", (positive(2, 3),), lambda b: call(1.7, b)),
        Sample(
            "twice the same", (x,) if right is None else (positive(2, 3),), lambda a: call(a, a)
        ),
    ]


def seeded(call):
    """The call with a fresh generator of one seed, so that every call draws the same mask."""
    return lambda x: call(x, np.random.default_rng(5))
