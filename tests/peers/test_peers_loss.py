"""Cross-entropy, softmax and the activations agree with PyTorch's, in value and gradient."""

import numpy as np
import pytest
from peers.agreement import assert_agree, compare, normal

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn

pytestmark = pytest.mark.peers


def compare_cross_entropy(torch, x, targets, dtype, **options):
    """Compare losses and gradients under the same options."""
    compare(
        torch,
        lambda x, t: F.cross_entropy(x, t, **options),
        lambda x, t: torch.nn.functional.cross_entropy(x, t, **options),
        [x, targets],
        dtype,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(6, 5), (1, 3), (9, 2), (4, 1)], ids=str)
def test_cross_entropy(torch, reduction, smoothing, shape, telling, dtype):
    targets = np.random.default_rng(shape).integers(0, shape[1], shape[0])
    options = {"reduction": reduction, "label_smoothing": smoothing}
    compare_cross_entropy(torch, normal(*shape) * 4, targets, dtype, **options)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("target", [0, 1])
def test_cross_entropy_of_extreme_logits(torch, smoothing, target, telling, dtype):
    """Large, infinite and undefined logits, row by row: no overflow, NaN where PyTorch has it."""
    inf, nan = np.inf, np.nan
    rows = [[1e30, -1e30, 0], [800, -800, 3], [nan, 0, 0], [-inf, 0, 1], [5, 5, 5]]
    targets = np.full(len(rows), target)
    options = {"reduction": "none", "label_smoothing": smoothing}
    compare_cross_entropy(torch, np.array(rows, float), targets, dtype, **options)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_cross_entropy_of_no_rows(torch, reduction, telling, dtype):
    targets = np.zeros(0, np.int64)
    compare_cross_entropy(torch, normal(0, 4), targets, dtype, reduction=reduction)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_loss_layer(torch, reduction, telling, dtype):
    options = {"reduction": reduction, "label_smoothing": 0.2}
    mine, peer = nn.CrossEntropyLoss(**options), torch.nn.CrossEntropyLoss(**options)
    compare(torch, mine, peer, [normal(5, 4), np.array([3, 0, 1, 1, 2])], dtype)


def test_cross_entropy_by_default(torch, telling, dtype):
    compare_cross_entropy(torch, normal(5, 4), np.array([3, 0, 1, 1, 2]), dtype)


@pytest.mark.parametrize("kind", ["int32", "uint8"])
def test_cross_entropy_takes_narrow_targets(torch, kind, dtype):
    targets = np.array([3, 0, 1, 1, 2])
    x = normal(5, 4).astype(dtype)
    wanted = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(targets))
    assert_agree(F.cross_entropy(Tensor(x), targets.astype(kind)).data, wanted.numpy(), dtype)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4, 5), (0, 3)], ids=str)
def test_activations(torch, name, shape, dtype):
    compare(torch, getattr(F, name), getattr(torch, name), [normal(*shape) * 4], dtype)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_activations_at_kinks_infinities_and_nan(torch, name, dtype):
    """ReLU's derivative at 0 is 0, and NaN passes through it; its gradient is PyTorch's too."""
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 90.0, -90.0, 1e30, -1e30])
    compare(torch, getattr(F, name), getattr(torch, name), [x], dtype)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(torch, name, axis, dtype):
    ours, theirs = getattr(F, name), getattr(torch, name)
    compare(torch, lambda x: ours(x, axis), lambda x: theirs(x, axis), [normal(3, 4, 5) * 5], dtype)
    extreme = np.array([[1e30, -1e30, 0], [np.nan, 0, 1], [-np.inf, 0, 800]])[:, None, :]
    compare(torch, lambda x: ours(x, -1), lambda x: theirs(x, -1), [extreme], dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize("shape", [(6, 5), (3, 4, 2), (2, 3, 2, 3)], ids=str)
def test_cross_entropy_with_weights(torch, reduction, smoothing, weighted, ignore, shape, dtype):
    """Weights of classes, classes that are ignored, and places beside rows."""
    rng = np.random.default_rng(shape)
    targets = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    targets.flat[::4] = ignore
    weight = rng.uniform(0.2, 2, shape[1]).astype(dtype) if weighted else None
    options = {"ignore_index": ignore, "reduction": reduction, "label_smoothing": smoothing}
    compare(
        torch,
        lambda x, t: F.cross_entropy(x, t, weight, **options),
        lambda x, t: torch.nn.functional.cross_entropy(
            x, t, None if weight is None else torch.tensor(weight), **options
        ),
        [normal(*shape) * 3, targets],
        dtype,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(6, 5), (3, 4, 2), (5,)], ids=str)
