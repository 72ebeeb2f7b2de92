"""The assignment's update rules are those of the library's optimizers, whose peer is PyTorch."""

from functools import cache

import numpy as np
import pytest

from minidl import optim
from minidl.grading import bank
from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade_source
from minidl.grading.student import LocalSandbox
from minidl.nn import Parameter

SECRET = b"a secret of the instructor's own"
SHAPE = (3, 4)
STEPS = 7


@cache
def optimizers():
    return Assignment.load("optimizers")


@cache
def solution():
    return bank.load_module(optimizers().folder / "solution.py")


def drawn(steps=STEPS, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=SHAPE), rng.normal(0.3, 1.0, (steps, *SHAPE))


# The rule, how many states it has, its options at step t, and the same in the library.
RULES = [
    ("sgd", 0, lambda t: (0.1, 0.3), lambda p: optim.SGD(p, lr=0.1, weight_decay=0.3)),
    ("momentum", 1, lambda t: (0.1, 0.9), lambda p: optim.SGD(p, lr=0.1, momentum=0.9)),
    ("adagrad", 1, lambda t: (0.1, 0.2), lambda p: optim.Adagrad(p, lr=0.1, eps=0.2)),
    (
        *("rmsprop", 1, lambda t: (0.1, 0.8, 0.2)),
        lambda p: optim.RMSprop(p, lr=0.1, alpha=0.8, eps=0.2),
    ),
    (
        *("rmsprop_centered", 3, lambda t: (0.1, 0.8, 0.2, 0.6)),
        lambda p: optim.RMSprop(p, lr=0.1, alpha=0.8, eps=0.2, momentum=0.6, centered=True),
    ),
    (
        *("adadelta", 2, lambda t: (0.8, 0.2)),
        lambda p: optim.Adadelta(p, lr=1.0, rho=0.8, eps=0.2),
    ),
    (
        *("adam", 2, lambda t: (t, 0.1, 0.8, 0.9, 0.2)),
        lambda p: optim.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=0.2),
    ),
    (
        *("amsgrad", 3, lambda t: (t, 0.1, 0.8, 0.5, 0.2)),
        lambda p: optim.Adam(p, lr=0.1, betas=(0.8, 0.5), eps=0.2, amsgrad=True),
    ),
    (
        *("adamw", 2, lambda t: (t, 0.1, 0.8, 0.9, 0.2, 0.5)),
        lambda p: optim.AdamW(p, lr=0.1, betas=(0.8, 0.9), eps=0.2, weight_decay=0.5),
    ),
    (
        *("adamax", 2, lambda t: (t, 0.1, 0.8, 0.9, 0.2)),
        lambda p: optim.Adamax(p, lr=0.1, betas=(0.8, 0.9), eps=0.2),
    ),
]


@pytest.mark.parametrize(("name", "states", "options", "make"), RULES, ids=[r[0] for r in RULES])
def test_a_rule_takes_the_librarys_steps(name, states, options, make):
    theta, grads = drawn()
    p, state = Parameter(theta.copy()), [np.zeros(SHAPE) for _ in range(states)]
    optimizer = make([p])
    for t, grad in enumerate(grads, 1):
        moved = getattr(solution(), name)(theta, grad, *state, *options(t))
        theta, *state = moved if states else [moved]
        p.grad = grad
        optimizer.step()
        np.testing.assert_allclose(theta, p.data, rtol=1e-12, atol=1e-14)


def test_the_gradient_ahead_is_the_librarys_lookahead():
    theta, (centre,) = drawn(1)
    p, velocity = Parameter(theta.copy()), np.zeros(SHAPE)
    optimizer = optim.Momentum([p], lr=0.005, momentum=0.9, lookahead=True)

    def loss():
        optimizer.zero_grad()
        value = ((p - centre) ** 4).sum()
        value.backward()
        return value

    for _ in range(STEPS):
        theta, velocity = solution().nesterov(
            lambda x: 4 * (x - centre) ** 3, theta, velocity, 0.005, 0.9
        )
        optimizer.step(loss)
        np.testing.assert_allclose(theta, p.data, rtol=1e-10, atol=1e-12)


