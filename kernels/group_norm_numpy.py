"""Group normalization: the specification. Layer and instance normalization are its two ends.

Arrays are (n, c, s): the batch, the channels, and everything else (the pixels of an image, or 1).
The channels fall into equal groups, and each group of each example is normalized by itself: all
channels together are layer normalization, each alone instance normalization.
"""

import numpy as np


def forward(x, gamma, beta, groups, eps):
    """y = gamma * x_hat + beta,  x_hat = (x - mean) / sqrt(var + eps),  group by group.

    mean and var are those of one group of one example, over its channels and over space; var is
    the biased one. gamma and beta belong to the channels.

    Parameters
    ----------
    x : (n, c, s) float32 or float64
    gamma, beta : (c,), of the dtype of x
    groups : int, a divisor of c
    eps : float, added to the variance, inside the root

    Returns
    -------
    y : (n, c, s), of the dtype of x
    mean, inv_std : (n, groups), of the dtype of x;  inv_std = 1 / sqrt(var + eps)

    References
    ----------
    Wu & He 2018, section 3; Ba, Kiros & Hinton 2016 (one group); Ulyanov, Vedaldi & Lempitsky 2016
    (as many groups as channels).
    """
    n, c, s = x.shape
    rows = x.reshape(n, groups, c // groups * s)
    mean = rows.mean(axis=2)
    centred = rows - mean[:, :, None]
    inv_std = 1.0 / np.sqrt(np.square(centred).mean(axis=2) + eps)
    x_hat = (centred * inv_std[:, :, None]).reshape(n, c, s)
    y = gamma[:, None] * x_hat + beta[:, None]
    return y, mean, inv_std


def backward(dy, x, mean, inv_std, gamma, groups):
    """Gradients of a loss through group normalization.

    Parameters
    ----------
    dy, x : (n, c, s) float32 or float64
    mean, inv_std : (n, groups), as returned by `forward`
    gamma : (c,)
    groups : int

    Returns
    -------
    dx : (n, c, s), of the dtype of dy
    dgamma, dbeta : (c,), of the dtype of dy

    References
    ----------
    Wu & He 2018, section 3; Ba, Kiros & Hinton 2016, supplementary material.
    """
    # The same derivation as batch normalization's, with a group of m values of one example in the
    # place of a channel, and g = gamma * dy inside the sums, since gamma varies within the group:
    #   dx = inv_std / m * (m * g - sum(g) - x_hat * sum(g * x_hat)).
    n, c, s = dy.shape
    m = c // groups * s
    rows = x.reshape(n, groups, m)
    x_hat = (rows - mean[:, :, None]) * inv_std[:, :, None]
    dgamma = (dy * x_hat.reshape(n, c, s)).sum(axis=(0, 2))
    dbeta = dy.sum(axis=(0, 2))
    g = (gamma[:, None] * dy).reshape(n, groups, m)
    g_sum = g.sum(axis=2, keepdims=True)
    proj = (g * x_hat).sum(axis=2, keepdims=True)
    dx = inv_std[:, :, None] / m * (m * g - g_sum - x_hat * proj)
    return dx.reshape(n, c, s), dgamma, dbeta
