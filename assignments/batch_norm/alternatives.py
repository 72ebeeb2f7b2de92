"""Other right solutions: another algebra, explicit loops, another precision inside.

Each must keep every point, whatever the secret. If one does not, the check is wrong, not it.
"""

import numpy as np

from minidl.grading.mistake import alternative


@alternative(target="forward")
def forward_with_var_and_einsum(x, gamma, beta, eps):
    """NumPy's own mean and var, on rows of one channel each."""
    n, c, s = x.shape
    rows = np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(c, n * s)
    if n * s == 0:
        mean = var = np.zeros(c, x.dtype)
    else:
        mean, var = np.mean(rows, axis=1), np.var(rows, axis=1, ddof=0)
    inv_std = (var + eps) ** -0.5
    x_hat = np.einsum("ncs,c->ncs", x - mean.reshape(1, c, 1), inv_std)
    y = np.einsum("ncs,c->ncs", x_hat, gamma) + beta.reshape(1, c, 1)
    return y, x_hat, inv_std, mean, var


@alternative(target="forward")
def forward_in_loops(x, gamma, beta, eps):
    """Three loops over plain numbers, as one would write it in C."""
    n, c, s = x.shape
    y, x_hat = np.empty_like(x), np.empty_like(x)
    inv_std, mean, var = (np.empty(c, x.dtype) for _ in range(3))
    for k in range(c):
        values = [float(x[i, k, j]) for i in range(n) for j in range(s)]
        m = max(len(values), 1)
        mu = sum(values) / m
        sigma2 = sum((v - mu) ** 2 for v in values) / m
        mean[k], var[k], inv_std[k] = mu, sigma2, 1 / (sigma2 + eps) ** 0.5
        for i in range(n):
            for j in range(s):
                x_hat[i, k, j] = (float(x[i, k, j]) - mu) / (sigma2 + eps) ** 0.5
                y[i, k, j] = float(gamma[k]) * float(x_hat[i, k, j]) + float(beta[k])
    return y, x_hat, inv_std, mean, var


@alternative(target="forward")
def forward_in_float64(x, gamma, beta, eps):
    """float64 inside, with E[x^2] - E[x]^2, which then has the digits for it."""
    n, c, s = x.shape
    wide = x.astype(np.float64)
    m = max(n * s, 1)
    mean = wide.sum(axis=(0, 2), keepdims=True) / m
    var = np.maximum((wide**2).sum(axis=(0, 2), keepdims=True) / m - mean**2, 0)
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = (wide - mean) * inv_std
    y = gamma.reshape(1, c, 1) * x_hat + beta.reshape(1, c, 1)
    results = y, x_hat, inv_std.reshape(c), mean.reshape(c), var.reshape(c)
    return tuple(array.astype(x.dtype) for array in results)


@alternative(target="backward")
def backward_step_by_step(dy, x_hat, inv_std, gamma):
    """The chain rule one arrow at a time: x_hat, then var, then mean, then x."""
    n, c, s = dy.shape
    m = max(n * s, 1)
    dbeta = np.sum(dy, axis=(0, 2))
    dgamma = np.sum(dy * x_hat, axis=(0, 2))
    dx_hat = dy * gamma.reshape(1, c, 1)
    inv = inv_std.reshape(1, c, 1)
    centred = x_hat / inv
    dvar = np.sum(dx_hat * centred, axis=(0, 2), keepdims=True) * -0.5 * inv**3
    dmean = -inv * np.sum(dx_hat, axis=(0, 2), keepdims=True)
    dmean = dmean + dvar * np.sum(-2.0 * centred, axis=(0, 2), keepdims=True) / m
    dx = dx_hat * inv + dvar * 2.0 * centred / m + dmean / m
    return dx, dgamma, dbeta


@alternative(target="backward")
def backward_with_means(dy, x_hat, inv_std, gamma):
    """The same as a projection: take away the mean of g, and the part of g along x_hat."""
    g = dy * gamma[:, None]
    dbeta, dgamma = np.einsum("ncs->c", dy), np.einsum("ncs,ncs->c", dy, x_hat)
    if g.size:
        along = x_hat * np.mean(g * x_hat, axis=(0, 2), keepdims=True)
        g = g - np.mean(g, axis=(0, 2), keepdims=True) - along
    return g * inv_std[:, None], dgamma, dbeta


@alternative(target="backward")
def backward_with_a_jacobian(dy, x_hat, inv_std, gamma):
    """The whole Jacobian of one channel, m by m, multiplied by its dy."""
    n, c, s = dy.shape
    dx = np.empty_like(dy)
    dgamma, dbeta = np.empty_like(gamma), np.empty_like(gamma)
    m = n * s
    for k in range(c):
        h, g = x_hat[:, k].reshape(m, 1), dy[:, k].reshape(m, 1)
        jacobian = np.eye(m, dtype=dy.dtype)
        if m:
            jacobian = jacobian - np.asarray((1 + h @ h.T) / m, dy.dtype)
        dx[:, k] = (gamma[k] * inv_std[k] * (jacobian.T @ g)).reshape(n, s)
        dgamma[k], dbeta[k] = (h * g).sum(), g.sum()
    return dx, dgamma, dbeta


