"""That one of the two gradients needs a turned kernel is remembered, but it is the other one; this
one must not be turned."""
# task: backward_weight


def backward_weight(dy, x, weight_shape, stride, padding, dilation, groups):
    o, cg, kh, kw = weight_shape
    n, _, oh, ow = dy.shape
    ph, pw = padding
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    xg = xp.reshape(n, groups, cg, *xp.shape[2:])
    dyg = dy.reshape(n, groups, o // groups, oh, ow)
    dw = np.zeros((groups, o // groups, cg, kh, kw), dtype=dy.dtype)
    for i in range(kh):
        for j in range(kw):
            a, b = i * dilation[0], j * dilation[1]
            met = xg[..., a : a + stride[0] * oh : stride[0], b : b + stride[1] * ow : stride[1]]
            dw[..., i, j] = np.einsum("ngopq,ngcpq->goc", dyg, met)
    return dw.reshape(weight_shape)[:, :, ::-1, ::-1].copy()
