"""The rectified linear unit: the specification. Arrays of any shape."""

import numpy as np


def forward(x):
    """y = max(x, 0): 0 where x <= 0, else x. NaN passes.

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Nair & Hinton 2010.
    """
    return np.where(x <= 0, x.dtype.type(0), x)


def backward(dy, y):
    """dx = dy where y > 0, else 0; the derivative at 0 is 0, and where y is NaN dy passes.

    Parameters
    ----------
    dy, y : float32 or float64, of one shape;  y as returned by `forward`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.where(y <= 0, dy.dtype.type(0), dy)
