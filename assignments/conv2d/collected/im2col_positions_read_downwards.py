"""The loop over the columns of the image stands outside, so positions are listed from top to bottom
first and then from left to right."""
# task: im2col


def im2col(x, kernel, stride, dilation):
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    tall = dh * (kh - 1) + 1
    wide = dw * (kw - 1) + 1
    tops = range(0, h - tall + 1, sh)
    lefts = range(0, w - wide + 1, sw)
    cols = np.zeros((n, c * kh * kw, len(tops) * len(lefts)), dtype=x.dtype)
    k = 0
    for left in lefts:
        for top in tops:
            patch = x[:, :, top : top + tall : dh, left : left + wide : dw]
            cols[:, :, k] = patch.reshape(n, c * kh * kw)
            k += 1
    return cols
