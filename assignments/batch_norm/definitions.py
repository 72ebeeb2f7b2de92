"""What must hold, by definition, and how inputs are drawn: what the checks are made of.

Two passes over the values of a channel in float64, and central differences: no algebra is shared
with a solution's formulas.
"""

import numpy as np

from minidl.gradcheck import central_differences

EPS = 1e-5


def normalize(x, gamma, beta, eps):
    """Return y, x_hat, inv_std, mean, var as float64, one channel after the other."""
    n, c, s = x.shape
    x = np.asarray(x, np.float64)
    y, x_hat = np.empty((n, c, s)), np.empty((n, c, s))
    inv_std, mean, var = np.empty(c), np.zeros(c), np.zeros(c)
    for k in range(c):
        values = x[:, k, :].ravel()
        if len(values):
            mean[k] = np.average(values)
            var[k] = np.average((values - mean[k]) ** 2)
        inv_std[k] = (var[k] + eps) ** -0.5
        x_hat[:, k] = (x[:, k] - mean[k]) * inv_std[k]
        y[:, k] = float(gamma[k]) * x_hat[:, k] + float(beta[k])
    return y, x_hat, inv_std, mean, var


def slopes(case, name, loss, array):
    """Return the central differences of a loss by every value, once for each case.

    The step is one at which they are exact to about 1e-9.
    """
    return case.once(name, lambda: central_differences(loss, array, eps=1e-5))


def with_statistics(x, gamma, beta, mean, var, eps):
    """Return (x - mean) / sqrt(var + eps) * gamma + beta as float64, channel by channel."""
    y = np.empty(x.shape)
    for k in range(x.shape[1]):
        std = np.sqrt(float(var[k]) + eps)
        y[:, k] = (x[:, k].astype(np.float64) - float(mean[k])) / std
        y[:, k] = float(gamma[k]) * y[:, k] + float(beta[k])
    return y


def draw_shape(case):
    """Return an odd, non-square (n, c, s); case 0 is the same size for everybody."""
    if case.number == 0:
        return 5, 3, 4
    return case.integer(3, 6), case.integer(2, 5), case.integer(2, 7)


def draw_weights(case, c, dtype=np.float64):
    """Return gamma, of both signs and away from zero, and beta."""
    sign = np.where(np.arange(c) % 2 == 0, 1.0, -1.0)
    gamma = sign * case.uniform(c, low=0.5, high=2.0)
    return gamma.astype(dtype), case.normal(c, mean=0.5, dtype=dtype)


def draw_statistics(case, c, dtype=np.float64):
    """Return a mean and a variance for each channel, not those of any batch at hand."""
    return case.normal(c, scale=2.0, dtype=dtype), case.uniform(c, low=0.3, high=4.0, dtype=dtype)


def draw_batch(case, shape, dtype=np.float64):
    """Return x whose channels have means and spreads of their own, and gamma and beta.

    The spread of each channel is drawn and then met exactly: two values that happen to lie close
    together would make central differences inexact.
    """
    n, c, s = shape
    x = case.normal(*shape)
    mean, spread = case.normal(c, scale=3.0), case.uniform(c, low=0.5, high=3.0)
    if n * s > 1:
        x = normalize(x, np.ones(c), np.zeros(c), 0.0)[0]
    x = x * spread[:, None] + mean[:, None]
    return x.astype(dtype), *draw_weights(case, c, dtype)


def draw_backward(case, shape, eps=EPS):
    """Return x, gamma, beta and dy, and what forward hands to backward (x_hat, inv_std)."""
    x, gamma, beta = draw_batch(case, shape)
    _, x_hat, inv_std, _, _ = normalize(x, gamma, beta, eps)
    return x, gamma, beta, case.normal(*shape, mean=0.3), x_hat, inv_std


def draw_running(case, dtype=np.float64):
    """Return running mean and variance, a batch's mean and biased variance, and its size m."""
    values = [*draw_statistics(case, 4, dtype), *draw_statistics(case, 4, dtype)]
    return values, case.turn(3, 12, 2, 5)


def updated(running_mean, running_var, mean, var, m, momentum):
    """Return both running statistics after one batch, channel by channel."""
    pairs = []
    for old_mean, old_var, new_mean, new_var in zip(
        running_mean, running_var, mean, var, strict=True
    ):
        squares = float(new_var) * m
        unbiased = squares / (m - 1)
        pairs.append(
            (
                float(old_mean) + momentum * (float(new_mean) - float(old_mean)),
                float(old_var) + momentum * (unbiased - float(old_var)),
            )
        )
    return np.array(pairs).T


def draw_batches(case, t, dtype=np.float64):
    """Return means and variances (t, c) of t batches that differ from one another."""
    c = case.turn(3, 2, 5)
    means = case.normal(t, c, scale=2.0, dtype=dtype)
    return means, case.uniform(t, c, low=0.3, high=4.0, dtype=dtype), case.turn(3, 2, 16, 5)


def folded(gamma, beta, mean, var, eps):
    """Return scale and shift read off inference itself: its slope, and its value at x = 0."""
    c = len(gamma)
    at_zero, at_one = (
        with_statistics(np.full((1, c, 1), x), gamma, beta, mean, var, eps).reshape(c)
        for x in (0.0, 1.0)
    )
    return at_one - at_zero, at_zero


def draw_linear(case, c, d, dtype=np.float64):
    """Return weight, bias and the normalization's four vectors."""
    weight, bias = case.normal(c, d, dtype=dtype), case.normal(c, mean=1.0, dtype=dtype)
    return weight, bias, *draw_weights(case, c, dtype), *draw_statistics(case, c, dtype)


def composed(weight, bias, gamma, beta, mean, var, eps):
    """Return the weight and bias of linear layer and inference in a row, one input at a time.

    The composition is affine: its value at 0 is the bias, and each unit vector adds one column.
    """
    c, d = weight.shape

    def both(v):
        h = np.array([sum(float(weight[i, j]) * v[j] for j in range(d)) for i in range(c)])
        h = (h + bias).reshape(1, c, 1)
        return with_statistics(h, gamma, beta, mean, var, eps).reshape(c)

    at_zero = both(np.zeros(d))
    columns = [both(unit) - at_zero for unit in np.eye(d)]
    return np.stack(columns, axis=1), at_zero
