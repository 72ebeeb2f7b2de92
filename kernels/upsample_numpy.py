"""Resizing images by the nearest pixel or by lines between pixels: the specification.

x is (n, c, h, w), y is (n, c, oh, ow). step is how many pixels of x one pixel of y goes on, as a
pair (vertical, horizontal): usually h / oh and w / ow.
"""

import numpy as np


def _nearest(length, out, step):
    """Return the pixel each place of the result is read from: (out,) int.

    The product is rounded to float32 before the floor is taken, as PyTorch does it.
    """
    places = np.arange(out, dtype=np.float32) * np.float32(step)
    return np.minimum(places.astype(np.int64), length - 1)


def _between(length, out, step, align_corners):
    """Return the two pixels each place lies between, and the share of the second: 3 x (out,)."""
    if align_corners:
        places = np.arange(out) * (length - 1) / max(out - 1, 1)
    else:
        places = np.maximum((np.arange(out) + 0.5) * step - 0.5, 0)
    first = np.minimum(places.astype(np.int64), length - 1)
    return first, np.minimum(first + 1, length - 1), places - first


def _sum_back(dy, source, length, axis):
    """Sum what was read from the same pixel: the transpose of np.take; source never falls."""
    pixels, starts = np.unique(source, return_index=True)
    dx = np.zeros((*dy.shape[:axis], length, *dy.shape[axis + 1 :]), dy.dtype)
    sums = np.add.reduceat(dy, starts, axis)
    np.moveaxis(dx, axis, 0)[pixels] = np.moveaxis(sums, axis, 0)
    return dx


def nearest_forward(x, out_size, step):
    """y[p, q] = x[floor(p step), floor(q step)], at most the last row and column.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    out_size : (oh, ow)
    step : (float, float)

    Returns
    -------
    y : (n, c, oh, ow), of the dtype of x
    """
    for axis in (2, 3):
        rows = _nearest(x.shape[axis], out_size[axis - 2], step[axis - 2])
        x = np.take(x, rows, axis)
    return x


def nearest_backward(dy, x_shape, step):
    """dx: each pixel of x sums the gradients of the places it was taken to.

    Parameters
    ----------
    dy : (n, c, oh, ow) float32 or float64
    x_shape : (n, c, h, w)
    step : (float, float)

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy
    """
    for axis in (3, 2):
        rows = _nearest(x_shape[axis], dy.shape[axis], step[axis - 2])
        dy = _sum_back(dy, rows, x_shape[axis], axis)
    return dy


def _along(values, axis):
    """Return a vector with as many axes as an image, along one of them."""
    return values[:, None] if axis == 2 else values


def bilinear_forward(x, out_size, step, align_corners):
    """y[p, q] = the value at place (p, q) of the surface that is straight between the pixels of x.

    Places are counted between pixel centres, (p + 1/2) step - 1/2 and at least 0; with
    align_corners the first and last pixels of x and y coincide, p (h - 1) / (oh - 1).

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    out_size : (oh, ow)
    step : (float, float), not used with align_corners
    align_corners : bool

    Returns
    -------
    y : (n, c, oh, ow), of the dtype of x
    """
    for axis in (2, 3):
        lines = _between(x.shape[axis], out_size[axis - 2], step[axis - 2], align_corners)
        first, second, share = lines
        share = _along(share.astype(x.dtype), axis)
        x = np.take(x, first, axis) * (1 - share) + np.take(x, second, axis) * share
    return x


def bilinear_backward(dy, x_shape, step, align_corners):
    """dx: each place's gradient goes to the pixels it lies between, by their shares.

    Parameters
    ----------
    dy : (n, c, oh, ow) float32 or float64
    x_shape : (n, c, h, w)
    step, align_corners : as in `bilinear_forward`

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy
    """
    for axis in (3, 2):
        length = x_shape[axis]
        first, second, share = _between(length, dy.shape[axis], step[axis - 2], align_corners)
        share = _along(share.astype(dy.dtype), axis)
        dy = _sum_back(dy * (1 - share), first, length, axis) + _sum_back(
            dy * share, second, length, axis
        )
    return dy
