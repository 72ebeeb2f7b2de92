"""Inputs for every kernel: `CASES[family](rng, dtype)` yields (function, arguments).

Shapes are odd and not square, batches are empty now and then, and every option takes values that a
wrong axis or a swapped pair would notice.
"""

import activation_cases
import numpy as np
import recurrent_cases
import upsample_cases


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def batch_norm(rng, dtype):
    sizes = [(4, 3, 35), (5, 70, 1), (2, 5, 100), (3, 13, 7), (1, 2, 1), (0, 3, 4)]
    for n, c, s in [(70, 20, 64), (5000, 2, 1), (2, 3, 4500), *sizes]:
        x, dy, x_hat = (normal(rng, dtype, n, c, s) for _ in range(3))
        gamma, beta, mean = (normal(rng, dtype, c) for _ in range(3))
        var = np.abs(normal(rng, dtype, c)) + dtype(0.1)
        yield "forward", (3 * x + 2, gamma, beta, 1e-5)
        yield "backward", (dy, x_hat, var, gamma)
        yield "inference", (x, gamma, beta, mean, var, 1e-3)
        for residual, relu in [(None, False), (None, True), (dy, False), (dy, True)]:
            yield "fused_forward", (3 * x + 2, gamma, beta, residual, 1e-5, relu)
            yield "fused_inference", (x, gamma, beta, mean, var, residual, 1e-5, relu)
            y, added = x_hat if relu else None, residual is not None
            kept = dy, x, y, mean, var, gamma
            yield "fused_backward", (*kept, None, added)
            yield "inference_backward", (*kept, None, added)
        y = (x - mean[:, None]) * (var * gamma)[:, None] + beta[:, None]
        kept = dy, x, np.maximum(y, 0), mean, var, gamma
        yield "fused_backward", (*kept, beta, False)
        yield "inference_backward", (*kept, beta, False)
    yield "forward", (normal(rng, dtype, 6, 2, 50) + dtype(100), gamma[:2], beta[:2], 1e-5)
    yield "update_running", (mean, var, gamma, var + 1, 12, 0.3)
    yield "population", (normal(rng, dtype, 4, 3), normal(rng, dtype, 4, 3) ** 2, 12)
    yield "fold", (gamma, beta, mean, var, 1e-3)
    yield "fold_into_linear", (normal(rng, dtype, 3, 5), mean, gamma, beta, mean, var, 1e-3)


