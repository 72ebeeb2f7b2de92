"""Max, average and adaptive pooling: the specification.

x is (n, c, h, w), y is (n, c, oh, ow). kernel, stride, padding, dilation and out_size are pairs
(vertical, horizontal). The caller chooses out_size, so windows may hang over the lower and right
edge (PyTorch's ceil_mode); what lies outside the image never takes part in a maximum.
"""

import numpy as np


def max_forward(x, kernel, stride, padding, dilation, out_size):
    """y = the largest value of each window, and where it stands.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    kernel, stride, padding, dilation : (int, int)
    out_size : (oh, ow)

    Returns
    -------
    y : (n, c, oh, ow), of the dtype of x
    argmax : (n, c, oh, ow) int64, row * w + column of the value taken

    Notes
    -----
    Among equals the first counts, row by row; a NaN wins over every number, the last NaN over the
    others. A window without a single pixel of the image gives -inf and -1.
    """
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw), (oh, ow) = kernel, stride, padding, dilation, out_size
    below = max((oh - 1) * sh + (kh - 1) * dh + 1 - ph - h, 0)
    right = max((ow - 1) * sw + (kw - 1) * dw + 1 - pw - w, 0)
    edges = ((ph, below), (pw, right))
    values = np.pad(x, ((0, 0), (0, 0), *edges), constant_values=-np.inf)
    places = np.pad(np.arange(h * w).reshape(h, w), edges, constant_values=-1)
    y = np.full((n, c, oh, ow), -np.inf, x.dtype)
    argmax = np.full((n, c, oh, ow), -1, np.int64)
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dh, i * dh + (oh - 1) * sh + 1, sh)
            columns = slice(j * dw, j * dw + (ow - 1) * sw + 1, sw)
            value, place = values[:, :, rows, columns], places[rows, columns]
            first = argmax < 0
            better = (value > y) | np.isnan(value) | first
            y = np.where(better, value, y)
            argmax = np.where(better, place, argmax)
    return y, argmax


def max_backward(dy, argmax, x_shape):
    """dx: each output's gradient goes to the one value that was the maximum.

    Parameters
    ----------
    dy : (n, c, oh, ow) float32 or float64
    argmax : (n, c, oh, ow) int64, as returned by `max_forward`
    x_shape : (n, c, h, w)

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy; where windows overlap the gradients add up

    Raises
    ------
    IndexError : argmax points beyond the image.
    """
    n, c, h, w = x_shape
    plane = np.arange(n * c).reshape(n, c, 1, 1)
    found = argmax >= 0
    if (argmax >= h * w).any():
        raise IndexError(f"max_backward: expected argmax below {h * w}, got {argmax.max()}")
    dx = np.zeros(n * c * h * w, dy.dtype)
    np.add.at(dx, (plane * (h * w) + argmax)[found], dy[found])
    return dx.reshape(n, c, h, w)


def max_forward_local(x, kernel, stride, padding, dilation, out_size):
    """y = the largest value of each window, and which of the window's values it is.

    Parameters
    ----------
    x, kernel, stride, padding, dilation, out_size : as in `max_forward`; kh * kw < 255

    Returns
    -------
    y : (n, c, oh, ow), of the dtype of x, as of `max_forward`
    where : (n, c, oh, ow) uint8, i * kw + j for row i and column j of the window; 255 for a window
        without a pixel of the image

    Raises
    ------
    ValueError : the window has 255 values or more.
    """
    if kernel[0] * kernel[1] >= 255:
        raise ValueError(f"max pooling by places: expected windows below 255 values, got {kernel}")
    (_, kw), (sh, sw), (ph, pw), (dh, dw), (oh, ow) = kernel, stride, padding, dilation, out_size
    y, argmax = max_forward(x, kernel, stride, padding, dilation, out_size)
    row, column = np.divmod(argmax, x.shape[3])
    i = (row - (np.arange(oh)[:, None] * sh - ph)) // dh
    j = (column - (np.arange(ow) * sw - pw)) // dw
    return y, np.where(argmax < 0, 255, i * kw + j).astype(np.uint8)


def max_backward_local(dy, where, x_shape, kernel, stride, padding, dilation):
    """dx: each output's gradient goes to the value of its window that was the maximum.

    Parameters
    ----------
    dy : (n, c, oh, ow) float32 or float64
    where : (n, c, oh, ow) uint8, as returned by `max_forward_local`
    x_shape : (n, c, h, w)
    kernel, stride, padding, dilation : as in `max_forward_local`

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy; places outside the image or the window receive nothing
    """
    _, _, h, w = x_shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = kernel, stride, padding, dilation
    i, j = np.divmod(where.astype(np.int64), kw)
    row = np.arange(dy.shape[2])[:, None] * sh - ph + i * dh
    column = np.arange(dy.shape[3]) * sw - pw + j * dw
    inside = (where < kh * kw) & (row >= 0) & (row < h) & (column >= 0) & (column < w)
    return max_backward(dy, np.where(inside, row * w + column, -1), x_shape)


def _window_counts(length, kernel, stride, padding, out, count_include_pad):
    """Values each window is divided by, along one axis: (out,) int."""
    start = np.arange(out) * stride - padding
    end = np.minimum(start + kernel, length + padding)
    if not count_include_pad:
        start, end = np.maximum(start, 0), np.minimum(end, length)
    return np.maximum(end - start, 1)


