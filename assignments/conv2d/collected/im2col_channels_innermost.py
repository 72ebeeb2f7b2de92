"""A patch is laid out tap by tap with all channels of a tap side by side, as in libraries that keep
channels last."""
# task: im2col


def im2col(x, kernel, stride, dilation):
    n, c, h, w = x.shape
    kh, kw = kernel
    oh = max((h - dilation[0] * (kh - 1) - 1) // stride[0] + 1, 0)
    ow = max((w - dilation[1] * (kw - 1) - 1) // stride[1] + 1, 0)
    rows = []
    for i in range(kh):
        for j in range(kw):
            for channel in range(c):
                r = i * dilation[0] + stride[0] * np.arange(oh)
                q = j * dilation[1] + stride[1] * np.arange(ow)
                rows.append(x[:, channel, r[:, None], q[None, :]].reshape(n, oh * ow))
    return np.stack(rows, axis=1)
