"""Every public operation, by the table in operations/; and proof that each check can fail."""

import inspect

import numpy as np
import pytest
from operations import OPERATIONS, Sample

import minidl
from minidl.tensor import Tensor
from minidl import functional as F
from minidl.autograd import Function
from minidl.errors import AutogradError
from minidl.gradcheck import GradientError, gradcheck

ALL = [
    pytest.param(sample, id=f"{name}: {sample.label}")
    for name, row in OPERATIONS.items()
    for sample in row
]


def is_float(array):
    return array.dtype.kind == "f"


def run(sample, arrays, upstream_seed=0):
    """Return the result and the gradients of the floating arrays, upstream drawn at random."""
    tensors = [Tensor(a, requires_grad=is_float(a)) for a in arrays]
    y = sample.call(*tensors)
    upstream = np.random.default_rng(upstream_seed).normal(size=y.shape).astype(y.dtype)
    kept = upstream.copy()
    y.backward(upstream)
    np.testing.assert_array_equal(upstream, kept, "the upstream gradient was written to")
    return y.data, [t.grad for t in tensors if t.requires_grad]


def check_float32(sample):
    narrow = [a.astype(np.float32) if is_float(a) else a for a in sample.arrays]
    y, grads = run(sample, narrow)
    assert y.dtype == np.float32
    assert [g.dtype for g in grads] == [np.float32] * len(grads)
    wide, wide_grads = run(sample, [a.astype(np.float64) if is_float(a) else a for a in narrow])
    assert wide.dtype == np.float64
    for got, exact in zip([y, *grads], [wide, *wide_grads], strict=True):
        bound = 2e-5 * max(float(np.abs(exact).max(initial=0.0)), 1.0)
        np.testing.assert_allclose(got, exact, rtol=0, atol=bound)


def check_inputs_kept(sample):
    arrays = [a.copy() for a in sample.arrays]
    run(sample, arrays)
    for array, before in zip(arrays, sample.arrays, strict=True):
        np.testing.assert_array_equal(array, before, "an input was written to")


