"""A copy and paste slip: the column is computed with the vertical stride."""
# task: convolve


def convolve(x, weight, bias, stride, padding):
    num, cin, h, w = x.shape
    cout, _, kh, kw = weight.shape
    oh = max((h + 2 * padding[0] - kh) // stride[0] + 1, 0)
    ow = max((w + 2 * padding[1] - kw) // stride[1] + 1, 0)
    out = np.empty((num, cout, oh, ow), dtype=x.dtype)
    for n in range(num):
        for o in range(cout):
            for p in range(oh):
                for q in range(ow):
                    acc = bias[o]
                    for c in range(cin):
                        for i in range(kh):
                            for j in range(kw):
                                row = p * stride[0] - padding[0] + i
                                col = q * stride[0] - padding[1] + j
                                if row < 0 or row >= h or col < 0 or col >= w:
                                    continue
                                acc += weight[o, c, i, j] * x[n, c, row, col]
                    out[n, o, p, q] = acc
    return out
