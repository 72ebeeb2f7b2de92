"""Every differentiable operation agrees with PyTorch's, in value and gradient."""

import numpy as np
import pytest
from peers.agreement import DTYPES, assert_agree, compare

from minidl import backend
from minidl import functional as F

pytestmark = [pytest.mark.peers, pytest.mark.parametrize("dtype", DTYPES)]
TELLINGS = [t for t in backend.TELLINGS if not isinstance(backend.load("conv2d", t), str)]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


CONVOLUTIONS = {
    "plain": ((2, 3, 7, 6), (4, 3, 3, 3), {}),
    "wide kernel, strides": ((2, 3, 9, 8), (5, 3, 2, 4), {"stride": (2, 3), "padding": (1, 2)}),
    "dilation": ((1, 2, 9, 11), (3, 2, 3, 2), {"dilation": (2, 3), "padding": 1}),
    "groups": ((3, 6, 5, 7), (4, 3, 3, 1), {"groups": 2, "padding": (1, 0)}),
    "depthwise": ((2, 4, 6, 5), (8, 1, 3, 3), {"groups": 4, "stride": 2}),
    "1x1": ((2, 5, 4, 3), (3, 5, 1, 1), {}),
    "one pixel out": ((2, 3, 5, 4), (2, 3, 5, 4), {}),
    "same": ((2, 3, 5, 4), (2, 3, 3, 5), {"padding": "same", "dilation": (1, 2)}),
    "valid": ((2, 3, 5, 4), (2, 3, 2, 2), {"padding": "valid"}),
    "rows left over": ((1, 1, 8, 7), (1, 1, 3, 3), {"stride": 3}),
}


@pytest.mark.parametrize("telling", TELLINGS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv2d(torch, name, telling, dtype):
    x, w, options = CONVOLUTIONS[name]
    with backend.use(telling):
        compare(
            torch,
            lambda x, w, b: F.conv2d(x, w, b, **options),
            lambda x, w, b: torch.nn.functional.conv2d(x, w, b, **options),
            [normal(*x), normal(*w), normal(w[0])],
            dtype,
        )


def test_conv2d_without_bias(torch, dtype):
    arrays = [normal(2, 3, 7, 6), normal(4, 3, 3, 3)]
    compare(torch, F.conv2d, torch.nn.functional.conv2d, arrays, dtype)


MAX_POOLS = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (2, 1)},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 0)},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
]


@pytest.mark.parametrize("telling", TELLINGS)
@pytest.mark.parametrize("options", MAX_POOLS, ids=str)
def test_max_pool2d(torch, options, telling, dtype):
    with backend.use(telling):
        compare(
            torch,
            lambda x: F.max_pool2d(x, **options),
            lambda x: torch.nn.functional.max_pool2d(x, **options),
            [normal(2, 3, 8, 7)],
            dtype,
        )


@pytest.mark.parametrize("telling", TELLINGS)
def test_max_pool2d_ties_and_nan(torch, telling, dtype):
    x = np.random.default_rng(1).integers(0, 3, (2, 2, 6, 6)).astype(float)
    x[0, 0, 2, 3] = np.nan
    with backend.use(telling):
        compare(
            torch,
            lambda x: F.max_pool2d(x, 3, 2),
            lambda x: torch.nn.functional.max_pool2d(x, 3, 2),
            [x],
            dtype,
        )


AVG_POOLS = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False},
]


@pytest.mark.parametrize("telling", TELLINGS)
@pytest.mark.parametrize("options", AVG_POOLS, ids=str)
def test_avg_pool2d(torch, options, telling, dtype):
    with backend.use(telling):
        compare(
            torch,
            lambda x: F.avg_pool2d(x, **options),
            lambda x: torch.nn.functional.avg_pool2d(x, **options),
            [normal(2, 3, 8, 7)],
            dtype,
        )


@pytest.mark.parametrize("size", [1, (2, 3), (5, 4), (8, 7), (9, 10)], ids=str)
def test_adaptive_avg_pool2d(torch, size, dtype):
    compare(
        torch,
        lambda x: F.adaptive_avg_pool2d(x, size),
        lambda x: torch.nn.functional.adaptive_avg_pool2d(x, size),
        [normal(2, 3, 8, 7)],
        dtype,
    )


@pytest.mark.parametrize("telling", TELLINGS)
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (3, 4, 2, 3), (1, 2, 3, 3)], ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_batch_norm(torch, shape, training, eps, telling, dtype):
    c = shape[1]
    mean, var = normal(c, seed=1).astype(dtype), np.abs(normal(c, seed=2)).astype(dtype) + 0.5
    peer_mean, peer_var = torch.tensor(mean.copy()), torch.tensor(var.copy())
    with backend.use(telling):
        compare(
            torch,
            lambda x, w, b: F.batch_norm(x, mean, var, w, b, training, 0.3, eps),
            lambda x, w, b: torch.nn.functional.batch_norm(
                x, peer_mean, peer_var, w, b, training, 0.3, eps
            ),
            [normal(*shape) * 2 + 1, normal(c, seed=3), normal(c, seed=4)],
            dtype,
        )
    assert_agree(mean, peer_mean.numpy(), dtype, "running mean")
    assert_agree(var, peer_var.numpy(), dtype, "running variance")


