"""Checks of the batch-norm assignment.

Expected values come from definitions.py, in float64. So do inputs that another task's function
produces: every task stands alone.

Tolerances are those of minidl.grading.compare (1e-7 of the largest value in float64, 1e-4 in
float32) where a check states no other; 1e-6 for central differences.
"""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close

from .definitions import (
    EPS,
    composed,
    draw_backward,
    draw_batch,
    draw_batches,
    draw_linear,
    draw_running,
    draw_shape,
    draw_statistics,
    draw_weights,
    folded,
    normalize,
    slopes,
    updated,
    with_statistics,
)

# --- forward -------------------------------------------------------------------------------------


@check(task="forward", points=3)
def mean_and_variance_of_each_channel(student, case):
    """mean and var are those of all values of a channel, over the batch and over space."""
    x, gamma, beta = draw_batch(case, draw_shape(case))
    _, _, _, mean, var = student.forward(x, gamma, beta, EPS)
    want = normalize(x, gamma, beta, EPS)
    close(mean, want[3], "mean")
    close(var, want[4], "var")


@check(task="forward", points=4)
def normalizes_each_channel(student, case):
    """inv_std, x_hat and y follow from the mean and variance of each channel."""
    x, gamma, beta = draw_batch(case, draw_shape(case))
    y, x_hat, inv_std, _, _ = student.forward(x, gamma, beta, EPS)
    want = normalize(x, gamma, beta, EPS)
    close(inv_std, want[2], "inv_std")
    close(x_hat, want[1], "x_hat")
    close(y, want[0], "y")


@check(task="forward", points=3)
def eps_counts_where_the_variance_is_small(student, case):
    """With a variance no larger than eps, it shows where eps stands and that it is used."""
    n, c, s = draw_shape(case)
    eps = case.turn(1e-3, 0.1, 1e-5)
    x, gamma, beta = case.normal(n, c, s, scale=np.sqrt(eps)), *draw_weights(case, c)
    y, x_hat, inv_std, _, _ = student.forward(x, gamma, beta, eps)
    want = normalize(x, gamma, beta, eps)
    close(inv_std, want[2], "inv_std")
    close(x_hat, want[1], "x_hat")
    close(y, want[0], "y")


@check(task="forward", points=3)
def keeps_its_digits_far_from_zero(student, case):
    """float32 values around 10,000 with a spread of 1 are normalized as well as others.

    The mean itself is rounded there, to about 1e-3, so 2e-2 of the largest value is accepted (the
    mean: 0.02), which any way that subtracts the mean first keeps. E[x^2] - E[x]^2 is off by whole
    units.
    """
    n, c, s = draw_shape(case)
    x = case.normal(n, c, s, mean=1e4, dtype=np.float32)
    gamma, beta = draw_weights(case, c, np.float32)
    y, x_hat, inv_std, mean, var = student.forward(x, gamma, beta, EPS)
    want = [array.astype(np.float32) for array in normalize(x, gamma, beta, EPS)]
    close(mean, want[3], "mean", rtol=2e-6)
    close(var, want[4], "var", rtol=2e-2)
    close(inv_std, want[2], "inv_std", rtol=2e-2)
    close(x_hat, want[1], "x_hat", rtol=2e-2)
    close(y, want[0], "y", rtol=2e-2)


@check(task="forward", points=2, public=3, hidden=6)
def small_and_thin_batches(student, case):
    """One image, one value per channel and image, one channel, one value in all."""
    shape = case.turn((1, 3, 7), (6, 2, 1), (4, 1, 5), (2, 3, 1), (1, 2, 1), (7, 5, 2))
    x, gamma, beta = draw_batch(case, shape)
    got = student.forward(x, gamma, beta, EPS)
    want = normalize(x, gamma, beta, EPS)
    for i, name in reversed(list(enumerate(("y", "x_hat", "inv_std", "mean", "var")))):
        # A single value has x_hat 0, up to rounding magnified by inv_std.
        close(got[i], want[i], name, atol=1e-9)


@check(task="forward", points=1, public=1, hidden=2)
def an_empty_batch(student, case):
    """No image at all: empty results, mean 0 and variance 0, and so inv_std 1 / sqrt(eps)."""
    shape = case.turn((0, 3, 4), (0, 1, 1))
    x, gamma, beta = draw_batch(case, shape)
    got = student.forward(x, gamma, beta, EPS)
    want = normalize(x, gamma, beta, EPS)
    for i, name in reversed(list(enumerate(("y", "x_hat", "inv_std", "mean", "var")))):
        close(got[i], want[i], name)


