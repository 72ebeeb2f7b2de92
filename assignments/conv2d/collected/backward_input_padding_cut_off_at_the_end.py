"""The padded gradient is cut to the image's size from its upper left corner, so the padding above
and on the left stays and as many pixels are lost below and on the right."""
# task: backward_input


def backward_input(dy, weight, x_shape, stride, padding, dilation, groups):
    n, c, h, w = x_shape
    o, cg, kh, kw = weight.shape
    oh, ow = dy.shape[2:]
    dxp = np.zeros((n, groups, cg, h + 2 * padding[0], w + 2 * padding[1]), dy.dtype)
    dyg = dy.reshape(n, groups, o // groups, oh, ow)
    wg = weight.reshape(groups, o // groups, cg, kh, kw)
    for i in range(kh):
        for j in range(kw):
            a, b = i * dilation[0], j * dilation[1]
            dxp[..., a : a + stride[0] * oh : stride[0], b : b + stride[1] * ow : stride[1]] += (
                np.einsum("goc,ngopq->ngcpq", wg[..., i, j], dyg)
            )
    dx = dxp.reshape(n, c, h + 2 * padding[0], w + 2 * padding[1])
    return dx[:, :, :h, :w].copy()
