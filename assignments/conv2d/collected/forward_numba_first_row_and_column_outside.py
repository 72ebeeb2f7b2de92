"""The test whether a pixel lies on the image asks for row > 0 and column > 0, so row 0 and column 0
count as padding."""
# task: forward_numba


@njit
def forward_numba(x, weight, bias, stride, padding):
    n_images, channels, h, w = x.shape
    kernels, _, kh, kw = weight.shape
    oh = max((h + 2 * padding[0] - kh) // stride[0] + 1, 0)
    ow = max((w + 2 * padding[1] - kw) // stride[1] + 1, 0)
    y = np.empty((n_images, kernels, oh, ow), dtype=np.float32)
    for n in range(n_images):
        for o in range(kernels):
            for p in range(oh):
                for q in range(ow):
                    y[n, o, p, q] = bias[o]
            for c in range(channels):
                for i in range(kh):
                    for j in range(kw):
                        factor = weight[o, c, i, j]
                        for p in range(oh):
                            row = p * stride[0] - padding[0] + i
                            if 0 < row < h:
                                for q in range(ow):
                                    column = q * stride[1] - padding[1] + j
                                    if 0 < column < w:
                                        y[n, o, p, q] += factor * x[n, c, row, column]
    return y
