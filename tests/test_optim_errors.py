"""What optimizers refuse, and how they say it."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.optim import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Momentum,
    Newton,
    Optimizer,
    RMSprop,
)

KINDS = [SGD, Momentum, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, Newton]

P = [Tensor(np.ones(2), requires_grad=True)]
NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (SGD, {"lr": -0.1}, "lr of at least 0, got -0.1"),
        (SGD, {"lr": NAN}, "lr of at least 0, got nan"),
        (SGD, {"lr": float("inf")}, "a finite lr of at least 0, got inf"),
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
        (AdamW, {"lr": NAN}, "lr of at least 0, got nan"),
        (Adamax, {"betas": (0.9, 1.0)}, "beta2 of at least 0 and below 1.0"),
        (Momentum, {"momentum": 1.0}, "momentum of at least 0 and below 1.0, got 1.0"),
        (Adagrad, {"lr_decay": -1}, "lr_decay of at least 0"),
        (Adagrad, {"initial_accumulator_value": NAN}, "initial_accumulator_value of at least 0"),
        (Adadelta, {"rho": 1.1}, "rho between 0.0 and 1.0, got 1.1"),
        (RMSprop, {"alpha": 1.0}, "alpha of at least 0 and below 1.0"),
        (RMSprop, {"momentum": -0.1}, "momentum of at least 0"),
        (Newton, {"damping": -0.1}, "damping of at least 0"),
    ],
)
def test_options_out_of_range(kind, options, says):
    with pytest.raises(ArgumentError, match=f"{kind.__name__}: expected .*{says}"):
        kind(P, **options)
    with pytest.raises(ArgumentError, match=says):
        kind([{"params": P, **options}])


@pytest.mark.parametrize("kind", KINDS)
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lr", [-1, NAN, float("inf"), None])
def test_learning_rates_set_to_nonsense_are_noticed_at_the_step(kind, lr):
    p = nn.Parameter(np.ones(2))
    optimizer = kind([p])
    p.grad = np.ones(2)
    for _ in range(2):
        optimizer.param_groups[0]["lr"] = lr
        with pytest.raises(ArgumentError, match="lr of at least 0"):
            optimizer.step(lambda: None)
    np.testing.assert_array_equal(p.data, 1)


def parameters():
    rng = np.random.default_rng(0)
    return [nn.Parameter(rng.normal(size=shape)) for shape in [(3, 2), (4,), ()]]


def test_a_gradient_of_another_shape():
    p = nn.Parameter(np.ones((3, 2)))
    p.grad = np.ones(2)
    with pytest.raises(ShapeError, match=r"SGD.step: expected grad of shape \(3, 2\), got \(2,\)"):
        SGD([p]).step()


def test_a_state_that_does_not_fit_changes_nothing():
    params = parameters()
    optimizer = Adam(params, lr=0.1)
    for p in params:
        p.grad = np.ones(p.shape)
    optimizer.step()
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
        ({**good, "state": {0: {"exp_inf": np.ones((3, 2))}}}, ArgumentError, "state among"),
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