@check(task="forward", points=1)
def a_constant_channel_becomes_beta(student, case):
    """Where all values of a channel are equal, y is beta: nothing is divided by zero."""
    n, c, s = draw_shape(case)
    x, gamma, beta = draw_batch(case, (n, c, s))
    x[:, 0] = case.integer(1, 9)
    y, x_hat, inv_std, _, _ = student.forward(x, gamma, beta, EPS)
    want = normalize(x, gamma, beta, EPS)
    close(inv_std, want[2], "inv_std")
    close(x_hat, want[1], "x_hat", atol=1e-9)
    close(y, want[0], "y", atol=1e-9)


@check(task="forward", points=1)
def a_nan_spoils_its_own_channel(student, case):
    """Where one value is NaN, its channel is NaN in all five results, and no other one is."""
    n, c, s = draw_shape(case)
    x, gamma, beta = draw_batch(case, (n, c, s))
    x[case.integer(0, n - 1), case.integer(0, c - 1), case.integer(0, s - 1)] = np.nan
    got = student.forward(x, gamma, beta, EPS)
    want = normalize(x, gamma, beta, EPS)
    for i, name in reversed(list(enumerate(("y", "x_hat", "inv_std", "mean", "var")))):
        close(got[i], want[i], name)


@check(task="forward", points=2)
def answers_in_the_dtype_it_was_given(student, case):
    """float32 in, float32 out, and float64 in, float64 out, for all five results."""
    dtype = case.turn(np.float32, np.float64)
    x, gamma, beta = draw_batch(case, draw_shape(case), dtype)
    got = student.forward(x, gamma, beta, EPS)
    want = normalize(x, gamma, beta, EPS)
    for i, name in reversed(list(enumerate(("y", "x_hat", "inv_std", "mean", "var")))):
        close(got[i], want[i].astype(dtype), name)


# --- backward ------------------------------------------------------------------------------------


@check(task="backward", points=4)
def gradient_of_beta(student, case):
    """dbeta agrees with central differences of the loss by every beta."""
    x, gamma, beta, dy, x_hat, inv_std = draw_backward(case, draw_shape(case))
    _, _, dbeta = student.backward(dy, x_hat, inv_std, gamma)

    def loss():
        return np.sum(dy * normalize(x, gamma, beta, EPS)[0])

    numeric = slopes(case, "dbeta", loss, beta)
    close(dbeta, numeric, "dbeta", rtol=1e-6)


@check(task="backward", points=6)
def gradient_of_gamma(student, case):
    """dgamma agrees with central differences of the loss by every gamma."""
    x, gamma, beta, dy, x_hat, inv_std = draw_backward(case, draw_shape(case))
    _, dgamma, _ = student.backward(dy, x_hat, inv_std, gamma)

    def loss():
        return np.sum(dy * normalize(x, gamma, beta, EPS)[0])

    numeric = slopes(case, "dgamma", loss, gamma)
    close(dgamma, numeric, "dgamma", rtol=1e-6)


@check(task="backward", points=10, public=2, hidden=4)
def gradient_of_x(student, case):
    """dx agrees with central differences of the loss by every x."""
    x, gamma, beta, dy, x_hat, inv_std = draw_backward(case, draw_shape(case))
    dx, _, _ = student.backward(dy, x_hat, inv_std, gamma)

    def loss():
        return np.sum(dy * normalize(x, gamma, beta, EPS)[0])

    numeric = slopes(case, "dx", loss, x)
    close(dx, numeric, "dx", rtol=1e-6)


@check(task="backward", points=4, public=3, hidden=7)
def small_and_thin_batches_too(student, case):
    """All three gradients: one image, one value per image, one channel, no image, one value."""
    shapes = (1, 3, 7), (6, 2, 1), (4, 1, 5), (2, 3, 1), (3, 5, 2), (0, 2, 4), (1, 2, 1)
    shape = case.turn(*shapes)
    x, gamma, beta, dy, x_hat, inv_std = draw_backward(case, shape)
    dx, dgamma, dbeta = student.backward(dy, x_hat, inv_std, gamma)

    def loss():
        return np.sum(dy * normalize(x, gamma, beta, EPS)[0])

    close(dbeta, slopes(case, "dbeta", loss, beta), "dbeta", rtol=1e-6)
    close(dgamma, slopes(case, "dgamma", loss, gamma), "dgamma", rtol=1e-6)
    # Of two values, dx is nearly zero: a difference of large terms, known to about 1e-7.
    close(dx, slopes(case, "dx", loss, x), "dx", rtol=1e-6, atol=1e-7)


