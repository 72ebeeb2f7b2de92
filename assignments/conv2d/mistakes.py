"""Plausible wrong solutions that are another function, rather than a patch of the right one."""

import numpy as np

from minidl.grading.mistake import mistake


@mistake(
    target="pad",
    question="What is the docstring's formula for y worth outside the image?",
)
def edge_pixels_repeated(x, padding):
    """The border repeats the image's outermost pixels; it should be zeros."""
    ph, pw = padding
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), mode="edge" if x.size else "constant")


@mistake(
    target="pad",
    question="What would an image of zeros more in the batch do to the loss, or one more channel?",
)
def padded_in_every_axis(x, padding):
    """Batch and channels were padded too: np.pad with one pair of numbers means every axis."""
    ph, pw = padding
    return np.pad(x, ((ph, ph), (ph, ph), (ph, ph), (pw, pw)))


@mistake(
    target="convolve",
    question="With padding 0, on which pixels do the taps of y's very first value lie?",
)
def kernel_centred_on_its_pixel(x, weight, bias, stride, padding):
    """The kernel's middle was put where its first tap belongs: everything is shifted by half a
    kernel.
    """
    n, _, h, w = x.shape
    o, _, kh, kw = weight.shape
    oh = (h + 2 * padding[0] - kh) // stride[0] + 1
    ow = (w + 2 * padding[1] - kw) // stride[1] + 1
    y = np.zeros((n, o, oh, ow), x.dtype) + bias[:, None, None]
    for p, q, i, j in np.ndindex(oh, ow, kh, kw):
        row = p * stride[0] - padding[0] + i - kh // 2
        column = q * stride[1] - padding[1] + j - kw // 2
        if 0 <= row < h and 0 <= column < w:
            y[:, :, p, q] += x[:, :, row, column] @ weight[:, :, i, j].T
    return y


