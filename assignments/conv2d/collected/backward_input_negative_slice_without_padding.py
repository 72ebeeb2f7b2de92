"""The padding is taken off by a slice from p to -p, which is empty where the padding is 0."""
# task: backward_input


def backward_input(dy, weight, x_shape, stride, padding, dilation, groups):
    n, c, h, w = x_shape
    o, cg, kh, kw = weight.shape
    _, _, oh, ow = dy.shape
    ph, pw = padding
    dx = np.zeros((n, c, h + 2 * ph, w + 2 * pw), dtype=dy.dtype)
    og = o // groups
    for g in range(groups):
        grads = dy[:, g * og : (g + 1) * og]
        kernels = weight[g * og : (g + 1) * og]
        target = dx[:, g * cg : (g + 1) * cg]
        for p in range(oh):
            for q in range(ow):
                top, left = p * stride[0], q * stride[1]
                patch = np.tensordot(grads[:, :, p, q], kernels, axes=(1, 0))
                for i in range(kh):
                    for j in range(kw):
                        row, column = top + i * dilation[0], left + j * dilation[1]
                        target[:, :, row, column] += patch[:, :, i, j]
    return dx[:, :, ph:-ph, pw:-pw]
