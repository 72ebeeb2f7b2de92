"""The 1 of the number of positions went inside the brackets: (h + 2 * padding - kernel + 1) //
stride, which loses the last position for some strides."""
# task: forward_numba


@njit
def forward_numba(x, weight, bias, stride, padding):
    n_images, n_in, h, w = x.shape
    n_out, _, kh, kw = weight.shape
    sh, sw = stride
    ph, pw = padding
    oh = max((h + 2 * ph - kh + 1) // sh, 0)
    ow = max((w + 2 * pw - kw + 1) // sw, 0)
    y = np.zeros((n_images, n_out, oh, ow), dtype=np.float32)
    for n in range(n_images):
        for o in range(n_out):
            for p in range(oh):
                for q in range(ow):
                    total = bias[o]
                    for c in range(n_in):
                        for i in range(kh):
                            row = p * sh - ph + i
                            if row < 0 or row >= h:
                                continue
                            for j in range(kw):
                                column = q * sw - pw + j
                                if column < 0 or column >= w:
                                    continue
                                total += weight[o, c, i, j] * x[n, c, row, column]
                    y[n, o, p, q] = total
    return y
