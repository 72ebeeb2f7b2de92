"""Batch normalization: the specification, in the words of the formula.

Arrays are (n, c, s): the batch, the channels, and everything else (the pixels of an image, or 1).
Each channel is normalized over the m = n * s values it has in the batch.
"""

import numpy as np


def forward(x, gamma, beta, eps):
    """y = gamma * x_hat + beta,  x_hat = (x - mean) / sqrt(var + eps),  channel by channel.

    mean and var are those of this batch, taken over the batch and over space; var is the biased
    one, the mean of (x - mean)^2. An empty batch counts as mean 0 and var 0.

    Parameters
    ----------
    x : (n, c, s) float32 or float64
    gamma, beta : (c,), of the dtype of x
    eps : float, added to the variance, inside the root

    Returns
    -------
    y, x_hat : (n, c, s), of the dtype of x
    inv_std, mean, var : (c,), of the dtype of x;  inv_std = 1 / sqrt(var + eps)

    Notes
    -----
    The variance must be right also where the mean is large beside the spread, as in float32 values
    around 1000 with a spread of 1. A NaN spoils its own channel and no other.

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 1.
    """
    n, _, s = x.shape
    m = max(n * s, 1)
    mean = x.sum(axis=(0, 2)) / m
    # Centre first, then square: E[x^2] - E[x]^2 would subtract two large, almost equal numbers.
    centred = x - mean[:, None]
    var = np.square(centred).sum(axis=(0, 2)) / m
    inv_std = 1.0 / np.sqrt(var + eps)
    x_hat = centred * inv_std[:, None]
    y = gamma[:, None] * x_hat + beta[:, None]
    return y, x_hat, inv_std, mean, var


def backward(dy, x_hat, inv_std, gamma):
    """Gradients of a loss through batch normalization.

    Given dy, the gradient of the loss by y, find the gradients by x, gamma and beta, where y is
    what `forward` computes: mean and var depend on x too, so a change of one value moves every
    output of its channel. It must hold, for any small change of x, that the loss changes by
    sum(dx * change); likewise for gamma and beta.

    Parameters
    ----------
    dy, x_hat : (n, c, s) float32 or float64;  x_hat as returned by `forward`
    inv_std, gamma : (c,);  inv_std as returned by `forward`

    Returns
    -------
    dx : (n, c, s), of the dtype of dy
    dgamma, dbeta : (c,), of the dtype of dy

    Notes
    -----
    x itself is not needed. Two consequences to test yourself with: the sum of dx over a channel is
    zero, and so is the sum of dx * x_hat, up to eps.

    References
    ----------
    Ioffe & Szegedy 2015, section 3.
    """
    # With g = gamma * dy, the gradient by x_hat, and x_hat = (x - mean) * inv_std:
    #   direct way            g_i * inv_std
    #   through the mean      d mean / d x_i = 1/m, and every x_hat_j moves by -inv_std / m
    #                         -> - inv_std / m * sum_j g_j
    #   through the variance  d var / d x_i = 2 (x_i - mean) / m, d inv_std / d var = -inv_std^3 / 2
    #                         -> - inv_std / m * x_hat_i * sum_j g_j x_hat_j
    # (The variance's own dependence on the mean vanishes: the centred values sum to zero.)
    # Together: dx = gamma * inv_std / m * (m * dy - sum(dy) - x_hat * sum(dy * x_hat)).
    n, _, s = dy.shape
    m = max(n * s, 1)
    dbeta = dy.sum(axis=(0, 2))
    dgamma = (dy * x_hat).sum(axis=(0, 2))
    dy_sum = dbeta[:, None]
    proj = dgamma[:, None]
    factor = (gamma * inv_std / m)[:, None]
    dx = factor * (m * dy - dy_sum - x_hat * proj)
    return dx, dgamma, dbeta


def fused_forward(x, gamma, beta, residual, eps, relu):
    """y = relu(gamma * x_hat + beta + residual): what follows the normalization, in the same sweep.

    Parameters
    ----------
    x : (n, c, s) float32 or float64
    gamma, beta : (c,), of the dtype of x
    residual : (n, c, s), or None for nothing to add
    eps : float, added to the variance, inside the root
    relu : bool, whether values of at most 0 become 0; NaN passes

    Returns
    -------
    y : (n, c, s), of the dtype of x
    inv_std, mean, var : (c,), as in `forward`

    References
    ----------
    He et al. 2016, figure 2: the end of a residual block.
    """
    y, _, inv_std, mean, var = forward(x, gamma, beta, eps)
    if residual is not None:
        y = y + residual
    if relu:
        y = np.where(y <= 0, y.dtype.type(0), y)
    return y, inv_std, mean, var


