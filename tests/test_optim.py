"""Optimizers against their formulas by hand, state to the bit, and bad input."""

from functools import partial

import numpy as np
import optimizer_oracles as by_number
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, AutogradError
from minidl.optim import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Momentum,
    RMSprop,
)

STEPS = 7
SHAPES = [(3, 2), (4,), ()]


def parameters(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [nn.Parameter(rng.normal(size=shape).astype(dtype)) for shape in SHAPES]


def gradients(dtype=np.float64):
    """A list of gradients for each step."""
    rng = np.random.default_rng(1)
    return [[rng.normal(size=shape).astype(dtype) for shape in SHAPES] for _ in range(STEPS)]


def run(optimizer, params, steps):
    for grads in steps:
        for p, g in zip(params, grads, strict=True):
            p.grad = np.array(g)
        optimizer.step()
    return [p.data for p in params]


# For each optimizer its formula, and how many numbers it keeps.
FORMULAS = {
    SGD: (by_number.sgd, 1),
    Momentum: (by_number.momentum, 1),
    Adagrad: (by_number.adagrad, 1),
    Adadelta: (by_number.adadelta, 2),
    RMSprop: (by_number.rmsprop, 3),
    Adam: (by_number.adam, 3),
    AdamW: (partial(by_number.adam, decoupled=True), 3),
    Adamax: (by_number.adamax, 2),
}
DEFAULTS = {
    SGD: {"lr": 1e-3},
    Momentum: {"lr": 1e-3},
    Adagrad: {"lr": 1e-2},
    Adadelta: {"lr": 1.0},
    RMSprop: {"lr": 1e-2},
    Adam: {"lr": 1e-3},
    AdamW: {"lr": 1e-3, "weight_decay": 1e-2},
    Adamax: {"lr": 2e-3},
}


def one_by_hand(kind, theta, grads, options):
    """One number at a time; SGD's first velocity is the gradient itself, without dampening."""
    formula, count = FORMULAS[kind]
    options = {**DEFAULTS[kind], **options}
    numbers = [options.pop("initial_accumulator_value", 0.0)] * count
    for t, g in enumerate(grads, start=1):
        now = {**options, "dampening": 0} if t == 1 and "dampening" in options else options
        theta, *numbers = formula(t, g, theta, *numbers, **now)
    return theta


def by_hand(kind, options):
    """The parameters after all steps; options[i] are those of parameter i."""
    wanted = []
    for i, p in enumerate(parameters()):
        result = np.empty(p.shape)
        for at in np.ndindex(p.shape):
            grads = [step[i][at] for step in gradients()]
            result[at] = one_by_hand(kind, p.data[at], grads, options[i])
        wanted.append(result)
    return wanted


OPTIONS = {
    SGD: [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.3, "maximize": True},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.05, "momentum": 0.8, "dampening": 0.4, "weight_decay": 0.1},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True},
        {"lr": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.2, "maximize": True},
        {"lr": 0.0, "momentum": 0.9},
    ],
    Momentum: [{"lr": 0.1}, {"lr": 0.05, "momentum": 0.7, "weight_decay": 0.2}],
    Adagrad: [
        {"lr": 0.1},
        {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.3, "eps": 0.1},
        {"lr": 0.1, "initial_accumulator_value": 0.5, "maximize": True},
    ],
    Adadelta: [
        {},
        {"lr": 0.5, "rho": 0.7, "eps": 0.1, "weight_decay": 0.2},
        {"lr": 0.1, "unit_correction": False, "maximize": True},
    ],
    RMSprop: [
        {"lr": 0.1},
        {"lr": 0.05, "alpha": 0.7, "eps": 0.1, "weight_decay": 0.3},
        {"lr": 0.05, "centered": True, "maximize": True, "eps": 0.01},
        {"lr": 0.05, "momentum": 0.8, "centered": True, "eps": 0.01},
        {"lr": 0.05, "momentum": 0.9},
    ],
    Adam: [
        {"lr": 0.1},
        {"lr": 0.01, "betas": (0.5, 0.7), "eps": 1e-2},
        {"lr": 0.05, "weight_decay": 0.4, "maximize": True},
        {"lr": 0.05, "betas": (0.0, 0.0)},
        {"lr": 0.05, "betas": (0.8, 0.3), "amsgrad": True, "weight_decay": 0.1},
    ],
    AdamW: [{}, {"lr": 0.1, "weight_decay": 0.4, "amsgrad": True}, {"maximize": True}],
    Adamax: [{"lr": 0.1}, {"betas": (0.5, 0.7), "eps": 0.1, "weight_decay": 0.3, "maximize": True}],
}
ALL = [(kind, options) for kind, several in OPTIONS.items() for options in several]
# One of each, with all the state it can have.
EACH = [
    (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (Momentum, {"lr": 0.1}),
    (Adagrad, {"lr": 0.1, "lr_decay": 0.1}),
    (Adadelta, {"lr": 0.1}),
    (RMSprop, {"lr": 0.1, "momentum": 0.8, "centered": True}),
    (Adam, {"lr": 0.1}),
    (Adam, {"lr": 0.1, "amsgrad": True}),
    (AdamW, {"lr": 0.1}),
    (Adamax, {"lr": 0.1}),
]
KINDS = list(FORMULAS)


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_against_the_formula(kind, options):
    params = parameters()
    got = run(kind(params, **options), params, gradients())
    for a, b in zip(got, by_hand(kind, [options] * 3), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_defaults(kind):
    params = parameters()
    for a, b in zip(run(kind(params), params, gradients()), by_hand(kind, [{}] * 3), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        (SGD, {"momentum": 0.7, "weight_decay": 0.1}),
        (Adam, {"betas": (0.8, 0.9), "weight_decay": 0.1}),
        (RMSprop, {"momentum": 0.7, "alpha": 0.8}),
    ],
)
def test_groups_have_options_of_their_own(kind, own):
    params = parameters()
    groups = [{"params": params[:1]}, {"params": iter(params[1:]), "lr": 0.01, **own}]
    optimizer = kind(groups, lr=0.2)
    assert [g["lr"] for g in optimizer.param_groups] == [0.2, 0.01]
    assert optimizer.parameters() == params
    options = [{"lr": 0.2}] + [{"lr": 0.01, **own}] * 2
    for a, b in zip(run(optimizer, params, gradients()), by_hand(kind, options), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_group_added_later_moves_from_then_on():
    params = parameters()
    optimizer = Adam(params[:2], lr=0.1)
    run(optimizer, params, gradients()[:2])
    np.testing.assert_array_equal(params[2].data, parameters()[2].data)
    optimizer.add_param_group({"params": [params[2]], "lr": 0.3})
    run(optimizer, params, gradients()[2:])
    grads = [step[2] for step in gradients()[2:]]
    wanted = one_by_hand(Adam, float(parameters()[2].data), grads, {"lr": 0.3})
    np.testing.assert_allclose(params[2].data, wanted, rtol=1e-12)
    with pytest.raises(ArgumentError, match="each parameter once"):
        optimizer.add_param_group({"params": [params[0]]})
    with pytest.raises(ArgumentError, match="lr of at least 0"):
        optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": -1})
    assert len(optimizer.param_groups) == 2


def test_a_closure_is_evaluated_before_the_move_and_its_loss_returned():
    (p,) = params = [nn.Parameter(np.array([2.0, -1.0]))]
    optimizer, seen = SGD(params, lr=0.25), []

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        seen.append(p.data.copy())
        return loss

    with minidl.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 5
    np.testing.assert_array_equal(seen, [[2, -1]])
    np.testing.assert_allclose(p.data, [1, -0.5])
    assert optimizer.step() is None


def test_options_changed_between_steps_act_at_once():
    params, others = parameters(), parameters()
    optimizer, other = Adam(params, lr=0.1), Adam(others, lr=0.1)
    group = optimizer.param_groups[0]
    for number, grads in enumerate(gradients()):
        group["lr"], group["betas"] = 0.1 + number, [0.5, 0.5 + 0.05 * number]
        other.param_groups[0].update(lr=np.float64(0.1 + number), betas=tuple(group["betas"]))
        for a, b in zip(run(optimizer, params, [grads]), run(other, others, [grads]), strict=True):
            np.testing.assert_array_equal(a, b)
    group["betas"][1] = 2.0
    with pytest.raises(ArgumentError, match="beta2"):
        optimizer.step()


def test_a_new_learning_rate_acts_at_once():
    """The momentum buffer excludes the learning rate."""
    (p,) = params = parameters()[:1]
    optimizer = SGD(params, lr=0.1, momentum=0.9)
    g = np.ones(p.shape)
    run(optimizer, params, [[g]])
    before = p.data.copy()
    optimizer.param_groups[0]["lr"] = 1.0
    run(optimizer, params, [[g]])
    np.testing.assert_allclose(before - p.data, 1.9 * g, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SGD, {"lr": np.float64(0.1), "momentum": np.float64(0.9), "dampening": np.float64(0.1)}),
        (Adam, {"lr": np.float64(0.1), "betas": (np.float64(0.9), np.float64(0.99))}),
    ],
)
def test_float32_stays_float32_whatever_the_options(kind, options):
    params = parameters(np.float32)
    optimizer = kind(params, **options)
    run(optimizer, params, gradients(np.float64))
    wide = parameters()
    exact = run(kind(wide, **options), wide, gradients())
    for p, wanted in zip(params, exact, strict=True):
        assert p.dtype == np.float32
        np.testing.assert_allclose(p.data, wanted, rtol=1e-5, atol=1e-6)
    arrays = [v for s in optimizer.state.values() for v in s.values() if np.ndim(v)]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("kind", "options"), EACH)