@check(task="backward", points=4)
def eps_as_large_as_the_variance(student, case):
    """All three gradients where eps matters, so that x_hat has less than unit variance."""
    x, gamma, beta, dy, x_hat, inv_std = draw_backward(case, draw_shape(case), eps=1.0)
    dx, dgamma, dbeta = student.backward(dy, x_hat, inv_std, gamma)

    def loss():
        return np.sum(dy * normalize(x, gamma, beta, 1.0)[0])

    close(dbeta, slopes(case, "dbeta", loss, beta), "dbeta", rtol=1e-6)
    close(dgamma, slopes(case, "dgamma", loss, gamma), "dgamma", rtol=1e-6)
    close(dx, slopes(case, "dx", loss, x), "dx", rtol=1e-6)


@check(task="backward", points=2)
def gradients_in_the_dtype_they_were_given(student, case):
    """float32 in, float32 out, and float64 in, float64 out, for all three gradients."""
    dtype = case.turn(np.float32, np.float64)
    x, gamma, beta, dy, x_hat, inv_std = draw_backward(case, draw_shape(case))
    given = [array.astype(dtype) for array in (dy, x_hat, inv_std, gamma)]
    dx, dgamma, dbeta = student.backward(*given)

    def loss():
        return np.sum(dy * normalize(x, gamma, beta, EPS)[0])

    rtol = 1e-3 if dtype == np.float32 else 1e-6
    close(dbeta, slopes(case, "dbeta", loss, beta).astype(dtype), "dbeta", rtol=rtol)
    close(dgamma, slopes(case, "dgamma", loss, gamma).astype(dtype), "dgamma", rtol=rtol)
    close(dx, slopes(case, "dx", loss, x).astype(dtype), "dx", rtol=rtol)


# --- inference -----------------------------------------------------------------------------------


@check(task="inference", points=5)
def uses_the_given_statistics(student, case):
    """y is measured against the mean and variance that were given, not those of the batch."""
    n, c, s = draw_shape(case)
    x, gamma, beta = draw_batch(case, (n, c, s))
    mean, var = draw_statistics(case, c)
    y = student.inference(x, gamma, beta, mean, var, EPS)
    close(y, with_statistics(x, gamma, beta, mean, var, EPS), "y")


@check(task="inference", points=3, public=2, hidden=5)
def a_single_image_or_none(student, case):
    """One image, one value per channel, one channel, no image, and eps as large as the variance."""
    shape = case.turn((1, 3, 5), (1, 2, 1), (4, 1, 3), (2, 4, 1), (0, 2, 3))
    x, gamma, beta = draw_batch(case, shape)
    mean, var = draw_statistics(case, shape[1])
    eps = case.turn(1e-3, 0.5)
    y = student.inference(x, gamma, beta, mean, var, eps)
    close(y, with_statistics(x, gamma, beta, mean, var, eps), "y")


@check(task="inference", points=2)
def inference_in_the_dtype_it_was_given(student, case):
    """float32 in, float32 out, and float64 in, float64 out."""
    dtype = case.turn(np.float32, np.float64)
    n, c, s = draw_shape(case)
    x, gamma, beta = draw_batch(case, (n, c, s), dtype)
    mean, var = draw_statistics(case, c, dtype)
    y = student.inference(x, gamma, beta, mean, var, EPS)
    close(y, with_statistics(x, gamma, beta, mean, var, EPS).astype(dtype), "y")


# --- update_running ------------------------------------------------------------------------------


@check(task="update_running", points=3, public=3)
def momentum_weights_the_new_value(student, case):
    """The running mean moves by momentum towards the batch's mean."""
    values, m = draw_running(case)
    momentum = case.turn(0.1, 0.75, 1.0, 0.3, 0.9, 0.01)
    new_mean, _ = student.update_running(*values, m, momentum)
    close(new_mean, updated(*values, m, momentum)[0], "new_mean")


@check(task="update_running", points=5, public=3)
def variance_is_unbiased(student, case):
    """The running variance moves towards the unbiased variance, large batch or small."""
    values, m = draw_running(case)
    momentum = case.turn(0.1, 0.75, 1.0, 0.3, 0.9, 0.01)
    _, new_var = student.update_running(*values, m, momentum)
    close(new_var, updated(*values, m, momentum)[1], "new_var")


@check(task="update_running", points=2)
def running_statistics_over_several_batches(student, case):
    """Three batches in a row, starting from mean 0 and variance 1, in float32 and float64."""
    dtype = case.turn(np.float32, np.float64)
    new_mean, new_var = np.zeros(4, dtype), np.ones(4, dtype)
    want = (new_mean, new_var)
    for _ in range(3):
        batch = draw_statistics(case, 4, dtype)
        new_mean, new_var = student.update_running(new_mean, new_var, *batch, 6, 0.2)
        want = updated(*want, *batch, 6, 0.2)
        close(new_mean, want[0].astype(dtype), "new_mean")
        close(new_var, want[1].astype(dtype), "new_var")


