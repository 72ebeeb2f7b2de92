"""What the course says of optimizers and regularization, shown on small problems."""

import numpy as np
import pytest

from minidl import nn, optim


def descend(optimizer, p, gradient, steps, schedule=None):
    """Follow a gradient function of (theta, t); returns where each step led."""
    path = []
    for t in range(steps):
        p.grad = np.asarray(gradient(p.data, t), p.dtype)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        path.append(p.data.copy())
    return np.array(path)


def test_l2_shrinks_the_minimum_along_each_eigenvector():
    """w = (H + alpha I)^-1 H w*: by lambda / (lambda + alpha) along an eigenvector."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    eigenvalues, alpha, best = np.array([2.0, 0.5, 0.05]), 0.3, rng.normal(size=3)
    hessian = turn * eigenvalues @ turn.T
    p = nn.Parameter(np.zeros(3))
    optimizer = optim.SGD([p], lr=0.5, weight_decay=alpha)
    descend(optimizer, p, lambda w, t: hessian @ (w - best), 400)
    np.testing.assert_allclose(
        turn.T @ p.data, eigenvalues / (eigenvalues + alpha) * (turn.T @ best)
    )


def test_both_weight_decays_are_one_for_sgd_and_differ_for_adam():
    """The engineers' w <- (1 - lr alpha) w apart from g, and the researchers' alpha w inside g."""
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(20, 4)) * [1, 1, 1, 100]
    start, lr, alpha = rng.normal(size=4), 0.05, 0.2
    researchers, engineers = nn.Parameter(start.copy()), nn.Parameter(start.copy())
    descend(
        optim.SGD([researchers], lr, weight_decay=alpha), researchers, lambda w, t: steps[t], 20
    )
    plain = optim.SGD([engineers], lr)
    for g in steps:
        shrunk = engineers.data * (1 - lr * alpha)
        engineers.grad = g
        plain.step()
        engineers.data = engineers.data + shrunk - shrunk / (1 - lr * alpha)
    np.testing.assert_allclose(researchers.data, engineers.data, rtol=1e-12)
    # Without gradients Adam's L2 moves every weight by lr, AdamW scales every weight alike.
    inside, apart = nn.Parameter(start.copy()), nn.Parameter(start.copy())
    for kind, p in ((optim.Adam, inside), (optim.AdamW, apart)):
        descend(kind([p], lr, weight_decay=alpha), p, lambda w, t: 0 * w, 1)
    np.testing.assert_allclose(start - inside.data, lr * np.sign(start), rtol=1e-5)
    np.testing.assert_allclose(apart.data, start * (1 - lr * alpha), rtol=1e-12)
    # And a large gradient hides Adam's decay, not AdamW's.
    for kind, least, most in ((optim.Adam, 0, 0.01), (optim.AdamW, 0.99, 1.01)):
        ends = []
        for decay in (alpha, 0.0):
            p = nn.Parameter(np.array([1.0]))
            descend(kind([p], 1e-3, weight_decay=decay), p, lambda w, t: [100.0 * (-1) ** t], 50)
            ends.append(p.data[0])
        assert least <= (ends[1] - ends[0]) / (1 - (1 - 1e-3 * alpha) ** 50) <= most


def test_adam_diverges_where_amsgrad_converges():
    """f_t(x) = C x every third step, otherwise -x, on [-1, 1] with C = 3: the best x is -1.

    Adam's mean of squares forgets the rare large gradient, whose step is then too small by more
    than its share, and goes to +1, the worst point. Reddi, Kale & Kumar 2018, theorem 1.
    """
    c, ends = 3.0, {}
    for amsgrad in (False, True):
        p = nn.Parameter(np.array([0.0]))
        options = {"betas": (0.0, 1 / (1 + c**2)), "amsgrad": amsgrad}
        optimizer = optim.Adam([p], lr=1.0, **options)
        for t in range(3000):
            optimizer.param_groups[0]["lr"] = 0.5 / np.sqrt(t + 1)
            p.grad = np.array([c if t % 3 == 0 else -1.0])
            optimizer.step()
            p.data = p.data.clip(-1, 1)
        ends[amsgrad] = float(p.data[0])
    assert ends[False] > 0.9
    assert ends[True] < -0.9


def test_adagrad_gives_rare_features_the_larger_steps():
    """A feature seen in every hundredth sample moves about ten times as far each time."""
    rng = np.random.default_rng(2)
    seen = np.stack([np.ones(2000, bool), rng.random(2000) < 0.01], axis=1)
    moved = {}
    for kind in (optim.Adagrad, optim.SGD):
        p = nn.Parameter(np.zeros(2))
        path = descend(kind([p], lr=0.1), p, lambda w, t: seen[t] * 1.0, 2000)
        steps = -np.diff(path, axis=0, prepend=np.zeros((1, 2)))
        moved[kind] = [steps[seen[:, i], i][-10:].mean() for i in (0, 1)]
    assert moved[optim.SGD] == pytest.approx([0.1, 0.1])
    assert 8 < moved[optim.Adagrad][1] / moved[optim.Adagrad][0] < 13


def test_adaptive_methods_leave_a_saddle_at_once():
    """x^2 / 2 - y^2 / 2 from y = 1e-6: how many steps until |y| > 0.1."""
    needed = {}
    for kind, options in [
        (optim.SGD, {}),
        (optim.SGD, {"momentum": 0.9}),
        (optim.Adam, {}),
        (optim.RMSprop, {}),
        (optim.Adagrad, {}),
        (optim.AdamW, {"amsgrad": True}),
        (optim.Adamax, {}),
    ]:
        p = nn.Parameter(np.array([1.0, 1e-6]))
        optimizer = kind([p], lr=0.02, **options)
        path = descend(optimizer, p, lambda w, t: w * [1, -1], 800)
        needed[kind, *options] = int((np.abs(path[:, 1]) < 0.1).sum())
    slow = [steps for (kind, *_), steps in needed.items() if kind is optim.SGD]
    fast = [steps for (kind, *_), steps in needed.items() if kind is not optim.SGD]
    assert max(fast) < 12
    assert min(slow) > 50
    exactly = nn.Parameter(np.array([1.0, 0.0]))
    path = descend(
        optim.SGD([exactly], lr=0.1, momentum=0.9), exactly, lambda w, t: w * [1, -1], 200
    )
    np.testing.assert_allclose(path[-1], 0, atol=1e-3)


def test_noise_hovers_under_a_constant_rate_and_rests_under_a_decaying_one():
    """Least squares one sample at a time; the whole batch needs no decay."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(200, 2)), rng.normal(size=200)
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    order = rng.integers(0, 200, 6000)

    def sample(w, t):
        i = order[t]
        return x[i] * (x[i] @ w - y[i])

    def batch(w, t):
        return x.T @ (x @ w - y) / 200

    away = {}
    for name, gradient, decay in [
        ("constant", sample, None),
        ("decaying", sample, 0.01),
        ("batch", batch, None),
    ]:
        p = nn.Parameter(np.zeros(2))
        optimizer = optim.SGD([p], lr=0.1)
        schedule = None if decay is None else optim.InverseTimeLR(optimizer, decay)
        path = descend(optimizer, p, gradient, 6000, schedule)
        far = np.linalg.norm(path - best, axis=1)
        away[name] = [far[1000:2000].mean(), far[-1000:].mean()]
    assert away["constant"][1] > 0.8 * away["constant"][0]
    assert away["decaying"][1] < 0.9 * away["decaying"][0]
    assert away["decaying"][1] < 0.25 * away["constant"][1]
    assert away["batch"][1] < 1e-12


