"""Inputs for the activation kernels, as kernel_cases has them for the others."""

import numpy as np

NUMBERS = {
    "leaky_relu": [(0.01,), (-0.3,)],
    "elu": [(1.0, 1.0), (1.7, 1.05)],
    "gelu": [()],
    "gelu_tanh": [()],
    "softplus": [(1.0, 20.0), (2.5, 3.0)],
    "silu": [()],
    "hard_sigmoid": [()],
    "hard_tanh": [(-1.0, 1.0), (0.5, 2.25)],
}
PRELU = [(3, 4, 5), (5, 37, 1), (1, 1, 5003), (2, 3, 64), (0, 2, 3), (2, 0, 3), (70, 1, 1009)]
EXTREMES = [-np.inf, -3e38, -1e4, -100, -88.5, -17, -5.5, -3, -1, -1e-4, -0.0]
EXTREMES += [0, 1e-4, 0.2, 0.7, 1, 3, 4, 8, 20, 89, 1e4, 3e38, np.inf, np.nan]


def activation(rng, dtype):
    def normal(*shape):
        return np.asarray(rng.standard_normal(shape), dtype)

    for shape in [(7, 5), (), (2, 3, 4, 5), (0, 3), (1001,)]:
        x, dy = np.asarray(3 * normal(*shape)), normal(*shape)
        for name in ("sigmoid", "tanh"):
            yield f"{name}_forward", (x,)
            yield f"{name}_backward", (dy, np.asarray(np.tanh(x)))
        yield from elementwise(x, dy)
    yield from elementwise(np.array(EXTREMES, dtype), normal(len(EXTREMES)))
    for n, k in [(5, 7), (3, 1), (1, 33), (0, 4), (70, 1000), (2, 9001)]:
        x, dy = 5 * normal(n, k), normal(n, k)
        y = rng.dirichlet(np.ones(k), n).reshape(n, k).astype(dtype)
        yield "softmax_forward", (x,)
        yield "softmax_backward", (dy, y)
        yield "log_softmax_forward", (100 * x,)
        yield "log_softmax_backward", (dy, -np.abs(x))
    for n, c, s in PRELU:
        # On one side of 0, lest the sum of thousands be only what rounding leaves.
        x, dy, weight = normal(n, c, s), normal(n, c, s) + dtype(2), normal(c)
        yield "prelu_forward", (x, weight)
        yield "prelu_backward", (dy, x, weight)


def elementwise(x, dy):
    for name, row in NUMBERS.items():
        for numbers in row:
            yield f"{name}_forward", (x, *numbers)
            yield f"{name}_backward", (dy, x, *numbers)


CASES = {"activation": activation}
