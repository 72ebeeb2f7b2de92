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
        (ArgumentError, "delta above 0", lambda x: F.huber_loss(x, T, delta=0.0)),
        (ArgumentError, "beta between", lambda x: F.smooth_l1_loss(x, T, beta=-1.0)),
        (
            ArgumentError,
            "probabilities between 0 and 1, got -2",
            lambda x: F.binary_cross_entropy(x, T),
        ),
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
