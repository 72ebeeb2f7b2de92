"""Tensor: conversion, operators against NumPy, gradients by gradcheck, and clear errors."""

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl.errors import ArgumentError, AutogradError, DTypeError, ShapeError
from minidl.functional import arithmetic, reduction, shape
from minidl.functional.linear import linear, matmul
from minidl.functional.padding import pad
from minidl.gradcheck import gradcheck


@pytest.fixture
def rng():
    return np.random.default_rng(11)


class TestConversion:
    @pytest.mark.parametrize(
        ("data", "dtype"),
        [
            (1.5, np.float32),
            ([[1.0, 2.0]], np.float32),
            (3, np.int64),
            ([True, False], np.bool_),
            (np.ones(2), np.float64),
            (np.float64(2.0), np.float64),
            (np.ones(2, np.float16), np.float32),
            (np.ones(2, np.uint8), np.uint8),
        ],
    )
    def test_dtypes(self, data, dtype):
        assert Tensor(data).dtype == dtype

    @pytest.mark.parametrize("data", ["text", [object()], [1j], np.zeros(2, "datetime64[s]")])
    def test_what_is_not_a_number_is_refused(self, data):
        with pytest.raises(DTypeError, match="expected numbers"):
            Tensor(data)

    def test_long_double_is_refused(self):
        with pytest.raises(DTypeError, match="float32 or float64"):
            Tensor(np.ones(2, np.longdouble))

    def test_numpy_shares_and_asarray_converts(self):
        array = np.arange(3.0)
        t = Tensor(array)
        assert t.numpy() is array
        assert np.asarray(t) is array
        assert np.asarray(t, dtype=np.float32).dtype == np.float32
        assert Tensor(t).data is array

    def test_python_numbers(self):
        assert Tensor(2.5).item() == 2.5
        assert float(Tensor([2.5])) == 2.5
        assert int(Tensor([7])) == 7
        assert bool(Tensor(0.0)) is False
        with pytest.raises(ShapeError, match="one element"):
            Tensor([1.0, 2.0]).item()

    def test_length_iteration_and_repr(self):
        t = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        assert len(t) == 2
        assert [row.shape for row in t] == [(2,), (2,)]
        assert "requires_grad=True" in repr(t)
        assert "grad_fn=Mul" in repr(t * 2.0)
        assert repr(Tensor(1.0)) == "Tensor(1.)"
        with pytest.raises(ShapeError, match="at least one axis"):
            len(Tensor(1.0))

    def test_zeros_and_ones(self):
        assert minidl.zeros(2, 3).shape == (2, 3)
        assert minidl.ones((2, 3), dtype=np.float64).data.sum() == 6.0
        assert minidl.ones(2, requires_grad=True).requires_grad


UNARY = {
    "neg": (lambda x: -x, np.negative),
    "exp": (lambda x: x.exp(), np.exp),
    "log": (lambda x: (x * x + 1.0).log(), lambda x: np.log(x * x + 1)),
    "sqrt": (lambda x: (x * x + 1.0).sqrt(), lambda x: np.sqrt(x * x + 1)),
    "abs": (abs, np.abs),
    "clip": (lambda x: x.clip(-0.5, 0.8), lambda x: np.clip(x, -0.5, 0.8)),
    "clip below": (lambda x: x.clip(low=0.1), lambda x: np.clip(x, 0.1, None)),
    "sum": (lambda x: x.sum(), np.sum),
    "sum over axes": (
        lambda x: x.sum((0, -1), keepdims=True),
        lambda x: x.sum((0, 2), keepdims=True),
    ),
    "mean": (lambda x: x.mean(1), lambda x: x.mean(1)),
    "var": (lambda x: x.var(0), lambda x: x.var(0)),
    "unbiased var": (lambda x: x.var((0, 2), correction=1), lambda x: x.var((0, 2), ddof=1)),
    "max": (lambda x: x.max(2, keepdims=True), lambda x: x.max(2, keepdims=True)),
    "min": (lambda x: x.min(), np.min),
    "reshape": (lambda x: x.reshape(4, -1), lambda x: x.reshape(4, -1)),
    "transpose": (lambda x: x.transpose(2, 0, 1), lambda x: x.transpose(2, 0, 1)),
    "T": (lambda x: x.T, lambda x: x.T),
    "flatten": (lambda x: x.flatten(), lambda x: x.reshape(2, -1)),
    "unsqueeze": (lambda x: x.unsqueeze(1), lambda x: x[:, None]),
    "squeeze": (lambda x: x[:, :1].squeeze(1), lambda x: x[:, 0]),
    "broadcast_to": (
        lambda x: x.broadcast_to(5, 2, 3, 4),
        lambda x: np.broadcast_to(x, (5, 2, 3, 4)),
    ),
    "slice": (lambda x: x[1, ::2, None, -2:], lambda x: x[1, ::2, None, -2:]),
    "repeated rows": (lambda x: x[[0, 1, 0, 0]], lambda x: x[[0, 1, 0, 0]]),
    "mask": (lambda x: x[x.data > 0], lambda x: x[x > 0]),
    "tensor index": (lambda x: x[Tensor([1, 0]), Tensor([2, 2])], lambda x: x[[1, 0], [2, 2]]),
    "clone": (lambda x: x.clone(), np.copy),
    "stack": (lambda x: shape.stack([x, x * 2.0], 1), lambda x: np.stack([x, x * 2], 1)),
    "concatenate": (
        lambda x: shape.concatenate([x[:, :1], x, x], -2),
        lambda x: np.concatenate([x[:, :1], x, x], 1),
    ),
    "pad": (
        lambda x: pad(x, [(0, 0), (1, 2), (0, 1)], 3.0),
        lambda x: np.pad(x, [(0, 0), (1, 2), (0, 1)], constant_values=3.0),
    ),
    "number on the left": (lambda x: 2.0 - 3.0 / (x * x + 1.0), lambda x: 2 - 3 / (x * x + 1)),
    "number to a power": (lambda x: 2.0**x, lambda x: 2.0**x),
    "square": (lambda x: x**2, np.square),
    "zeroth power": (lambda x: x**0 + x, lambda x: 1 + x),
    "cube": (lambda x: x**3, lambda x: x**3),
    "array on the left": (lambda x: np.arange(4.0) * x, lambda x: np.arange(4.0) * x),
    "where": (
        lambda x: arithmetic.where(x.data > 0, x, x * 3.0),
        lambda x: np.where(x > 0, x, 3 * x),
    ),
}


