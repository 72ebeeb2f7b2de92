"""The number of positions respects the dilation, but every tap's grid begins i and j pixels further
on instead of i and j times the dilation."""
# task: col2im


def col2im(cols, shape, kernel, stride, dilation):
    n, c, h, w = shape
    kh, kw = kernel
    sh, sw = stride
    oh = max((h - dilation[0] * (kh - 1) - 1) // sh + 1, 0)
    ow = max((w - dilation[1] * (kw - 1) - 1) // sw + 1, 0)
    blocks = cols.reshape(n, c, kh, kw, oh, ow)
    x = np.zeros(shape, dtype=cols.dtype)
    for i in range(kh):
        for j in range(kw):
            x[:, :, i : i + sh * oh : sh, j : j + sw * ow : sw] += blocks[:, :, i, j]
    return x
