"""The gradient checker must notice wrong gradients, and show where they are wrong."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import autograd
from minidl.autograd import Function
from minidl.errors import AutogradError
from minidl.gradcheck import GradientError, central_differences, gradcheck


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(size=(3, 4))


class Squares(Function):
    """x^2 with a backward that `spoil` makes wrong."""

    def forward(self, x, *, spoil):
        self.x, self.spoil = x, spoil
        return x * x

    def backward(self, grad):
        return self.spoil(2 * self.x * grad)


def spoiled(spoil):
    return lambda x: Squares.apply(x, spoil=spoil)


def one_element(gradient):
    gradient[1, 2] += 1.0
    return gradient


def test_a_right_gradient_passes_and_is_reported(x):
    (report,) = gradcheck(spoiled(lambda g: g), [x])
    assert not report.wrong.any()
    assert report.error < 1e-8
    np.testing.assert_allclose(report.numeric, report.tape, rtol=1e-6)
    assert str(report).startswith("input 0 (3, 4): right")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda g: -g, "is -1 times the numeric one"),
        (lambda g: 2 * g, "is 2 times the numeric one"),
        (lambda g: 0 * g, "every element of the tape's gradient is zero"),
        (lambda g: np.where(g > 0, g, np.nan), "not finite"),
        (one_element, "1 of 12 elements wrong; worst at [1, 2]"),
        (lambda g: g[::-1].copy(), "elements wrong"),
    ],
)
def test_a_wrong_gradient_is_described(x, spoil, says):
    with pytest.raises(GradientError) as caught:
        gradcheck(spoiled(spoil), [x])
    assert says in str(caught.value)


def test_the_map_shows_the_wrong_element(x):
    with pytest.raises(GradientError) as caught:
        gradcheck(spoiled(one_element), [x])
    assert str(caught.value).splitlines()[-3:] == ["  ....", "  ..x.", "  ...."]


def test_the_map_names_its_plane():
    cube = np.random.default_rng(0).normal(size=(2, 3, 2))

    def spoil(gradient):
        gradient[1, 0, 1] -= 5.0
        return gradient

    with pytest.raises(GradientError, match=r"in plane \[1\]"):
        gradcheck(spoiled(spoil), [cube])


def test_a_gradient_that_vanishes_under_ones_is_still_checked(x):
    """Softmax's gradient is zero when the upstream gradient is all ones; here it is random."""

    class Softmax(Function):
        def forward(self, x):
            e = np.exp(x - x.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        def backward(self, grad):
            return np.zeros_like(grad)

    with pytest.raises(GradientError, match="zero"):
        gradcheck(Softmax.apply, [x])


def test_every_input_is_checked_and_integers_are_passed_through(x):
    index = np.array([2, 0, 1])
    reports = gradcheck(lambda a, i, b: a[i.data] * b, [x, index, x + 1.0])
    assert [r.index for r in reports] == [0, 2]


def test_several_results_are_weighted_together(x):
    gradcheck(lambda a: (a * a, a.sum(axis=0)), [x])
    with pytest.raises(GradientError):
        gradcheck(lambda a: (a * a, a.detach().sum(axis=0) + a.sum(axis=0) * 0.5), [x])


def test_float32_inputs_are_checked_in_float64(x):
    seen = []

    def f(a):
        seen.append(a.dtype)
        return a * a

    gradcheck(f, [x.astype(np.float32)])
    assert set(seen) == {np.dtype(np.float64)}


def test_a_random_function_is_refused(x):
    rng = np.random.default_rng(0)
    with pytest.raises(AutogradError, match="same result each time"):
        gradcheck(lambda a: a * rng.normal(), [x])


def test_a_function_that_ignores_an_input_has_zero_gradient(x):
    _, report = gradcheck(lambda a, b: a * 2.0, [x, x])
    assert not report.tape.any()


def test_scalars_and_empty_arrays(x):
    gradcheck(lambda a: a * a, [np.float64(1.5)])
    (report,) = gradcheck(lambda a: a * a, [np.zeros((0, 3))])
    assert report.error == 0.0
    with pytest.raises(GradientError, match="1 of 1"):
        gradcheck(lambda a: a * a.detach(), [np.array(1.5)])


def test_damage_through_numpy_is_noticed(x):
    def damages(a):
        y = a * a
        a.data[0, 0] += 1.0
        return y

    with pytest.raises(AutogradError):
        gradcheck(damages, [x])


def test_central_differences_restore_the_array(x):
    before = x.copy()
    gradient = central_differences(lambda: float((x**3).sum()), x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(gradient, 3 * x**2, rtol=1e-6, atol=1e-8)


def test_enough_is_recorded_even_under_no_grad(x):
    with autograd.no_grad(), pytest.raises(GradientError):
        gradcheck(lambda a: Tensor(a.data * 2), [x])
