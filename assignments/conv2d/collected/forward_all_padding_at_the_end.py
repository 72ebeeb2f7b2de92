"""The zeros for both ends are put below and to the right of the image, so the sizes are right and
every position looks at the wrong place."""
# task: forward


def forward(x, weight, bias, stride, padding, dilation, groups):
    n, c, h, w = x.shape
    o, cg, kh, kw = weight.shape
    xp = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), x.dtype)
    xp[:, :, :h, :w] = x
    oh = max((xp.shape[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1, 0)
    ow = max((xp.shape[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1, 0)
    cols = np.empty((n, c, kh, kw, oh, ow), x.dtype)
    for i in range(kh):
        for j in range(kw):
            r, s = i * dilation[0], j * dilation[1]
            cols[:, :, i, j] = xp[:, :, r : r + stride[0] * oh : stride[0]][
                :, :, :, s : s + stride[1] * ow : stride[1]
            ]
    cols = cols.reshape(n, groups, cg * kh * kw, oh * ow)
    kernels = weight.reshape(groups, o // groups, cg * kh * kw)
    y = (kernels @ cols).reshape(n, o, oh, ow)
    return y if bias is None else y + bias.reshape(1, o, 1, 1)
