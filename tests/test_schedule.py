"""Learning-rate schedules: the formulas, resuming to the bit, the order of steps, bad input."""

import json
import math

import numpy as np
import pytest

from minidl import nn, optim
from minidl.errors import ArgumentError, DTypeError

RATES = [0.3, 0.1]


def two_groups():
    groups = [{"params": [nn.Parameter(np.ones(2))], "lr": lr} for lr in RATES]
    return optim.SGD(groups)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def follow(optimizer, schedule, steps):
    """The rates before each step, and after the last."""
    seen = [rates(optimizer)]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        seen.append(rates(optimizer))
    return np.array(seen)


def cosine(t, period, low=0.0):
    return lambda base: low + (base - low) * (1 + math.cos(math.pi * t / period)) / 2


# Makes a schedule; gives the rate at t of a group that began with `base`.
FORMULAS = {
    "inverse time": (
        lambda o: optim.InverseTimeLR(o, 0.5),
        lambda t, base: base / (1 + 0.5 * t),
    ),
    "natural exponential": (
        lambda o: optim.NaturalExpLR(o, 0.3),
        lambda t, base: base * math.exp(-0.3 * t),
    ),
    "exponential": (lambda o: optim.ExponentialLR(o, 0.8), lambda t, base: base * 0.8**t),
    "step": (lambda o: optim.StepLR(o, 3, 0.5), lambda t, base: base * 0.5 ** (t // 3)),
    "multi-step": (
        lambda o: optim.MultiStepLR(o, [7, 2], 0.5),
        lambda t, base: base * 0.5 ** ((t >= 2) + (t >= 7)),
    ),
    "constant": (lambda o: optim.ConstantLR(o, 0.5, 4), lambda t, base: base * (1 - 0.5 * (t < 4))),
    "linear warm-up": (
        lambda o: optim.LinearLR(o, 0.1, 1.0, 9),
        lambda t, base: base * (0.1 + 0.9 * min(t, 9) / 9),
    ),
    "polynomial": (
        lambda o: optim.PolynomialLR(o, 12, 2.0),
        lambda t, base: base * (1 - min(t, 12) / 12) ** 2,
    ),
    "cosine": (lambda o: optim.CosineAnnealingLR(o, 6, 0.02), lambda t, b: cosine(t, 6, 0.02)(b)),
    "cosine of one step": (
        lambda o: optim.CosineAnnealingLR(o, 1),
        lambda t, base: cosine(t, 1)(base),
    ),
    "warm restarts": (
        lambda o: optim.CosineAnnealingWarmRestarts(o, 2, 2, 0.01),
        lambda t, b: cosine(*next((t - s, n) for s, n in RESTARTS if t < s + n), 0.01)(b),
    ),
    "lambda": (lambda o: optim.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t, base: base / (1 + t)),
    "multiplicative": (
        lambda o: optim.MultiplicativeLR(o, [lambda t: 0.9, lambda t: 0.9]),
        lambda t, base: base * 0.9**t,
    ),
    "one after the other": (
        lambda o: optim.SequentialLR(
            o, [optim.LinearLR(o, 0.25, total_iters=3), optim.ExponentialLR(o, 0.5)], [3]
        ),
        lambda t, base: base * (0.25 + 0.25 * t if t < 3 else 0.5 ** (t - 3)),
    ),
    "all at once": (
        lambda o: optim.ChainedScheduler([optim.ExponentialLR(o, 0.9), optim.StepLR(o, 2, 0.5)]),
        lambda t, base: base * 0.9**t * 0.5 ** (t // 2),
    ),
    "all at once, from t = 4 on": (
        lambda o: optim.SequentialLR(
            o,
            [
                optim.ConstantLR(o, 1.0),
                optim.ChainedScheduler([optim.LinearLR(o, 0.5, total_iters=2), optim.StepLR(o, 2)]),
            ],
            [4],
        ),
        lambda t, base: (
            base * (1 if t < 4 else min(0.5 + 0.25 * (t - 4), 1) * 0.1 ** ((t - 4) // 2))
        ),
    ),
}
RESTARTS = [(0, 2), (2, 4), (6, 8), (14, 16)]
each = pytest.mark.parametrize("name", FORMULAS)


@each
def test_the_formula(name):
    make, formula = FORMULAS[name]
    optimizer = two_groups()
    got = follow(optimizer, make(optimizer), 20)
    wanted = [[formula(t, base) for base in RATES] for t in range(21)]
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)


def test_cosine_rises_again():
    optimizer = two_groups()
    seen = follow(optimizer, optim.CosineAnnealingLR(optimizer, 5), 10)[:, 0]
    assert seen[5] < 1e-16
    assert (np.diff(seen[5:]) > 0).all()
    np.testing.assert_allclose(seen[10], 0.3)


@each
def test_a_schedule_resumes_to_the_bit(name):
    """Also through JSON, and whatever was loaded first: its state holds the rates."""
    make, _ = FORMULAS[name]
    optimizer = two_groups()
    schedule = make(optimizer)
    follow(optimizer, schedule, 5)
    saved = json.loads(json.dumps(schedule.state_dict()))
    fresh = two_groups()
    twin = make(fresh)
    twin.load_state_dict(saved)
    assert rates(fresh) == rates(optimizer)
    assert twin.get_last_lr() == schedule.get_last_lr()
    np.testing.assert_array_equal(follow(fresh, twin, 12), follow(optimizer, schedule, 12))
    assert saved == json.loads(json.dumps(saved))


def test_an_optimizers_state_carries_the_rates_schedules_began_with():
    optimizer = two_groups()
    follow(optimizer, optim.ExponentialLR(optimizer, 0.5), 3)
    fresh = two_groups()
    fresh.load_state_dict(optimizer.state_dict())
    schedule = optim.ExponentialLR(fresh, 0.5, last_epoch=3)
    assert schedule.base_lrs == RATES
    np.testing.assert_allclose(rates(fresh), np.array(RATES) / 16)


def test_schedules_on_one_optimizer_multiply():
    optimizer = two_groups()
    first, second = optim.ExponentialLR(optimizer, 0.5), optim.StepLR(optimizer, 2, 0.1)
    for _ in range(4):
        optimizer.step()
        first.step()
        second.step()
    np.testing.assert_allclose(rates(optimizer), np.array(RATES) / 16 * 0.01)


def test_a_group_added_later_takes_part():
    optimizer = two_groups()
    schedule = optim.ExponentialLR(optimizer, 0.5)
    follow(optimizer, schedule, 2)
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 0.8})
    follow(optimizer, schedule, 1)
    np.testing.assert_allclose(rates(optimizer), [0.3 / 8, 0.1 / 8, 0.4])


@each
def test_a_schedule_stepped_before_the_optimizer(name):
    optimizer = two_groups()
    optimizer.step()
    schedule = FORMULAS[name][0](optimizer)
    before = rates(optimizer)
    with pytest.raises(ArgumentError, match=r"step: expected a step of the optimizer before"):
        schedule.step()
    assert rates(optimizer) == before
    optimizer.step()
    schedule.step()
    schedule.step()


def test_plateau_waits_then_reduces_down_to_the_least():
    optimizer = two_groups()
    schedule = optim.ReduceLROnPlateau(optimizer, factor=0.1, patience=2, min_lr=0.02)
    for loss in (1.0, 0.9, 0.9, 0.9):
        schedule.step(loss)
        assert rates(optimizer) == RATES
    schedule.step(float("nan"))
    np.testing.assert_allclose(rates(optimizer), [0.03, 0.02])
    for _ in range(3):
        schedule.step(2.0)
    np.testing.assert_allclose(rates(optimizer), [0.02, 0.02])
    assert schedule.best == 0.9


def test_plateau_does_not_count_while_it_cools_down():
    optimizer = two_groups()
    schedule = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, cooldown=3)
    schedule.step(1.0)
    seen = []
    for _ in range(9):
        schedule.step(1.0)
        seen.append(rates(optimizer)[0])
    np.testing.assert_allclose(seen, np.repeat([0.15, 0.075, 0.0375], [4, 4, 1]))


def test_plateau_leaves_out_reductions_of_no_size():
    optimizer = two_groups()
    schedule = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, eps=0.06)
    for _ in range(4):
        schedule.step(1.0)
    np.testing.assert_allclose(rates(optimizer), [0.075, 0.1])


