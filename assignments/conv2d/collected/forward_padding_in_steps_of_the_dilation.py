"""The padding is multiplied by the dilation, as if it were counted in taps."""
# task: forward


def forward(x, weight, bias, stride, padding, dilation, groups):
    o, cg, kh, kw = weight.shape
    sh, sw = stride
    dh, dw = dilation
    ph, pw = padding[0] * dh, padding[1] * dw
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    n, _, hp, wp = xp.shape
    oh = max(0, (hp - dh * (kh - 1) - 1) // sh + 1)
    ow = max(0, (wp - dw * (kw - 1) - 1) // sw + 1)
    y = np.zeros((n, groups, o // groups, oh, ow), dtype=x.dtype)
    xg = xp.reshape(n, groups, cg, hp, wp)
    wg = weight.reshape(groups, o // groups, cg, kh, kw)
    for i in range(kh):
        for j in range(kw):
            grid = xg[..., i * dh : i * dh + sh * oh : sh, j * dw : j * dw + sw * ow : sw]
            y += np.einsum("goc,ngcpq->ngopq", wg[..., i, j], grid)
    y = y.reshape(n, o, oh, ow)
    if bias is not None:
        y = y + bias[None, :, None, None]
    return y