@pytest.mark.parametrize("name", UNARY)
def test_value_and_gradient(name, rng):
    ours, numpys = UNARY[name]
    x = rng.uniform(0.05, 1.0, (2, 3, 4)) * rng.choice([-1.0, 1.0], (2, 3, 4))
    np.testing.assert_allclose(ours(Tensor(x)).data, numpys(x), rtol=1e-12)
    gradcheck(ours, [x])


BINARY = {
    "add": (lambda a, b: a + b, np.add),
    "sub": (lambda a, b: a - b, np.subtract),
    "mul": (lambda a, b: a * b, np.multiply),
    "div": (lambda a, b: a / b, np.divide),
    "pow": (lambda a, b: a**b, np.power),
    "maximum": (arithmetic.maximum, np.maximum),
}
BROADCASTS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((2, 1, 3), (4, 1))]


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
def test_broadcasting_value_and_gradient(name, shapes, rng):
    ours, numpys = BINARY[name]
    a, b = (rng.uniform(0.5, 2.0, s) for s in shapes)
    np.testing.assert_allclose(ours(Tensor(a), Tensor(b)).data, numpys(a, b), rtol=1e-12)
    gradcheck(ours, [a, b])


MATMULS = [
    ((3, 4), (4, 2)),
    ((4,), (4,)),
    ((4,), (4, 2)),
    ((3, 4), (4,)),
    ((2, 3, 4), (4, 2)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 3)),
    ((5, 1, 3, 4), (2, 4, 2)),
]


@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul(shapes, rng):
    a, b = (rng.normal(size=s) for s in shapes)
    np.testing.assert_allclose((Tensor(a) @ Tensor(b)).data, a @ b, rtol=1e-12)
    gradcheck(matmul, [a, b])


def test_array_times_tensor_asks_the_tensor(rng):
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
    t = Tensor(b, requires_grad=True)
    product = a @ t
    assert isinstance(product, Tensor)
    assert product.requires_grad
    np.testing.assert_allclose(product.data, a @ b)


def test_comparisons_give_bool_tensors():
    t = Tensor([1.0, 2.0, 3.0])
    for result, wanted in [
        (t > 2, [False, False, True]),
        (t >= 2, [False, True, True]),
        (t < Tensor(2.0), [True, False, False]),
        (t <= 2, [True, True, False]),
        (t == 2, [False, True, False]),
        (t != 2, [True, False, True]),
    ]:
        assert result.dtype == bool
        assert result.data.tolist() == wanted
    assert t.argmax().item() == 2
    assert Tensor([[1.0, 5.0], [7.0, 2.0]]).argmax(1).data.tolist() == [1, 0]


def test_tensors_can_be_dictionary_keys():
    t = Tensor(1.0)
    assert {t: "kept"}[t] == "kept"


def test_equal_maxima_share_the_gradient():
    x = Tensor(np.array([[2.0, 2.0, 1.0]]), requires_grad=True)
    x.max(1).backward(np.array([3.0]))
    np.testing.assert_array_equal(x.grad, [[1.5, 1.5, 0.0]])


def test_gradient_of_integer_positions_and_casts(rng):
    x = Tensor(rng.normal(size=3).astype(np.float32), requires_grad=True)
    y = x.astype(np.float64) * 2.0
    assert y.dtype == np.float64
    y.backward(np.array([1.0, -2.0, 0.5]))
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [2.0, -4.0, 1.0])


