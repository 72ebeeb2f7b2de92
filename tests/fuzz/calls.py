"""Calls of every kernel, drawn at random: `CALLS[family]` holds strategies by name.

Each draws a function of (rng, dtype) that yields (function, arguments), as tests/kernel_cases does,
and is sent the arguments as they were spoiled and what the specification gave for them.
"""

import kernel_cases
import numpy as np
from activation_cases import NUMBERS
from fuzz.drawing import EDGES, Given, near, normal, shapes
from fuzz.recurrent import RECURRENT
from hypothesis import strategies as st
from kernel_cases import convolution, pooling
from optimizer_cases import STEPS

MOST = 60_000
WORK = 4_000_000

channels = near(*EDGES)
lengths = near(12, 16, 28, 32, 33, 64)
few = st.integers(1, 3)
pairs = st.tuples(few, few)


@st.composite
def convolutions(
    draw, kernel, stride=(1, 1), padding=None, dilation=(1, 1), outputs=channels, inputs=channels
):
    """One convolution without groups, its channels and image drawn to stay below WORK products."""
    kernel = draw(kernel) if isinstance(kernel, st.SearchStrategy) else kernel
    stride = draw(stride) if isinstance(stride, st.SearchStrategy) else stride
    padding = draw(st.tuples(*(st.integers(0, k) for k in kernel))) if padding is None else padding
    c, o = draw(inputs), draw(outputs)
    room = max(WORK // (c * o * kernel[0] * kernel[1]), 1)
    n, h, w = draw(shapes(st.integers(0, 3).map(lambda n: max(n, 1)), lengths, lengths, most=room))
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    size = max(h, least[0]), max(w, least[1])
    case = n, c, size, o, kernel, stride, padding, dilation, 1
    return lambda rng, dtype: convolution(rng, dtype, *case)


@st.composite
def grouped(draw):
    """Groups, depthwise among them, with or without several outputs for each."""
    groups, each, outputs = draw(near(4, 8, 16)), draw(st.integers(1, 5)), draw(st.integers(1, 5))
    each, outputs = draw(st.sampled_from([(1, 1), (1, outputs), (each, outputs)]))
    kernel = draw(st.sampled_from([(3, 3), (3, 3), (5, 5), (1, 1), (2, 3), (7, 1)]))
    stride, dilation = draw(st.sampled_from([((1, 1), (1, 1)), ((2, 2), (1, 1)), ((2, 1), (1, 2))]))
    padding = draw(st.tuples(*(st.integers(0, k) for k in kernel)))
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    n, h, w = draw(shapes(few, lengths, lengths, most=MOST // (groups * max(each, outputs))))
    size = max(h, least[0]), max(w, least[1])
    case = (n, groups * each, size, groups * outputs, kernel, stride, padding, dilation, groups)
    return lambda rng, dtype: convolution(rng, dtype, *case)


@st.composite
def any_convolutions(draw):
    """Everything at once, in small."""
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding, groups = draw(st.tuples(st.integers(0, 4), st.integers(0, 4))), draw(few)
    c, o = groups * draw(st.integers(1, 5)), groups * draw(st.integers(1, 9))
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    size = tuple(low + draw(st.integers(0, 9)) for low in least)
    case = draw(st.integers(0, 3)), c, size, o, kernel, stride, padding, dilation, groups
    return lambda rng, dtype: convolution(rng, dtype, *case)


@st.composite
def three_strides_wide(draw):
    """Windows of three strides or a pixel less, outputs and channels enough to deal them out."""
    stride = draw(st.sampled_from([(4, 4), (4, 4), (3, 4), (5, 3)]))
    kernel = tuple(3 * s - draw(st.integers(0, 1)) for s in stride)
    padding = draw(st.tuples(*(st.integers(0, k - 1) for k in kernel)))
    outputs = draw(st.integers(3, 40)), draw(st.integers(3, 40))
    n = -(-1000 // (outputs[0] * outputs[1]))
    geometry = list(zip(outputs, kernel, stride, padding, strict=True))
    size = [(out - 1) * s + k - 2 * p + draw(st.integers(0, s - 1)) for out, k, s, p in geometry]
    size = tuple(max(length, 1) for length in size)
    c, o = -(-48 // (stride[0] * stride[1])), draw(st.sampled_from([48, 49]))
    case = n, c, size, o, kernel, stride, padding, (1, 1), 1
    return lambda rng, dtype: convolution(rng, dtype, *case)


@st.composite
def many_images(draw):
    """As many small images as lanes run over, two bundles and more, the last of them not full."""
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(2, 6)))
    stride, dilation = draw(pairs), draw(st.sampled_from([(1, 1), (1, 1), (2, 3)]))
    padding = draw(st.tuples(*(st.integers(0, k) for k in kernel)))
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    c, o = groups * draw(st.integers(3, 14)), groups * draw(st.integers(3, 14))
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    size = tuple(low + draw(st.integers(0, 12)) for low in least)
    n = draw(st.sampled_from([2, 4, 8, 16])) * draw(st.integers(2, 3)) - draw(st.integers(0, 1))
    case = n, c, size, o, kernel, stride, padding, dilation, groups
    return lambda rng, dtype: convolution(rng, dtype, *case)


first = st.integers(1, 3)
odd_kernels = st.sampled_from([(3, 3), (5, 5), (7, 7), (11, 11), (3, 5), (1, 7), (2, 2), (4, 3)])
CONVOLUTIONS = {
    "3x3": convolutions((3, 3)),
    "3x3 padded by 1": convolutions((3, 3), padding=(1, 1)),
    "3x3 many channels": convolutions(
        (3, 3), padding=(1, 1), outputs=near(*EDGES), inputs=st.sampled_from([16, 31, 32, 33, 64])
    ),
    "3x3 stride 2": convolutions((3, 3), stride=(2, 2)),
    "1x1": convolutions((1, 1), stride=st.sampled_from([(1, 1), (1, 1), (2, 2), (3, 1)])),
    "first layer": convolutions(odd_kernels, stride=pairs, inputs=first),
    "large kernel": convolutions(
        odd_kernels, stride=st.sampled_from([(4, 4), (2, 3), (1, 1), (13, 12)]), inputs=few
    ),
    "three strides wide": three_strides_wide(),
    "many images": many_images(),
    "groups": grouped(),
    "any": any_convolutions(),
}


@st.composite
def windows(draw, kernel, stride):
    """One pooling; padding is at most half the kernel, as in PyTorch."""
    kernel = draw(kernel)
    stride = kernel if stride is None else draw(stride)
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 3)]))
    padding = tuple(draw(st.integers(0, length // 2)) for length in kernel)
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    n, c, h, w = draw(shapes(st.integers(0, 2), few, lengths, lengths, most=MOST))
    size = max(h, least[0]), max(w, least[1])
    case = n, c, size, kernel, stride, padding, dilation, draw(st.booleans())
    return lambda rng, dtype: pooling(rng, dtype, *case)


@st.composite
def adaptive(draw):
    """Adaptive pooling to fewer or to more pixels."""
    shape = draw(shapes(st.integers(0, 2), few, lengths, lengths, most=MOST // 10))
    out = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))

    def calls(rng, dtype):
        yield "adaptive_avg_forward", (normal(rng, dtype, *shape), out)
        yield "adaptive_avg_backward", (normal(rng, dtype, *shape[:2], *out), shape)

    return calls


POOLINGS = {
    "2x2": windows(st.just((2, 2)), None),
    "3x3 stride 2": windows(st.just((3, 3)), st.just((2, 2))),
    "any": windows(st.tuples(st.integers(1, 5), st.integers(1, 5)), pairs),
    "adaptive": adaptive(),
}


@st.composite
def batch_norms(draw):
    n, c, s = draw(shapes(near(16), near(16, 64), near(16, 64, 256, 512, 4096), most=MOST))
    n, eps = draw(st.sampled_from([n, n, n, 0])), draw(st.sampled_from([1e-5, 0.1]))
    add, first = draw(st.booleans()), draw(st.sampled_from([0, 0, 30]))  # the first image

    def calls(rng, dtype):
        x, dy = normal(rng, dtype, n, c, s), normal(rng, dtype, n, c, s)
        gamma, beta, mean = (normal(rng, dtype, c) for _ in range(3))
        var = Given(normal(rng, dtype, c) ** 2)
        x[:1] += dtype(first)
        _, (_, x_hat, inv_std, *_) = yield "forward", (3 * x + 2, gamma, beta, eps)
        yield "backward", (dy, Given(x_hat), Given(inv_std), gamma)
        residual, relu = normal(rng, dtype, n, c, s) if add else None, eps == 0.1
        (x, *_), (y, *moments) = yield "fused_forward", (x + 1, gamma, beta, residual, eps, relu)
        inv_std, batch_mean, _ = map(Given, moments)
        y = Given(y) if relu else None
        told = None if add else Given(beta)  # a denormal result counts as held back by the relu
        kept = dy, Given(x), y, batch_mean, inv_std, gamma, told, add
        yield "fused_backward", kept
        yield "inference_backward", kept
        yield "inference", (x, gamma, beta, mean, var, eps)
        yield "fused_inference", (x, gamma, beta, mean, var, residual, eps, relu)
        yield "update_running", (mean, var, gamma, var, max(n * s, 2), 0.3)
        yield "population", (normal(rng, dtype, 3, c), normal(rng, dtype, 3, c) ** 2, 12)
        yield "fold", (gamma, beta, mean, var, eps)
        yield "fold_into_linear", (normal(rng, dtype, c, 5), mean, gamma, beta, mean, var, eps)

    return calls


@st.composite
def group_norms(draw):
    groups, each = draw(near(8)), draw(near(16))
    each, groups = draw(st.sampled_from([(each, groups), (each * groups, 1), (1, each * groups)]))
    n, s = draw(shapes(near(16), near(16, 64, 256, 4096), most=max(MOST // (groups * each), 1)))
    n, s = draw(st.sampled_from([(n, s), (n, s), (n, 1), (0, s)]))

    def calls(rng, dtype):
        c = groups * each
        x, dy = normal(rng, dtype, n, c, s), normal(rng, dtype, n, c, s)
        gamma, beta = normal(rng, dtype, c), normal(rng, dtype, c)
        (x, *_), (_, *moments) = yield "forward", (3 * x + 2, gamma, beta, groups, 1e-5)
        yield "backward", (dy, Given(x), *map(Given, moments), gamma, groups)

    return calls


@st.composite
def lrns(draw):
    n, c, p = draw(shapes(st.integers(0, 3), near(16, 32), near(16, 64, 256, 512), most=MOST))
    size = draw(st.sampled_from([5, 5, 5, 3, 4, 1, 2, 9]))
    alpha, k = draw(st.sampled_from([(1e-4, 2.0), (0.3, 1.0), (1.0, 0.7)]))
    beta = draw(st.sampled_from([0.75, 0.75, 0.5, 1.0, 1.3]))

    def calls(rng, dtype):
        x, dy = normal(rng, dtype, n, c, p), normal(rng, dtype, n, c, p)
        (x, *_), (_, s) = yield "forward", (x, size, alpha, beta, k)
        yield "backward", (dy, Given(x), Given(s), size, alpha, beta)

    return calls


@st.composite
def drop_blocks(draw):
    n, c, h, w = draw(shapes(st.integers(0, 3), near(8), lengths, near(16, 63, 128), most=MOST))
    block = min(draw(st.integers(1, 9)), h, w)
    shared, share = draw(st.booleans()), draw(st.sampled_from([0.0, 0.02, 0.15, 0.9, 1.0]))

    def calls(rng, dtype):
        masks = 1 if shared else c
        keep = rng.random((n, masks, h, w)) >= share
        yield "expand", (rng.random((n, masks, h - block + 1, w - block + 1)) < share, block)
        yield "forward", (normal(rng, dtype, n, c, h, w), keep)
        yield "backward", (normal(rng, dtype, n, c, h, w), keep, 1.7)
        yield "product", (normal(rng, dtype, n, c, h, w), keep, 1.7)
        seed = int(rng.integers(2**64, dtype=np.uint64))
        yield "mask", (keep.shape, seed, share / block**2, block)

    return calls


@st.composite
def dropouts(draw):
    shape = draw(shapes(st.integers(0, 3), near(16, 64), near(64, 256, 1024), most=MOST))
    p = draw(st.sampled_from([0.0, 0.1, 0.5, 0.999, 1.0]))

    def calls(rng, dtype):
        keep = rng.random(shape) >= p
        yield "forward", (normal(rng, dtype, *shape), keep, p)
        yield "backward", (normal(rng, dtype, *shape), keep, p)
        seed = int(rng.integers(2**64, dtype=np.uint64))
        yield "seeded", (normal(rng, dtype, *shape), seed, p, 1.7)
        yield "mask", (shape, seed, p)

    return calls


@st.composite
def drop_connects(draw):
    n, k, d = draw(shapes(st.integers(0, 4), near(8), near(16, 1024, 2048), most=MOST))
    p = draw(st.sampled_from([0.0, 0.1, 0.5, 0.999, 1.0]))

    def calls(rng, dtype):
        x, weight, dy = (normal(rng, dtype, *s) for s in ((n, d), (k, d), (n, k)))
        seed = int(rng.integers(2**64, dtype=np.uint64))
        yield "forward", (x, weight, seed, p)
        yield "backward_input", (dy, weight, seed, p)
        yield "backward_weight", (dy, x, seed, p)

    return calls


@st.composite
def losses(draw):
    n, k = draw(shapes(near(16), near(*EDGES, 256, 1000), most=MOST))
    n, spread = draw(st.sampled_from([n, n, n, 0])), draw(st.sampled_from([0, 1, 10, 100, 1000]))
    eps = draw(st.sampled_from([0.0, 0.1, 1.0]))

    def calls(rng, dtype):
        targets = rng.integers(0, k, n)
        logits = dtype(spread) * normal(rng, dtype, n, k)
        _, (_, probabilities) = yield "forward", (logits, targets)
        yield "backward", (normal(rng, dtype, n), Given(probabilities), targets)
        _, (_, probabilities) = yield "smoothed_forward", (logits, targets, eps)
        yield "smoothed_backward", (normal(rng, dtype, n), Given(probabilities), targets, eps)

    return calls


@st.composite
def linears(draw):
    n, k = draw(near(4, 6, 14, 28, 32, 96, 144, 168)), draw(near(2, *EDGES))
    d = draw(near(8, 16, 32, 64, 400, 800).filter(lambda d: n * d * k <= WORK))
    bias, relu = draw(st.booleans()), draw(st.booleans())
    needs = draw(st.tuples(*(st.booleans(),) * 3))

    def calls(rng, dtype):
        shift = normal(rng, dtype, k) if bias else None
        x, weight, dy = normal(rng, dtype, n, d), normal(rng, dtype, k, d), normal(rng, dtype, n, k)
        (x, weight, *_), y = yield "forward", (x, weight, shift, relu)
        yield "backward", (dy, x, weight, Given(y) if relu else None, needs)

    return calls


@st.composite
def relus(draw):
    shape = draw(shapes(st.integers(0, 3), near(16, 64), near(64, 256, 1024), most=MOST))

    def calls(rng, dtype):
        _, y = yield "forward", (normal(rng, dtype, *shape),)
        yield "backward", (normal(rng, dtype, *shape), Given(y))

    return calls


@st.composite
def activations(draw):
    shape = draw(shapes(near(16, 64), near(*EDGES, 256, 1000), most=MOST))
    spread = draw(st.sampled_from([0.1, 3, 30, 300]))

    def calls(rng, dtype):
        for name in ("sigmoid", "tanh", "softmax", "log_softmax"):
            _, y = yield f"{name}_forward", (dtype(spread) * normal(rng, dtype, *shape),)
            yield f"{name}_backward", (normal(rng, dtype, *shape), Given(y))

        for name, row in NUMBERS.items():
            for numbers in row:
                x, dy = dtype(spread) * normal(rng, dtype, *shape), normal(rng, dtype, *shape)
                yield f"{name}_forward", (x, *numbers)
                yield f"{name}_backward", (dy, x, *numbers)
        weight = normal(rng, dtype, shape[1])
        x, dy = (normal(rng, dtype, *shape, 3) for _ in range(2))
        yield "prelu_forward", (x, weight)
        yield "prelu_backward", (dy, x, weight)

    return calls


@st.composite
def optimizer_steps(draw):
    shape = draw(shapes(st.integers(0, 3), near(16, 64), near(64, 256, 1024), most=MOST))
    _, function, build = draw(st.sampled_from(STEPS))
    t = draw(st.sampled_from([1, 2, 30, 100_000]))

    def calls(rng, dtype):
        p, g, a, x, y = (normal(rng, dtype, *shape) for _ in range(5))
        b, c = 2 * a * a + x * x, y * y
        yield function, build(p, g, Given(a), Given(b), c, [t], None)

    return calls


CALLS = {
    **RECURRENT,
    "activation": {"any": activations()},
    "batch_norm": {"any": batch_norms()},
    "conv2d": CONVOLUTIONS,
    "drop_block": {"any": drop_blocks()},
    "dropout": {"any": dropouts()},
    "drop_connect": {"any": drop_connects()},
    "group_norm": {"any": group_norms()},
    "linear": {"any": linears()},
    "lrn": {"any": lrns()},
    "optimizer": {"any": optimizer_steps()},
    "pool": POOLINGS,
    "relu": {"any": relus()},
    "softmax_cross_entropy": {"any": losses()},
}


def calls_of(family):
    """Strategies for a family; one that has none here has its cases for the usual tests spoiled."""
    if family in CALLS or family not in kernel_cases.CASES:
        return CALLS.get(family, {})
    return {"usual": st.just(kernel_cases.CASES[family])}
