"""The gradient is computed as a convolution of the spread out dy, but the kernel is laid on as it
is and not turned by 180 degrees."""
# task: backward_input


def backward_input(dy, weight, x_shape, stride, padding, dilation, groups):
    n, c, h, w = x_shape
    o, cg, kh, kw = weight.shape
    oh, ow = dy.shape[2:]
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    hp, wp = h + 2 * ph, w + 2 * pw
    above, beside = dh * (kh - 1), dw * (kw - 1)
    spread = np.zeros((n, o, hp + above, wp + beside), dtype=dy.dtype)
    spread[:, :, above : above + sh * oh : sh, beside : beside + sw * ow : sw] = dy
    spread = spread.reshape(n, groups, o // groups, hp + above, wp + beside)
    kernels = weight.reshape(groups, o // groups, cg, kh, kw)
    dx = np.zeros((n, groups, cg, hp, wp), dtype=dy.dtype)
    for i in range(kh):
        for j in range(kw):
            window = spread[..., i * dh : i * dh + hp, j * dw : j * dw + wp]
            dx += np.einsum("goc,ngopq->ngcpq", kernels[..., i, j], window)
    return dx.reshape(n, c, hp, wp)[:, :, ph : ph + h, pw : pw + w].copy()
