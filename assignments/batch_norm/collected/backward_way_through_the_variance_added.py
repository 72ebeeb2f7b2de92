"""A sign slip: the way through the variance is added, though a larger variance makes every output
smaller."""
# task: backward


def backward(dy, x_hat, inv_std, gamma):
    m = max(dy.shape[0] * dy.shape[2], 1)
    dbeta = np.einsum("ncs->c", dy)
    dgamma = np.einsum("ncs,ncs->c", dy, x_hat)
    direct = dy - (dbeta / m)[:, None]
    dx = (gamma * inv_std)[:, None] * (direct + x_hat * (dgamma / m)[:, None])
    return dx, dgamma, dbeta
