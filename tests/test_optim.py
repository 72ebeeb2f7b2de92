"""Optimizers against their formulas by hand, state to the bit, and bad input."""

import math

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, AutogradError, DTypeError, ShapeError
from minidl.optim import SGD, Adam, Optimizer

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


def sgd_by_hand(theta, grads, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    """One number at a time; the first velocity is the gradient itself."""
    v = None
    for g in grads:
        g = g + weight_decay * theta
        v = g if v is None else momentum * v + (1 - dampening) * g
        theta = theta - lr * (g + momentum * v if nesterov else v)
    return theta


def adam_by_hand(theta, grads, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    m = v = 0.0
    for t, g in enumerate(grads, start=1):
        g = g + weight_decay * theta
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        theta = theta - lr * m_hat / (math.sqrt(v_hat) + eps)
    return theta


def by_hand(formula, options):
    """The parameters after all steps; options[i] are those of parameter i."""
    wanted = []
    for i, p in enumerate(parameters()):
        result = np.empty(p.shape)
        for at in np.ndindex(p.shape):
            result[at] = formula(p.data[at], [step[i][at] for step in gradients()], **options[i])
        wanted.append(result)
    return wanted


SGD_OPTIONS = [
    {"lr": 0.1},
    {"lr": 0.1, "weight_decay": 0.3},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.05, "momentum": 0.8, "dampening": 0.4, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    {"lr": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.2},
    {"lr": 0.0, "momentum": 0.9},
]
ADAM_OPTIONS = [
    {"lr": 0.1},
    {"lr": 0.01, "betas": (0.5, 0.7), "eps": 1e-2},
    {"lr": 0.05, "weight_decay": 0.4},
    {"lr": 0.05, "betas": (0.0, 0.0)},
]
ALL = [(SGD, sgd_by_hand, o) for o in SGD_OPTIONS] + [(Adam, adam_by_hand, o) for o in ADAM_OPTIONS]
BOTH = [(SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}), (Adam, {"lr": 0.1})]


@pytest.mark.parametrize(("kind", "formula", "options"), ALL)
def test_against_the_formula(kind, formula, options):
    params = parameters()
    got = run(kind(params, **options), params, gradients())
    for a, b in zip(got, by_hand(formula, [options] * 3), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "formula", "own"),
    [
        (SGD, sgd_by_hand, {"momentum": 0.7, "weight_decay": 0.1}),
        (Adam, adam_by_hand, {"betas": (0.8, 0.9), "weight_decay": 0.1}),
    ],
)
def test_groups_have_options_of_their_own(kind, formula, own):
    params = parameters()
    groups = [{"params": params[:1]}, {"params": iter(params[1:]), "lr": 0.01, **own}]
    optimizer = kind(groups, lr=0.2)
    assert [g["lr"] for g in optimizer.param_groups] == [0.2, 0.01]
    assert optimizer.parameters() == params
    options = [{"lr": 0.2}] + [{"lr": 0.01, **own}] * 2
    for a, b in zip(run(optimizer, params, gradients()), by_hand(formula, options), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_defaults():
    params = parameters()
    for optimizer, formula, lr in [
        (SGD(params), sgd_by_hand, 1e-3),
        (Adam(params), adam_by_hand, 1e-3),
    ]:
        fresh = parameters()
        for p, q in zip(params, fresh, strict=True):
            p.data = q.data
        got = run(optimizer, params, gradients())
        for a, b in zip(got, by_hand(formula, [{"lr": lr}] * 3), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


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


@pytest.mark.parametrize(("kind", "options"), BOTH)
def test_float32_gradients_of_float64_parameters(kind, options):
    narrow = gradients(np.float32)
    params, others = parameters(), parameters()
    got = run(kind(params, **options), params, narrow)
    widened = [[g.astype(np.float64) for g in step] for step in narrow]
    for a, b in zip(got, run(kind(others, **options), others, widened), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.float64


@pytest.mark.parametrize(("kind", "options"), BOTH)
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


@pytest.mark.parametrize(("kind", "options"), BOTH)
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


@pytest.mark.parametrize(("kind", "options"), BOTH)
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


@pytest.mark.parametrize(("kind", "options"), BOTH)
def test_a_step_between_forward_and_backward_is_noticed(kind, options):
    layer = nn.Linear(2, 1)
    optimizer = kind(layer.parameters(), **options)
    x = Tensor(np.ones((3, 2), np.float32), requires_grad=True)
    loss = layer(x).sum()
    layer(x).sum().backward()
    optimizer.step()
    with pytest.raises(AutogradError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize(("kind", "options"), BOTH)
def test_gradients_are_not_written_to(kind, options):
    params = parameters()
    for p in params:
        p.grad = np.ones(p.shape)
    grads = [p.grad for p in params]
    optimizer = kind(params, **options, weight_decay=0.1)
    optimizer.step()
    optimizer.step()
    for g in grads:
        np.testing.assert_array_equal(g, 1)


# -- bad input -------------------------------------------------------------------------------------

P = [Tensor(np.ones(2), requires_grad=True)]
NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (SGD, {"lr": -0.1}, "lr of at least 0, got -0.1"),
        (SGD, {"lr": NAN}, "lr of at least 0, got nan"),
        (SGD, {"lr": "fast"}, "lr of at least 0, got fast"),
        (SGD, {"momentum": -0.9}, "momentum of at least 0"),
        (SGD, {"dampening": NAN}, "dampening of at least 0"),
        (SGD, {"weight_decay": -1}, "weight_decay of at least 0"),
        (SGD, {"nesterov": True}, "a momentum above 0 and no dampening for nesterov"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "no dampening"),
        (Adam, {"lr": -1}, "lr of at least 0"),
        (Adam, {"eps": NAN}, "eps of at least 0"),
        (Adam, {"betas": (1.0, 0.9)}, "beta1 of at least 0 and below 1.0, got 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, "beta2 of at least 0 and below 1.0"),
        (Adam, {"betas": 0.9}, r"betas \(beta1, beta2\), got 0.9"),
        (Adam, {"betas": (0.9,)}, r"betas \(beta1, beta2\)"),
        (Adam, {"weight_decay": None}, "weight_decay of at least 0, got None"),
    ],
)
def test_options_out_of_range(kind, options, says):
    with pytest.raises(ArgumentError, match=f"{kind.__name__}: expected .*{says}"):
        kind(P, **options)
    with pytest.raises(ArgumentError, match=says):
        kind([{"params": P, **options}])


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize(
    ("params", "error", "says"),
    [
        ([], ArgumentError, "at least one parameter, got none"),
        (P * 2, ArgumentError, "each parameter once"),
        (P[0], DTypeError, "a list of parameters, got Tensor"),
        (nn.Linear(2, 2), DTypeError, r"got Linear; pass model.parameters\(\)"),
        (nn.Sequential(nn.Linear(2, 2)), DTypeError, "parameters that are Tensors, got Linear"),
        ([P[0] * 2], ArgumentError, "parameters that nothing computed"),
        ([Tensor(np.ones(2, int))], DTypeError, "a floating type, got int64"),
        ([{"lr": 0.1}], ArgumentError, 'groups with "params" and options'),
        ([{"params": P, "rate": 0.1}], ArgumentError, r"got \['params', 'rate'\]"),
        ([{"params": P}, P[0]], ArgumentError, "groups .*, got Tensor"),
        ([{"params": P}, {"params": P}], ArgumentError, "each parameter once"),
        (None, DTypeError, "a list of parameters, got NoneType"),
    ],
)
def test_bad_parameters(kind, params, error, says):
    with pytest.raises(error, match=f"{kind.__name__}: expected .*{says}"):
        kind(params)


def test_options_changed_to_nonsense_are_noticed_at_the_step():
    optimizer = SGD(P, lr=0.1)
    optimizer.param_groups[0]["lr"] = -1
    with pytest.raises(ArgumentError, match="lr of at least 0"):
        optimizer.step()


def test_a_gradient_of_another_shape():
    (p,) = parameters()[:1]
    p.grad = np.ones(2)
    with pytest.raises(ShapeError, match=r"SGD.step: expected grad of shape \(3, 2\), got \(2,\)"):
        SGD([p]).step()


def test_a_state_that_does_not_fit_changes_nothing():
    params = parameters()
    optimizer = Adam(params, lr=0.1)
    run(optimizer, params, gradients()[:2])
    good = optimizer.state_dict()
    group, state = good["param_groups"][0], good["state"]
    bad = [
        (None, ArgumentError, 'a mapping with "state" and "param_groups", got NoneType'),
        ({"state": {}}, ArgumentError, r"got \['state'\]"),
        ({**good, "param_groups": []}, ArgumentError, r"groups of \[3\] parameters, got \[\]"),
        (SGD(params).state_dict(), ArgumentError, "the options"),
        ({**good, "param_groups": [{**group, "lr": -1}]}, ArgumentError, "lr of at least 0"),
        ({**good, "state": {9: {}}}, ArgumentError, "state of parameters 0 to 2, got 9"),
        ({**good, "state": {0: state[1]}}, ShapeError, r"exp_avg of shape \(3, 2\)"),
    ]
    for saved, error, says in bad:
        with pytest.raises(error, match=says):
            optimizer.load_state_dict(saved)
        assert optimizer.param_groups[0]["lr"] == 0.1
        for i, values in optimizer.state.items():
            for key, value in values.items():
                np.testing.assert_array_equal(value, state[i][key])


def test_the_base_class_is_abstract():
    with pytest.raises(NotImplementedError):
        Optimizer(P, {})
    with pytest.raises(NotImplementedError):
        Optimizer.advance(SGD(P), [P[0].data], [np.ones(2)], [{}], {})


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
