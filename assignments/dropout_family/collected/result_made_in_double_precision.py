"""The result is allocated by np.zeros without a dtype, so float32 inputs come out as float64."""


# task: drop_connect
def drop_connect(x, weight, keep):
    n, k, _ = keep.shape
    y = np.zeros((n, k))
    for i in range(n):
        for j in range(k):
            y[i, j] = np.sum(keep[i, j] * weight[j] * x[i])
    return y
