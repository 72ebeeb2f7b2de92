"""Schedules give PyTorch's learning rates, step by step."""

import inspect

import numpy as np
import pytest

from minidl import nn, optim

pytestmark = pytest.mark.peers

CASES = [
    ("LambdaLR", {"lr_lambda": lambda t: 0.9**t + 0.1}),
    ("LambdaLR", {"lr_lambda": [lambda t: 1 / (1 + t), lambda t: 2.0 + t]}),
    ("MultiplicativeLR", {"lr_lambda": lambda t: 0.9 + 0.01 * t}),
    ("StepLR", {"step_size": 4}),
    ("StepLR", {"step_size": 1, "gamma": 0.7}),
    ("MultiStepLR", {"milestones": [9, 3, 3, 12], "gamma": 0.5}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.7, "total_iters": 3}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.2, "end_factor": 0.9, "total_iters": 7}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 10}),
    ("ExponentialLR", {"gamma": 0.8}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 12, "power": 2.5}),
    ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.02}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
]
PAIRS = [
    (("LinearLR", {"total_iters": 6}), ("ExponentialLR", {"gamma": 0.9})),
    (("CosineAnnealingLR", {"T_max": 5}), ("StepLR", {"step_size": 3})),
    (("PolynomialLR", {"total_iters": 20}), ("MultiStepLR", {"milestones": [2, 8]})),
    (("ConstantLR", {"total_iters": 4}), ("CosineAnnealingLR", {"T_max": 9})),
]


def label(case):
    return case[0]


def optimizers(torch):
    """The same two groups here and there."""
    mine = [{"params": [nn.Parameter(np.ones(2))], "lr": lr} for lr in (0.3, 0.1)]
    theirs = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr} for lr in (0.3, 0.1)]
    return optim.SGD(mine), torch.optim.SGD(theirs)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def assert_same_rates(mine, theirs, schedule, peer, steps=25):
    for _ in range(steps):
        np.testing.assert_allclose(rates(mine), rates(theirs), rtol=1e-10, atol=1e-16)
        assert schedule.get_last_lr() == rates(mine)
        mine.step()
        theirs.step()
        schedule.step()
        peer.step()


@pytest.mark.parametrize("case", CASES, ids=label)
def test_rates(torch, case):
    name, options = case
    mine, theirs = optimizers(torch)
    schedule = getattr(optim.lr_scheduler, name)(mine, **options)
    peer = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    assert_same_rates(mine, theirs, schedule, peer)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0][0]} {pair[1][0]}")
@pytest.mark.parametrize("how", ["ChainedScheduler", "SequentialLR"])
def test_schedules_of_schedules(torch, pair, how):
    both = []
    for library, optimizer in zip((optim, torch.optim), optimizers(torch), strict=True):
        inner = [getattr(library.lr_scheduler, name)(optimizer, **o) for name, o in pair]
        arguments = (optimizer, inner, [7]) if how == "SequentialLR" else (inner,)
        both.append((optimizer, getattr(library.lr_scheduler, how)(*arguments)))
    (mine, schedule), (theirs, peer) = both
    assert_same_rates(mine, theirs, schedule, peer)


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"patience": 1, "mode": "max", "factor": 0.5, "min_lr": [0.05, 0.01]},
        {"patience": 1, "cooldown": 2, "threshold": 0.1, "threshold_mode": "abs"},
        {"patience": 0, "mode": "max", "threshold": 0.1, "threshold_mode": "abs", "eps": 0.02},
        {"patience": 3, "threshold": 0.2},
    ],
)
def test_plateau(torch, options):
    mine, theirs = optimizers(torch)
    schedule = optim.ReduceLROnPlateau(mine, **options)
    peer = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    rng = np.random.default_rng(0)
    for number, value in enumerate(rng.uniform(1, 2, 60)):
        value = float("nan") if number % 11 == 5 else value / (1 + number % 20)
        schedule.step(value)
        peer.step(value)
        np.testing.assert_allclose(rates(mine), rates(theirs), rtol=1e-12)
        assert schedule.num_bad_epochs == peer.num_bad_epochs
    assert rates(mine) != [0.3, 0.1]


NAMES = sorted({name for name, _ in CASES} | {"SequentialLR", "ReduceLROnPlateau"})


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_pytorchs(torch, name):
    ours = inspect.signature(getattr(optim, name)).parameters
    theirs = inspect.signature(getattr(torch.optim.lr_scheduler, name)).parameters
    assert list(ours) == list(theirs)
    for argument, parameter in ours.items():
        assert parameter.default == theirs[argument].default, argument