def test_the_class_and_parameters_without_gradient():
    (first, grads), (second, others) = drawn(), drawn(seed=1)
    given, kept = [first.copy(), second.copy()], [Parameter(first), Parameter(second)]
    mine = solution().Adam(given, 0.1, 0.8, 0.9, 0.2)
    optimizer = optim.Adam(kept, lr=0.1, betas=(0.8, 0.9), eps=0.2)
    for t, (grad, other) in enumerate(zip(grads, others, strict=True)):
        there = [grad, None if t in (0, 3) else other]
        mine.step(there)
        for p, g in zip(kept, there, strict=True):
            p.grad = g
        optimizer.step()
        for array, p in zip(given, kept, strict=True):
            np.testing.assert_allclose(array, p.data, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("most", [0.5, 3.0, 1e3])
def test_clipping_is_the_librarys(most):
    _, grads = drawn(3)
    parameters = [Parameter(np.zeros(SHAPE)) for _ in grads]

    def clipped(clip):
        for p, grad in zip(parameters, grads, strict=True):
            p.grad = grad.copy()
        clip()
        return [p.grad for p in parameters]

    want = clipped(lambda: optim.clip_grad_norm_(parameters, most))
    np.testing.assert_allclose(solution().clip_norm(list(grads), most, 1e-6), want, rtol=1e-12)
    want = clipped(lambda: optim.clip_grad_value_(parameters, (-0.2, most / 4)))
    got = [solution().clip_value(grad, -0.2, most / 4) for grad in grads]
    np.testing.assert_array_equal(got, want)


def test_newtons_step_is_the_librarys():
    rng = np.random.default_rng(2)
    theta, grad, half = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(4, 4))
    hessian = half + half.T
    p = Parameter(theta.copy())

    def loss():
        value = (p * grad).sum()
        value.backward()
        return value

    optim.Newton([p], damping=5.0, hessian=lambda: hessian).step(loss)
    np.testing.assert_allclose(solution().newton(theta, grad, hessian, 5.0), p.data, rtol=1e-10)


def test_the_schedules_are_the_librarys():
    optimizer = optim.SGD([Parameter(np.zeros(1))], lr=0.4)
    warm = optim.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    cosine = optim.CosineAnnealingLR(optimizer, T_max=6)
    schedule = optim.SequentialLR(optimizer, [warm, cosine], milestones=[4])
    for t in range(10):
        rate = optimizer.param_groups[0]["lr"]
        np.testing.assert_allclose(solution().warmup_cosine(t, 0.4, 4, 10), rate, rtol=1e-10)
        optimizer.step()
        schedule.step()
    assert solution().warmup_cosine(25, 0.4, 4, 10) == 0


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_the_plateau_is_the_librarys(patience):
    losses = np.random.default_rng(3).normal(size=60) + np.linspace(3, 0, 60)
    losses[[5, 6, 20]] = np.nan
    optimizer = optim.SGD([Parameter(np.zeros(1))], lr=0.4)
    theirs = optim.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=0.0, eps=0.0
    )
    mine = solution().Plateau(0.4, 0.5, patience)
    for loss in losses:
        theirs.step(loss)
        assert mine.step(loss) == mine.lr == optimizer.param_groups[0]["lr"]
        assert mine.best == theirs.best


def test_tasks_hints_and_banks():
    assignment = optimizers()
    assert assignment.points == 100
    assert len(assignment.tasks) == 17
    assert len(assignment.mistakes) >= 150
    for task in assignment.tasks:
        assert len(task.hints) == 3
        assert task.hints[0].endswith("?")
        assert sum(a.target == task.name for a in assignment.alternatives) >= 3
        assert sum(m.target == task.name for m in assignment.mistakes) >= 5


@pytest.mark.parametrize("key", [None, SECRET])
def test_the_reference_keeps_every_point(key):
    result = grade_source(optimizers().solution(), optimizers(), key, LocalSandbox())
    assert [c for task in result.tasks for c in task.checks if c.seen] == []


# For each way of damaging what was handed in, the only check that can notice it by value.
DAMAGE = {
    "theta_changed_in_place": "sgd/keeps_what_it_was_given",
    "velocity_changed_in_place": "momentum/gathers_all_gradients",
    "averages_changed_in_place": "adam/from_the_first_step_on",
    "clipped_in_place": "clip_norm/clips_copies",
}


@pytest.mark.parametrize("mistake", DAMAGE)
def test_damage_is_seen_where_what_was_handed_in_is_used_again(mistake):
    task = optimizers().task(DAMAGE[mistake].partition("/")[0])
    source = optimizers().with_mistake(mistake)
    result = grade_source(source, optimizers(), None, LocalSandbox(), tasks=[task])
    lost = [c for task in result.tasks for c in task.checks if c.status != "passed"]
    assert [c.check for c in lost] == [f"optimizers.{DAMAGE[mistake]}"]
    assert [c.mistake for c in lost] == [mistake]
