"""Only pixels beyond the lower and the right edge are left out; above and to the left the row and
column become negative, and Python counts those from the other end."""
# task: convolve


def convolve(x, weight, bias, stride, padding):
    n_images, n_in, h, w = x.shape
    n_out, _, kh, kw = weight.shape
    oh = max((h + 2 * padding[0] - kh) // stride[0] + 1, 0)
    ow = max((w + 2 * padding[1] - kw) // stride[1] + 1, 0)
    y = np.zeros((n_images, n_out, oh, ow), dtype=x.dtype)
    for n in range(n_images):
        for o in range(n_out):
            for p in range(oh):
                for q in range(ow):
                    total = bias[o]
                    for c in range(n_in):
                        for i in range(kh):
                            row = p * stride[0] - padding[0] + i
                            if row >= h:
                                break
                            for j in range(kw):
                                column = q * stride[1] - padding[1] + j
                                if column >= w or row < -h or column < -w:
                                    continue
                                total += weight[o, c, i, j] * x[n, c, row, column]
                    y[n, o, p, q] = total
    return y
