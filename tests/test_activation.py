"""Activations against their formulas, where they saturate, at extremes, and bad input."""

import math
import warnings

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import backend, nn
from minidl import functional as F
from minidl.errors import ArgumentError, DTypeError, ShapeError

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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(6 << 20) + 4, (6 << 20) - 8, 1 << 23])
def test_relu_of_more_bytes_than_a_cache_shares(size, dtype):
    x = np.random.default_rng(3).standard_normal(size // np.dtype(dtype).itemsize).astype(dtype)
    x[:: len(x) // 7] = np.nan
    np.testing.assert_array_equal(F.relu(Tensor(x)).data, np.maximum(x, 0))


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


@pytest.mark.parametrize("telling", ["numpy", "cython"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tanh_is_odd_to_the_last_bit(dtype, telling):
    x = np.concatenate([np.linspace(0, 12, 999), [1e-30, np.inf]]).astype(dtype)
    with backend.use(telling, "activation"):
        up, down = F.tanh(Tensor(x)).data, F.tanh(Tensor(-x)).data
    assert np.signbit(down).all()  # that of -0.0 too
    np.testing.assert_array_equal(down, -up)


def test_softmax_sums_to_one_along_its_axis():
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 4)) * 9)
    for axis in (0, 1, -1):
        np.testing.assert_allclose(F.softmax(x, axis).data.sum(axis), 1, rtol=1e-12)
        logs = F.log_softmax(x, axis).data
        np.testing.assert_allclose(np.exp(logs), F.softmax(x, axis).data, rtol=1e-12)


def slopes(operation, x):
    """The derivative of each value by its own x."""
    x = Tensor(np.asarray(x, np.float64), requires_grad=True)
    operation(x).backward(np.full(x.shape, 3.0))
    return x.grad / 3


# Layer, what its docstring and its function's say, the bound, where it holds, where it is tight.
SATURATION = [
    (nn.ReLU(), "derivative is 0 for x <= 0", 0, lambda x: x <= 0, 1e-6),
    (nn.Sigmoid(), "below 0.01 for |x| > 4.6", 0.01, lambda x: abs(x) > 4.6, 4.57),
    (nn.Tanh(), "below 0.01 for |x| > 3", 0.01, lambda x: abs(x) > 3, 2.98),
    (nn.ELU(), "below 0.01 for x < -4.61", 0.01, lambda x: x < -4.61, -4.6),
    (nn.SELU(), "below 0.01 for x < -5.17", 0.01, lambda x: x < -5.17, -5.16),
    (nn.GELU(), "within 0.01 of 0 for x < -3.07", 0.01, lambda x: x < -3.07, -3.06),
    (nn.GELU("tanh"), "within 0.01 of 0 for x < -3.07", 0.01, lambda x: x < -3.07, -3.05),
    (nn.Softplus(), "is below 0.01 for x < -4.6", 0.01, lambda x: x < -4.6, -4.59),
    (nn.SiLU(), "within 0.01 of 0 for x < -6.27", 0.01, lambda x: x < -6.27, -6.26),
    (nn.Hardsigmoid(), "0 for |x| >= 3", 0, lambda x: abs(x) >= 3, 2.999),
    (
        nn.Hardtanh(-0.5, 2.0),
        "0 for x <= min_val and x >= max_val",
        0,
        lambda x: (x <= -0.5) | (x >= 2),
        1.999,
    ),
]


@pytest.mark.parametrize(("layer", "says", "bound", "saturated", "tight"), SATURATION)
def test_saturation_is_where_the_docstrings_say(layer, says, bound, saturated, tight):
    functions = {nn.SELU: F.selu, nn.GELU: F.gelu}
    function = functions.get(type(layer)) or getattr(F, type(layer).__name__.lower())
    for documented in (layer, function):
        assert says in " ".join(documented.__doc__.split())
    x = np.concatenate([np.linspace(-12, 12, 4801), [-1e4, 1e4, -0.5, 2.0, -3.0, 3.0]])
    size = np.abs(slopes(layer, x))
    assert saturated(x).any()
    assert (size[saturated(x)] <= bound).all()
    assert abs(slopes(layer, [tight])[0]) > bound


def test_leaky_units_never_saturate():
    x = np.linspace(-1000, 1000, 4001)
    wanted = np.where(x > 0, 1, 0.01)
    np.testing.assert_allclose(slopes(nn.LeakyReLU(), x), wanted)
    wanted = np.where(x > 0, 1, 0.25)
    np.testing.assert_allclose(slopes(nn.PReLU().astype(np.float64), x), wanted)
    for documented in (F.leaky_relu, nn.LeakyReLU, F.prelu, nn.PReLU):
        assert "derivative is 1 for x > 0" in " ".join(documented.__doc__.split())


@pytest.mark.parametrize(("name", "at"), [("gelu", -0.752), ("silu", -1.278)])
def test_the_minimum_is_where_the_docstring_says(name, at):
    assert f"minimum at x = {at}" in " ".join(getattr(F, name).__doc__.split())
    before, after = slopes(getattr(F, name), [at - 5e-4, at + 5e-4])
    assert before < 0 < after


def test_softmax_saturates_at_both_ends_and_its_logarithm_at_one():
    for logit in (-4.6, 4.6, -9.0, 9.0):
        x = np.array([0.0, logit])
        upstream = np.array([0.0, 2.0])
        found = []
        for layer in (nn.Softmax(), nn.LogSoftmax(dim=0)):
            z = Tensor(x, requires_grad=True)
            layer(z).backward(upstream)
            found.append(z.grad[1] / 2)
        y = 1 / (1 + math.exp(-logit))
        np.testing.assert_allclose(found, [y * (1 - y), 1 - y], rtol=1e-10)
        assert found[0] < 0.01
        assert (found[1] < 0.01) == (y > 0.99)


def test_gelu_forms_are_as_close_as_documented():
    x = Tensor(np.linspace(-9, 9, 5001))
    assert 4e-4 < np.abs(F.gelu(x).data - F.gelu(x, "tanh").data).max() < 5e-4


def test_selu_keeps_mean_and_variance():
    """Over N(0, 1), by a sum over a fine grid: mean 0 and second moment 1."""
    x = np.linspace(-12, 12, 48_001)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    y = F.selu(Tensor(x)).data
    np.testing.assert_allclose([(y * density).sum(), (y * y * density).sum()], [0, 1], atol=1e-6)


FORMULAS = {
    "leaky_relu": lambda x: np.where(x > 0, x, x / 100),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "gelu": lambda x: x * np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2)(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "hardsigmoid": lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "hardtanh": lambda x: np.minimum(np.maximum(x, -1), 1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_no_overflow_far_out(name, dtype):
    x = np.linspace(-9, 9, 181).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = getattr(F, name)(Tensor(x)).data
        far = np.array([-3e38, -1e5, 1e5, 3e38, np.nan], dtype)
        ends = getattr(F, name)(Tensor(far)).data
        ends_slopes = slopes(getattr(F, name), far[:4])
    tight = 1e-14 if dtype == np.float64 else 1e-6
    wanted = FORMULAS[name](x.astype(np.float64))
    np.testing.assert_allclose(y, wanted, rtol=tight, atol=tight)
    assert y.dtype == dtype
    assert np.isfinite(ends[:4]).all()
    assert np.isnan(ends[4])
    assert np.isfinite(ends_slopes).all()


def test_prelu_takes_a_slope_for_each_channel_or_one_for_all():
    x = np.random.default_rng(3).normal(size=(4, 3, 2, 5))
    own = np.array([0.1, -0.5, 2.0])
    layer = nn.PReLU(3).astype(np.float64)
    assert layer.state_dict()["weight"].tolist() == [0.25] * 3
    layer.weight.data[:] = own
    np.testing.assert_allclose(
        layer(Tensor(x)).data, np.where(x > 0, x, x * own[:, None, None]), rtol=1e-12
    )
    np.testing.assert_allclose(
        nn.PReLU(init=0.5).astype(np.float64)(Tensor(x)).data, np.where(x > 0, x, x / 2), rtol=1e-12
    )


LAYERS = [
    (nn.ReLU(), F.relu, ""),
    (nn.Sigmoid(), F.sigmoid, ""),
    (nn.Tanh(), F.tanh, ""),
    (nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2), "negative_slope=0.2"),
    (nn.ELU(0.5), lambda x: F.elu(x, 0.5), "alpha=0.5"),
    (nn.SELU(), F.selu, ""),
    (nn.GELU("tanh"), lambda x: F.gelu(x, "tanh"), "approximate='tanh'"),
    (nn.Softplus(2.0, 5.0), lambda x: F.softplus(x, 2.0, 5.0), "beta=2.0, threshold=5.0"),
    (nn.SiLU(), F.silu, ""),
    (nn.Hardsigmoid(), F.hardsigmoid, ""),
    (nn.Hardtanh(-2.0, 0.5), lambda x: F.hardtanh(x, -2.0, 0.5), "min_val=-2.0, max_val=0.5"),
    (nn.Softmax(0), lambda x: F.softmax(x, 0), "dim=0"),
    (nn.LogSoftmax(0), lambda x: F.log_softmax(x, 0), "dim=0"),
]


@pytest.mark.parametrize(("layer", "function", "options"), LAYERS)
def test_layers(layer, function, options):
    x = Tensor(X.reshape(3, 3))
    np.testing.assert_array_equal(layer(x).data, function(x).data)
    assert repr(layer) == f"{type(layer).__name__}({options})"
    assert layer.state_dict() == {}


ALL = ["relu", "sigmoid", "tanh", "softmax", "log_softmax", *FORMULAS]


@pytest.mark.parametrize("name", ALL)
def test_bad_input(name):
    operation = getattr(F, name)
    with pytest.raises(DTypeError, match=f"{name}: expected x of a floating type, got int64"):
        operation(Tensor(np.array([1, 2])))
    with pytest.raises(DTypeError, match=f"{name}: expected x as a Tensor, got list"):
        operation([1.0, 2.0])


@pytest.mark.parametrize(
    ("function", "layer", "options", "says"),
    [
        (F.leaky_relu, nn.LeakyReLU, {"negative_slope": math.nan}, "negative_slope as a finite"),
        (F.elu, nn.ELU, {"alpha": "1"}, "alpha as a finite number, got '1'"),
        (F.gelu, nn.GELU, {"approximate": "erf"}, 'approximate "none" or "tanh", got \'erf\''),
        (F.softplus, nn.Softplus, {"beta": 0}, "beta above 0, got 0"),
        (F.softplus, nn.Softplus, {"threshold": math.inf}, "threshold as a finite number, got inf"),
        (F.hardtanh, nn.Hardtanh, {"min_val": 2.0}, "min_val < max_val, got 2.0 and 1.0"),
        (F.hardtanh, nn.Hardtanh, {"max_val": math.nan}, "min_val < max_val, got -1.0 and nan"),
    ],
)
def test_bad_options(function, layer, options, says):
    with pytest.raises(ArgumentError, match=f"{function.__name__}: expected {says}"):
        function(Tensor(X), **options)
    with pytest.raises(ArgumentError, match=f"{layer.__name__}: expected {says}"):
        layer(**options)


@pytest.mark.parametrize("telling", ["numpy", "cython"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [1, 3, 40])
def test_where_prelu_is_positive_neither_slope_nor_gradient_leave_their_place(
    telling, dtype, length
):
    x = np.repeat(np.array([2, -2, 2], dtype)[None, :, None], length, axis=2)
    slopes = Tensor(np.array([np.inf, np.nan, np.nan], dtype), requires_grad=True)
    with backend.use(telling):
        y = F.prelu(Tensor(x, requires_grad=True), slopes)
        np.testing.assert_array_equal(y.data[:, [0, 2]], x[:, [0, 2]])
        assert np.isnan(y.data[:, 1]).all()
        y.backward(np.full(x.shape, np.inf, dtype))
    np.testing.assert_array_equal(slopes.grad, [0, -np.inf, 0])


def test_bad_prelu():
    says = (
        r"prelu: expected weight of shape \(1,\) or \(3,\), one for each channel of x, got \(2,\)"
    )
    with pytest.raises(ShapeError, match=says):
        F.prelu(Tensor(np.ones((2, 3))), Tensor(np.ones(2)))
    with pytest.raises(ShapeError, match=r"expected weight of shape \(1,\) or \(1,\)"):
        F.prelu(Tensor(np.ones(2)), Tensor(np.ones(2)))
    with pytest.raises(DTypeError, match="prelu: expected weight of a floating type"):
        F.prelu(Tensor(np.ones((2, 3))), Tensor(np.ones(3, int)))
    with pytest.raises(ArgumentError, match="PReLU: expected num_parameters as an integer"):
        nn.PReLU(0)
    with pytest.raises(ArgumentError, match="PReLU: expected init as a finite number"):
        nn.PReLU(init=math.inf)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_bad_axis(name):
    operation = getattr(F, name)
    with pytest.raises(ShapeError, match=f"{name}: expected distinct axes between -2 and 1"):
        operation(Tensor(np.ones((2, 3))), axis=2)
    with pytest.raises(ShapeError, match=f"{name}: expected at least one element along axis 1"):
        operation(Tensor(np.ones((2, 0))))