def test_a_step_can_raise_the_cost_where_the_hessian_is_ill_conditioned():
    """The cost changes by -eps g'g + eps^2 g'Hg / 2."""
    curvature = np.array([1.0, 100.0])
    p = nn.Parameter(np.array([1.0, 0.5]))
    g = curvature * p.data
    curved, slope = g @ (curvature * g), g @ g

    def cost(w):
        return 0.5 * w @ (curvature * w)

    for lr in (0.001, 0.018, 0.022, 0.05):
        p.data = np.array([1.0, 0.5])
        before = cost(p.data)
        descend(optim.SGD([p], lr=lr), p, lambda w, t: curvature * w, 1)
        np.testing.assert_allclose(cost(p.data) - before, -lr * slope + lr**2 / 2 * curved)
        assert (cost(p.data) > before) == (lr / 2 * curved > slope)


def test_the_gap_of_adadeltas_two_ideas():
    """With the unit correction the path scales with theta's unit; without it, not."""
    ends = {}
    for corrected in (True, False):
        for unit in (1.0, 1000.0):
            p = nn.Parameter(np.array([1.0]) * unit)
            optimizer = optim.Adadelta([p], lr=0.5, eps=1e-12, unit_correction=corrected)
            optimizer.state[0] = {"square_avg": np.zeros(1)}
            if corrected:
                optimizer.state[0]["acc_delta"] = np.full(1, (0.1 * unit) ** 2)
            path = descend(optimizer, p, lambda w, t, u=unit: w / u**2, 20)
            ends[corrected, unit] = path[-1, 0] / unit
    np.testing.assert_allclose(ends[True, 1.0], ends[True, 1000.0], rtol=1e-4)
    assert abs(ends[False, 1.0] - ends[False, 1000.0]) > 0.5


@pytest.mark.parametrize("kind", [optim.Adam, optim.RMSprop, optim.Adamax, optim.Adagrad])
def test_adaptive_steps_do_not_depend_on_the_gradients_size(kind):
    rng = np.random.default_rng(4)
    steps, ends = rng.normal(size=(15, 3)), []
    for size in (1.0, 1e4):
        p = nn.Parameter(np.zeros(3))
        descend(kind([p], lr=0.1), p, lambda w, t, s=size: steps[t] * s, 15)
        ends.append(p.data)
    np.testing.assert_allclose(*ends, rtol=1e-5)
