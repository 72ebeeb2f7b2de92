"""Makes the sum of dx * x_hat exactly zero by projecting on x_hat, that is by dividing by the sum
of its squares; with eps that sum is less than m and too much is taken away."""
# task: backward


def backward(dy, x_hat, inv_std, gamma):
    dbeta = dy.sum(axis=(0, 2))
    dgamma = (dy * x_hat).sum(axis=(0, 2))
    dx = np.empty_like(dy)
    for k in range(dy.shape[1]):
        g = gamma[k] * dy[:, k]
        direction = x_hat[:, k]
        length = (direction * direction).sum()
        g = g - g.sum() / max(g.size, 1)
        if length > 0:
            g = g - direction * ((g * direction).sum() / length)
        dx[:, k] = inv_std[k] * g
    return dx, dgamma, dbeta
