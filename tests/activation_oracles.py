"""What the specification of the activations must do, told one number at a time.

Values come from the formula in plain floats or SciPy, gradients from central differences and, at
kinks, from what the docstrings promise. kernel_oracles lists these with the others.
"""

import math

import numpy as np
import scipy.special

X = np.array([-30.0, -4.5, -2.9, -1.3, -0.4, -1e-6, 1e-6, 0.7, 1.9, 3.1, 30.0])
FAR = np.array([-np.inf, -1e300, 1e300, np.inf])


def close(got, want, tolerance=1e-12):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=1e-15)


def check(forward, backward, formula, *numbers):
    """Value by value against the formula, and dx = dy f' against differences of the formula."""
    y = [formula(float(x)) for x in X]
    close(forward(X, *numbers), y)
    dy = np.random.default_rng(3).standard_normal(X.shape)
    step = 1e-7
    slopes = [(formula(x + step) - formula(x - step)) / (2 * step) for x in map(float, X)]
    np.testing.assert_allclose(backward(dy, X, *numbers), dy * slopes, rtol=1e-6, atol=1e-7)
    assert np.isnan(forward(np.array(np.nan), *numbers))


def check_far(forward, backward, values, slopes, *numbers):
    """Beyond all bounds: -inf, -1e300, 1e300 and inf, without a warning."""
    close(forward(FAR, *numbers), values)
    close(backward(np.full(4, 3.0), FAR, *numbers), 3 * np.array(slopes))


def leaky_relu(module):
    forward, backward = module.leaky_relu_forward, module.leaky_relu_backward
    check(forward, backward, lambda x: x if x > 0 else 0.3 * x, 0.3)
    close(backward(np.array([2.0]), np.array([0.0]), 0.3), [0.6])


def prelu(module):
    rng = np.random.default_rng(5)
    for n, c, s in [(3, 2, 4), (2, 3, 1), (0, 2, 3)]:
        x, dy, weight = (rng.standard_normal(shape) for shape in [(n, c, s), (n, c, s), c])
        y, dx, dweight = np.empty_like(x), np.empty_like(x), np.zeros(c)
        for i, j, k in np.ndindex(x.shape):
            positive = x[i, j, k] > 0
            y[i, j, k] = x[i, j, k] * (1 if positive else weight[j])
            dx[i, j, k] = dy[i, j, k] * (1 if positive else weight[j])
            dweight[j] += 0 if positive else dy[i, j, k] * x[i, j, k]
        close(module.prelu_forward(x, weight), y)
        close(module.prelu_backward(dy, x, weight)[0], dx)
        close(module.prelu_backward(dy, x, weight)[1], dweight)
    zero, endless = np.zeros((1, 1, 1)), np.full((1, 1, 1), np.inf)
    dx, _ = module.prelu_backward(zero + 2.0, zero, np.array([0.3]))
    close(dx, [[[0.6]]])
    with np.errstate(invalid="ignore"):  # 0 counts as negative: its product is taken
        assert np.isnan(module.prelu_forward(zero, endless[0, 0]))
        assert np.isnan(module.prelu_backward(endless, zero, np.ones(1))[1])


def elu(module):
    forward, backward = module.elu_forward, module.elu_backward
    check(forward, backward, lambda x: 1.1 * (x if x > 0 else 0.7 * math.expm1(x)), 0.7, 1.1)
    close(backward(np.array([2.0]), np.array([0.0]), 0.7, 1.1), [2 * 0.7 * 1.1])
    check_far(forward, backward, [-1.4, -1.4, 2e300, np.inf], [0, 0, 2, 2], 0.7, 2.0)


def gelu(module):
    forward, backward = module.gelu_forward, module.gelu_backward
    check(forward, backward, lambda x: x * float(scipy.special.ndtr(x)))
    check_far(forward, backward, [0, 0, 1e300, np.inf], [0, 0, 1, 1])


def gelu_tanh(module):
    def formula(x):
        u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return x * float(scipy.special.expit(2 * u))

    forward, backward = module.gelu_tanh_forward, module.gelu_tanh_backward
    check(forward, backward, formula)
    check_far(forward, backward, [0, 0, 1e300, np.inf], [0, 0, 1, 1])


def softplus(module):
    forward, backward = module.softplus_forward, module.softplus_backward
    for beta, threshold in [(1.0, 50.0), (2.5, 4.0)]:

        def formula(x, beta=beta, threshold=threshold):
            return x if beta * x > threshold else float(np.logaddexp(0, beta * x)) / beta

        check(forward, backward, formula, beta, threshold)
    border = np.array([2.0])  # beta x = threshold: not yet the line
    close(forward(border, 2.0, 4.0), [math.log1p(math.exp(4)) / 2])
    close(backward(border, border, 2.0, 4.0), 2 * scipy.special.expit([4.0]))
    check_far(forward, backward, [0, 0, 1e300, np.inf], [0, 0, 1, 1], 1e9, 20.0)


def silu(module):
    forward, backward = module.silu_forward, module.silu_backward
    check(forward, backward, lambda x: x * float(scipy.special.expit(x)))
    check_far(forward, backward, [0, 0, 1e300, np.inf], [0, 0, 1, 1])


def hard(module):
    check(
        module.hard_sigmoid_forward,
        module.hard_sigmoid_backward,
        lambda x: min(max(x / 6 + 0.5, 0), 1),
    )
    check(
        module.hard_tanh_forward,
        module.hard_tanh_backward,
        lambda x: min(max(x, -1.5), 2.5),
        -1.5,
        2.5,
    )
    borders, dy = np.array([-3.0, 3.0]), np.array([2.0, 5.0])
    close(module.hard_sigmoid_backward(dy, borders), [0, 0])
    close(module.hard_tanh_backward(dy, borders, -3.0, 4.0), [0, 5])
    close(module.hard_tanh_backward(dy, borders, -4.0, 3.0), [2, 0])


ORACLES = [leaky_relu, prelu, elu, gelu, gelu_tanh, softplus, silu, hard]
