"""Activations against their formulas in longer floats, at extremes, and bad input."""

import warnings

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import DTypeError, ShapeError

X = np.array([-800.0, -30.0, -1.5, -1e-3, 0.0, 1e-3, 2.0, 40.0, 900.0])


def in_longdouble(name, x):
    x = x.astype(np.longdouble)
    if name == "softmax":
        e = np.exp(x - x.max())
        return e / e.sum()
    if name == "log_softmax":
        return x - x.max() - np.log(np.exp(x - x.max()).sum())
    return {
        "relu": lambda: np.maximum(x, 0),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "tanh": lambda: np.sinh(np.clip(x, -50, 50)) / np.cosh(np.clip(x, -50, 50)),
    }[name]()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax", "log_softmax"])
def test_values_without_overflow(name, dtype):
    x = X.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = getattr(F, name)(Tensor(x))
    tight = 1e-14 if dtype == np.float64 else 1e-6
    wanted = in_longdouble(name, x).astype(np.float64)
    np.testing.assert_allclose(y.data, wanted, rtol=tight, atol=tight * 1e-6)


def test_relu_at_zero_has_no_gradient_and_nan_passes():
    x = Tensor(np.array([-1.0, 0.0, -0.0, np.nan, 2.0]), requires_grad=True)
    y = F.relu(x)
    np.testing.assert_array_equal(y.data, [0, 0, 0, np.nan, 2])
    y.backward(np.array([5.0, 5.0, 5.0, 5.0, 7.0]))
    np.testing.assert_array_equal(x.grad, [0, 0, 0, 5, 7])


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softmax", "log_softmax"])
def test_nan_passes(name):
    y = getattr(F, name)(Tensor(np.array([[1.0, np.nan], [0.0, 1.0]]))).data
    assert np.isnan(y[0, 1])
    assert np.isfinite(y[1]).all()


def test_softmax_sums_to_one_along_its_axis():
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 4)) * 9)
    for axis in (0, 1, -1):
        np.testing.assert_allclose(F.softmax(x, axis).data.sum(axis), 1, rtol=1e-12)
        logs = F.log_softmax(x, axis).data
        np.testing.assert_allclose(np.exp(logs), F.softmax(x, axis).data, rtol=1e-12)


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Sigmoid(), nn.Tanh()])
def test_layers(layer):
    name = type(layer).__name__
    x = Tensor(X.reshape(3, 3))
    np.testing.assert_array_equal(layer(x).data, getattr(F, name.lower())(x).data)
    assert repr(layer) == f"{name}()"
    assert layer.state_dict() == {}


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax", "log_softmax"])
def test_bad_input(name):
    operation = getattr(F, name)
    with pytest.raises(DTypeError, match=f"{name}: expected x of a floating type, got int64"):
        operation(Tensor(np.array([1, 2])))
    with pytest.raises(DTypeError, match=f"{name}: expected x as a Tensor, got list"):
        operation([1.0, 2.0])


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_bad_axis(name):
    operation = getattr(F, name)
    with pytest.raises(ShapeError, match=f"{name}: expected distinct axes between -2 and 1"):
        operation(Tensor(np.ones((2, 3))), axis=2)
    with pytest.raises(ShapeError, match=f"{name}: expected at least one element along axis 1"):
        operation(Tensor(np.ones((2, 0))))