def test_zero_to_a_power_has_a_finite_gradient():
    x = Tensor(np.array([0.0, 2.0]), requires_grad=True)
    (x**2).backward(np.array([5.0, 1.0]))
    np.testing.assert_array_equal(x.grad, [0.0, 4.0])
    p = Tensor(np.array([2.0, 2.0]), requires_grad=True)
    (np.array([0.0, np.e]) ** p).backward(np.array([1.0, 1.0]))
    np.testing.assert_allclose(p.grad, [0.0, np.e**2])


def test_nan_and_infinity_pass_through_without_warnings():
    x = Tensor(np.array([np.nan, 0.0, -1.0]), requires_grad=True)
    y = x.log()
    np.testing.assert_array_equal(y.data, [np.nan, -np.inf, np.nan])
    y.sum().backward()
    assert np.isnan(x.grad[0])
    assert np.isinf(x.grad[1])
    assert np.isnan(x.sqrt().data[2])


def test_writing_by_index():
    x = Tensor(np.zeros((2, 2)))
    x[0] = Tensor([1.0, 2.0])
    x[Tensor([1]), 0] = 5
    np.testing.assert_array_equal(x.data, [[1.0, 2.0], [5.0, 0.0]])
    learned = Tensor(np.zeros(2), requires_grad=True)
    with pytest.raises(AutogradError, match="under no_grad"):
        learned[0] = 1.0
    with minidl.no_grad():
        learned[0] = 1.0
    assert learned.data[0] == 1.0


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda x: x + np.ones(5), r"add: expected shapes that broadcast.*\(2, 3, 4\) and \(5,\)"),
        (
            lambda x: x @ np.ones((5, 2)),
            r"matmul: expected inner sizes.*\(2, 3, 4\) @ \(5, 2\).*\.T",
        ),
        (lambda x: x @ 2.0, "matmul"),
        (lambda x: x.reshape(5, -1), r"reshape: expected a shape for 24 elements.*\(5, -1\)"),
        (lambda x: x.reshape(-1, -1), "reshape"),
        (lambda x: x.reshape(25), "reshape"),
        (lambda x: x.transpose(0, 1), r"transpose: expected all 3 axes"),
        (lambda x: x.transpose(0, 1, 1), "transpose: expected distinct axes"),
        (lambda x: x.sum(3), r"sum: expected distinct axes between -3 and 2, got \(3,\)"),
        (lambda x: x.sum().sum(0), "sum: expected a tensor with axes, got a single number"),
        (lambda x: x[2], r"index: expected an index into shape \(2, 3, 4\), got 2"),
        (lambda x: x.broadcast_to(2, 3), "broadcast_to"),
        (lambda x: x.flatten(3), "flatten: expected start between 0 and 2"),
        (lambda x: x[:0].mean(), "mean: expected at least 1 elements"),
        (lambda x: x[:0].max(0), "max: expected at least 1 elements"),
        (lambda x: x[:1].var(0, correction=1), "var: expected at least 2 elements"),
        (lambda x: shape.concatenate([x, x[:, :, :1]]), "concatenate: expected shapes equal but"),
        (lambda x: shape.stack([x, x[0]]), "stack: expected tensors of one shape"),
        (lambda x: pad(x, [(1, 1)]), "pad: expected 3 pairs"),
        (
            lambda x: linear(x, Tensor(np.ones((2, 5)))),
            r"linear: expected x of shape \(..., 5\)",
        ),
        (
            lambda x: linear(x, Tensor(np.ones((2, 4))), Tensor(np.ones(3))),
            "linear: expected bias",
        ),
        (lambda x: arithmetic.where(np.ones(5), x, x), "where"),
    ],
)
def test_shape_errors(operation, message):
    with pytest.raises(ShapeError, match=message):
        operation(Tensor(np.zeros((2, 3, 4)), requires_grad=True))


def test_argument_errors():
    with pytest.raises(ArgumentError, match="shape: expected integers"):
        Tensor(np.zeros(4)).reshape("2", 2)
    with pytest.raises(ArgumentError, match="at least one tensor"):
        shape.concatenate([])


def test_reductions_accept_a_list_of_axes_and_empty_sums():
    x = Tensor(np.zeros((0, 3)))
    assert reduction.total(x).item() == 0.0
    assert x.sum(0).shape == (3,)


def test_arrays_of_other_libraries_keep_their_type():
    class Foreign:
        def __init__(self, dtype):
            self.values = np.array([1 / 3, 2 / 3], dtype)

        def __array__(self, dtype=None, copy=None):
            return np.array(self.values, dtype=dtype, copy=copy)

    for dtype in (np.float64, np.float32, np.int64):
        t = Tensor(Foreign(dtype))
        assert t.dtype == dtype
        np.testing.assert_array_equal(t.data, Foreign(dtype).values)
