"""Cross-entropy against its formula in longer floats, reductions, smoothing, and bad input."""

import types

import numpy as np
import pytest
from minidl.kernels import softmax_cross_entropy_numpy

from minidl.tensor import Tensor
from minidl import backend, nn
from minidl import functional as F
from minidl.errors import ArgumentError, AutogradError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(14)


def by_formula(logits, targets, eps):
    """-sum_j q_j (x_j - log sum exp x), the largest x taken out, in longdouble."""
    x = logits.astype(np.longdouble)
    top = x.max(1, keepdims=True)
    log_p = x - top - np.log(np.exp(x - top).sum(1, keepdims=True))
    k = x.shape[1]
    q = np.full(x.shape, eps / k, np.longdouble)
    q[np.arange(len(x)), targets] += 1 - eps
    return -(q * log_p).sum(1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e3, 1e30])
@pytest.mark.parametrize("eps", [0.0, 0.1, 1.0])
def test_value(rng, eps, scale, dtype):
    logits = (rng.normal(size=(6, 4)) * scale).astype(dtype)
    targets = rng.integers(0, 4, 6)
    wanted = by_formula(logits, targets, eps)
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    for reduction, value in [("none", wanted), ("sum", wanted.sum()), ("mean", wanted.mean())]:
        loss = F.cross_entropy(Tensor(logits), targets, reduction=reduction, label_smoothing=eps)
        assert loss.dtype == dtype
        np.testing.assert_allclose(loss.data, value.astype(np.float64), rtol=rtol, atol=rtol)


def test_gradient_is_softmax_minus_onehot(rng):
    logits, targets = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    upstream = rng.normal(size=5)
    x = Tensor(logits, requires_grad=True)
    F.cross_entropy(x, targets, reduction="none").backward(upstream)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(x.grad, upstream[:, None] * (p - np.eye(3)[targets]), rtol=1e-10)


def test_uniform_logits_cost_the_logarithm_of_the_classes():
    loss = F.cross_entropy(Tensor(np.zeros((4, 7))), np.array([0, 3, 6, 1]))
    np.testing.assert_allclose(loss.item(), np.log(7), rtol=1e-12)


@pytest.mark.parametrize("targets", [[1, 0], np.array([1, 0], np.uint8), Tensor(np.array([1, 0]))])
def test_targets_of_any_integer_kind(targets):
    loss = F.cross_entropy(Tensor(np.array([[0.0, 100.0], [100.0, 0.0]])), targets)
    np.testing.assert_allclose(loss.item(), 0, atol=1e-12)


def test_nan_passes():
    losses = F.cross_entropy(
        Tensor([[np.nan, 0.0], [1.0, 1.0]]), np.array([1, 0]), reduction="none"
    ).data
    assert np.isnan(losses).tolist() == [True, False]


def test_an_impossible_class_costs_infinity_and_an_impossible_rival_nothing():
    x = Tensor(np.array([[-np.inf, 0.0], [-np.inf, 0.0]]))
    np.testing.assert_array_equal(F.cross_entropy(x, [0, 1], reduction="none").data, [np.inf, 0])


def test_the_layer(rng):
    x, targets = Tensor(rng.normal(size=(3, 4))), np.array([3, 0, 2])
    layer = nn.CrossEntropyLoss(reduction="sum", label_smoothing=0.2)
    assert (
        layer(x, targets).item()
        == F.cross_entropy(x, targets, reduction="sum", label_smoothing=0.2).item()
    )
    assert nn.CrossEntropyLoss()(x, targets).item() == F.cross_entropy(x, targets).item()
    assert repr(layer) == (
        "CrossEntropyLoss(reduction='sum', ignore_index=-100, label_smoothing=0.2)"
    )