def test_plateau_resumes():
    def bad(schedule, count):
        return [(schedule.step(1.0), rates(schedule.optimizer))[1] for _ in range(count)]

    one = optim.ReduceLROnPlateau(two_groups(), patience=3, cooldown=1)
    bad(one, 3)
    other = optim.ReduceLROnPlateau(two_groups(), patience=3, cooldown=1)
    other.load_state_dict(one.state_dict())
    assert bad(one, 9) == bad(other, 9)


@pytest.mark.parametrize("lr", [float("nan"), -0.1, float("inf")])
def test_rates_that_are_no_rates_are_refused_at_once(lr):
    optimizer = two_groups()
    with pytest.raises(ArgumentError, match=r"LambdaLR: expected .*lr of at least 0, got"):
        optim.LambdaLR(optimizer, lambda t: lr)
    schedule = optim.LambdaLR(optimizer, lambda t: lr if t else 1)
    optimizer.step()
    with pytest.raises(ArgumentError, match="lr of at least 0"):
        schedule.step()
    assert rates(optimizer) == RATES


SOME = two_groups()
BAD = [
    (lambda: optim.StepLR(SOME, 0), "step_size as an integer of at least 1"),
    (lambda: optim.StepLR(SOME, 2, -1), "gamma of at least 0"),
    (lambda: optim.MultiStepLR(SOME, [1], float("nan")), "gamma of at least 0"),
    (lambda: optim.ConstantLR(SOME, 0.0), "factor above 0"),
    (lambda: optim.LinearLR(SOME, 0.0), "start_factor above 0"),
    (lambda: optim.LinearLR(SOME, total_iters=0), "total_iters as an integer"),
    (lambda: optim.PolynomialLR(SOME, power=-1), "power of at least 0"),
    (lambda: optim.CosineAnnealingLR(SOME, 0), "T_max as an integer"),
    (lambda: optim.CosineAnnealingLR(SOME, 3, -0.1), "eta_min of at least 0"),
    (lambda: optim.CosineAnnealingWarmRestarts(SOME, 2, 0), "T_mult as an integer"),
    (lambda: optim.ExponentialLR(SOME, -0.9), "gamma of at least 0"),
    (lambda: optim.ExponentialLR(SOME, 0.9, last_epoch=-2), "last_epoch of at least -1"),
    (lambda: optim.StepLR(two_groups(), 1, last_epoch=3), "initial_lr.* in every group"),
    (lambda: optim.StepLR(two_groups(), 1, last_epoch=0), "initial_lr.* in every group"),
    (
        lambda: optim.ChainedScheduler([optim.StepLR(SOME, 1)], two_groups()),
        "schedules of one optimizer",
    ),
    (lambda: optim.LambdaLR(SOME, [abs]), "a list of 2, one for each group"),
    (lambda: optim.LambdaLR(SOME, 0.5), "a function of t"),
    (lambda: optim.ReduceLROnPlateau(SOME, mode="best"), "mode among"),
    (lambda: optim.ReduceLROnPlateau(SOME, threshold_mode="x"), "threshold_mode among"),
    (lambda: optim.ReduceLROnPlateau(SOME, factor=1.0), "factor of at least 0 and below 1"),
    (lambda: optim.ReduceLROnPlateau(SOME, patience=-1), "patience between 0"),
    (lambda: optim.ReduceLROnPlateau(SOME, min_lr=[0.1]), "min_lr for 2 groups, got 1"),
    (
        lambda: optim.SequentialLR(SOME, [optim.StepLR(SOME, 1)] * 3, [5, 2]),
        "2 increasing milestones",
    ),
    (lambda: optim.SequentialLR(SOME, [optim.StepLR(SOME, 1)] * 2, []), "1 increasing milestones"),
    (lambda: optim.ChainedScheduler([optim.ReduceLROnPlateau(SOME)]), "need no measurements"),
    (
        lambda: optim.ChainedScheduler([optim.StepLR(SOME, 1), optim.StepLR(two_groups(), 1)]),
        "schedules of one optimizer",
    ),
]