@mistake(
    target="convolve",
    question="Once a loop has added to y[p, q], what does a plain = do to it in the next channel?",
)
def last_channel_only(x, weight, bias, stride, padding):
    """Each channel overwrote what the one before had put into y, so only the last one is left."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    ph, pw = padding
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh = (h + 2 * ph - kh) // stride[0] + 1
    ow = (w + 2 * pw - kw) // stride[1] + 1
    y = np.zeros((n, o, oh, ow), x.dtype)
    for image, k, p, q in np.ndindex(n, o, oh, ow):
        top, left = p * stride[0], q * stride[1]
        for channel in range(c):
            patch = padded[image, channel, top : top + kh, left : left + kw]
            y[image, k, p, q] = (patch * weight[k, channel]).sum() + bias[k]
    return y


@mistake(
    target="im2col",
    question="By how much does the place in the column grow from one row of the patch to the next?",
)
def place_of_a_square_kernel(x, kernel, stride, dilation):
    """The place of a tap in its column was computed with the kernel's height where its width
    belongs: right for square kernels only, others overwrite their own numbers.
    """
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    cols = np.zeros((n, c * kh * kw, oh * ow), x.dtype)
    for channel, i, j, p, q in np.ndindex(c, kh, kw, oh, ow):
        place = (channel * kh * kw + i * kh + j) % (c * kh * kw)
        cols[:, place, p * ow + q] = x[:, channel, p * sh + i * dh, q * sw + j * dw]
    return cols


@mistake(
    target="im2col",
    question="By how much does a column's number grow from one row of positions to the next?",
)
def number_of_a_square_output(x, kernel, stride, dilation):
    """The number of a column was computed with the output's height where its width belongs: right
    for square outputs only, others overwrite their own columns.
    """
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    cols = np.zeros((n, c * kh * kw, oh * ow), x.dtype)
    for channel, i, j, p, q in np.ndindex(c, kh, kw, oh, ow):
        place, number = (channel * kh + i) * kw + j, (p * oh + q) % (oh * ow)
        cols[:, place, number] = x[:, channel, p * sh + i * dh, q * sw + j * dw]
    return cols


@mistake(
    target="col2im",
    question="A pixel acts on the loss through each of its patches: is one of them to count less?",
)
def overlaps_averaged(cols, shape, kernel, stride, dilation):
    """Where patches overlap, their mean was taken, as when an image is put together again; for a
    gradient they are added.
    """
    n, c, h, w = shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    patches = cols.reshape(n, c, kh, kw, oh, ow)
    x, count = np.zeros(shape, cols.dtype), np.zeros((h, w), cols.dtype)
    for i, j, p, q in np.ndindex(kh, kw, oh, ow):
        x[:, :, p * sh + i * dh, q * sw + j * dw] += patches[:, :, i, j, p, q]
        count[p * sh + i * dh, q * sw + j * dw] += 1
    return x / np.maximum(count, 1)


@mistake(
    target="col2im",
    question="Several indices in one NumPy assignment name the same pixel: how many of them count?",
)
def added_with_repeated_indices(cols, shape, kernel, stride, dilation):
    """x[rows, columns] += ... with index arrays counts a pixel once however often it is named, so
    of overlapping patches only one was added.
    """
    n, c, h, w = shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    rows = sh * np.arange(oh)[:, None] + dh * np.arange(kh)
    columns = sw * np.arange(ow)[:, None] + dw * np.arange(kw)
    patches = cols.reshape(n, c, kh, kw, oh, ow).transpose(0, 1, 4, 5, 2, 3)
    x = np.zeros(shape, cols.dtype)
    x[:, :, rows[:, None, :, None], columns[None, :, None, :]] += patches
    return x


@mistake(
    target="backward_weight",
    question="With dilation 2, which pixel did the second tap meet at the first position?",
)
def dweight_without_dilation(dy, x, weight_shape, stride, padding, dilation, groups):
    """Dilation was forgotten on the way back: the taps were taken to lie side by side."""
    (sh, sw), (ph, pw), (oh, ow) = stride, padding, dy.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    o, part, kh, kw = weight_shape
    dweight = np.zeros(weight_shape, dy.dtype)
    for k, i, j in np.ndindex(o, kh, kw):
        first = k // (o // groups) * part
        window = padded[:, first : first + part, i : i + sh * oh : sh, j : j + sw * ow : sw]
        dweight[k, :, i, j] = (dy[:, k, None] * window).sum(axis=(0, 2, 3))
    return dweight


@mistake(
    target="backward_weight",
    question="With stride 2, which pixel did the first tap meet at the second position?",
)
def dweight_without_stride(dy, x, weight_shape, stride, padding, dilation, groups):
    """The stride was forgotten on the way back: neighbouring positions were taken to see
    neighbouring pixels.
    """
    (dh, dw), (ph, pw), (oh, ow) = dilation, padding, dy.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    o, part, kh, kw = weight_shape
    dweight = np.zeros(weight_shape, dy.dtype)
    for k, i, j in np.ndindex(o, kh, kw):
        first, top, left = k // (o // groups) * part, i * dh, j * dw
        window = padded[:, first : first + part, top : top + oh, left : left + ow]
        dweight[k, :, i, j] = (dy[:, k, None] * window).sum(axis=(0, 2, 3))
    return dweight


@mistake(
    target="backward_weight",
    question="On the way forward, where did the kernel start: on the image, or on the zeros?",
)
def dweight_without_padding(dy, x, weight_shape, stride, padding, dilation, groups):
    """The patches were cut from the image as if all zeros lay below and right of it: those above
    and left were forgotten.
    """
    (sh, sw), (dh, dw), (oh, ow) = stride, dilation, dy.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding[0]), (0, 2 * padding[1])))
    o, part, kh, kw = weight_shape
    dweight = np.zeros(weight_shape, dy.dtype)
    for k, i, j in np.ndindex(o, kh, kw):
        first, top, left = k // (o // groups) * part, i * dh, j * dw
        window = padded[:, first : first + part, top:, left:][:, :, ::sh, ::sw][:, :, :oh, :ow]
        dweight[k, :, i, j] = (dy[:, k, None] * window).sum(axis=(0, 2, 3))
    return dweight


@mistake(
    target="backward_input",
    question="Which output values did a pixel of the second image take part in?",
)
def dx_of_the_whole_batch(dy, weight, x_shape, stride, padding, dilation, groups):
    """The gradients of all images were added up, and each image got the sum; a pixel acts on the
    output of its own image only.
    """
    n, c, h, w = x_shape
    o, part, kh, kw = weight.shape
    (sh, sw), (dh, dw), (oh, ow) = stride, dilation, dy.shape[2:]
    dx = np.zeros((c, h + 2 * padding[0], w + 2 * padding[1]), dy.dtype)
    for k, i, j, p, q in np.ndindex(o, kh, kw, oh, ow):
        first = k // (o // groups) * part
        row, column = p * sh + i * dh, q * sw + j * dw
        dx[first : first + part, row, column] += weight[k, :, i, j] * dy[:, k, p, q].sum()
    ph, pw = padding
    return np.repeat(dx[None, :, ph : ph + h, pw : pw + w], n, axis=0)


@mistake(
    target="forward_numba",
    question="What makes Numba compile a function, and does it stand above this one?",
)
def not_compiled(x, weight, bias, stride, padding):
    """The numbers are right, but every single step was taken by Python: the loops were never
    compiled.
    """
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    padded = np.zeros((n, c, h + 2 * ph, w + 2 * pw), x.dtype)
    padded[:, :, ph : ph + h, pw : pw + w] = x
    y = np.empty((n, o, (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1), x.dtype)
    for image, k, p, q in np.ndindex(y.shape):
        total = bias[k]
        for channel in range(c):
            for i in range(kh):
                for j in range(kw):
                    pixel = padded[image, channel, p * sh + i, q * sw + j]
                    total += weight[k, channel, i, j] * pixel
        y[image, k, p, q] = total
    return y
