"""Taken for the inverse of im2col: the sum at each pixel is divided by the number of patches that
cover it."""
# task: col2im


def col2im(cols, shape, kernel, stride, dilation):
    n, c, h, w = shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh = max((h - dh * (kh - 1) - 1) // sh + 1, 0)
    ow = max((w - dw * (kw - 1) - 1) // sw + 1, 0)
    taps = cols.reshape(n, c, kh, kw, oh, ow)
    total = np.zeros(shape, cols.dtype)
    times = np.zeros((h, w), cols.dtype)
    for i in range(kh):
        for j in range(kw):
            place = np.s_[..., i * dh : i * dh + sh * oh : sh, j * dw : j * dw + sw * ow : sw]
            total[place] += taps[:, :, i, j]
            times[place] += 1
    return total / np.maximum(times, 1)
