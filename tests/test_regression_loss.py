"""Losses element by element: values by hand, extremes, layers, bad input."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError

X, T = np.array([-2.0, -0.5, 0.5, 3.0]), np.array([0.0, 0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("mse_loss", {}, [4, 0.25, 0.25, 4]),
        ("l1_loss", {}, [2, 0.5, 0.5, 2]),
        ("smooth_l1_loss", {"beta": 1.0}, [1.5, 0.125, 0.125, 1.5]),
        ("smooth_l1_loss", {"beta": 0.0}, [2, 0.5, 0.5, 2]),
        ("huber_loss", {"delta": 2.0}, [2, 0.125, 0.125, 2]),
    ],
)
def test_values(name, options, wanted):
    loss = getattr(F, name)
    np.testing.assert_allclose(loss(Tensor(X), T, reduction="none", **options).data, wanted)
    np.testing.assert_allclose(loss(Tensor(X), T, **options).item(), np.mean(wanted))
    np.testing.assert_allclose(loss(Tensor(X), T, "sum", **options).item(), np.sum(wanted))


def test_hinge():
    scores, signs = Tensor(np.array([2.0, 0.3, -0.5, -2.0])), np.array([1, 1, -1, 1])
    losses = F.hinge_loss(scores, signs, reduction="none")
    np.testing.assert_allclose(losses.data, [0, 0.7, 0.5, 3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_neither_overflow_nor_warn(dtype):
    x = Tensor(np.array([-1e4, 1e4, -1e4, 1e4], dtype), requires_grad=True)
    losses = F.binary_cross_entropy_with_logits(x, np.array([0, 1, 1, 0]), reduction="none")
    np.testing.assert_allclose(losses.data, [0, 0, 1e4, 1e4])
    losses.backward(np.array([1.0, -2.0, 3.0, 0.5], dtype))
    np.testing.assert_allclose(x.grad, [0, 0, -3, 0.5], atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_costs_keep_their_digits(dtype):
    """log(1 + e^-30) is e^-30 for a right answer of either class, and so is its slope."""
    x = Tensor(np.array([-30.0, 30.0], dtype), requires_grad=True)
    losses = F.binary_cross_entropy_with_logits(x, np.array([0, 1]), reduction="none")
    np.testing.assert_allclose(losses.data, [np.exp(-30)] * 2, rtol=1e-6)
    losses.backward(np.array([2.0, 3.0], dtype))
    np.testing.assert_allclose(x.grad, [2 * np.exp(-30), -3 * np.exp(-30)], rtol=1e-6)


def test_infinite_logits():
    x = Tensor(np.array([np.inf, -np.inf, np.inf, -np.inf]), requires_grad=True)
    losses = F.binary_cross_entropy_with_logits(x, np.array([1, 0, 0, 1]), reduction="none")
    np.testing.assert_array_equal(losses.data, [0, 0, np.inf, np.inf])
    losses.backward(np.array([2.0, 3.0, 4.0, 5.0]))
    np.testing.assert_array_equal(x.grad, [0, 0, 4, -5])


def test_impossible_classes_of_a_divergence_count_nothing():
    logs, p = np.array([[-np.inf, 0.0]]), np.array([[0.0, 1.0]])
    assert F.kl_div(Tensor(logs), p, "batchmean").item() == 0
    assert F.kl_div(Tensor(logs), logs, "batchmean", log_target=True).item() == 0


def test_certain_probabilities_cost_at_most_a_hundred():
    p = Tensor(np.array([0.0, 1.0]), requires_grad=True)
    losses = F.binary_cross_entropy(p, np.array([1.0, 0.0]), reduction="none")
    np.testing.assert_allclose(losses.data, [100, 100])
    losses.sum().backward()
    assert np.isfinite(p.grad).all()


def test_nan_passes():
    for name in ("mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits"):
        assert np.isnan(
            getattr(F, name)(Tensor([np.nan, 1.0]), [0.0, 1.0], reduction="none")[0].item()
        )


def test_divergence_of_a_distribution_from_itself_is_none():
    p = np.array([[0.2, 0.8, 0.0], [0.5, 0.25, 0.25]])
    with np.errstate(divide="ignore"):
        logs = np.log(np.where(p > 0, p, 1e-30))
    assert abs(F.kl_div(Tensor(logs), p, "batchmean").item()) < 1e-12
    assert F.kl_div(Tensor(logs[::-1].copy()), p, "batchmean").item() > 0.1


@pytest.mark.parametrize(
    ("layer", "call"),
    [
        (nn.MSELoss("sum"), lambda x, t: F.mse_loss(x, t, "sum")),
        (nn.L1Loss(), lambda x, t: F.l1_loss(x, t)),
        (nn.SmoothL1Loss(beta=0.3), lambda x, t: F.smooth_l1_loss(x, t, beta=0.3)),
        (nn.HuberLoss("none", 0.3), lambda x, t: F.huber_loss(x, t, "none", 0.3)),
        (nn.BCELoss([2.0, 1.0]), lambda x, t: F.binary_cross_entropy(x, t, [2.0, 1.0])),
        (
            nn.BCEWithLogitsLoss(pos_weight=[2.0, 1.0]),
            lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=[2.0, 1.0]),
        ),
        (nn.KLDivLoss("batchmean"), lambda x, t: F.kl_div(x, t, "batchmean")),
        (nn.HingeLoss(0.4), lambda x, t: F.hinge_loss(x, t, 0.4)),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "",
)
def test_layers(layer, call):
    x, t = Tensor(np.array([[0.2, 0.9], [0.6, 0.3]])), np.array([[1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(layer(x, t).data, call(x, t).data)
    assert repr(layer).startswith(f"{type(layer).__name__}(reduction=")


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (
            ShapeError,
            r"target of shape \(4,\), got \(4, 1\); this loss",
            lambda x: F.mse_loss(x, T[:, None]),
        ),
        (ShapeError, 'elements for reduction "mean"', lambda x: F.l1_loss(x[:0], T[:0])),
        (DTypeError, "input of a floating type", lambda x: F.mse_loss(Tensor([1, 2]), [1, 2])),
        (ArgumentError, '"mean", "sum" or "none"', lambda x: F.mse_loss(x, T, "max")),
        (ArgumentError, '"none" or "batchmean"', lambda x: F.kl_div(x, T, "max")),
        (
            ArgumentError,
            "delta as a finite number above 0",
            lambda x: F.huber_loss(x, T, delta=0.0),
        ),
        (
            ArgumentError,
            "beta as a finite number of at least 0, got -1",
            lambda x: F.smooth_l1_loss(x, T, beta=-1.0),
        ),
        (
            ArgumentError,
            "probabilities between 0 and 1, got -2",
            lambda x: F.binary_cross_entropy(x, T),
        ),
        (
            ArgumentError,
            "target as probabilities between 0 and 1, got -2",
            lambda x: F.binary_cross_entropy_with_logits(x, X),
        ),
        (
            ArgumentError,
            "target as probabilities between 0 and 1, got 2",
            lambda x: F.binary_cross_entropy(x * 0, T + T),
        ),
        (
            ArgumentError,
            "kl_div: expected target as probabilities of at least 0, got -2",
            lambda x: F.kl_div(x, X),
        ),
        (ArgumentError, "beta as a finite", lambda x: F.smooth_l1_loss(x, T, beta=np.inf)),
        (ArgumentError, "targets of -1 or 1, got 0", lambda x: F.hinge_loss(x, T)),
        (
            ShapeError,
            r"pos_weight that broadcasts to \(4,\)",
            lambda x: F.binary_cross_entropy_with_logits(x, T, pos_weight=[1.0, 2.0]),
        ),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call(Tensor(X))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (lambda: nn.SmoothL1Loss(beta=-1.0), "SmoothL1Loss: expected beta"),
        (lambda: nn.HuberLoss(delta=0.0), "HuberLoss: expected delta as a finite number above 0"),
        (lambda: nn.KLDivLoss("median"), 'KLDivLoss: expected .* or "batchmean"'),
        (lambda: nn.MSELoss("batchmean"), 'MSELoss: expected "mean", "sum" or "none"'),
        (lambda: nn.MultiMarginLoss(3), "MultiMarginLoss: expected p as 1 or 2, got 3"),
        (lambda: nn.HingeLoss(np.nan), "HingeLoss: expected margin as a finite number, got nan"),
    ],
)
def test_layers_that_cannot_be(layer, says):
    with pytest.raises(ArgumentError, match=says):
        layer()


def test_weights_are_buffers():
    """As in PyTorch: saved, and converted with the layer."""
    layer = nn.BCEWithLogitsLoss([1.0, 2.0], pos_weight=[3.0, 4.0]).astype(np.float64)
    state = layer.state_dict()
    assert {name: array.tolist() for name, array in state.items()} == {
        "weight": [1, 2],
        "pos_weight": [3, 4],
    }
    assert layer.weight.dtype == np.float64
    for layer in (nn.CrossEntropyLoss, nn.NLLLoss, nn.BCELoss, nn.MultiMarginLoss):
        assert list(layer(weight=[1.0, 2.0]).state_dict()) == ["weight"]
        assert not layer().state_dict()
