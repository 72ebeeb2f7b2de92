"""Penalties and constraints: formulas, gradients, proximal steps, priors, centers, bad input."""

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import nn, optim
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.gradcheck import gradcheck
from minidl.optim import (
    L1,
    L2,
    ElasticNet,
    GaussianPrior,
    Lagrangian,
    LaplacePrior,
    MaxNorm,
    NormBall,
    Penalty,
)

RNG = np.random.default_rng(0)
ARRAYS = [RNG.normal(size=s) for s in [(3, 4), (2,), ()]]
CENTERS = [RNG.normal(size=s) for s in [(3, 4), (2,), ()]]
PENALTIES = {
    "L1": (L1(0.3), 0.3, 0.0),
    "L2": (L2(0.7), 0.0, 0.7),
    "elastic net": (ElasticNet(0.2, 0.5), 0.2, 0.5),
    "Gaussian": (GaussianPrior(2.0), 0.0, 0.25),
    "Laplace": (LaplacePrior(4.0), 0.25, 0.0),
}
each = pytest.mark.parametrize("name", PENALTIES)


def parameters(dtype=np.float64):
    return [nn.Parameter(a.astype(dtype)) for a in ARRAYS]


def away(center):
    return np.concatenate([(a - c).ravel() for a, c in zip(ARRAYS, center, strict=True)])


def model():
    minidl.manual_seed(0)
    layers = (
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.Flatten(),
        nn.Linear(12, 4),
        nn.LayerNorm((2, 2)),
    )
    return nn.Sequential(*layers)


@each
@pytest.mark.parametrize("center", [0.0, 0.5, CENTERS])
def test_value_and_gradient(name, center):
    penalty, l1, l2 = PENALTIES[name]
    penalty = Penalty(penalty.l1, penalty.l2, center)
    d = away(center if isinstance(center, list) else [center] * 3)
    value = penalty(parameters())
    np.testing.assert_allclose(value.data, l1 * abs(d).sum() + l2 / 2 * (d * d).sum(), rtol=1e-12)
    gradcheck(lambda *p: penalty(p) * 1.7, ARRAYS, seed=3)


@each
def test_a_gradient_without_a_tape_is_the_same(name):
    penalty, _, _ = PENALTIES[name]
    by_tape, by_hand = parameters(), parameters()
    for p in (*by_tape, *by_hand[1:]):
        p.grad = np.full(p.shape, 0.5)
    by_tape[0].grad = None
    penalty(by_tape).backward()
    penalty.add_gradient(by_hand)
    for a, b in zip(by_tape, by_hand, strict=True):
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-12)


@each
def test_float32_stays_float32(name):
    penalty, _, _ = PENALTIES[name]
    narrow = parameters(np.float32)
    value = penalty(narrow)
    value.backward()
    assert value.dtype == np.float32
    np.testing.assert_allclose(value.data, penalty(parameters()).data, rtol=1e-6)
    penalty.add_gradient(narrow)
    penalty.prox_(narrow, 0.1)
    MaxNorm(0.1).project_(narrow)
    NormBall(0.1).project_(narrow)
    assert {p.dtype for p in narrow} | {p.grad.dtype for p in narrow} == {np.dtype(np.float32)}


def test_the_sign_of_zero_is_zero():
    p = nn.Parameter(np.array([0.0, -0.0, 2.0, -3.0]))
    L1(0.5)([p]).backward()
    np.testing.assert_array_equal(p.grad, [0, 0, 0.5, -0.5])
    p = nn.Parameter(np.array([1.0, 0.0]))
    L1(0.5, center=1.0).add_gradient([p])
    np.testing.assert_array_equal(p.grad, [0, -0.5])


@each
@pytest.mark.parametrize("center", [0.0, 0.4])
def test_the_proximal_step_minimizes(name, center):
    """penalty(w') + (w' - w)^2 / (2 lr) over a fine grid of w'."""
    penalty, _, _ = PENALTIES[name]
    penalty, lr = Penalty(penalty.l1, penalty.l2, center), 0.8
    for w in (-2.0, -0.1, 0.0, 0.45, 1.3):
        p = nn.Parameter(np.array([w]))
        penalty.prox_([p], lr)
        grid = np.linspace(-3, 3, 60_001)
        distance = grid - center
        cost = penalty.l1 * abs(distance) + penalty.l2 / 2 * distance**2 + (grid - w) ** 2 / 2 / lr
        np.testing.assert_allclose(p.data, grid[cost.argmin()], atol=1e-4)