@pytest.mark.parametrize("telling", TELLINGS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("shape", [(2, 6, 3, 4), (1, 3, 5)], ids=str)
def test_local_response_norm(torch, size, shape, telling, dtype):
    options = {"alpha": 0.7, "beta": 0.6, "k": 1.5}
    with backend.use(telling):
        compare(
            torch,
            lambda x: F.local_response_norm(x, size, **options),
            lambda x: torch.nn.functional.local_response_norm(x, size, **options),
            [normal(*shape) * 3],
            dtype,
        )


def test_local_response_norm_defaults(torch, dtype):
    compare(
        torch,
        lambda x: F.local_response_norm(x, 3),
        lambda x: torch.nn.functional.local_response_norm(x, 3),
        [normal(2, 5, 3, 3) * 10],
        dtype,
    )


@pytest.mark.parametrize("telling", TELLINGS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy(torch, reduction, smoothing, telling, dtype):
    targets = np.array([0, 4, 2, 2, 1, 3])
    with backend.use(telling):
        compare(
            torch,
            lambda x, t: F.cross_entropy(x, t, reduction=reduction, label_smoothing=smoothing),
            lambda x, t: torch.nn.functional.cross_entropy(
                x, t, reduction=reduction, label_smoothing=smoothing
            ),
            [normal(6, 5) * 4, targets],
            dtype,
        )


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_activations(torch, name, dtype):
    x = np.concatenate([normal(50) * 4, [0.0, -0.0, np.inf, -np.inf, np.nan]])
    compare(torch, getattr(F, name), getattr(torch, name), [x], dtype)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(torch, name, axis, dtype):
    compare(
        torch,
        lambda x: getattr(F, name)(x, axis),
        lambda x: getattr(torch, name)(x, axis),
        [normal(3, 4, 5) * 5],
        dtype,
    )


def test_linear(torch, dtype):
    arrays = [normal(2, 4, 5), normal(3, 5), normal(3)]
    compare(torch, F.linear, torch.nn.functional.linear, arrays, dtype)


@pytest.mark.parametrize("telling", TELLINGS)
def test_dropout_given_the_mask(torch, telling, dtype):
    """PyTorch cannot be given a mask, so its own product with ours stands in for it."""
    keep = np.random.default_rng(4).random((3, 4, 5), dtype=np.float32) >= 0.3
    with backend.use(telling):
        compare(
            torch,
            lambda x: F.dropout(x, 0.3, rng=np.random.default_rng(4)),
            lambda x: x * torch.tensor(keep) / (1 - 0.3),
            [normal(3, 4, 5)],
            dtype,
        )


ARITHMETIC = {
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "sub": (lambda a, b: a - b, lambda a, b: a - b),
    "mul": (lambda a, b: a * b, lambda a, b: a * b),
    "div": (lambda a, b: a / (b * b + 1), lambda a, b: a / (b * b + 1)),
    "pow": (lambda a, b: (a * a + 0.5) ** b, lambda a, b: (a * a + 0.5) ** b),
    "matmul": (lambda a, b: a @ b.T, lambda a, b: a @ b.T),
    "exp": (lambda a, b: a.exp() * b, lambda a, b: a.exp() * b),
    "log": (lambda a, b: (a * a + 1).log() - b, lambda a, b: (a * a + 1).log() - b),
    "sqrt": (lambda a, b: (a * a + b * b).sqrt(), lambda a, b: (a * a + b * b).sqrt()),
    "abs": (lambda a, b: abs(a - b), lambda a, b: abs(a - b)),
    "var": (lambda a, b: a.var(0, correction=1) + b, lambda a, b: a.var(0, correction=1) + b),
    "mean": (lambda a, b: a.mean((0, 1)) * b, lambda a, b: a.mean((0, 1)) * b),
    "max": (lambda a, b: (a * b).max(1), lambda a, b: (a * b).amax(1)),
    "min": (lambda a, b: (a * b).min(0), lambda a, b: (a * b).amin(0)),
    "index": (lambda a, b: a[:, [2, 0, 2]] + b[0, 1:4], lambda a, b: a[:, [2, 0, 2]] + b[0, 1:4]),
    "clip": (lambda a, b: a.clip(-0.5, 0.7) * b, lambda a, b: a.clip(-0.5, 0.7) * b),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_tensor_operations(torch, name, dtype):
    ours, theirs = ARITHMETIC[name]
    compare(torch, ours, theirs, [normal(3, 4), normal(1, 4, seed=9)], dtype)