@pytest.mark.parametrize("eps", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_module_of_ones_own_gives_the_same_and_runs(rng, reduction, eps):
    """It knows nothing of smoothing, which is put around it."""
    logits, targets = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    upstream = rng.normal(size=5 if reduction == "none" else ())
    own = types.SimpleNamespace(
        forward=softmax_cross_entropy_numpy.forward, backward=softmax_cross_entropy_numpy.backward
    )
    outcome = []
    for using in (backend.use(own, "softmax_cross_entropy"), backend.use("numpy")):
        x = Tensor(logits, requires_grad=True)
        with using as used:
            loss = F.cross_entropy(x, targets, reduction=reduction, label_smoothing=eps)
            loss.backward(upstream)
        outcome.append((loss.data, x.grad, used.calls))
    (loss, grad, calls), (wanted, wanted_grad, _) = outcome
    assert set(calls) == {("softmax_cross_entropy", f) for f in ("forward", "backward")}
    np.testing.assert_allclose(loss, wanted, rtol=1e-12)
    np.testing.assert_allclose(grad, wanted_grad, rtol=1e-10, atol=1e-12)


LOGITS = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("kind", "says", "logits", "targets", "options"),
    [
        (ShapeError, r"logits of shape \(n, k\), got \(\)", LOGITS[0, 0], 0, {}),
        (ShapeError, r"targets of shape \(\), got \(1,\)", LOGITS[0], [0], {}),
        (ShapeError, r"targets of shape \(2,\), got \(3,\)", LOGITS, [0, 1, 2], {}),
        (ShapeError, r"targets of shape \(2,\), got \(2, 1\)", LOGITS, [[0], [1]], {}),
        (
            ShapeError,
            'at least one row that counts for reduction "mean"',
            LOGITS[:0],
            np.zeros(0, int),
            {},
        ),
        (
            ShapeError,
            "that are probabilities of shape .* got .*; class ind",
            LOGITS,
            [0.0, 1.0],
            {},
        ),
        (ShapeError, r"weight of shape \(3,\), got \(2,\)", LOGITS, [0, 1], {"weight": [1.0, 2]}),
        (ArgumentError, "weights of at least 0", LOGITS, [0, 1], {"weight": [1.0, -2, 0]}),
        (ShapeError, "at least one row that counts", LOGITS, [-100, -100], {}),
        (ShapeError, "at least one row that counts", LOGITS, [0, 0], {"weight": [0.0, 1, 1]}),
        (ArgumentError, "probabilities of at least 0, got -0.5", LOGITS, LOGITS - 0.5, {}),
        (ArgumentError, "ignore_index as an integer, got None", LOGITS, [0, 1], {"ignore": None}),
        (DTypeError, "targets as integers", LOGITS, [True, False], {}),
        (DTypeError, "logits of a floating type, got int64", LOGITS.astype(int), [0, 1], {}),
        (ArgumentError, "targets between 0 and 2, or ignore_index -100, got 3", LOGITS, [0, 3], {}),
        (ArgumentError, "between 0 and 2, or ignore_index -100, got -1", LOGITS, [0, -1], {}),
        (ArgumentError, "label_smoothing between 0.0 and 1.0", LOGITS, [0, 1], {"eps": 1.5}),
        (ArgumentError, "label_smoothing between", LOGITS, [0, 1], {"eps": float("nan")}),
        (ArgumentError, '"mean", "sum" or "none", got \'max\'', LOGITS, [0, 1], {"red": "max"}),
    ],
)
def test_bad_input(kind, says, logits, targets, options):
    with pytest.raises(kind, match=says) as caught:
        F.cross_entropy(
            Tensor(logits),
            targets,
            options.get("weight"),
            options.get("ignore", -100),
            reduction=options.get("red", "mean"),
            label_smoothing=options.get("eps", 0.0),
        )
    assert str(caught.value).startswith("cross_entropy: expected ")


@pytest.mark.parametrize("arguments", [("max",), ("mean", -0.1), ("mean", "some")])
def test_a_layer_that_cannot_be(arguments):
    with pytest.raises(ArgumentError, match="CrossEntropyLoss: expected "):
        nn.CrossEntropyLoss(None, -100, *arguments)


def test_a_layer_cannot_ignore_what_is_no_integer():
    for layer in (nn.CrossEntropyLoss, nn.NLLLoss):
        with pytest.raises(ArgumentError, match=f"{layer.__name__}: expected ignore_index"):
            layer(ignore_index=0.5)


def test_a_probability_of_0_costs_nothing_at_an_impossible_logit():
    x = Tensor(np.array([[-np.inf, 0.0, 1.0]]), requires_grad=True)
    loss = F.cross_entropy(x, np.array([[0.0, 0.25, 0.75]]))
    p = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    np.testing.assert_allclose(loss.item(), -0.25 * np.log(p[0]) - 0.75 * np.log(p[1]))
    loss.backward(np.array(2.0))
    np.testing.assert_allclose(x.grad, [[0, 2 * (p[0] - 0.25), 2 * (p[1] - 0.75)]])


