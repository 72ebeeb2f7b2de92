"""Momentum with the rate inside, and looking ahead: against PyTorch's forms, which SGD has."""

import numpy as np
import pytest

from minidl import nn
from minidl.errors import ArgumentError
from minidl.optim import SGD, Momentum

CURVATURE = np.array([1.0, 0.1, 0.02])
START = np.array([1.0, -2.0, 3.0])


def bowl(p):
    loss = (p * p * CURVATURE).sum() * 0.5
    loss.backward()
    return loss


def path(kind, steps=30, rates=(0.5,) * 30, **options):
    """Where gradients were taken, and the parameters after each step."""
    p = nn.Parameter(START.copy())
    optimizer = kind([p], lr=rates[0], **options)
    asked, reached = [], []

    def closure():
        optimizer.zero_grad()
        asked.append(p.data.copy())
        return bowl(p)

    for lr in rates[:steps]:
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step(closure)
        reached.append(p.data.copy())
    return np.array(asked), np.array(reached)


def test_with_a_constant_rate_both_momentums_are_one():
    for a, b in zip(path(Momentum, momentum=0.9), path(SGD, momentum=0.9), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_with_a_falling_rate_the_buffer_goes_on_at_the_old_one():
    """After the rate became 0 the notes' form still coasts, PyTorch's stands still."""
    rates = [0.5] * 5 + [0.0] * 2
    _, coasting = path(Momentum, 7, rates, momentum=0.9)
    _, standing = path(SGD, 7, rates, momentum=0.9)
    np.testing.assert_allclose(
        coasting[6] - coasting[5], 0.9 * (coasting[5] - coasting[4]), rtol=1e-9
    )
    np.testing.assert_array_equal(standing[5:], [standing[4]] * 2)


def test_looking_ahead_by_hand():
    """v <- rho v + lr g(theta - rho v), theta <- theta - v."""
    asked, reached = path(Momentum, momentum=0.8, lookahead=True)
    theta, v = START.copy(), np.zeros(3)
    for place, after in zip(asked, reached, strict=True):
        np.testing.assert_allclose(place, theta - 0.8 * v, rtol=1e-12)
        v = 0.8 * v + 0.5 * CURVATURE * (theta - 0.8 * v)
        theta = theta - v
        np.testing.assert_allclose(after, theta, rtol=1e-12)


def test_pytorchs_nesterov_keeps_the_points_looked_ahead_to():
    asked, _ = path(Momentum, momentum=0.9, lookahead=True)
    _, reached = path(SGD, momentum=0.9, nesterov=True)
    np.testing.assert_allclose(reached[:-1], asked[1:], rtol=1e-9, atol=1e-12)


def test_a_block_does_what_a_closure_does():
    p = nn.Parameter(START.copy())
    optimizer = Momentum([p], lr=0.5, lookahead=True)
    for _ in range(6):
        with optimizer.ahead():
            optimizer.zero_grad()
            bowl(p)
        optimizer.step()
    np.testing.assert_array_equal(p.data, path(Momentum, 6, lookahead=True)[1][-1])


def test_groups_look_ahead_or_not():
    p, q = (nn.Parameter(START.copy()) for _ in range(2))
    optimizer = Momentum([{"params": [p], "lookahead": True}, {"params": [q]}], lr=0.5)

    def closure():
        optimizer.zero_grad()
        bowl(p)
        return bowl(q)

    for _ in range(5):
        optimizer.step(closure)
    np.testing.assert_array_equal(p.data, path(Momentum, 5, lookahead=True)[1][-1])
    np.testing.assert_array_equal(q.data, path(Momentum, 5)[1][-1])


def test_parameters_come_back_when_the_closure_fails():
    p = nn.Parameter(START.copy())
    optimizer, seen = Momentum([p], lr=0.5, lookahead=True), []
    optimizer.step(lambda: bowl(p))
    before = p.data.copy()

    def closure():
        seen.append(p.data.copy())
        raise KeyError

    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert (seen[0] != before).all()
    np.testing.assert_array_equal(p.data, before)


def test_gradients_taken_at_the_wrong_place_are_noticed():
    p = nn.Parameter(START.copy())
    optimizer = Momentum([p], lr=0.5, lookahead=True)
    bowl(p)
    with pytest.raises(ArgumentError, match=r"Momentum.step: expected a closure, or an ahead"):
        optimizer.step()
    np.testing.assert_array_equal(p.data, START)
    with optimizer.ahead():
        bowl(p)
    optimizer.step()
    with pytest.raises(ArgumentError, match="an ahead block before, got neither"):
        optimizer.step()