CONVOLUTIONS = [
    # n, c, (h, w), o, (kh, kw), stride, padding, dilation, groups
    (2, 3, (7, 6), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 4, (7, 9), 6, (3, 2), (2, 1), (1, 0), (1, 2), 2),
    (3, 2, (5, 8), 3, (1, 3), (1, 2), (0, 2), (1, 1), 1),
    (1, 3, (9, 7), 2, (2, 4), (3, 2), (2, 3), (2, 1), 1),
    (2, 6, (6, 5), 6, (3, 3), (1, 1), (1, 1), (1, 1), 6),
    (2, 2, (6, 5), 6, (2, 3), (2, 3), (1, 1), (1, 1), 2),
    (2, 5, (4, 6), 3, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 5, (4, 6), 3, (1, 1), (2, 3), (1, 2), (1, 1), 1),
    (2, 2, (4, 3), 5, (4, 3), (1, 1), (0, 0), (1, 1), 1),
    (3, 2, (1, 1), 2, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 1, (1, 1), 2, (3, 5), (1, 1), (1, 2), (1, 1), 1),
    (2, 2, (2, 1), 2, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    (1, 2, (2, 3), 2, (2, 2), (1, 1), (4, 5), (3, 2), 1),
    (2, 2, (5, 5), 2, (3, 3), (1, 1), (2, 2), (2, 2), 1),
    (0, 2, (5, 4), 3, (2, 2), (1, 1), (1, 0), (1, 1), 1),
]

# Large enough for twins that work in tiles to need several: tiles of many images, of one image,
# and tiles that begin in the middle of an image, with and without whole rows in one piece.
LARGE_CONVOLUTIONS = [
    (40, 3, (16, 20), 4, (3, 5), (1, 1), (1, 2), (1, 1), 1),
    (3, 2, (16, 13), 10, (2, 2), (1, 1), (1, 0), (1, 1), 2),
    (2, 128, (16, 20), 6, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    (3, 64, (33, 19), 3, (3, 3), (2, 1), (2, 3), (1, 2), 1),
]


def convolution(rng, dtype, n, c, size, o, kernel, stride, padding, dilation, groups):
    """The calls of one convolution."""
    x = normal(rng, dtype, n, c, *size)
    weight = normal(rng, dtype, o, c // groups, *kernel)
    bias = normal(rng, dtype, o)
    out = [
        (size[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1
        for a in (0, 1)
    ]
    dy = normal(rng, dtype, n, o, *out)
    options = stride, padding, dilation, groups
    yield "forward", (x, weight, bias, *options)
    yield "backward_input", (dy, weight, x.shape, *options)
    yield "backward_weight", (dy, x, weight.shape, *options)
    yield "backward_bias", (dy,)


def conv2d(rng, dtype):
    for case in CONVOLUTIONS + LARGE_CONVOLUTIONS:
        calls = list(convolution(rng, dtype, *case))
        yield from calls
        x, weight, _, *options = calls[0][1]
        yield "forward", (x, weight, None, *options)


WINDOWS = [
    # n, c, (h, w), kernel, stride, padding, dilation
    (2, 3, (6, 8), (2, 2), (2, 2), (0, 0), (1, 1)),
    (2, 2, (7, 5), (3, 2), (2, 1), (1, 1), (1, 1)),
    (1, 2, (9, 8), (2, 3), (1, 2), (1, 1), (3, 2)),
    (3, 1, (5, 7), (5, 7), (1, 1), (0, 0), (1, 1)),
    (2, 2, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    (2, 1, (3, 4), (3, 3), (3, 3), (1, 1), (1, 1)),
    (1, 2, (2, 3), (4, 5), (2, 3), (1, 1), (1, 1)),
    (0, 2, (4, 4), (2, 2), (2, 2), (0, 0), (1, 1)),
    # Rows of several vectors, with and without a rest, at the strides that are usual.
    (2, 2, (7, 41), (2, 2), (2, 2), (0, 0), (1, 1)),
    (2, 2, (6, 150), (2, 2), (2, 2), (0, 0), (1, 1)),
    (5, 3, (10, 11), (2, 2), (2, 2), (0, 0), (1, 1)),
    (1, 2, (9, 45), (3, 3), (2, 2), (1, 1), (1, 1)),
    (1, 2, (6, 37), (3, 3), (1, 1), (1, 1), (1, 1)),
    (1, 2, (8, 70), (2, 3), (3, 3), (0, 1), (2, 2)),
]


def out_size(size, kernel, stride, padding, dilation, ceil_mode):
    """PyTorch's output size; with ceil_mode no window may begin in the lower right padding."""
    result = []
    for a in (0, 1):
        room = size[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1
        out = room // stride[a] + 1
        if ceil_mode:
            out = -(-room // stride[a]) + 1
            out -= (out - 1) * stride[a] >= size[a] + padding[a]
        result.append(int(out))
    return tuple(result)


def pooling(rng, dtype, n, c, size, kernel, stride, padding, dilation, ceil_mode):
    """The calls of one pooling: maximum, and where there is no dilation the two averages."""
    x = normal(rng, dtype, n, c, *size)
    out = out_size(size, kernel, stride, padding, dilation, ceil_mode)
    dy = normal(rng, dtype, n, c, *out)
    argmax = rng.integers(-1, size[0] * size[1], dy.shape)
    yield "max_forward", (x, kernel, stride, padding, dilation, out)
    yield "max_forward", (np.round(x), kernel, stride, padding, dilation, out)
    yield "max_backward", (dy, argmax, x.shape)
    places = rng.integers(0, 256, dy.shape).astype(np.uint8)
    places[::2] %= kernel[0] * kernel[1]
    yield "max_forward_local", (x, kernel, stride, padding, dilation, out)
    yield "max_forward_local", (np.round(x), kernel, stride, padding, dilation, out)
    yield "max_backward_local", (dy, places, x.shape, kernel, stride, padding, dilation)
    if dilation == (1, 1):
        for count_include_pad in (True, False):
            yield "avg_forward", (x, kernel, stride, padding, out, count_include_pad)
            yield "avg_backward", (dy, x.shape, kernel, stride, padding, count_include_pad)


def pool(rng, dtype):
    for case in WINDOWS:
        yield from pooling(rng, dtype, *case, ceil_mode=False)
        yield from pooling(rng, dtype, *case, ceil_mode=True)
    x = np.full((1, 1, 3, 3), -np.inf, dtype)
    yield "max_forward", (x, (2, 2), (1, 1), (1, 1), (1, 1), (4, 4))
    x = normal(rng, dtype, 1, 2, 2, 3)
    yield "max_forward", (x, (2, 2), (1, 1), (1, 1), (3, 3), (1, 2))
    sizes = [((5, 7), (2, 3)), ((4, 4), (1, 1)), ((3, 2), (5, 4)), ((1, 1), (1, 1))]
    for size, out in [*sizes, ((4, 6), (1, 3))]:
        yield "adaptive_avg_forward", (normal(rng, dtype, 2, 3, *size), out)
        yield "adaptive_avg_backward", (normal(rng, dtype, 2, 3, *out), (2, 3, *size))
        yield "adaptive_max_forward", (normal(rng, dtype, 2, 3, *size), out)


def group_norm(rng, dtype):
    for n, c, s, groups in [
        (4, 6, 35, 2),
        (5, 70, 1, 1),
        (2, 4, 100, 4),
        (3, 8, 7, 8),
        (0, 4, 3, 2),
    ]:
        x, dy = (normal(rng, dtype, n, c, s) for _ in range(2))
        gamma, beta = normal(rng, dtype, c), normal(rng, dtype, c)
        mean, inv_std = normal(rng, dtype, n, groups), normal(rng, dtype, n, groups) ** 2
        yield "forward", (3 * x + 2, gamma, beta, groups, 1e-5)
        yield "backward", (dy, x, mean, inv_std, gamma, groups)
    # Rows longer than the stretch over which sums run in the arrays' own precision.
    for shape in [(2, 2, 9001), (2, 4501, 1)]:
        x, dy = normal(rng, dtype, *shape), normal(rng, dtype, *shape)
        gamma, beta = normal(rng, dtype, shape[1]), normal(rng, dtype, shape[1])
        mean, inv_std = normal(rng, dtype, 2, 1), normal(rng, dtype, 2, 1) ** 2
        yield "forward", (x, gamma, beta, 1, 1e-5)
        yield "backward", (dy, x, mean, inv_std, gamma, 1)


def lrn(rng, dtype):
    for n, c, p in [(2, 7, 15), (1, 9, 300), (2, 2, 5), (3, 1, 1), (0, 4, 6)]:
        for size, alpha, beta, k in [(5, 0.1, 0.75, 2.0), (4, 0.3, 0.5, 1.0), (1, 1.0, 1.3, 0.7)]:
            x, dy = normal(rng, dtype, n, c, p), normal(rng, dtype, n, c, p)
            s = normal(rng, dtype, n, c, p) ** 2 + dtype(k)
            yield "forward", (x, size, alpha, beta, k)
            yield "backward", (dy, x, s, size, alpha, beta)


def drop_block(rng, dtype):
    for n, c, h, w, block in [(2, 3, 7, 9, 3), (3, 2, 5, 6, 2), (1, 2, 4, 4, 4), (2, 2, 3, 5, 1)]:
        for channels in (1, c):
            seeds = rng.random((n, channels, h - block + 1, w - block + 1)) < 0.15
            keep = rng.random((n, channels, h, w)) < 0.7
            yield "expand", (seeds, block)
            yield "forward", (normal(rng, dtype, n, c, h, w), keep)
            yield "backward", (normal(rng, dtype, n, c, h, w), keep, 1.7)
            yield "product", (normal(rng, dtype, n, c, h, w), keep, 1.7)
            seed = int(rng.integers(2**64, dtype=np.uint64))
            for gamma in (0.0, 0.01, 0.5, 1.0):
                yield "seeds", (seeds.shape, seed, gamma)
                yield "mask", (keep.shape, seed, gamma, block)
    yield "mask", ((2, 3, 45, 40), seed, 3 / 2**16, 4)
    yield "mask", ((1, 2, 45, 40), seed, 0.1, 9)
    yield "mask", ((0, 1, 5, 4), seed, 0.1, 3)
    yield "expand", (np.zeros((0, 1, 3, 2), bool), 3)
    for n in (2, 0):
        yield "forward", (normal(rng, dtype, n, 3, 4, 5), np.zeros((n, 1, 4, 5), bool))
        yield "backward", (normal(rng, dtype, n, 3, 4, 5), np.zeros((n, 1, 4, 5), bool), 0.0)


def dropout(rng, dtype):
    for shape in [(7, 5), (2, 3, 4, 5), (11,), (0, 3)]:
        for p in (0.0, 0.3, 1.0):
            keep = rng.random(shape) >= p
            yield "forward", (normal(rng, dtype, *shape), keep, p)
            yield "backward", (normal(rng, dtype, *shape), keep, p)
            seed = int(rng.integers(2**64, dtype=np.uint64))
            yield "mask", (shape, seed, p)
            yield "seeded", (normal(rng, dtype, *shape), seed, p, 1.0)
            yield "seeded", (normal(rng, dtype, 300, *shape), seed, p, 1.7)
    yield "forward", (normal(rng, dtype, 4, 3), np.ones((4, 3), bool), 1.0)
    yield "backward", (normal(rng, dtype, 4, 3), np.ones((4, 3), bool), 1.0)


def drop_connect(rng, dtype):
    for n, k, d in [(3, 4, 5), (2, 3, 1500), (4, 1, 1), (0, 3, 2), (2, 0, 3), (3, 2, 0)]:
        x, weight, dy = (normal(rng, dtype, *s) for s in ((n, d), (k, d), (n, k)))
        seed = int(rng.integers(2**64, dtype=np.uint64))
        yield "mask", (n, k, d, seed, 0.3)
        for p in (0.0, 0.3, 0.5, 1.0):
            yield "forward", (x, weight, seed, p)
            yield "backward_input", (dy, weight, seed, p)
            yield "backward_weight", (dy, x, seed, p)


def linear(rng, dtype):
    sizes = [(5, 7, 3), (1, 4, 2), (3, 9, 1), (4, 16, 16), (6, 32, 17), (13, 401, 33), (100, 3, 20)]
    sizes += [(32, 401, 50), (96, 150, 121), (200, 9, 2100), (180, 410, 40)]
    for n, d, k in [*sizes, (7, 12, 31), (97, 30, 256), (8, 1, 5), (0, 4, 3), (2, 0, 3), (2, 3, 0)]:
        x, weight, bias = (normal(rng, dtype, *shape) for shape in [(n, d), (k, d), (k,)])
        dy, y = normal(rng, dtype, n, k), normal(rng, dtype, n, k)
        for relu in (False, True):
            yield "forward", (x, weight, bias, relu)
            yield "backward", (dy, x, weight, y if relu else None, (True, True, True))
        yield "forward", (x, weight, None, relu)
        for i in range(3):
            yield "backward", (dy, x, weight, y, tuple(i == j for j in range(3)))


def relu(rng, dtype):
    for shape in [(7, 5), (), (2, 3, 4, 5), (0, 3), (1001,)]:
        x, dy = np.asarray(normal(rng, dtype, *shape)), np.asarray(normal(rng, dtype, *shape))
        yield "forward", (x,)
        yield "backward", (dy, np.where(x > 0, x, dtype(0)))


def softmax_cross_entropy(rng, dtype):
    for n, k in [(5, 7), (3, 1), (1, 33), (0, 4), (70, 1000), (2, 9001)]:
        targets = rng.integers(0, k, n)
        logits = 5 * normal(rng, dtype, n, k)
        yield "forward", (logits, targets)
        yield "forward", (100 * logits, targets)
        probabilities = rng.dirichlet(np.ones(k), n).reshape(n, k).astype(dtype)
        dlosses = normal(rng, dtype, n)
        yield "backward", (dlosses, probabilities, targets)
        for eps in (0.0, 0.1, 1.0):
            yield "smoothed_forward", (logits, targets, eps)
            yield "smoothed_backward", (dlosses, probabilities, targets, eps)
        q = rng.random((n, k)).astype(dtype)
        yield "dense_forward", (logits, q)
        yield "dense_backward", (dlosses, probabilities, q)


CASES = {
    **activation_cases.CASES,
    **recurrent_cases.CASES,
    **upsample_cases.CASES,
    "batch_norm": batch_norm,
    "conv2d": conv2d,
    "drop_block": drop_block,
    "drop_connect": drop_connect,
    "dropout": dropout,
    "group_norm": group_norm,
    "linear": linear,
    "lrn": lrn,
    "pool": pool,
    "relu": relu,
    "softmax_cross_entropy": softmax_cross_entropy,
}


def with_nan(rng, arguments):
    """The same arguments with a NaN at one random place of each floating array that has one."""
    spoiled = []
    for argument in arguments:
        if isinstance(argument, np.ndarray) and argument.dtype.kind == "f" and argument.size:
            argument = argument.copy()
            argument.flat[rng.integers(argument.size)] = np.nan
        spoiled.append(argument)
    return tuple(spoiled)
