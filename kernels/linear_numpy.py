"""The fully connected layer: the specification.

x is (n, d), a row for each example; weight is (k, d), a row for each output; y is (n, k).
"""

import numpy as np
from minidl.kernels.parallel import product


def forward(x, weight, bias, relu):
    """y = x W^T + b, and of that max(y, 0) where relu is set; NaN passes.

    Parameters
    ----------
    x : (n, d) float32 or float64
    weight : (k, d)
    bias : (k,) or None
    relu : bool

    Returns
    -------
    y : (n, k)
    """
    y = product(x, weight.T)
    if bias is not None:
        y = y + bias
    return np.where(y <= 0, y.dtype.type(0), y) if relu else y


def backward(dy, x, weight, y, needs):
    """dx = g W, dW = g^T x, db = the sum of g's rows, where g = dy, or with ReLU dy where y > 0.

    Parameters
    ----------
    dy : (n, k)
    x : (n, d)
    weight : (k, d)
    y : (n, k), what `forward` returned, or None where it had no ReLU
    needs : three bools: whether dx, dweight and dbias are wanted

    Returns
    -------
    dx : (n, d) or None;  dweight : (k, d) or None;  dbias : (k,) or None
    """
    g = dy if y is None else np.where(y <= 0, dy.dtype.type(0), dy)
    return (
        product(g, weight) if needs[0] else None,
        product(g.T, x) if needs[1] else None,
        g.sum(axis=0) if needs[2] else None,
    )
