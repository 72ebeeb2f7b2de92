"""Convolution taken apart: what the library has no function of its own for."""

import cython
import numpy as np
from numba import njit


def output_size(size, kernel, stride, padding, dilation):
    """How many positions a kernel takes along one axis of an image.

    The image gets `padding` more pixels at both ends. The kernel's taps are `dilation` pixels
    apart. It starts at the first pixel and moves on by `stride`; a position counts when the whole
    kernel lies on the padded image. Where there is no such position the answer is 0.

    Parameters
    ----------
    size : (m,) int64, lengths of images before they are padded
    kernel, stride, dilation : int >= 1, or (m,) int64
    padding : int >= 0, or (m,) int64

    Returns
    -------
    positions : (m,) int64

    References
    ----------
    Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning".
    """
    reach = dilation * (kernel - 1) + 1
    room = size + 2 * padding - reach
    return np.maximum(room // stride + 1, 0)


def pad(x, padding):
    """Surround every image by zeros.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    padding : (int, int), how many rows above and below, how many columns left and right

    Returns
    -------
    padded : of the dtype of x
    """
    n, c, h, w = x.shape
    ph, pw = padding
    padded = np.zeros((n, c, h + 2 * ph, w + 2 * pw), x.dtype)
    padded[:, :, ph : ph + h, pw : pw + w] = x
    return padded


def convolve(x, weight, bias, stride, padding):
    """Convolution in plain loops: no function of NumPy's does any sums.

    y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, row, column].

    row = p * stride[0] - padding[0] + i, column likewise; outside the image x is 0.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    weight : (o, c, kh, kw), of the dtype of x
    bias : (o,), of the dtype of x
    stride, padding : (int, int), vertical and horizontal

    Returns
    -------
    y : (n, o, oh, ow), of the dtype of x: one value for each position of the kernel
    """
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    oh = (h + 2 * ph - kh) // sh + 1
    ow = (w + 2 * pw - kw) // sw + 1
    y = np.zeros((n, o, oh, ow), x.dtype)
    for image, k, p, q in np.ndindex(n, o, oh, ow):
        total = bias[k]
        for channel, i, j in np.ndindex(c, kh, kw):
            row, column = p * sh - ph + i, q * sw - pw + j
            if 0 <= row < h and 0 <= column < w:
                total += weight[k, channel, i, j] * x[image, channel, row, column]
        y[image, k, p, q] = total
    return y


def im2col(x, kernel, stride, dilation):
    """Lay the patch under every position of the kernel out as a column.

    A column holds its patch channel by channel and, within a channel, row by row. Columns stand in
    the order in which positions are read: from left to right, then from top to bottom.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64, padded already
    kernel, stride, dilation : (int, int), vertical and horizontal

    Returns
    -------
    cols : (n, c * kh * kw, oh * ow), of the dtype of x

    References
    ----------
    Chellapilla, Puri & Simard 2006, "High performance convolutional neural networks for document
    processing".
    """
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh = (h - dh * (kh - 1) - 1) // sh + 1
    ow = (w - dw * (kw - 1) - 1) // sw + 1
    rows = dh * np.arange(kh)[:, None] + sh * np.arange(oh)
    columns = dw * np.arange(kw)[:, None] + sw * np.arange(ow)
    patches = x[:, :, rows[:, None, :, None], columns[None, :, None, :]]
    return patches.reshape(n, c * kh * kw, oh * ow)


def col2im(cols, shape, kernel, stride, dilation):
    """The way back from im2col for gradients: every number of cols goes to the pixel it came from.

    Where several of them come from one pixel, it gets their sum; where none does, 0. So
    sum(col2im(cols) * x) = sum(cols * im2col(x)), for every x and every cols.

    Parameters
    ----------
    cols : (n, c * kh * kw, oh * ow) float32 or float64, ordered as im2col orders them
    shape : (n, c, h, w), of the padded images
    kernel, stride, dilation : (int, int), vertical and horizontal

    Returns
    -------
    x : (n, c, h, w), of the dtype of cols
    """
    n, c, h, w = shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh = (h - dh * (kh - 1) - 1) // sh + 1
    ow = (w - dw * (kw - 1) - 1) // sw + 1
    patches = cols.reshape(n, c, kh, kw, oh, ow)
    x = np.zeros(shape, cols.dtype)
    for i in range(kh):
        for j in range(kw):
            top, left = i * dh, j * dw
            x[:, :, top : top + sh * oh : sh, left : left + sw * ow : sw] += patches[:, :, i, j]
    return x


@njit
def _positions(size, kernel, stride, padding):
    """Count the positions of a kernel on one axis."""
    return (size + 2 * padding - kernel) // stride + 1


@njit
def forward_numba(x, weight, bias, stride, padding):
    """Convolution in loops, compiled by Numba (`from numba import njit`), for float32.

    y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, row, column].

    row = p * stride[0] - padding[0] + i, column likewise; outside the image x is 0. Its time is
    graded, too: ten times that of plain compiled loops is accepted, compilation apart.

    Parameters
    ----------
    x : (n, c, h, w) float32
    weight : (o, c, kh, kw) float32
    bias : (o,) float32
    stride, padding : (int, int), vertical and horizontal

    Returns
    -------
    y : (n, o, oh, ow) float32
    """
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    oh, ow = _positions(h, kh, sh, ph), _positions(w, kw, sw, pw)
    y = np.empty((n, o, oh, ow), x.dtype)
    for image in range(n):
        for k in range(o):
            for p in range(oh):
                for q in range(ow):
                    y[image, k, p, q] = bias[k]
            for channel in range(c):
                for i in range(kh):
                    for j in range(kw):
                        tap = weight[k, channel, i, j]
                        for p in range(oh):
                            row = p * sh - ph + i
                            if 0 <= row < h:
                                for q in range(ow):
                                    column = q * sw - pw + j
                                    if 0 <= column < w:
                                        y[image, k, p, q] += tap * x[image, channel, row, column]
    return y


@cython.boundscheck(False)
@cython.wraparound(False)
def forward_cython(x, weight, bias, stride, padding):
    """Convolution in loops, in Cython's pure Python mode (`import cython`), for float32.

    y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, row, column].

    row = p * stride[0] - padding[0] + i, column likewise; outside the image x is 0. What the
    compiler has to know stands in annotations, so that the function runs as plain Python as well:
    that is how it is graded. `minidl race` compiles it.

    Parameters
    ----------
    x : (n, c, h, w) float32
    weight : (o, c, kh, kw) float32
    bias : (o,) float32
    stride, padding : (int, int), vertical and horizontal

    Returns
    -------
    y : (n, o, oh, ow) float32
    """
    n: cython.Py_ssize_t = x.shape[0]
    c: cython.Py_ssize_t = x.shape[1]
    o: cython.Py_ssize_t = weight.shape[0]
    kh: cython.Py_ssize_t = weight.shape[2]
    kw: cython.Py_ssize_t = weight.shape[3]
    sh: cython.Py_ssize_t = stride[0]
    sw: cython.Py_ssize_t = stride[1]
    ph, pw = padding
    zeros = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh: cython.Py_ssize_t = (zeros.shape[2] - kh) // sh + 1
    ow: cython.Py_ssize_t = (zeros.shape[3] - kw) // sw + 1
    y = np.empty((n, o, oh, ow), np.float32)
    pixels: cython.float[:, :, :, ::1] = zeros
    taps: cython.float[:, :, :, ::1] = weight
    biases: cython.float[::1] = bias
    outputs: cython.float[:, :, :, ::1] = y
    image: cython.Py_ssize_t
    k: cython.Py_ssize_t
    p: cython.Py_ssize_t
    q: cython.Py_ssize_t
    channel: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    tap: cython.float
    for image in range(n):
        for k in range(o):
            for p in range(oh):
                for q in range(ow):
                    outputs[image, k, p, q] = biases[k]
                for channel in range(c):
                    for i in range(kh):
                        for j in range(kw):
                            tap = taps[k, channel, i, j]
                            for q in range(ow):
                                outputs[image, k, p, q] += (
                                    tap * pixels[image, channel, p * sh + i, q * sw + j]
                                )
    return y
