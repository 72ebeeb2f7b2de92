"""The weight's gradient is summed over the samples first, then multiplied by the average mask."""


# task: drop_connect_backward
def drop_connect_backward(dy, x, weight, keep):
    dx = np.einsum("nk,nkd->nd", dy, keep * weight)
    dweight = (dy.T @ x) * keep.mean(axis=0)
    return dx.astype(dy.dtype), dweight.astype(dy.dtype)
