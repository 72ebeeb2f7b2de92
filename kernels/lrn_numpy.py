"""Local response normalization across channels: the specification, in the literature's form.

Arrays are (n, c, p): the batch, the channels, the pixels. The window of `size` channels around
channel i is i - size // 2 .. i + (size - 1) // 2, cut off at the first and the last channel.
alpha is *not* divided by size (PyTorch divides: its layer passes alpha / size).
"""

import numpy as np


def forward(x, size, alpha, beta, k):
    """y = x * s^-beta,  s = k + alpha * (sum of x^2 over the window of channels).

    Parameters
    ----------
    x : (n, c, p) float32 or float64
    size : int, channels in the window
    alpha, beta, k : float

    Returns
    -------
    y, s : (n, c, p), of the dtype of x

    References
    ----------
    Krizhevsky et al. 2012, section 3.3.
    """
    _, c, _ = x.shape
    before, after = size // 2, (size - 1) // 2
    squares = np.pad(x * x, ((0, 0), (before, after), (0, 0)))
    total = np.zeros_like(x)
    for offset in range(size):
        total += squares[:, offset : offset + c]
    s = k + alpha * total
    y = x * s**-beta
    return y, s


def backward(dy, x, s, size, alpha, beta):
    """dx_j = dy_j s_j^-beta - 2 alpha beta x_j * (sum of dy_i x_i s_i^(-beta - 1) over i).

    The sum runs over the channels i whose window contains j: j - (size - 1) // 2 .. j + size // 2.

    Parameters
    ----------
    dy, x, s : (n, c, p) float32 or float64;  s as returned by `forward`
    size, alpha, beta : as in `forward`

    Returns
    -------
    dx : (n, c, p), of the dtype of dy
    """
    _, c, _ = x.shape
    before, after = (size - 1) // 2, size // 2
    direct = dy * s**-beta
    terms = np.pad(direct * x / s, ((0, 0), (before, after), (0, 0)))
    total = np.zeros_like(x)
    for offset in range(size):
        total += terms[:, offset : offset + c]
    return direct - 2 * alpha * beta * x * total