def _passed(dy, x_hat, y, gamma, beta):
    """dy where the relu of `fused_forward` held nothing back, else 0; all of it without a y.

    What it was given is gamma * x_hat + beta, made again where there is a beta; else y tells.
    """
    if y is None:
        return dy
    if beta is not None:
        y = gamma[:, None] * x_hat + beta[:, None]
    return np.where(y <= 0, dy.dtype.type(0), dy)


def fused_backward(dy, x, y, mean, inv_std, gamma, beta, add, out=None):
    """Gradients of a loss through `fused_forward`; x_hat is computed from x again.

    Parameters
    ----------
    dy, x : (n, c, s) float32 or float64
    y : (n, c, s) as returned by `fused_forward`, or None where there was no relu
    mean, inv_std : (c,), as returned by `fused_forward`
    gamma : (c,)
    beta : (c,), or None where a residual was added: with it what the relu held back is found from
        x again, which saves a kernel from reading y
    add : bool, whether a residual was added, whose gradient is wanted
    out : (n, c, s) of the dtype of dy, where to write dresidual, or dx without `add`: dy itself if
        it is not needed again; None for a new array

    Returns
    -------
    dx : (n, c, s), of the dtype of dy
    dgamma, dbeta : (c,), of the dtype of dy
    dresidual : (n, c, s), or without `add` an empty (0, c, s)

    References
    ----------
    Ioffe & Szegedy 2015, section 3; He et al. 2016, figure 2.
    """
    x_hat = (x - mean[:, None]) * inv_std[:, None]
    # Behind the relu lies g = dy where y is not at most 0; a sum hands it to both of its terms.
    g = _passed(dy, x_hat, y, gamma, beta)
    dx, dgamma, dbeta = backward(g, x_hat, inv_std, gamma)
    if not add:
        return _written(dx, out), dgamma, dbeta, np.empty((0, *x.shape[1:]), dy.dtype)
    return dx, dgamma, dbeta, _written(g.copy(), out)


def _written(array, out):
    """The array, or `out` with its values."""
    if out is None:
        return array
    out[...] = array
    return out


