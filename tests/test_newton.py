"""Newton's method: bowls in one step, saddles, differences for the Hessian, bad input."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import nn, optim
from minidl.errors import ArgumentError, ShapeError
from minidl.optim import Newton

RNG = np.random.default_rng(0)


def quadratic(matrix, *params):
    """A closure for x'Ax / 2 of all parameters joined, which counts its calls."""
    calls = []

    def closure():
        calls.append(1)
        flat = [p.reshape(p.size, 1) for p in params]
        total = sum((a.T @ b).sum() for a, b in zip(flat, _product(matrix, flat), strict=True))
        loss = total * 0.5
        loss.backward()
        return loss

    closure.calls = calls
    return closure


def _product(matrix, flat):
    sizes = np.cumsum([0] + [f.shape[0] for f in flat])
    for i in range(len(flat)):
        rows = slice(sizes[i], sizes[i + 1])
        parts = [Tensor(matrix[rows, sizes[j] : sizes[j + 1]]) @ f for j, f in enumerate(flat)]
        yield sum(parts[1:], parts[0])


def ill_conditioned(n=6, condition=1e6):
    turn, _ = np.linalg.qr(RNG.normal(size=(n, n)))
    return turn * np.geomspace(1, condition, n) @ turn.T


def drawn():
    return [nn.Parameter(RNG.normal(size=s)) for s in [(2, 2), (1,), ()]]


def test_an_ill_conditioned_bowl_in_one_step_where_descent_crawls():
    matrix, params = ill_conditioned(), drawn()
    closure = quadratic(matrix, *params)
    start = [p.data.copy() for p in params]
    before = Newton(params).step(closure).item()
    assert len(closure.calls) == 1 + 2 * 6
    after = closure().item()
    assert after < 1e-9 * before
    for p, data in zip(params, start, strict=True):
        p.data, p.grad = data, None
    descent = optim.SGD(params, lr=1e-6)  # twice as much would diverge
    for _ in range(200):
        descent.zero_grad()
        descent.step(closure)
    largest = np.linalg.norm(np.concatenate([p.data.ravel() for p in params]))
    assert largest > 0.1


def test_a_hessian_that_is_given_saves_the_differences():
    matrix, params = ill_conditioned(), drawn()
    closure = quadratic(matrix, *params)
    before = Newton(params, hessian=lambda: matrix).step(closure).item()
    assert len(closure.calls) == 1
    assert closure().item() < 1e-18 * before


def saddle(p):
    def closure():
        loss = (p[0] * p[0] - p[1] * p[1]) * 0.5 + (p[1] ** 4).sum() * 0.25
        loss.backward()
        return loss

    return closure


def test_newton_jumps_into_a_saddle_which_descent_leaves():
    """x^2 - y^2 + y^4 / 2 over 2: a saddle at 0, minima at y = 1 and -1."""
    p = nn.Parameter(np.array([0.4, 0.1]))
    for _ in range(3):
        Newton([p]).step(saddle(p))
    np.testing.assert_allclose(p.data, [0, 0], atol=1e-9)
    q = nn.Parameter(np.array([0.4, 0.1]))
    descent = optim.SGD([q], lr=0.2)
    for _ in range(60):
        descent.zero_grad()
        descent.step(saddle(q))
    np.testing.assert_allclose(q.data, [0, 1], atol=1e-4)
    r = nn.Parameter(np.array([0.4, 0.1]))
    damped = Newton([r], damping=1.5)
    for _ in range(60):
        damped.step(saddle(r))
    np.testing.assert_allclose(r.data, [0, 1], atol=1e-4)


def test_differences_agree_with_the_true_hessian_on_rosenbrock():
    p = nn.Parameter(np.array([-0.7, 0.9]))

    def closure():
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    (x, y), q = p.data, p.data.copy()
    hessian = np.array([[2 - 400 * (y - 3 * x**2), -400 * x], [-400 * x, 200]])
    gradient = np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])
    Newton([p], lr=0.5, damping=0.3).step(closure)
    wanted = q - 0.5 * np.linalg.solve(hessian + 0.3 * np.eye(2), gradient)
    np.testing.assert_allclose(p.data, wanted, rtol=1e-7)
    np.testing.assert_allclose(p.grad, gradient, rtol=1e-12)
    for _ in range(10):
        Newton([p]).step(closure)
    np.testing.assert_allclose(p.data, [1, 1], rtol=1e-8)


def test_groups_have_rates_and_dampings_of_their_own():
    p, q = (nn.Parameter(np.array([2.0])) for _ in range(2))
    closure = quadratic(np.diag([3.0, 5.0]), p, q)
    Newton([{"params": [p], "lr": 0.5}, {"params": [q], "damping": 5.0}]).step(closure)
    np.testing.assert_allclose([p.data, q.data], [[1.0], [1.0]], rtol=1e-7)


def test_float32_and_parameters_without_gradient():
    p, still = nn.Parameter(np.array([3.0, -2.0], np.float32)), nn.Parameter(np.ones(1))

    def closure():
        loss = (p * p * np.array([1, 7], np.float32)).sum()
        loss.backward()
        return loss

    Newton([p, still], damping=1e-9).step(closure)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.data, 0, atol=1e-2)
    np.testing.assert_array_equal(still.data, 1)


def test_a_closure_that_fails_leaves_the_parameters():
    p = nn.Parameter(np.array([2.0]))
    fine = quadratic(np.ones((1, 1)), p)

    def closure():
        if len(fine.calls) == 2:
            raise KeyError
        return fine()

    with pytest.raises(KeyError):
        Newton([p]).step(closure)
    np.testing.assert_array_equal(p.data, [2])


def test_bad_input():
    p = nn.Parameter(np.array([1.0, 2.0]))
    with pytest.raises(ArgumentError, match=r"Newton.step: expected a closure, got none"):
        Newton([p]).step()
    with pytest.raises(ArgumentError, match="a Hessian with an inverse, got a singular one"):
        Newton([p], hessian=lambda: np.zeros((2, 2))).step(quadratic(np.eye(2), p))
    with pytest.raises(ShapeError, match=r"hessian of shape \(2, 2\), got \(3, 3\)"):
        Newton([p], hessian=lambda: np.eye(3)).step(quadratic(np.eye(2), p))
    with pytest.raises(ArgumentError, match="Newton: expected at most 2000 numbers, got 2001"):
        Newton([nn.Parameter(np.ones(2001))])
    np.testing.assert_array_equal(p.data, [1, 2])
