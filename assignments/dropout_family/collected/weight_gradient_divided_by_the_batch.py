"""The weight's gradient is averaged over the batch, though the loss's mean is in dy already."""


# task: drop_connect_backward
def drop_connect_backward(dy, x, weight, keep):
    dx = np.zeros_like(x)
    dweight = np.zeros_like(weight)
    for i in range(len(x)):
        dx[i] = (keep[i] * weight).T @ dy[i]
        dweight += keep[i] * np.outer(dy[i], x[i])
    return dx, dweight / dweight.dtype.type(len(x))
