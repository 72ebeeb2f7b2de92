"""Two-dimensional convolution (cross-correlation, as networks use it): the specification.

x is (n, c, h, w), weight is (o, c / groups, kh, kw), y is (n, o, oh, ow). stride, padding and
dilation are pairs (vertical, horizontal). With groups = g, the channels fall into g equal parts,
and part j of the output sees part j of the input only.

The plain way, "im2col": lay the patch under each output position out as a column, and convolution
becomes one matrix product, its gradients two more.
"""

import numpy as np


def _columns(x, kh, kw, stride, padding, dilation, groups):
    """Patches of x as columns: (n, groups, c / groups * kh * kw, oh * ow)."""
    n, c, h, w = x.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    oh = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    ow = (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    cols = np.empty((n, c, kh, kw, oh, ow), x.dtype)
    for i in range(kh):
        for j in range(kw):
            top, left = i * dh, j * dw
            cols[:, :, i, j] = padded[:, :, top : top + sh * oh : sh, left : left + sw * ow : sw]
    return cols.reshape(n, groups, c // groups * kh * kw, oh * ow)


def forward(x, weight, bias, stride, padding, dilation, groups):
    """y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, row, column].

    row = p * stride[0] - padding[0] + i * dilation[0], column likewise; outside the image x is 0.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    weight : (o, c / groups, kh, kw), of the dtype of x
    bias : (o,) or None
    stride, padding, dilation : (int, int), vertical and horizontal
    groups : int, a divisor of c and of o

    Returns
    -------
    y : (n, o, oh, ow), with oh = (h + 2 * padding - dilation * (kh - 1) - 1) // stride + 1

    References
    ----------
    Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning".
    """
    n, _, h, w = x.shape
    o, _, kh, kw = weight.shape
    oh = (h + 2 * padding[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (w + 2 * padding[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    cols = _columns(x, kh, kw, stride, padding, dilation, groups)
    rows = weight.reshape(groups, o // groups, -1)
    y = (rows @ cols).reshape(n, o, oh, ow)
    if bias is not None:
        y = y + bias[:, None, None]
    return y


def backward_input(dy, weight, x_shape, stride, padding, dilation, groups):
    """dx: every output value hands its gradient back to the patch it was computed from.

    dx[n, c, row, column] = sum of weight[o, c, i, j] * dy[n, o, p, q] over all o, i, j, p, q with
    row = p * stride[0] - padding[0] + i * dilation[0], column likewise.

    Parameters
    ----------
    dy : (n, o, oh, ow) float32 or float64
    weight : (o, c / groups, kh, kw), of the dtype of dy
    x_shape : (n, c, h, w), the shape of the input of `forward`
    stride, padding, dilation, groups : as in `forward`

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy
    """
    n, c, h, w = x_shape
    o, _, kh, kw = weight.shape
    _, _, oh, ow = dy.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    rows = weight.reshape(groups, o // groups, -1)
    dcols = rows.swapaxes(1, 2) @ dy.reshape(n, groups, o // groups, oh * ow)
    dcols = dcols.reshape(n, c, kh, kw, oh, ow)
    padded = np.zeros((n, c, h + 2 * ph, w + 2 * pw), dy.dtype)
    for i in range(kh):
        for j in range(kw):
            top, left = i * dh, j * dw
            padded[:, :, top : top + sh * oh : sh, left : left + sw * ow : sw] += dcols[:, :, i, j]
    return padded[:, :, ph : ph + h, pw : pw + w].copy()


def backward_bias(dy):
    """dbias[o] = sum over n, p, q of dy[n, o, p, q]: one bias is added to every y of its channel.

    Parameters
    ----------
    dy : (n, o, oh, ow) float32 or float64

    Returns
    -------
    dbias : (o,), of the dtype of dy
    """
    return dy.sum(axis=(0, 2, 3))


def backward_weight(dy, x, weight_shape, stride, padding, dilation, groups):
    """dweight[o, c, i, j] = sum over n, p, q of dy[n, o, p, q] * x[n, c, row, column].

    row = p * stride[0] - padding[0] + i * dilation[0], column likewise; outside the image x is 0.

    Parameters
    ----------
    dy : (n, o, oh, ow) float32 or float64
    x : (n, c, h, w), of the dtype of dy
    weight_shape : (o, c / groups, kh, kw)
    stride, padding, dilation, groups : as in `forward`

    Returns
    -------
    dweight : (o, c / groups, kh, kw), of the dtype of dy
    """
    n, o, oh, ow = dy.shape
    _, _, kh, kw = weight_shape
    cols = _columns(x, kh, kw, stride, padding, dilation, groups)
    rows = dy.reshape(n, groups, o // groups, oh * ow)
    return (rows @ cols.swapaxes(2, 3)).sum(axis=0).reshape(weight_shape)
