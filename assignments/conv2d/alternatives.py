"""Other right solutions: another algebra, explicit loops, another precision inside.

Each must keep every point, whatever the secret. If one does not, the check is wrong, not it.
"""

import cython
import numpy as np
from numba import njit

from minidl.grading.mistake import alternative


@alternative(target="output_size")
def output_size_with_ceil(size, kernel, stride, padding, dilation):
    """Divide once, in floating point, and round up how many starts there are."""
    starts = size + 2 * padding - dilation * (kernel - 1)
    return np.maximum(np.ceil(starts / stride), 0).astype(np.int64)


@alternative(target="output_size")
def output_size_from_ranges(size, kernel, stride, padding, dilation):
    """The length of a range, for each size."""
    rows = np.broadcast_arrays(size, kernel, stride, padding, dilation)
    lengths = [
        len(range(0, s + 2 * p - d * (k - 1), t)) for s, k, t, p, d in zip(*rows, strict=True)
    ]
    return np.array(lengths, dtype=np.int64)


@alternative(target="output_size")
def output_size_where_it_fits(size, kernel, stride, padding, dilation):
    """np.where decides, and divmod divides."""
    room = size + padding + padding - dilation * kernel + dilation - 1
    return np.where(room < 0, 0, divmod(room, stride)[0] + 1)


@alternative(target="pad")
def pad_with_numpy(x, padding):
    """NumPy has a function for it."""
    (ph, pw) = padding
    return np.pad(x, [(0, 0), (0, 0), (ph, ph), (pw, pw)])


@alternative(target="pad")
def pad_by_concatenation(x, padding):
    """Zeros put on one side after the other."""
    n, c, _, w = x.shape
    rows = np.zeros((n, c, padding[0], w), x.dtype)
    x = np.concatenate([rows, x, rows], axis=2)
    columns = np.zeros((n, c, x.shape[2], padding[1]), x.dtype)
    return np.concatenate([columns, x, columns], axis=3)


@alternative(target="pad")
def pad_row_by_row(x, padding):
    """One row of one image after the other."""
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h + padding[0] * 2, w + padding[1] * 2)).astype(x.dtype)
    for image in range(n):
        for channel in range(c):
            for row in range(h):
                line = padded[image, channel, row + padding[0]]
                line[padding[1] : padding[1] + w] = x[image, channel, row]
    return padded


@alternative(target="convolve")
def convolve_in_seven_loops(x, weight, bias, stride, padding):
    """Plain numbers in float64, on an image with its zeros around it."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    ph, pw = padding
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh = 1 + (h + 2 * ph - kh) // stride[0]
    ow = 1 + (w + 2 * pw - kw) // stride[1]
    y = np.empty((n, o, oh, ow), x.dtype)
    for image in range(n):
        for k in range(o):
            for p in range(oh):
                for q in range(ow):
                    total = 0.0
                    for channel in range(c):
                        for i in range(kh):
                            for j in range(kw):
                                pixel = padded[image, channel, p * stride[0] + i, q * stride[1] + j]
                                total += float(pixel) * float(weight[k, channel, i, j])
                    y[image, k, p, q] = total + bias[k]
    return y


@alternative(target="convolve")
def convolve_patch_by_patch(x, weight, bias, stride, padding):
    """One patch times one kernel at a time."""
    n = len(x)
    o, _, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    oh = (padded.shape[2] - kh) // stride[0] + 1
    ow = (padded.shape[3] - kw) // stride[1] + 1
    y = np.zeros((n, o, oh, ow), dtype=x.dtype)
    for image, k, p, q in np.ndindex(*y.shape):
        top, left = p * stride[0], q * stride[1]
        patch = padded[image, :, top : top + kh, left : left + kw]
        y[image, k, p, q] = np.sum(patch * weight[k]) + bias[k]
    return y


@alternative(target="convolve")
def convolve_tap_by_tap(x, weight, bias, stride, padding):
    """Every tap sees a shifted image; the shifted images are added up."""
    n, _, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    y = np.broadcast_to(bias[:, None, None], (n, o, oh, ow)).copy()
    for i, j in np.ndindex(kh, kw):
        shifted = padded[:, :, i : i + sh * oh : sh, j : j + sw * ow : sw]
        y += np.einsum("ncpq,oc->nopq", shifted, weight[:, :, i, j])
    return y


@alternative(target="im2col")
def im2col_tap_by_tap(x, kernel, stride, dilation):
    """A slice with a step for each tap."""
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    cols = np.empty((n, c, kh, kw, oh, ow), x.dtype)
    for i in range(kh):
        for j in range(kw):
            cols[:, :, i, j] = x[:, :, i * dh :: sh, j * dw :: sw][:, :, :oh, :ow]
    return cols.reshape(n, c * kh * kw, oh * ow)


@alternative(target="im2col")
def im2col_patch_by_patch(x, kernel, stride, dilation):
    """A column for each position, in Fortran's order."""
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    cols = np.zeros((n, c * kh * kw, oh * ow), x.dtype, order="F")
    for t, (p, q) in enumerate(np.ndindex(oh, ow)):
        top, left = p * sh, q * sw
        patch = x[:, :, top : top + dh * (kh - 1) + 1 : dh, left : left + dw * (kw - 1) + 1 : dw]
        cols[:, :, t] = patch.reshape(n, -1) if n else cols[:, :, t]
    return cols


