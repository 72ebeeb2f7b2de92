"""The operators of Tensor agree with PyTorch's, in value and gradient."""

import numpy as np
import pytest
from peers.agreement import compare, normal

pytestmark = pytest.mark.peers

SAME = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: 2.0 - a - b,
    "mul": lambda a, b: a * b * 3,
    "div": lambda a, b: a / (b * b + 1),
    "pow": lambda a, b: (a * a + 0.5) ** b,
    "square": lambda a, b: a**2 - b**3,
    "matmul": lambda a, b: a @ b.T,
    "exp": lambda a, b: a.exp() * b,
    "log": lambda a, b: (a * a + 1).log() - b,
    "sqrt": lambda a, b: (a * a + b * b).sqrt(),
    "abs": lambda a, b: abs(a - b),
    "var": lambda a, b: a.var(0, correction=1) + b,
    "mean": lambda a, b: a.mean((0, 1)) * b,
    "sum": lambda a, b: a.sum(1)[:, None] * b.sum(),
    "index": lambda a, b: a[:, [2, 0, 2]] + b[0, 1:4],
    "clip": lambda a, b: a.clip(-0.5, 0.7) * b,
    "reshape": lambda a, b: a.reshape(2, 6) + (b.reshape(4, 1) * b).sum(),
    "used twice": lambda a, b: a * b + a.exp() * a - b,
}


@pytest.mark.parametrize("name", SAME)
def test_operators(torch, name, dtype):
    compare(torch, SAME[name], SAME[name], [normal(3, 4), normal(1, 4, seed=9)], dtype)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_share_the_gradient_of_ties(torch, name, axis, dtype):
    """PyTorch's amax, amin: equal ones share evenly."""
    x = np.random.default_rng(3).integers(0, 3, (4, 5)).astype(float)
    axes = {} if axis is None else {"dim": axis}
    compare(
        torch,
        lambda x: getattr(x, name)(axis),
        lambda x: getattr(x, f"a{name}")(**axes),
        [x],
        dtype,
    )


SHAPES = [((3, 4), (4, 2)), ((4,), (4,)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,))]
SHAPES += [((2, 1, 3, 4), (5, 4, 2)), ((0, 4), (4, 2))]


@pytest.mark.parametrize(("left", "right"), SHAPES, ids=str)
def test_matmul_broadcasts(torch, left, right, dtype):
    arrays = [normal(*left), normal(*right, seed=1)]
    compare(torch, lambda a, b: a @ b, lambda a, b: a @ b, arrays, dtype)