def test_what_is_ignored_neither_costs_nor_learns():
    """Not even where its logits are no numbers."""
    x = Tensor(np.array([[1.0, 2.0], [np.nan, np.inf], [0.5, 0.0]]), requires_grad=True)
    losses = F.cross_entropy(x, [0, -100, 1], reduction="none")
    assert losses.data[1] == 0
    mean = F.cross_entropy(x, [0, -100, 1])
    np.testing.assert_allclose(mean.item(), losses.data.sum() / 2, rtol=1e-12)
    mean.backward()
    np.testing.assert_array_equal(x.grad[1], [0, 0])
    assert (x.grad[[0, 2]] != 0).all()


def test_weights_count_in_the_mean_too(rng):
    x, targets, weight = Tensor(rng.normal(size=(5, 3))), np.array([0, 2, 1, 1, 0]), [2.0, 0.5, 1.0]
    each = F.cross_entropy(x, targets, reduction="none").data * np.array(weight)[targets]
    mean = F.cross_entropy(x, targets, weight).item()
    np.testing.assert_allclose(mean, each.sum() / (0.5 + 0.5 + 1 + 2 + 2), rtol=1e-6)


def test_one_hot_probabilities_are_classes(rng):
    x, targets = rng.normal(size=(4, 3)), np.array([2, 0, 1, 2])
    found = F.cross_entropy(Tensor(x), np.eye(3)[targets], label_smoothing=0.3)
    wanted = F.cross_entropy(Tensor(x), targets, label_smoothing=0.3)
    np.testing.assert_allclose(found.item(), wanted.item(), rtol=1e-12)


def test_smoothed_labels_share_eps_among_the_other_classes():
    q = F.smooth_labels([[1, 0], [2, 2]], 3, 0.2)
    assert q.dtype == np.float32
    np.testing.assert_allclose(
        q.data, [[[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]], [[0.1, 0.1, 0.8]] * 2], rtol=1e-6
    )


def test_the_two_ways_to_smooth_are_one_with_another_eps(rng):
    x, targets, k, eps = Tensor(rng.normal(size=(4, 5))), np.array([2, 0, 1, 4]), 5, 0.1
    ours = F.cross_entropy(x, F.smooth_labels(targets, k, eps))
    theirs = F.cross_entropy(x, targets, label_smoothing=eps * k / (k - 1))
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-6)


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("num_classes of at least 2, got 1", ([0], 1, 0.1)),
        ("eps between 0.0 and 1.0, got 2", ([0], 3, 2)),
        ("targets between 0 and 2, got 3", ([3], 3, 0.1)),
    ],
)
def test_labels_that_cannot_be_smoothed(says, arguments):
    with pytest.raises(ArgumentError, match=f"smooth_labels: expected {says}"):
        F.smooth_labels(*arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_probabilities_that_are_not_needed_again_become_the_gradient(rng, eps, dtype):
    values, targets = rng.normal(size=(300, 70)).astype(dtype), rng.integers(0, 70, 300)

    def gradient(upstream, **options):
        logits = Tensor(values, True)
        loss = F.cross_entropy(logits, targets, reduction="none", label_smoothing=eps)
        probabilities = loss.grad_fn.probabilities
        loss.backward(upstream, **options)
        return logits.grad, probabilities

    upstream = rng.normal(size=300).astype(dtype)
    for telling in ("numpy", "numba", "cython"):
        with backend.use(telling, "softmax_cross_entropy"):
            kept, probabilities = gradient(upstream, retain_graph=True)
            assert not np.shares_memory(kept, probabilities)
            np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
            written_over, probabilities = gradient(upstream)
            assert written_over is probabilities
            np.testing.assert_array_equal(written_over, kept)


def test_a_hook_may_change_the_type_of_what_comes_back(rng):
    logits = Tensor(rng.normal(size=(5, 3)).astype(np.float32), True)
    loss = F.cross_entropy(logits, [0, 1, 2, 0, 1], reduction="none")
    wanted = loss.grad_fn.probabilities - np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    loss.grad_fn.hooks = [lambda grad: grad.astype(np.float64)]
    loss.backward(np.ones(5))
    assert logits.grad.dtype == np.float32
    np.testing.assert_allclose(logits.grad, wanted, rtol=1e-6)


def test_a_walk_that_failed_does_not_leave_half_a_tape(rng):
    logits = Tensor(rng.normal(size=(5, 3)).astype(np.float32), True)
    loss = F.cross_entropy(logits, [0, 1, 2, 0, 1])

    def fail(grad):
        raise RuntimeError("no")

    logits.register_hook(fail)
    with pytest.raises(RuntimeError, match="no"):
        loss.backward()
    with pytest.raises(AutogradError, match="retain_graph"):
        loss.backward()
    assert logits.grad is None