def avg_forward(x, kernel, stride, padding, out_size, count_include_pad):
    """y = the mean of each window; padding counts as zeros, or not at all.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    kernel, stride, padding : (int, int)
    out_size : (oh, ow)
    count_include_pad : bool, whether padded zeros count in the denominator

    Returns
    -------
    y : (n, c, oh, ow), of the dtype of x

    Notes
    -----
    What hangs over even the padding, which happens at the lower and right edge with a large
    out_size, is never counted. A window without a single pixel of the image gives 0.
    """
    _, _, h, w = x.shape
    (kh, kw), (sh, sw), (ph, pw), (oh, ow) = kernel, stride, padding, out_size
    below = max((oh - 1) * sh + kh - ph - h, 0)
    right = max((ow - 1) * sw + kw - pw - w, 0)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, below), (pw, right)))
    total = np.zeros((*x.shape[:2], oh, ow), x.dtype)
    for i in range(kh):
        for j in range(kw):
            total += padded[:, :, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw]
    tall = _window_counts(h, kh, sh, ph, oh, count_include_pad)
    wide = _window_counts(w, kw, sw, pw, ow, count_include_pad)
    return total / (tall[:, None] * wide).astype(x.dtype)


def avg_backward(dy, x_shape, kernel, stride, padding, count_include_pad):
    """dx: each output's gradient, divided by its window's count, goes to every value of the window.

    Parameters
    ----------
    dy : (n, c, oh, ow) float32 or float64
    x_shape : (n, c, h, w)
    kernel, stride, padding, count_include_pad : as in `avg_forward`

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy
    """
    n, c, h, w = x_shape
    _, _, oh, ow = dy.shape
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    tall = _window_counts(h, kh, sh, ph, oh, count_include_pad)
    wide = _window_counts(w, kw, sw, pw, ow, count_include_pad)
    share = dy / (tall[:, None] * wide).astype(dy.dtype)
    below = max((oh - 1) * sh + kh - ph - h, 0)
    right = max((ow - 1) * sw + kw - pw - w, 0)
    padded = np.zeros((n, c, ph + h + below, pw + w + right), dy.dtype)
    for i in range(kh):
        for j in range(kw):
            padded[:, :, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw] += share
    return padded[:, :, ph : ph + h, pw : pw + w].copy()


def adaptive_avg_forward(x, out_size):
    """y[p, q] = the mean over rows floor(p h / oh) to ceil((p + 1) h / oh), columns likewise.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    out_size : (oh, ow)

    Returns
    -------
    y : (n, c, oh, ow), of the dtype of x; the windows cover the image and may overlap by a pixel
    """
    n, c, h, w = x.shape
    oh, ow = out_size
    y = np.empty((n, c, oh, ow), x.dtype)
    for p in range(oh):
        for q in range(ow):
            top, bottom = p * h // oh, -(-(p + 1) * h // oh)
            left, right = q * w // ow, -(-(q + 1) * w // ow)
            y[:, :, p, q] = x[:, :, top:bottom, left:right].mean(axis=(2, 3))
    return y


def adaptive_avg_backward(dy, x_shape):
    """dx: each output's gradient is shared equally by the values of its window.

    Parameters
    ----------
    dy : (n, c, oh, ow) float32 or float64
    x_shape : (n, c, h, w)

    Returns
    -------
    dx : (n, c, h, w), of the dtype of dy
    """
    _, _, h, w = x_shape
    _, _, oh, ow = dy.shape
    dx = np.zeros(x_shape, dy.dtype)
    for p in range(oh):
        for q in range(ow):
            top, bottom = p * h // oh, -(-(p + 1) * h // oh)
            left, right = q * w // ow, -(-(q + 1) * w // ow)
            count = (bottom - top) * (right - left)
            dx[:, :, top:bottom, left:right] += dy[:, :, p, q, None, None] / count
    return dx


def adaptive_max_forward(x, out_size):
    """y[p, q] = the largest of rows floor(p h / oh) to ceil((p + 1) h / oh), columns likewise.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    out_size : (oh, ow)

    Returns
    -------
    y : (n, c, oh, ow), of the dtype of x
    argmax : (n, c, oh, ow) int64, row * w + column of the value taken; `max_backward` takes it

    Notes
    -----
    Among equals the first counts, and the last NaN over everything, as in `max_forward`.
    """
    n, c, h, w = x.shape
    oh, ow = out_size
    y, argmax = np.empty((n, c, oh, ow), x.dtype), np.empty((n, c, oh, ow), np.int64)
    for p in range(oh):
        for q in range(ow):
            top, bottom = p * h // oh, -(-(p + 1) * h // oh)
            left, right = q * w // ow, -(-(q + 1) * w // ow)
            window = x[:, :, top:bottom, left:right].reshape(n, c, (bottom - top) * (right - left))
            nan = np.isnan(window)
            last_nan = window.shape[2] - 1 - nan[..., ::-1].argmax(axis=2)
            place = np.where(nan.any(axis=2), last_nan, window.argmax(axis=2))
            y[:, :, p, q] = np.take_along_axis(window, place[..., None], axis=2)[..., 0]
            row, column = np.divmod(place, right - left)
            argmax[:, :, p, q] = (top + row) * w + left + column
    return y, argmax