# --- population ----------------------------------------------------------------------------------


@check(task="population", points=3)
def mean_over_the_batches(student, case):
    """The population mean is the mean of the batches' means."""
    t = case.integer(2, 7)
    means, variances, m = draw_batches(case, t)
    mean, _ = student.population(means, variances, m)
    close(mean, sum(means[i] for i in range(t)) / t, "mean")


@check(task="population", points=5)
def variance_unbiased_over_the_batches(student, case):
    """The population variance is m / (m - 1) times the mean of the biased variances."""
    t = case.integer(2, 7)
    means, variances, m = draw_batches(case, t)
    _, var = student.population(means, variances, m)
    squares = sum(variances[i] * m for i in range(t))
    close(var, squares / (t * (m - 1)), "var")


@check(task="population", points=2)
def one_batch_or_many(student, case):
    """A single batch, or as many as there are channels, in float32 and float64."""
    dtype = case.turn(np.float32, np.float64)
    t = case.turn(1, 2, 3, 9)
    means, variances, m = draw_batches(case, t, dtype)
    mean, var = student.population(means, variances, m)
    squares = sum(variances[i].astype(np.float64) * m for i in range(t))
    close(mean, (sum(means[i].astype(np.float64) for i in range(t)) / t).astype(dtype), "mean")
    close(var, (squares / (t * (m - 1))).astype(dtype), "var")


# --- fold ----------------------------------------------------------------------------------------


@check(task="fold", points=6)
def same_as_inference(student, case):
    """scale * x + shift equals inference: so do its slope and its value at zero."""
    c = case.integer(2, 6)
    given = (*draw_weights(case, c), *draw_statistics(case, c))
    scale, shift = student.fold(*given, EPS)
    want = folded(*given, EPS)
    close(scale, want[0], "scale")
    close(shift, want[1], "shift")


@check(task="fold", points=2)
def folds_eps_where_it_belongs(student, case):
    """The same where eps is as large as the variance, and for one channel."""
    c, eps = case.turn((3, 0.5), (1, 1.0), (2, 1e-3))
    mean, var = case.normal(c), case.uniform(c, low=0.2, high=1.0) * eps
    given = (*draw_weights(case, c), mean, var)
    scale, shift = student.fold(*given, eps)
    want = folded(*given, eps)
    close(scale, want[0], "scale")
    close(shift, want[1], "shift")


@check(task="fold", points=2)
def folds_in_the_dtype_it_was_given(student, case):
    """float32 in, float32 out, and float64 in, float64 out."""
    dtype = case.turn(np.float32, np.float64)
    given = (*draw_weights(case, 4, dtype), *draw_statistics(case, 4, dtype))
    scale, shift = student.fold(*given, EPS)
    want = folded(*given, EPS)
    close(scale, want[0].astype(dtype), "scale")
    close(shift, want[1].astype(dtype), "shift")


# --- fold_into_linear ----------------------------------------------------------------------------


@check(task="fold_into_linear", points=5)
def same_as_linear_and_inference(student, case):
    """weight' and bias' do what the linear layer and inference do in a row, square or not."""
    c, d = case.turn((3, 5), (4, 4), (5, 2), (2, 7))
    given = draw_linear(case, c, d)
    weight, bias = student.fold_into_linear(*given, EPS)
    want = composed(*given, EPS)
    close(weight, want[0], "weight'")
    close(bias, want[1], "bias'")


@check(task="fold_into_linear", points=3)
def folds_the_bias(student, case):
    """bias' is what comes out for the input zero, also where eps is as large as the variance."""
    c, d = case.turn((3, 2), (1, 3), (4, 1))
    weight, bias, gamma, beta, mean, var = draw_linear(case, c, d)
    eps = case.turn(0.5, 2.0)
    _, bias_folded = student.fold_into_linear(weight, bias, gamma, beta, mean, var, eps)
    close(bias_folded, composed(weight, bias, gamma, beta, mean, var, eps)[1], "bias'")


@check(task="fold_into_linear", points=2)
def linear_in_the_dtype_it_was_given(student, case):
    """float32 in, float32 out, and float64 in, float64 out."""
    dtype = case.turn(np.float32, np.float64)
    given = draw_linear(case, 3, 4, dtype)
    weight, bias = student.fold_into_linear(*given, EPS)
    want = composed(*given, EPS)
    close(weight, want[0].astype(dtype), "weight'")
    close(bias, want[1].astype(dtype), "bias'")