def test_the_proximal_step_of_l1_gives_exact_zeros():
    p = nn.Parameter(np.array([0.05, -0.05, 1.0]))
    L1(1.0).prox_([p], 0.1)
    np.testing.assert_allclose(p.data, [0, 0, 0.9])
    assert (p.data[:2] == 0).all()


@pytest.mark.parametrize("samples", [1, 50])
def test_priors_are_penalties(samples):
    """-log of the densities, up to a constant; the same numbers as L2 and L1."""
    sigma, b, params = 0.6, 0.8, parameters()
    w = away([0.0] * 3)
    gaussian = -(np.log(np.exp(-(w**2) / (2 * sigma**2)) / np.sqrt(2 * np.pi * sigma**2))).sum()
    constant = w.size * np.log(np.sqrt(2 * np.pi * sigma**2))
    prior = GaussianPrior(sigma, samples=samples)(params)
    np.testing.assert_allclose(prior.data * samples, gaussian - constant)
    np.testing.assert_allclose(prior.data, L2(1 / sigma**2 / samples)(params).data, rtol=1e-14)
    laplace = -np.log(np.exp(-abs(w) / b) / (2 * b)).sum()
    prior = LaplacePrior(b, samples=samples)(params)
    np.testing.assert_allclose(prior.data * samples, laplace - w.size * np.log(2 * b))
    np.testing.assert_allclose(prior.data, L1(1 / b / samples)(params).data, rtol=1e-14)


def test_l2_as_a_loss_is_weight_decay():
    rng = np.random.default_rng(2)
    one, other = parameters(), parameters()
    plain, decaying = optim.SGD(one, lr=0.1), optim.SGD(other, lr=0.1, weight_decay=0.3)
    for _ in range(5):
        for p, q in zip(one, other, strict=True):
            p.grad = q.grad = rng.normal(size=p.shape)
        L2(0.3).add_gradient(one)
        plain.step()
        decaying.step()
    for p, q in zip(one, other, strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)


def test_of_a_model_the_weights_count_and_nothing_else():
    network = model()
    assert list(optim.named_weights(network)) == ["0.weight", "3.weight"]
    weights = [network[0].weight, network[3].weight]
    value = L2(2.0)(network)
    np.testing.assert_allclose(value.data, sum((w.data**2).sum() for w in weights), rtol=1e-6)
    value.backward()
    assert [p.grad is not None for p in network.parameters()] == [
        any(p is w for w in weights) for p in network.parameters()
    ]


def test_a_model_is_pulled_to_where_it_was_trained_before():
    network = model()
    penalty = L2(0.5, center=network.state_dict())
    assert penalty(network).item() == 0
    network[0].weight.data = network[0].weight.data + 0.1
    np.testing.assert_allclose(penalty(network).item(), 0.25 * 54 * 0.01, rtol=1e-5)


def test_weights_in_recurrent_layers_and_shared_ones():
    lstm = nn.LSTM(3, 2)
    assert set(optim.named_weights(lstm)) == {"weight_ih_l0", "weight_hh_l0"}
    assert list(optim.named_weights(nn.LayerNormLSTM(3, 2)))
    assert not any("gain" in n or "shift" in n for n in optim.named_weights(nn.LayerNormLSTM(3, 2)))
    layer = nn.Linear(2, 2)
    assert list(optim.named_weights(nn.Sequential(layer, layer))) == ["0.weight"]


def test_decay_groups():
    network = model()
    groups = optim.decay_groups(network, 0.1)
    assert [g["weight_decay"] for g in groups] == [0.1, 0.0]
    assert sum(len(g["params"]) for g in groups) == len(list(network.parameters()))
    optimizer = optim.SGD(groups, lr=0.5)
    before = network.state_dict()
    for p in network.parameters():
        p.grad = np.zeros_like(p.data)
    optimizer.step()
    for name, value in network.state_dict().items():
        kept = 0.95 if name in ("0.weight", "3.weight") else 1.0
        np.testing.assert_allclose(value, before[name] * np.float32(kept), rtol=1e-6)


