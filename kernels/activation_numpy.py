"""Activations built on the exponential: the specification. (ReLU is a family of its own.)

Sigmoid and tanh take arrays of any shape, the softmax rows (n, k) with k at least 1.
"""

import numpy as np


def sigmoid_forward(x):
    """y = 1 / (1 + exp(-x)), from exponentials that never overflow.

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x
    """
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1) / (1 + e), x.dtype)


def sigmoid_backward(dy, y):
    """dx = dy * y * (1 - y).

    Parameters
    ----------
    dy, y : float32 or float64, of one shape;  y as returned by `sigmoid_forward`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.asarray(dy * y * (1 - y))


def tanh_forward(x):
    """y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x
    """
    return np.asarray(np.tanh(x))


def tanh_backward(dy, y):
    """dx = dy * (1 - y^2).

    Parameters
    ----------
    dy, y : float32 or float64, of one shape;  y as returned by `tanh_forward`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.asarray(dy * (1 - y * y))


def softmax_forward(x):
    """y_ij = exp(x_ij) / sum_j exp(x_ij), with the largest x of a row subtracted first.

    Parameters
    ----------
    x : (n, k) float32 or float64

    Returns
    -------
    y : (n, k), of the dtype of x

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.3.
    """
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dy, y):
    """dx_ij = y_ij * (dy_ij - sum_j dy_ij y_ij).

    Parameters
    ----------
    dy, y : (n, k) float32 or float64;  y as returned by `softmax_forward`

    Returns
    -------
    dx : (n, k), of the dtype of dy
    """
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


def log_softmax_forward(x):
    """y_ij = x_ij - log sum_j exp(x_ij), with the largest x of a row subtracted first.

    Parameters
    ----------
    x : (n, k) float32 or float64

    Returns
    -------
    y : (n, k), of the dtype of x
    """
    centred = x - x.max(axis=1, keepdims=True)
    return centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))


def log_softmax_backward(dy, y):
    """dx_ij = dy_ij - exp(y_ij) * sum_j dy_ij.

    Parameters
    ----------
    dy, y : (n, k) float32 or float64;  y as returned by `log_softmax_forward`

    Returns
    -------
    dx : (n, k), of the dtype of dy
    """
    return dy - np.exp(y) * dy.sum(axis=1, keepdims=True)