def inference(x, gamma, beta, mean, var, eps):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, with given statistics.

    Parameters
    ----------
    x : (n, c, s) float32 or float64
    gamma, beta, mean, var : (c,), of the dtype of x
    eps : float, added to the variance, inside the root

    Returns
    -------
    y : (n, c, s), of the dtype of x

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 2.
    """
    inv_std = 1.0 / np.sqrt(var + eps)
    x_hat = (x - mean[:, None]) * inv_std[:, None]
    return gamma[:, None] * x_hat + beta[:, None]


def fused_inference(x, gamma, beta, mean, var, residual, eps, relu):
    """y = relu(gamma * x_hat + beta + residual) with given statistics, in one sweep.

    Parameters
    ----------
    x : (n, c, s) float32 or float64
    gamma, beta, mean, var : (c,), of the dtype of x
    residual : (n, c, s), or None for nothing to add
    eps : float, added to the variance, inside the root
    relu : bool, whether values of at most 0 become 0; NaN passes

    Returns
    -------
    y : (n, c, s), of the dtype of x

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 2; He et al. 2016, figure 2.
    """
    y = inference(x, gamma, beta, mean, var, eps)
    if residual is not None:
        y = y + residual
    return np.where(y <= 0, y.dtype.type(0), y) if relu else y


def inference_backward(dy, x, y, mean, inv_std, gamma, beta, add):
    """Gradients of a loss through `fused_inference`, whose statistics are constants.

    Parameters
    ----------
    dy, x : (n, c, s) float32 or float64
    y : (n, c, s) as returned by `fused_inference`, or None where there was no relu
    mean, inv_std : (c,), the given statistics;  inv_std = 1 / sqrt(var + eps)
    gamma : (c,)
    beta : (c,), or None where a residual was added: with it what the relu held back is found from
        x again, which saves a kernel from reading y
    add : bool, whether a residual was added, whose gradient is wanted

    Returns
    -------
    dx : (n, c, s), of the dtype of dy; it does not depend on x
    dgamma, dbeta : (c,), of the dtype of dy
    dresidual : (n, c, s), or without `add` an empty (0, c, s)

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 2.
    """
    x_hat = (x - mean[:, None]) * inv_std[:, None]
    g = _passed(dy, x_hat, y, gamma, beta)
    dx = (gamma * inv_std)[:, None] * g
    dgamma, dbeta = (g * x_hat).sum(axis=(0, 2)), g.sum(axis=(0, 2))
    return dx, dgamma, dbeta, g.copy() if add else np.empty((0, *x.shape[1:]), dy.dtype)


def update_running(running_mean, running_var, mean, var, m, momentum):
    """Running statistics, one batch further: r <- (1 - momentum) * r + momentum * new.

    The new value of the mean is the batch's mean. The new value of the variance is the *unbiased*
    estimate, with m - 1 in the denominator, although `forward` normalizes with the biased one.
    Momentum weights the new value, as in PyTorch; many texts weight the old one.

    Parameters
    ----------
    running_mean, running_var : (c,) float32 or float64, left unchanged
    mean, var : (c,), the batch's mean and biased variance, as returned by `forward`
    m : int, values per channel in the batch, at least 2
    momentum : float in [0, 1]

    Returns
    -------
    new_mean, new_var : (c,), of the dtype of the running statistics

    References
    ----------
    Ioffe & Szegedy 2015, section 3.1; PyTorch's BatchNorm documentation.
    """
    unbiased = var * (m / (m - 1))
    new_mean = (1 - momentum) * running_mean + momentum * mean
    new_var = (1 - momentum) * running_var + momentum * unbiased
    return new_mean, new_var


def population(means, variances, m):
    """Mean and variance of the population, estimated from t batches of m values each.

    Each batch gives its mean and its biased variance, per channel. Every batch weighs the same.
    The result must be unbiased: over many random batches its expectation is the true mean, and,
    for the variance, the true variance. Independent values have a biased batch variance that
    is too small on average: find by which factor.

    Parameters
    ----------
    means, variances : (t, c) float32 or float64, one row for each batch, t at least 1
    m : int, values per channel in each batch, at least 2

    Returns
    -------
    mean, var : (c,), of the dtype of means

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 2, line 10.
    """
    # E[sum_i (x_i - mean)^2] = m sigma^2 - m Var(mean) = m sigma^2 - sigma^2 = (m - 1) sigma^2,
    # so E[var_B] = (m - 1) / m * sigma^2.
    mean = means.mean(axis=0)
    var = m / (m - 1) * variances.mean(axis=0)
    return mean, var


def fold(gamma, beta, mean, var, eps):
    """Inference as one multiplication and one addition per value: y = scale * x + shift.

    For every x, scale * x + shift must equal what `inference` gives with these parameters.

    Parameters
    ----------
    gamma, beta, mean, var : (c,) float32 or float64
    eps : float, added to the variance, inside the root

    Returns
    -------
    scale, shift : (c,), of the dtype of gamma

    References
    ----------
    Ioffe & Szegedy 2015, algorithm 2, line 11.
    """
    # gamma * (x - mean) / std + beta = (gamma / std) * x + (beta - mean * gamma / std)
    scale = gamma / np.sqrt(var + eps)
    shift = beta - mean * scale
    return scale, shift


def fold_into_linear(weight, bias, gamma, beta, mean, var, eps):
    """One linear layer in place of a linear layer followed by batch normalization.

    For every input v of d features, weight' @ v + bias' must equal `inference` applied to
    weight @ v + bias, whose c results are the channels.

    Parameters
    ----------
    weight : (c, d) float32 or float64
    bias, gamma, beta, mean, var : (c,), of the dtype of weight
    eps : float, added to the variance, inside the root

    Returns
    -------
    weight' : (c, d);  bias' : (c,), of the dtype of weight

    References
    ----------
    Jacob et al. 2018, section 3.2 (batch normalization folding).
    """
    # scale * (weight @ v + bias - mean) + beta: each row of weight belongs to one channel.
    scale = gamma / np.sqrt(var + eps)
    new_weight = scale[:, None] * weight
    new_bias = scale * (bias - mean) + beta
    return new_weight, new_bias
