"""A weight is used once at every position, and its gradient is divided by their number, as if the
shared weight should get the mean of its contributions."""
# task: backward_weight


def backward_weight(dy, x, weight_shape, stride, padding, dilation, groups):
    o, cg, kh, kw = weight_shape
    n, _, oh, ow = dy.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    cols = []
    for i in range(kh):
        for j in range(kw):
            rows = i * dilation[0] + stride[0] * np.arange(oh)
            columns = j * dilation[1] + stride[1] * np.arange(ow)
            cols.append(xp[:, :, rows[:, None], columns])
    cols = np.stack(cols, axis=2).reshape(n, groups, cg * kh * kw, oh * ow)
    errors = dy.reshape(n, groups, o // groups, oh * ow)
    total = (errors @ cols.swapaxes(2, 3)).sum(axis=0)
    return total.reshape(weight_shape) / max(oh * ow, 1)