@alternative(target="im2col")
def im2col_with_a_sliding_window(x, kernel, stride, dilation):
    """NumPy's sliding windows, thinned out."""
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    reach = (dh * (kh - 1) + 1, dw * (kw - 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    windows = windows[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 1, 4, 5, 2, 3)
    n, c, _, _, oh, ow = windows.shape
    return windows.reshape(n, c * kh * kw, oh * ow)


@alternative(target="col2im")
def col2im_with_add_at(cols, shape, kernel, stride, dilation):
    """np.add.at, which adds as often as a pixel is named."""
    n, c, h, w = shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    rows = dh * np.arange(kh)[:, None, None, None] + sh * np.arange(oh)[:, None]
    columns = dw * np.arange(kw)[:, None, None] + sw * np.arange(ow)
    x = np.zeros(shape, cols.dtype)
    np.add.at(x, (slice(None), slice(None), rows, columns), cols.reshape(n, c, kh, kw, oh, ow))
    return x


@alternative(target="col2im")
def col2im_patch_by_patch(cols, shape, kernel, stride, dilation):
    """One position after the other, in float64."""
    n, c, _, w = shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    ow = (w - dw * (kw - 1) - 1) // sw + 1
    x = np.zeros(shape)
    for t in range(cols.shape[2]):
        top, left = t // ow * sh, t % ow * sw
        bottom, right = top + dh * (kh - 1) + 1, left + dw * (kw - 1) + 1
        x[:, :, top:bottom:dh, left:right:dw] += cols[:, :, t].reshape(n, c, kh, kw)
    return x.astype(cols.dtype)


@alternative(target="col2im")
def col2im_as_a_matrix(cols, shape, kernel, stride, dilation):
    """A matrix of zeros and ones, one for each pixel that a cell of a column was taken from."""
    n, c, h, w = shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    taken = np.zeros((kh * kw * oh * ow, h * w), cols.dtype)
    for cell, (i, j, p, q) in enumerate(np.ndindex(kh, kw, oh, ow)):
        taken[cell, (p * sh + i * dh) * w + q * sw + j * dw] = 1
    return (cols.reshape(n, c, kh * kw * oh * ow) @ taken).reshape(shape)


@alternative(target="forward")
def forward_with_einsum(x, weight, bias, stride, padding, dilation, groups):
    """Sliding windows and one einsum for each group."""
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    o, part, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    reach = (dh * (kh - 1) + 1, dw * (kw - 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(2, 3))
    windows = windows[:, :, ::sh, ::sw, ::dh, ::dw]
    share = o // groups
    parts = [
        np.einsum(
            "ncpqij,ocij->nopq",
            windows[:, g * part : (g + 1) * part],
            weight[g * share : (g + 1) * share],
        )
        for g in range(groups)
    ]
    y = np.concatenate(parts, axis=1)
    return y if bias is None else y + bias.reshape(1, o, 1, 1)


@alternative(target="forward")
def forward_tap_by_tap(x, weight, bias, stride, padding, dilation, groups):
    """Every tap sees a shifted image; in float64 inside."""
    n, _, h, w = x.shape
    o, part, kh, kw = weight.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    oh, ow = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    y = np.zeros((n, o, oh, ow))
    for k, i, j in np.ndindex(o, kh, kw):
        first, top, left = k // (o // groups) * part, i * dh, j * dw
        shifted = padded[
            :, first : first + part, top : top + sh * oh : sh, left : left + sw * ow : sw
        ]
        y[:, k] += (shifted * weight[k, :, i, j, None, None]).sum(axis=1)
    if bias is not None:
        y += bias[None, :, None, None]
    return y.astype(x.dtype)


@alternative(target="forward")
def forward_with_one_large_matrix(x, weight, bias, stride, padding, dilation, groups):
    """All images in one matrix, patches as rows; zeros for what a group never sees."""
    n, c, h, w = x.shape
    o, part, kh, kw = weight.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh, ow = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    whole = np.zeros((o, c, kh, kw), x.dtype)
    for k in range(o):
        first = k // (o // groups) * part
        whole[k, first : first + part] = weight[k]
    rows = np.zeros((n, oh, ow, c, kh, kw), x.dtype)
    for i, j in np.ndindex(kh, kw):
        tap = padded[:, :, i * dh :: sh, j * dw :: sw][:, :, :oh, :ow]
        rows[..., i, j] = tap.transpose(0, 2, 3, 1)
    y = rows.reshape(n * oh * ow, c * kh * kw) @ whole.reshape(o, c * kh * kw).T
    if bias is not None:
        y += bias
    return np.ascontiguousarray(y.reshape(n, oh, ow, o).transpose(0, 3, 1, 2))


@alternative(target="backward_bias")
def backward_bias_with_einsum(dy):
    """The axis that is named stays."""
    return np.einsum("nohw->o", dy)


@alternative(target="backward_bias")
def backward_bias_in_loops(dy):
    """One channel after the other, in float64."""
    return np.array([dy[:, k].astype(np.float64).sum() for k in range(dy.shape[1])], dy.dtype)


@alternative(target="backward_bias")
def backward_bias_as_a_product(dy):
    """Rows of one channel times a column of ones."""
    n, o, oh, ow = dy.shape
    return dy.transpose(1, 0, 2, 3).reshape(o, n * oh * ow) @ np.ones(n * oh * ow, dy.dtype)


@alternative(target="backward_weight")
def backward_weight_with_einsum(dy, x, weight_shape, stride, padding, dilation, groups):
    """Sliding windows and one einsum for each group."""
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    (o, part, kh, kw), (oh, ow) = weight_shape, dy.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    reach = (dh * (kh - 1) + 1, dw * (kw - 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(2, 3))
    windows = windows[:, :, ::sh, ::sw, ::dh, ::dw][:, :, :oh, :ow]
    share = o // groups
    parts = [
        np.einsum(
            "ncpqij,nopq->ocij",
            windows[:, g * part : (g + 1) * part],
            dy[:, g * share : (g + 1) * share],
        )
        for g in range(groups)
    ]
    return np.concatenate(parts)


@alternative(target="backward_weight")
def backward_weight_tap_by_tap(dy, x, weight_shape, stride, padding, dilation, groups):
    """One weight after the other: dy times the shifted image."""
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    (o, part, _, _), (oh, ow) = weight_shape, dy.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    dweight = np.empty(weight_shape, dy.dtype)
    for k, channel, i, j in np.ndindex(*weight_shape):
        top, left = i * dh, j * dw
        seen = padded[:, k // (o // groups) * part + channel]
        seen = seen[:, top : top + sh * oh : sh, left : left + sw * ow : sw]
        dweight[k, channel, i, j] = np.sum(dy[:, k] * seen, dtype=np.float64)
    return dweight


@alternative(target="backward_weight")
def backward_weight_position_by_position(dy, x, weight_shape, stride, padding, dilation, groups):
    """Every position adds its patch times its dy."""
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    (o, part, kh, kw), (n, _, oh, ow) = weight_shape, dy.shape
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    dweight = np.zeros((groups, o // groups, part, kh, kw))
    for p, q in np.ndindex(oh, ow):
        top, left = p * sh, q * sw
        patch = padded[:, :, top : top + dh * kh : dh, left : left + dw * kw : dw][:, :, :kh, :kw]
        patch = patch.reshape(n, groups, part, kh, kw)
        dweight += np.einsum(
            "ngcij,ngo->gocij", patch, dy[:, :, p, q].reshape(n, groups, o // groups)
        )
    return dweight.reshape(weight_shape).astype(dy.dtype)


@alternative(target="backward_input")
def backward_input_as_a_convolution(dy, weight, x_shape, stride, padding, dilation, groups):
    """dy with zeros between its values and around them, convolved with the turned kernel."""
    n, c, h, w = x_shape
    o, part, kh, kw = weight.shape
    (sh, sw), (ph, pw), (dh, dw), (oh, ow) = stride, padding, dilation, dy.shape[2:]
    top, left = dh * (kh - 1), dw * (kw - 1)
    spread = np.zeros((n, o, h + 2 * ph + top, w + 2 * pw + left), dy.dtype)
    spread[:, :, top : top + sh * oh : sh, left : left + sw * ow : sw] = dy
    dx = np.zeros((n, c, h + 2 * ph, w + 2 * pw), dy.dtype)
    for k, i, j in np.ndindex(o, kh, kw):
        first, down, right = k // (o // groups) * part, i * dh, j * dw
        seen = spread[:, k, None, down : down + h + 2 * ph, right : right + w + 2 * pw]
        turned = weight[k, :, kh - 1 - i, kw - 1 - j]
        dx[:, first : first + part] += seen * turned[:, None, None]
    return dx[:, :, ph : ph + h, pw : pw + w]


@alternative(target="backward_input")
def backward_input_position_by_position(dy, weight, x_shape, stride, padding, dilation, groups):
    """Every output value adds itself times its kernel to its patch, in float64."""
    n, c, h, w = x_shape
    o, part, kh, kw = weight.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    dx = np.zeros((n, c, h + 2 * ph, w + 2 * pw))
    for k, p, q in np.ndindex(*dy.shape[1:]):
        first, top, left = k // (o // groups) * part, p * sh, q * sw
        bottom, right = top + dh * (kh - 1) + 1, left + dw * (kw - 1) + 1
        g = dy[:, k, p, q].reshape(n, 1, 1, 1)
        dx[:, first : first + part, top:bottom:dh, left:right:dw] += g * weight[k]
    return np.ascontiguousarray(dx[:, :, ph : ph + h, pw : pw + w]).astype(dy.dtype)


@alternative(target="backward_input")
def backward_input_with_add_at(dy, weight, x_shape, stride, padding, dilation, groups):
    """Columns by a product for each group, and np.add.at to bring them back."""
    n, c, h, w = x_shape
    o, part, kh, kw = weight.shape
    (sh, sw), (ph, pw), (dh, dw), (oh, ow) = stride, padding, dilation, dy.shape[2:]
    rows = dh * np.arange(kh)[:, None, None, None] + sh * np.arange(oh)[:, None]
    columns = dw * np.arange(kw)[:, None, None] + sw * np.arange(ow)
    dx = np.zeros((n, c, h + 2 * ph, w + 2 * pw), dy.dtype)
    share = o // groups
    for g in range(groups):
        mine = slice(g * share, (g + 1) * share)
        dcols = np.einsum("ocij,nopq->ncijpq", weight[mine], dy[:, mine])
        target = dx[:, g * part : (g + 1) * part]
        np.add.at(target, (slice(None), slice(None), rows, columns), dcols)
    return dx[:, :, ph : ph + h, pw : pw + w].copy()


@alternative(target="forward_numba")
@njit
def compiled_in_the_order_of_the_formula(x, weight, bias, stride, padding):
    """Seven loops, and a test for every pixel."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    oh = (h + 2 * padding[0] - kh) // stride[0] + 1
    ow = (w + 2 * padding[1] - kw) // stride[1] + 1
    y = np.zeros((n, o, oh, ow), dtype=x.dtype)
    for image in range(n):
        for k in range(o):
            for p in range(oh):
                for q in range(ow):
                    total = bias[k]
                    for channel in range(c):
                        for i in range(kh):
                            for j in range(kw):
                                row = p * stride[0] - padding[0] + i
                                column = q * stride[1] - padding[1] + j
                                if row >= 0 and row < h and column >= 0 and column < w:
                                    pixel = x[image, channel, row, column]
                                    total += pixel * weight[k, channel, i, j]
                    y[image, k, p, q] = total
    return y


@alternative(target="forward_numba")
@njit
def compiled_in_double_precision(x, weight, bias, stride, padding):
    """Sums in float64, and zeros made anew for every image."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    y = np.empty((n, o, oh, ow), np.float32)
    for image in range(n):
        padded = np.zeros((c, h + 2 * ph, w + 2 * pw), np.float32)
        for channel, row, column in np.ndindex(c, h, w):
            padded[channel, row + ph, column + pw] = x[image, channel, row, column]
        for k, p, q in np.ndindex(o, oh, ow):
            total = float(bias[k])
            for channel in range(c):
                for i in range(kh):
                    for j in range(kw):
                        total += weight[k, channel, i, j] * padded[channel, p * sh + i, q * sw + j]
            y[image, k, p, q] = total
    return y


@alternative(target="forward_numba")
@njit(cache=True)
def compiled_tap_by_tap(x, weight, bias, stride, padding):
    """The taps outside, and for each of them only the rows where it lies on the image."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    y = np.zeros((n, o, oh, ow), x.dtype)
    for image, k, p, q in np.ndindex(n, o, oh, ow):
        y[image, k, p, q] = bias[k]
    for k, channel, i, j in np.ndindex(o, c, kh, kw):
        tap = weight[k, channel, i, j]
        for image in range(n):
            for p in range(oh):
                row = p * sh - ph + i
                if row < 0 or row >= h:
                    continue
                for q in range(ow):
                    column = q * sw - pw + j
                    if 0 <= column < w:
                        y[image, k, p, q] += tap * x[image, channel, row, column]
    return y


@alternative(target="forward_cython")
def typed_in_the_order_of_the_formula(x, weight, bias, stride, padding):
    """Seven loops, a test for every pixel, and types for the numbers only."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    y = np.zeros((n, o, (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1), x.dtype)
    total: cython.float
    for image in range(n):
        for k in range(o):
            for p in range(y.shape[2]):
                for q in range(y.shape[3]):
                    total = bias[k]
                    for channel in range(c):
                        for i in range(kh):
                            for j in range(kw):
                                row: cython.int = p * sh - ph + i
                                column: cython.int = q * sw - pw + j
                                if 0 <= row < h and 0 <= column < w:
                                    pixel = x[image, channel, row, column]
                                    total += weight[k, channel, i, j] * pixel
                    y[image, k, p, q] = total
    return y


@alternative(target="forward_cython")
@cython.cdivision(True)
def typed_patch_by_patch(x, weight, bias, stride, padding):
    """Memory views, cut into patches."""
    sh, sw = stride
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])))
    pixels: cython.float[:, :, :, :] = padded
    kh: cython.Py_ssize_t = weight.shape[2]
    kw: cython.Py_ssize_t = weight.shape[3]
    oh = (padded.shape[2] - kh) // sh + 1
    ow = (padded.shape[3] - kw) // sw + 1
    y = np.empty((len(x), len(weight), oh, ow), dtype="float32")
    for p in range(oh):
        for q in range(ow):
            patch = pixels[:, :, p * sh : p * sh + kh, q * sw : q * sw + kw]
            y[:, :, p, q] = np.tensordot(np.asarray(patch), weight, ((1, 2, 3), (1, 2, 3))) + bias
    return y


@alternative(target="forward_cython")
@cython.boundscheck(False)
@cython.wraparound(False)
def typed_tap_by_tap(x, weight, bias, stride, padding):
    """The taps outside, cython.declare, and sums in double."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    sums = np.zeros((n, o, oh, ow)) + bias[:, None, None]
    tap = cython.declare(cython.double)
    for k, channel, i, j in np.ndindex(o, c, kh, kw):
        tap = weight[k, channel, i, j]
        for image, p, q in np.ndindex(n, oh, ow):
            row, column = p * sh - ph + i, q * sw - pw + j
            if 0 <= row < h and 0 <= column < w:
                sums[image, k, p, q] += tap * x[image, channel, row, column]
    return sums.astype(np.float32)