def test_float32_gradients_of_float64_parameters(kind, options):
    narrow = gradients(np.float32)
    params, others = parameters(), parameters()
    got = run(kind(params, **options), params, narrow)
    widened = [[g.astype(np.float64) for g in step] for step in narrow]
    for a, b in zip(got, run(kind(others, **options), others, widened), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.float64


@pytest.mark.parametrize(("kind", "options"), EACH)
def test_a_state_resumes_to_the_bit(kind, options):
    params = parameters()
    optimizer = kind([{"params": params[:2]}, {"params": params[2:], "lr": 0.3}], **options)
    steps = gradients()
    run(optimizer, params, steps[:3])
    saved = optimizer.state_dict()
    others = [nn.Parameter(p.data.copy()) for p in params]
    twin = kind([{"params": others[:2]}, {"params": others[2:]}], **options)
    twin.load_state_dict(saved)
    assert [g["lr"] for g in twin.param_groups] == [0.1, 0.3]
    assert [g["params"] for g in saved["param_groups"]] == [[0, 1], [2]]
    for a, b in zip(run(optimizer, params, steps[3:]), run(twin, others, steps[3:]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("kind", "options"), EACH)
def test_a_saved_state_is_a_copy(kind, options):
    params = parameters()
    optimizer = kind(params, **options)
    run(optimizer, params, gradients()[:2])
    saved = optimizer.state_dict()
    values = {k: np.array(v) for k, v in saved["state"][0].items()}
    run(optimizer, params, gradients()[:2])
    optimizer.load_state_dict(saved)
    run(optimizer, params, gradients()[:2])
    for key, value in values.items():
        np.testing.assert_array_equal(saved["state"][0][key], value)
    arrays = {id(v) for v in optimizer.state[0].values() if isinstance(v, np.ndarray)}
    optimizer.load_state_dict(saved)
    again = optimizer.state_dict()["state"][0].values()
    held = [*optimizer.state[0].values(), *saved["state"][0].values(), *again]
    assert len({id(v) for v in held if isinstance(v, np.ndarray)}) == 3 * len(arrays)


@pytest.mark.parametrize(("kind", "options"), EACH)
def test_a_parameter_without_gradient_is_left_alone(kind, options):
    params = parameters()
    optimizer = kind(params, **options)
    run(optimizer, params, gradients()[:1])
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)
    before = [p.data.copy() for p in params]
    params[1].grad = np.ones(4)
    optimizer.step()
    np.testing.assert_array_equal(params[0].data, before[0])
    np.testing.assert_array_equal(params[2].data, before[2])
    assert (params[1].data != before[1]).all()


@pytest.mark.parametrize(("kind", "options"), EACH)
def test_a_step_between_forward_and_backward_is_noticed(kind, options):
    layer = nn.Linear(2, 1)
    optimizer = kind(layer.parameters(), **options)
    x = Tensor(np.ones((3, 2), np.float32), requires_grad=True)
    loss = layer(x).sum()
    layer(x).sum().backward()
    optimizer.step()
    with pytest.raises(AutogradError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize(("kind", "options"), EACH)
def test_gradients_are_not_written_to(kind, options):
    params = parameters()
    for p in params:
        p.grad = np.ones(p.shape)
    grads = [p.grad for p in params]
    optimizer = kind(params, **{**options, "weight_decay": 0.1})
    optimizer.step()
    optimizer.step()
    for g in grads:
        np.testing.assert_array_equal(g, 1)


def test_a_loaded_state_takes_the_parameters_type_and_adam_counts_in_integers():
    p = nn.Parameter(np.ones(3, np.float32))
    optimizer = Adam([p], lr=0.1)
    p.grad = np.ones(3, np.float32)
    optimizer.step()
    saved = optimizer.state_dict()
    wide = {k: np.asarray(v, np.float64) for k, v in saved["state"][0].items()}
    optimizer.load_state_dict({**saved, "state": {0: wide}})
    optimizer.step()
    state = optimizer.state[0]
    assert isinstance(state["step"], int)
    assert state["step"] == 2
    assert {state["exp_avg"].dtype, state["exp_avg_sq"].dtype, p.dtype} == {np.dtype(np.float32)}
