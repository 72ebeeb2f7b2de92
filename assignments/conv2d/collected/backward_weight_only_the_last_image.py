"""In the loop over the batch every image's gradient is assigned, not added, so the last one
remains."""
# task: backward_weight


def backward_weight(dy, x, weight_shape, stride, padding, dilation, groups):
    o, cg, kh, kw = weight_shape
    oh, ow = dy.shape[2:]
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    grad = np.zeros(weight_shape, dy.dtype)
    for n in range(len(x)):
        for k in range(o):
            first = k // (o // groups) * cg
            image = padded[n, first : first + cg]
            for i in range(kh):
                for j in range(kw):
                    patch = image[:, i * dh : i * dh + sh * oh : sh, j * dw : j * dw + sw * ow : sw]
                    grad[k, :, i, j] = (patch * dy[n, k]).sum(axis=(1, 2))
    return grad