def test_cross_entropy_of_probabilities(torch, reduction, smoothing, weighted, shape, dtype):
    rng = np.random.default_rng(shape)
    k = shape[1] if len(shape) > 1 else shape[0]
    weight = rng.uniform(0.2, 2, k).astype(dtype) if weighted else None
    options = {"reduction": reduction, "label_smoothing": smoothing}
    compare(
        torch,
        lambda x, t: F.cross_entropy(x, t, weight, **options),
        lambda x, t: torch.nn.functional.cross_entropy(
            x, t, None if weight is None else torch.tensor(weight), **options
        ),
        [normal(*shape) * 3, rng.random(shape)],
        dtype,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore", [-100, 2])
def test_nll_loss(torch, reduction, ignore, dtype):
    weight = np.array([0.5, 2, 1, 0.1]).astype(dtype)
    targets = np.array([[0, 2], [3, 1], [2, 0]])
    options = {"ignore_index": ignore, "reduction": reduction}
    compare(
        torch,
        lambda x, t: F.nll_loss(x, t, weight, **options),
        lambda x, t: torch.nn.functional.nll_loss(x, t, torch.tensor(weight), **options),
        [normal(3, 4, 2), targets],
        dtype,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin_loss(torch, reduction, p, dtype):
    weight = np.array([0.5, 2, 1]).astype(dtype)
    compare(
        torch,
        lambda x, t: F.multi_margin_loss(x, t, p, 0.8, weight, reduction),
        lambda x, t: torch.nn.functional.multi_margin_loss(
            x, t, p, 0.8, torch.tensor(weight), reduction=reduction
        ),
        [normal(5, 3), np.array([0, 2, 1, 1, 0])],
        dtype,
    )


ELEMENTS = {
    "mse_loss": ({}, normal),
    "l1_loss": ({}, normal),
    "smooth_l1_loss": ({"beta": 0.4}, normal),
    "huber_loss": ({"delta": 0.4}, normal),
    "binary_cross_entropy_with_logits": ({}, lambda *s: 5 * normal(*s)),
    "binary_cross_entropy": ({}, lambda *s: np.random.default_rng(s).random(s)),
    "kl_div": ({}, normal),
}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ELEMENTS)
def test_losses_of_elements(torch, name, reduction, dtype):
    options, draw = ELEMENTS[name]
    options = {**options, "reduction": reduction}
    target = np.random.default_rng(3).random((4, 3))
    compare(
        torch,
        lambda x, t: getattr(F, name)(x, t, **options),
        lambda x, t: getattr(torch.nn.functional, name)(x, t, **options),
        [draw(4, 3), target],
        dtype,
    )


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
def test_kl_div(torch, reduction, log_target, dtype):
    target = np.random.default_rng(3).random((4, 3))
    target[0, 0] = 0 if not log_target else -1e3
    options = {"reduction": reduction, "log_target": log_target}
    compare(
        torch,
        lambda x, t: F.kl_div(x, t, **options),
        lambda x, t: torch.nn.functional.kl_div(x, t, **options),
        [normal(4, 3), target],
        dtype,
        frozen=(1,),
    )


def test_binary_losses_with_weights_and_at_the_ends(torch, dtype):
    weight, positive = (np.array(a).astype(dtype) for a in ([1.0, 0.5, 3.0], [2.0, 1.0, 0.25]))
    compare(
        torch,
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, weight, "none", positive),
        lambda x, t: torch.nn.functional.binary_cross_entropy_with_logits(
            x, t, torch.tensor(weight), reduction="none", pos_weight=torch.tensor(positive)
        ),
        [np.array([[800.0, -800.0, 0.0], [-3.0, 30.0, 1.0]]), np.array([[1.0, 0, 1], [1, 0, 0]])],
        dtype,
    )
    compare(
        torch,
        lambda p, t: F.binary_cross_entropy(p, t, weight, "none"),
        lambda p, t: torch.nn.functional.binary_cross_entropy(
            p, t, torch.tensor(weight), reduction="none"
        ),
        [np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.1]]), np.array([[0.0, 1, 1], [1, 0, 0]])],
        dtype,
        frozen=(1,),
    )