def test_max_norm_cuts_the_rows_that_are_too_long():
    rows = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    p, images = nn.Parameter(rows), nn.Parameter(np.ones((2, 3, 2, 2)))
    MaxNorm(1.0).project_([p, images])
    np.testing.assert_allclose(p.data, [[0.6, 0.8], [0.3, 0.4], [0, 0]])
    np.testing.assert_allclose(images.data, np.full((2, 3, 2, 2), 12**-0.5))
    p = nn.Parameter(rows + 10)
    MaxNorm(1.0, center=10.0).project_([p])
    np.testing.assert_allclose(p.data, np.array([[0.6, 0.8], [0.3, 0.4], [0, 0]]) + 10)
    inside = p.data
    MaxNorm(5.0, center=10.0).project_([p])
    assert p.data is inside
    vector = nn.Parameter(np.array([3.0, 4.0]))
    MaxNorm(1.0).project_(vector)
    np.testing.assert_allclose(vector.data, [0.6, 0.8])


@pytest.mark.parametrize("center", [0.0, CENTERS])
def test_a_norm_ball_holds_all_weights_together(center):
    params, c = parameters(), center if isinstance(center, list) else [0.0] * 3
    NormBall(0.5, center).project_(params)
    left = [p.data - e for p, e in zip(params, c, strict=True)]
    np.testing.assert_allclose(sum((d**2).sum() for d in left), 0.25)
    scale = 0.5 / np.linalg.norm(away(c))
    for d, a, e in zip(left, ARRAYS, c, strict=True):
        np.testing.assert_allclose(d, (a - e) * scale, rtol=1e-10)
    kept = [p.data for p in params]
    NormBall(0.6, center).project_(params)
    assert all(p.data is k for p, k in zip(params, kept, strict=True))


@pytest.mark.parametrize(("target", "active"), [(2.0, True), (0.5, False)])
def test_a_lagrangian_keeps_its_constraint(target, active):
    """min (w - target)^2 / 2 with w^2 / 2 <= 1/2: the multiplier is target - 1, or 0."""
    p = nn.Parameter(np.array([3.0]))
    optimizer, constraint = optim.SGD([p], lr=0.1), Lagrangian(L2(1.0), bound=0.5, lr=0.2)
    for _ in range(400):
        optimizer.zero_grad()
        loss = ((p - target) * (p - target)).sum() * 0.5 + constraint([p])
        loss.backward()
        optimizer.step()
        constraint.step()
    np.testing.assert_allclose(p.data, [min(target, 1.0)], atol=1e-6)
    np.testing.assert_allclose(constraint.multiplier, target - 1 if active else 0, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: L1(-1), "L1: expected alpha of at least 0, got -1"),
        (lambda: L2(float("nan")), "alpha of at least 0, got nan"),
        (lambda: ElasticNet(0.1, -1), "l2 of at least 0"),
        (lambda: GaussianPrior(0.0), "sigma above 0"),
        (lambda: LaplacePrior(-1.0), "b of at least 0"),
        (lambda: GaussianPrior(1.0, samples=0), "samples as an integer of at least 1"),
        (lambda: MaxNorm(-1), "max_norm of at least 0"),
        (lambda: NormBall(float("nan")), "radius of at least 0"),
        (lambda: Lagrangian(L2(1.0), float("nan")), "a finite bound"),
        (lambda: Lagrangian(L2(1.0), 1.0, multiplier=-1), "multiplier of at least 0"),
        (lambda: Lagrangian(L2(1.0), 1.0).step(), "Lagrangian.step: expected a call before"),
        (lambda: L1(1.0).prox_(parameters(), -1), "L1.prox_: expected lr of at least 0"),
        (lambda: L2(1.0, center=[0.0])(parameters()), "L2: expected 3 centers, got 1"),
        (lambda: L2(1.0, center={"a": 1})(model()), "a center for each of its weights"),
        (lambda: L2(1.0, center={"a": 1})(parameters()), "none for bare parameters"),
        (lambda: optim.decay_groups(model(), -1), "weight_decay of at least 0"),
    ],
)
def test_bad_arguments(make, says):
    with pytest.raises(ArgumentError, match=says):
        make()


def test_things_of_another_kind():
    for bad in (np.ones(2), [np.ones(2)], [], nn.ReLU(), 3):
        with pytest.raises(DTypeError, match="L2: expected a model with weights, or Tensors"):
            L2(1.0)(bad)
    with pytest.raises(DTypeError, match="named_weights: expected a Module"):
        optim.decay_groups([Tensor(np.ones(2))], 0.1)
    with pytest.raises(ShapeError, match=r"center of shape \(3, 4\), got \(2,\)"):
        L2(1.0, center=[CENTERS[1], CENTERS[1], CENTERS[2]])(parameters())