@pytest.mark.parametrize(("make", "says"), BAD)
def test_bad_arguments(make, says):
    with pytest.raises(ArgumentError, match=f"expected .*{says}"):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: optim.StepLR("sgd", 2), "StepLR: expected an Optimizer, got str"),
        (lambda: optim.LambdaLR("sgd", abs), "LambdaLR: expected an Optimizer, got str"),
        (lambda: optim.ChainedScheduler([]), "expected a list of schedules"),
        (lambda: optim.SequentialLR(SOME, [SOME], []), r"a list of schedules, got \['SGD'\]"),
    ],
)
def test_things_of_another_kind(make, says):
    with pytest.raises(DTypeError, match=says):
        make()


def test_a_state_that_does_not_fit_changes_nothing():
    optimizer = two_groups()
    schedule = optim.ChainedScheduler(
        [optim.StepLR(optimizer, 2), optim.ExponentialLR(optimizer, 0.5)]
    )
    follow(optimizer, schedule, 1)
    good, before = schedule.state_dict(), rates(optimizer)
    other = optim.StepLR(two_groups(), 2).state_dict()
    bad = [
        (None, "the keys .*, got NoneType"),
        (other, "a schedule of the same class"),
        ({**good, "_last_lr": [0.1]}, "rates of 2 groups, got 1"),
        ({**good, "_schedulers": [other]}, "states of 2 schedules, got 1"),
        ({**good, "_schedulers": [other, {"gamma": 1}]}, "ExponentialLR.load_state_dict"),
    ]
    for state, says in bad:
        with pytest.raises(ArgumentError, match=says):
            schedule.load_state_dict(state)
        assert rates(optimizer) == before
        assert schedule.state_dict() == good


def test_the_base_class_is_abstract():
    with pytest.raises(NotImplementedError):
        optim.LRScheduler(two_groups())