def check_layout(sample):
    y, grads = run(sample, sample.arrays)
    for spread in (lambda a: np.asfortranarray(a), lambda a: np.repeat(a, 2, -1)[..., ::2]):
        arrays = [spread(a) if a.ndim else a for a in sample.arrays]
        again, grads_again = run(sample, arrays)
        np.testing.assert_allclose(again, y, rtol=1e-12, atol=1e-12)
        for got, wanted in zip(grads_again, grads, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


def check_no_grad(sample):
    y, _ = run(sample, sample.arrays)
    with minidl.no_grad():
        quiet = sample.call(*(Tensor(a, requires_grad=is_float(a)) for a in sample.arrays))
    assert not quiet.requires_grad
    assert quiet.grad_fn is None
    np.testing.assert_array_equal(quiet.data, y)


def check_each_input_alone(sample):
    """The gradient of each input, when no other wants one, is the gradient it has among all."""
    floating = [i for i, a in enumerate(sample.arrays) if is_float(a)]
    _, grads = run(sample, sample.arrays)
    for i, wanted in zip(floating, grads, strict=True):
        tensors = [Tensor(a, requires_grad=j == i) for j, a in enumerate(sample.arrays)]
        y = sample.call(*tensors)
        y.backward(np.random.default_rng(0).normal(size=y.shape))
        assert tensors[i].grad is not None, f"no gradient for input {i}"
        np.testing.assert_array_equal(tensors[i].grad, wanted)
        assert all(t.grad is None for j, t in enumerate(tensors) if j != i)


def missing_and_extra(public, table):
    """Return the public functions without a row (or samples), and the rows without a function."""
    return sorted(n for n in public if not table.get(n)), sorted(set(table) - set(public))


@pytest.mark.parametrize("sample", ALL)
def test_gradient_matches_differences(sample):
    gradcheck(sample.call, sample.arrays, seed=1)


@pytest.mark.parametrize("sample", ALL)
def test_float32_stays_float32(sample):
    check_float32(sample)


@pytest.mark.parametrize("sample", ALL)
def test_inputs_are_not_written_to(sample):
    check_inputs_kept(sample)


@pytest.mark.parametrize("sample", ALL)
def test_any_memory_layout_gives_the_same(sample):
    check_layout(sample)


@pytest.mark.parametrize("sample", ALL)
def test_no_grad_gives_the_same_and_records_nothing(sample):
    check_no_grad(sample)


SEVERAL = [p for p in ALL if sum(is_float(a) for a in p.values[0].arrays) > 1]


@pytest.mark.parametrize("sample", SEVERAL)
def test_each_input_alone_gets_its_gradient(sample):
    check_each_input_alone(sample)


def test_the_table_is_complete():
    assert missing_and_extra(F.__all__, OPERATIONS) == ([], [])


def test_every_public_function_is_in_all():
    public = {n for n, f in vars(F).items() if inspect.isfunction(f) and not n.startswith("_")}
    assert public == set(F.__all__)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_sample_calls_its_own_row(name, monkeypatch):
    calls = []
    real = getattr(F, name)
    monkeypatch.setattr(F, name, lambda *a, **k: (calls.append(name), real(*a, **k))[1])
    for count, sample in enumerate(OPERATIONS[name], start=1):
        sample.call(*(Tensor(a) for a in sample.arrays))
        assert len(calls) == count, sample.label


# -- proof that the checks can fail ------------------------------------------------------------


class Halved(Function):
    """x, with half its gradient."""

    def forward(self, x):
        return x.copy()

    def backward(self, grad):
        return grad / 2


class Widening(Function):
    """x in float64."""

    def forward(self, x):
        return x.astype(np.float64)

    def backward(self, grad):
        return grad


class Writing(Function):
    """x, after writing into it."""

    def forward(self, x):
        x += 1
        return x.copy()

    def backward(self, grad):
        return grad


class WritingBack(Function):
    """x, with a backward that writes into the upstream gradient."""

    def forward(self, x):
        return x.copy()

    def backward(self, grad):
        grad *= 2
        return grad


class InMemoryOrder(Function):
    """x read in the order of its memory, whatever its strides."""

    def forward(self, x):
        self.way = "F" if x.flags.f_contiguous else "C"
        return x.reshape(x.shape[::-1], order=self.way).copy()

    def backward(self, grad):
        return grad.reshape(grad.shape[::-1], order=self.way)


class Unrecorded(Function):
    """x, doubled when the tape is off."""

    def forward(self, x):
        return x * (1 if any(self.needs) else 2)

    def backward(self, grad):
        return grad


class OnlyTogether(Function):
    """x + z, with a gradient for x only when z wants one too."""

    def forward(self, x, z):
        return x + z

    def backward(self, grad):
        return grad if self.needs[1] else None, grad


def broken(function):
    return Sample("broken", (np.random.default_rng(8).normal(size=(3, 4)),), function.apply)


def test_a_wrong_gradient_is_noticed():
    with pytest.raises(GradientError, match=r"0\.5 times"):
        gradcheck(broken(Halved).call, broken(Halved).arrays)


@pytest.mark.parametrize(
    ("check", "function"),
    [
        (check_float32, Widening),
        (check_inputs_kept, Writing),
        (check_inputs_kept, WritingBack),
        (check_layout, InMemoryOrder),
        (check_no_grad, Unrecorded),
    ],
)
def test_a_broken_operation_is_noticed(check, function):
    with pytest.raises((AssertionError, AutogradError)):
        check(broken(function))


def test_an_input_forgotten_when_alone_is_noticed():
    sample = Sample("broken", (np.ones((3, 4)), np.ones((3, 4))), OnlyTogether.apply)
    with pytest.raises(AssertionError, match="no gradient for input 0"):
        check_each_input_alone(sample)


def test_a_hole_in_the_table_is_noticed():
    table = {n: row for n, row in OPERATIONS.items() if n != "relu"}
    assert missing_and_extra(F.__all__, table) == (["relu"], [])
    assert missing_and_extra(F.__all__, {**table, "relu": []}) == (["relu"], [])
    assert missing_and_extra(F.__all__, {**OPERATIONS, "gone": []}) == ([], ["gone"])