@alternative(target="inference")
def inference_folded(x, gamma, beta, mean, var, eps):
    """One multiplication and one addition."""
    scale = gamma / np.sqrt(var + eps)
    return x * scale[None, :, None] + (beta - scale * mean)[None, :, None]


@alternative(target="inference")
def inference_channel_by_channel(x, gamma, beta, mean, var, eps):
    """A loop over the channels."""
    y = np.empty_like(x)
    for k in range(x.shape[1]):
        y[:, k] = (x[:, k] - mean[k]) / (var[k] + eps) ** 0.5 * gamma[k] + beta[k]
    return y


@alternative(target="inference")
def inference_in_float64(x, gamma, beta, mean, var, eps):
    """float64 inside, channels last."""
    last = x.transpose(0, 2, 1).astype(np.float64)
    y = gamma * (last - mean) / np.sqrt(var.astype(np.float64) + eps) + beta
    return np.ascontiguousarray(y.transpose(0, 2, 1)).astype(x.dtype)


@alternative(target="update_running")
def update_running_by_the_difference(running_mean, running_var, mean, var, m, momentum):
    """Old value plus momentum times the difference."""
    new_mean = running_mean + momentum * (mean - running_mean)
    new_var = running_var + momentum * (var * m / (m - 1) - running_var)
    return new_mean, new_var


@alternative(target="update_running")
def update_running_in_loops(running_mean, running_var, mean, var, m, momentum):
    """Plain numbers, one channel after the other."""
    new_mean, new_var = running_mean.copy(), running_var.copy()
    for k in range(len(mean)):
        new_mean[k] = (1 - momentum) * running_mean[k] + momentum * mean[k]
        new_var[k] = (1 - momentum) * running_var[k] + momentum * var[k] / (1 - 1 / m)
    return new_mean, new_var


@alternative(target="update_running")
def update_running_as_a_list(running_mean, running_var, mean, var, m, momentum):
    """A list instead of a tuple, and np.average with weights."""
    weights = [1 - momentum, momentum]
    new_mean = np.average([running_mean, mean], axis=0, weights=weights)
    new_var = np.average([running_var, var * (m / (m - 1))], axis=0, weights=weights)
    return [new_mean.astype(mean.dtype), new_var.astype(var.dtype)]


@alternative(target="population")
def population_from_sums(means, variances, m):
    """Sums of squares over all batches, divided by t * (m - 1)."""
    t = len(means)
    return means.sum(axis=0) / t, (m * variances).sum(axis=0) / (t * (m - 1))


@alternative(target="population")
def population_in_loops(means, variances, m):
    """One batch after the other."""
    mean, var = np.zeros_like(means[0]), np.zeros_like(variances[0])
    for t in range(len(means)):
        mean += (means[t] - mean) / (t + 1)
        var += (variances[t] * m / (m - 1) - var) / (t + 1)
    return mean, var


@alternative(target="population")
def population_as_a_product(means, variances, m):
    """A row of weights times the table of batches."""
    weights = np.full(len(means), 1 / len(means), means.dtype)
    return weights @ means, weights @ variances / means.dtype.type(1 - 1 / m)


@alternative(target="fold")
def fold_from_two_points(gamma, beta, mean, var, eps):
    """The slope, and the value of inference at zero."""
    std = (var + eps) ** 0.5
    return gamma / std, gamma * (0 - mean) / std + beta


@alternative(target="fold")
def fold_in_float64(gamma, beta, mean, var, eps):
    """float64 inside, and logarithms instead of a root."""
    inv_std = np.exp(-0.5 * np.log(var.astype(np.float64) + eps))
    scale = gamma * inv_std
    return scale.astype(gamma.dtype), (beta - mean * scale).astype(gamma.dtype)


@alternative(target="fold")
def fold_in_loops(gamma, beta, mean, var, eps):
    """One channel after the other."""
    scale, shift = np.empty_like(gamma), np.empty_like(gamma)
    for k in range(len(gamma)):
        scale[k] = gamma[k] / np.sqrt(var[k] + eps)
        shift[k] = beta[k] - mean[k] * scale[k]
    return scale, shift


@alternative(target="fold_into_linear")
def fold_into_linear_with_a_diagonal(weight, bias, gamma, beta, mean, var, eps):
    """A diagonal matrix from the left."""
    diagonal = np.diag(gamma / np.sqrt(var + eps))
    return diagonal @ weight, diagonal @ (bias - mean) + beta


@alternative(target="fold_into_linear")
def fold_into_linear_as_one_matrix(weight, bias, gamma, beta, mean, var, eps):
    """The bias as one more column, multiplied along."""
    scale = (gamma * (var + eps) ** -0.5)[:, None]
    table = np.concatenate([weight, (bias - mean)[:, None]], axis=1) * scale
    return np.ascontiguousarray(table[:, :-1]), table[:, -1] + beta


@alternative(target="fold_into_linear")
def fold_into_linear_in_loops(weight, bias, gamma, beta, mean, var, eps):
    """One weight after the other."""
    new_weight, new_bias = np.empty_like(weight), np.empty_like(bias)
    for k, row in enumerate(weight):
        std = np.sqrt(var[k] + eps)
        for j, w in enumerate(row):
            new_weight[k, j] = w * gamma[k] / std
        new_bias[k] = (bias[k] - mean[k]) / std * gamma[k] + beta[k]
    return new_weight, new_bias
